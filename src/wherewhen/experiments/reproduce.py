"""How to come to the same numbers again: the commands that a report prints beside them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wherewhen.experiments.config import PRESETS, Tree
from wherewhen.experiments.engine import OF_A_TRIAL
from wherewhen.experiments.variants import Variant


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Spell nested parameters with dots.

    Parameters
    ----------
    tree : mapping
        Nested.
    prefix : str
        Put before every name.

    Returns
    -------
    dict
        Dotted name to value; an empty mapping is a value.
    """
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        nested = isinstance(value, Mapping) and value
        leaves |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return leaves


def chosen_overrides(variant: Variant) -> dict[str, Any]:
    """Return what a variant overrides, dotted; of the presets only the chosen one's matters."""
    others = [preset for preset in PRESETS if preset != variant.parameters.train.preset]
    unused = tuple(f"train.{group}.{name}." for group in ("network", "training") for name in others)
    return {
        name: value
        for name, value in flat(variant.overrides).items()
        if not name.startswith(unused)
    }


def parameters_that_differ(variant: Variant, environment: Tree) -> dict[str, Any]:
    """Return what a variant sets to another value than its environment does, dotted."""
    here = flat(environment)
    return {
        name: value
        for name, value in chosen_overrides(variant).items()
        if name not in here or here[name] != value
    }


def as_params(parameters: Mapping[str, Any]) -> str:
    """Write dotted parameters as ``--params`` reads them.

    Parameters
    ----------
    parameters : mapping
        Dotted name to plain value.

    Returns
    -------
    str
        ``name=value,name=value``; words as they are, all else as JSON, which YAML understands.

    Raises
    ------
    ValueError
        For a text with a comma or an unpaired bracket: ``--params`` would split there.
    """
    return ",".join(f"{name}={_value(name, value)}" for name, value in parameters.items())


def experiment_command(
    name: str,
    row: str,
    env: str | None,
    trials: int,
    trained_on: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> str:
    """Write the command that runs all trials of a row, with what the experiment was run with."""
    words = ["uv", "run", "kedro", "experiment", "run", name, "--rows", row]
    words += ["--env", env] if env else []
    words += ["--trained-on", trained_on] if trained_on else []
    words += ["--trials", str(trials)]
    return shlex.join([*words, "--params", as_params(flat(params))] if params else words)


def plain_commands(variant: Variant, trial: str, trials: int) -> Iterator[tuple[str, str]]:
    """Write plain runs of Kedro that make one trial of a variant.

    Parameters
    ----------
    variant : Variant
        Of which.
    trial : str
        As ``trial_00``.
    trials : int
        How many splits are drawn.

    Yields
    ------
    purpose, command : str
        What trials share, then the trial; before them the same of the variant that trains the
        network, where it is borrowed.
    """
    if variant.source is not None:
        for purpose, command in plain_commands(variant.source, trial, trials):
            yield f"{purpose}, where the network is trained", command
    shared = ["synthesise"] if variant.parameters.ingest.synthetic else []
    shared += ["ingest", "split", *(["extract"] if variant.needs_cubes else [])]
    yield "what all trials share", _run(variant, shared, trials)
    yield trial, _run(variant, OF_A_TRIAL, trials, "--namespaces", trial)


def _run(variant: Variant, stages: Sequence[str], trials: int, *more: str) -> str:
    own = {"variant": variant.key, **chosen_overrides(variant), "split.trials": trials}
    words = ["uv", "run", "kedro", "run", *(["--env", variant.env] if variant.env else [])]
    return shlex.join([*words, "--pipelines", ",".join(stages), *more, "--params", as_params(own)])


def _value(name: str, value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if "," in value or any(value.count(one) != value.count(two) for one, two in ("[]", "{}")):
        raise ValueError(
            f"{name}: {value!r} can't be given by --params; expected a text without commas and "
            "with its brackets paired. Put it into an environment's parameters.yml"
        )
    return value if _reads_as_itself(value) else json.dumps(value, ensure_ascii=False)


def _reads_as_itself(word: str) -> bool:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not word or word != word.strip():
        return False
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist([f"word={word}"])) == {"word": word}
    except (OmegaConfBaseException, ValueError):
        return False
