"""Description of a run (the Kedro side): name, command, commit, versions, table of scores."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wherewhen.commands import parse_params
from wherewhen.lineage.records import flat

log = logging.getLogger(__name__)

COMPUTES = ("wherewhen", "torch", "numpy", "scipy", "scikit-learn", "pandas", "timm")
"""Packages whose versions stand in every record."""

DEMONSTRATION = "synthetic"
"""The data set of the demonstration."""

FILTERS = {
    "pipeline_names": "--pipelines",
    "namespaces": "--namespaces",
    "node_names": "--nodes",
    "tags": "--tags",
    "from_nodes": "--from-nodes",
    "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs",
    "to_outputs": "--to-outputs",
}
"""Entries of Kedro's ``run_params``, and the options of ``kedro run`` that set them."""


def name_of(ledger: Any, run_params: Mapping[str, Any]) -> str:
    """Name a run for people: ``demonstration · modern · 2 trials``.

    A part of the pipelines, or of the trials, is named behind that.
    """
    parameters = ledger.parameters
    dataset = parameters.evaluate.dataset
    trials = parameters.split.trials
    parts = ["demonstration" if dataset == DEMONSTRATION else dataset]
    parts.append("networks from elsewhere" if parameters.train.network_from else
                 parameters.preset)  # fmt: skip
    parts.append("1 trial" if trials == 1 else f"{trials} trials")
    for names in ("pipeline_names", "namespaces", "node_names", "to_outputs"):
        chosen = [name for name in run_params.get(names) or [] if name != "__default__"]
        if chosen:
            parts.append(", ".join(chosen))
    return " · ".join(parts)


def command_of(run_params: Mapping[str, Any], context: Any) -> str:
    """Return the command that repeats a run."""
    checkout = (Path(context.project_path) / "pyproject.toml").is_file()
    words = ["uv", "run", "kedro", "run"] if checkout else ["wherewhen", "run"]
    source = Path(str(context.config_loader.conf_source))
    if source != Path(context.project_path) / "conf":
        words += ["--conf-source", str(source)]
    if run_params.get("env"):
        words += ["--env", str(run_params["env"])]
    for name, option in FILTERS.items():
        if chosen := [each for each in run_params.get(name) or [] if each != "__default__"]:
            words += [option, ",".join(chosen)]
    if given := run_params.get("runtime_params"):
        words += ["--params", as_params(given)]
    return shlex.join(words)


def as_params(tree: Mapping[str, Any]) -> str:
    """Write parameters, nested or with dotted names, as ``--params`` reads them.

    Words are written as they are, all else as JSON, which YAML understands.

    Examples
    --------
    >>> as_params({"split": {"trials": 3, "probe_camera": "1"}, "preset": "paper"})
    'split.trials=3,split.probe_camera="1",preset=paper'
    """
    return ",".join(f"{name}={_word(value)}" for name, value in flat(tree).items())


def commit(project: Path) -> tuple[str, bool]:
    """Return the commit that runs, and whether the working tree differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD"), bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return f"wherewhen {version('wherewhen')}, not a git checkout", False


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in COMPUTES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def print_scores(catalog: Any, run_id: str | None) -> None:
    """Print the table of scores, and where to look further."""
    from wherewhen.reporting.tables import console_table, summarise

    scores = catalog.load("scores")
    said = scores.dataset.iloc[0], scores.protocol.iloc[0]
    definition = catalog.ledger.parameters.evaluate.average_precision
    folder = f"data/08_reporting/{said[0]}"
    show(
        console_table(summarise(scores), *said, definition),
        f"Figures and tables: {folder}. What a number came from: kedro lineage scores",
        f"Compare runs: kedro mlflow ui (this run: {run_id})",
    )


def show(*parts: Any) -> None:
    """Print on any console: what it has no letters for is spelled in ASCII.

    A fault of the console never fails what is finished.
    """
    try:
        from rich.console import Console

        console = Console()
        with console.capture() as captured:
            for part in parts:
                console.print(part, highlight=False)
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        text = captured.get().encode(encoding, "plain").decode(encoding)
        print(text, end="", flush=True)  # noqa: T201
    except (OSError, ValueError, LookupError) as error:
        log.warning("the table can't be printed here (%s)", error)


def _word(value: Any) -> str:
    """Spell a value so that ``--params`` reads the same value again."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value if _reads_as_itself(value) else json.dumps(value, ensure_ascii=False)


def _reads_as_itself(word: str) -> bool:
    try:
        return parse_params(f"word={word}") == {"word": word}
    except ValueError:
        return False
