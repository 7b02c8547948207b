"""Collects what is finished, of one or several environments, for the report page.

See :mod:`wherewhen.experiments.results` for what is finished and :mod:`wherewhen.reporting.page`
for the layout.
"""

from __future__ import annotations

import io
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.environments import NOT_DATA_SETS, environments
from wherewhen.experiments.config import ExperimentError, load_experiments
from wherewhen.experiments.figures import pictures
from wherewhen.experiments.published import DATASETS
from wherewhen.experiments.results import Results
from wherewhen.experiments.rows import Request, ResolvedRow
from wherewhen.experiments.tables import captions, comparison, format_orientation, orientation
from wherewhen.lineage.ledger import NotMade
from wherewhen.lineage.records import NAME
from wherewhen.project import from_root
from wherewhen.reporting.figures import FIGURES, kind_of, shows_nobody
from wherewhen.reporting.page import model as page
from wherewhen.reporting.page.model import Status
from wherewhen.reporting.page.render import render
from wherewhen.reporting.style import describe
from wherewhen.sessions import View
from wherewhen.tracking import find_runs

OUT = "data/08_reporting/experiments.html"
"""Default file of the report, from the project's root."""

BASE = "base"
"""Name on the page of the configuration without an environment."""

SHOWN, COMMIT = 16, 12
"""Digits of a hash, and of a commit, that are shown."""

CURVES = ("cmc", "convergence")
"""Figures that are drawn for the page; others are shown where `kedro experiment figures` did."""


@dataclass(frozen=True)
class ReportRequest:
    """Options of ``kedro experiment report``."""

    environments: Sequence[str] = ()
    """Environments; empty: all in which something is finished."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the experiments were run with."""
    trained_on: str | None = None
    """Environment of the networks of cross-dataset experiments; None: all that have results."""
    with_pictures: bool = False
    """Show figures with frames of people, too."""


def write_report(out: Path, asked: ReportRequest) -> Path:
    """Write the report to a file, whole or not at all; return its path.

    Raises
    ------
    ExperimentError
        As :func:`gather`.
    """
    text = render(gather(asked))
    with replacing(out) as partial:
        partial.write_text(text, encoding="utf-8")
    return out


def gather(asked: ReportRequest) -> page.Page:
    """Collect the data of the page.

    Raises
    ------
    ExperimentError
        If nothing at all is finished.
    wherewhen.environments.ConfigurationError
        For an environment that is unknown.
    """
    left_out: list[str] = []
    datasets = []
    for env in asked.environments or with_results():
        found = list(_found(asked, None if env == BASE else env, left_out))
        if found:
            datasets.append(_dataset(found, asked, left_out))
    if not datasets:
        where = ", ".join(asked.environments) or "any environment"
        raise ExperimentError(
            f"nothing is finished in {where}; `kedro experiment run NAME` runs an experiment, and "
            "the report has to be given the --params that it was run with"
        )
    written = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    return page.Page(written, _made_with(), datasets, left_out)


def with_results() -> list[str]:
    """Name the environments, ``base`` first, whose data sets have any scores."""
    outputs = from_root("data/07_model_output")
    names = [BASE, *(name for name in environments() if name not in NOT_DATA_SETS)]
    datasets = {name: View.of(None if name == BASE else name).dataset for name in names}
    scores = f"*/scores_*.parquet/*/{NAME}"
    return [name for name in names if any((outputs / datasets[name]).glob(scores))]


def _found(asked: ReportRequest, env: str | None, left_out: list[str]) -> Iterator[Results]:
    """Yield the results of an environment's experiments that have any."""
    idle: list[str] = []
    contents: dict[Path, str] = {}
    for experiment in load_experiments(env).values():
        named = False
        for source in _sources(experiment.cross_dataset, asked, env):
            try:
                results = Results.of(experiment, Request(env, asked.params, source), contents)
            except ExperimentError as error:
                if not experiment.cross_dataset:  # not every pair of data sets makes sense
                    left_out.append(f"Left out: {error}")
                    named = True
                continue
            if results.trials:
                named = True
                yield results
        if not named:
            idle.append(experiment.name)
    if idle and asked.environments:
        left_out.append(f"Not run on {env or BASE}: {', '.join(idle)}.")


def _sources(cross_dataset: bool, asked: ReportRequest, env: str | None) -> list[str | None]:
    """Name the environments that networks may have been trained in; None for the same."""
    if not cross_dataset:
        return [None]
    if asked.trained_on is not None:
        return [asked.trained_on]
    return [name for name in with_results() if name not in (env or BASE, BASE)]


def _dataset(found: list[Results], asked: ReportRequest, left_out: list[str]) -> page.Dataset:
    env = found[0].request.env
    newest = max(map(_newest, found))
    facts = _size(View.of(env)) | {"last trial finished": f"{_minute(newest)} UTC"}
    experiments = [_experiment(results, asked, left_out) for results in found]
    return page.Dataset(found[0].dataset, env or BASE, facts, experiments)


def _newest(results: Results) -> str:
    """Return when the last trial was finished, in ISO 8601."""
    return max(
        results.rows[name].record(trial).finished
        for name, trials in results.trials.items()
        for trial in trials
    )


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _experiment(results: Results, asked: ReportRequest, left_out: list[str]) -> page.Experiment:
    experiment, source = results.experiment, results.request.trained_on
    known = results.dataset in DATASETS
    table = comparison(experiment, results.rows, results.dataset)
    runs = find_runs(results.dataset, {"experiment": experiment.name})
    return page.Experiment(
        results.name,
        experiment.title + (f", trained on {source}" if source else ""),
        experiment.asks,
        table if known else table[~table.quoted],
        captions(experiment, table, results.dataset, where="Paper and diff."),
        [_row(results, name, runs) for name in results.rows],
        [*_curves(results), *_saved_pictures(results, asked, left_out)],
        {} if known else _elsewhere(orientation(experiment)),
    )


def _row(results: Results, name: str, runs: Sequence[Any]) -> page.Row:
    row, trials = results.rows[name], results.trials.get(name, [])
    own = [run for run in runs if _is_of(run, row)]
    status, remark = _status(len(trials), max(map(len, results.trials.values())), own)
    return page.Row(
        name,
        status,
        remark,
        describe(row.row.features, row.row.metric),
        trials={trial: _identity(row, trial) for trial in trials},
        parameters=row.differing_parameters(),
        facts=_facts(row, trials, own) if trials else {},
        commands=_commands(row, trials) if trials else {},
    )


def _is_of(run: Any, row: ResolvedRow) -> bool:
    """Whether a row's scores were made or taken over in an MLflow run."""
    tags = map(run.data.tags.get, ("row", "trained_on", "stage"))
    return tuple(tags) == (row.row.name, row.request.trained_on, None)


def _status(finished: int, most: int, runs: Sequence[Any]) -> tuple[Status, str]:
    """Return the state of a row beside the one with the most trials, and a remark on it."""
    newest = max(runs, key=lambda run: run.info.start_time, default=None)
    if finished == most:
        return Status.FINISHED, ""
    if newest is not None and newest.info.status in ("FAILED", "KILLED"):
        why = "It failed. Running the row again says why, and makes what is missing."
        return (Status.PARTLY if finished else Status.FAILED), why
    if finished:
        return Status.PARTLY, f"{finished} of {most} trials are finished."
    return Status.NOT_RUN, ""


def _facts(row: ResolvedRow, trials: list[str], runs: Sequence[Any]) -> dict[str, str]:
    commits = sorted({_short_commit(row.record(trial).commit) for trial in trials})
    finished = [run.info.run_id for run in runs if run.data.tags.get("scores") == row.identity] or [
        run.info.run_id for run in runs if run.info.status == "FINISHED"
    ]
    return {
        "data": _load(row.view, "ingest_report").get("fingerprint", ""),
        "cubes": _load(row.view, "cubes_identity").get("key", ""),  # none of raw frames
        "commit": ", ".join(commits),
        "MLflow run": finished[0] if finished else "",
    }


def _short_commit(commit: str) -> str:
    """Shorten a hash, and keep other words and the mark of a changed working tree."""
    return re.sub(rf"^([0-9a-f]{{{COMMIT}}})[0-9a-f]+", r"\1", commit)


def _identity(row: ResolvedRow, trial: str) -> dict[str, str]:
    """Return what identifies a finished trial."""
    record, network = row.record(trial), row.network(trial)
    return {
        "scores": record.identity,
        "split": row.load("split_fingerprints").get(trial, ""),
        "network": network.content[:SHOWN] if network else "",
        "made in MLflow run": record.run_id or "",
        "finished": _minute(record.finished),
    }


def _load(view: View, name: str) -> Any:
    """Load an artifact; an empty mapping where it was not made."""
    try:
        return view.catalog.load(name)
    except NotMade:
        return {}


def _commands(row: ResolvedRow, trials: list[str]) -> dict[str, str]:
    first = row.wanted.index(trials[-1]) + 1
    return {
        "The row, what is there left as it is": row.experiment_command(
            first if first < len(row.wanted) else None
        ),
        "The same as a plain run": row.plain_command(*trials),
    }


def _curves(results: Results) -> Iterator[page.Picture]:
    """Draw CMC curves and, where networks were trained, their losses."""
    for name in CURVES if results.trained else ("cmc",):
        kind = FIGURES[name]
        for picture in pictures(kind, results):
            png = io.BytesIO()
            picture.figure.savefig(png, format="png", bbox_inches="tight")
            yield page.Picture(png.getvalue(), kind.caption, kind.description)


def _saved_pictures(
    results: Results, asked: ReportRequest, left_out: list[str]
) -> Iterator[page.Picture]:
    """Yield the pictures that the page may show, and note how many it may not."""
    newest = datetime.fromisoformat(_newest(results)).timestamp()
    held_back = 0
    for path in sorted(results.folder.glob("*.png")):
        kind = kind_of(path.stem)
        if kind is not None and kind.name in CURVES:
            continue
        if not shows_nobody(path.stem) and not asked.with_pictures:
            held_back += 1
            continue
        fallback = f"{path.stem.replace('_', ' ')}."
        caption, description = (kind.caption, kind.description) if kind else (fallback, fallback)
        if path.stat().st_mtime < newest:
            caption += (
                " Drawn before the last trial was finished: "
                f"`kedro experiment figures {results.experiment.name}` draws it again."
            )
        yield page.Picture(path.read_bytes(), caption, description)
    if held_back:
        figures = "1 figure" if held_back == 1 else f"{held_back} figures"
        left_out.append(
            f"{results.name} on {results.dataset}: {figures} with frames of people left out; "
            "--with-pictures shows them, to those who may see them."
        )


def _elsewhere(theirs: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return published figures by row and data set, the ranks in one cell."""
    if theirs.empty:
        return {}
    ranks = " / ".join(theirs.measure.unique())
    text = format_orientation(theirs).set_index("row")
    return text.rename(columns=lambda name: f"{name}, {ranks}").to_dict("index")


def _size(view: View) -> dict[str, str]:
    """Count the people of a data set by its tables; empty without tables."""
    table, data = _load(view, "tracklets"), _load(view, "ingest_report").get("fingerprint")
    if data is None or not len(table):
        return {}
    sizes = {f"{name}s": f"{table[name].nunique():,}" for name in ("person", "camera", "tracklet")}
    return {**sizes, "data fingerprint": data}


def _made_with() -> dict[str, str]:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    packages = ("wherewhen", "torch", "kedro", "mlflow")
    versions = {name: metadata.version(name) for name in packages}
    return {"on": machine, "Python": platform.python_version(), **versions}
