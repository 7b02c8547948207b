"""How to come to the same numbers again: the commands that a report prints beside them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from wherewhen.describe import as_params
from wherewhen.experiments.config import PRESETS
from wherewhen.experiments.rows import RowAtWork
from wherewhen.sessions import Tree
from wherewhen.tracking import flat


def chosen_overrides(row: RowAtWork) -> dict[str, Any]:
    """Return what a row overrides, dotted; of the presets only the chosen one's matters."""
    others = [preset for preset in PRESETS if preset != row.parameters.train.preset]
    unused = tuple(f"train.{group}.{name}." for group in ("network", "training") for name in others)
    return {
        name: value
        for name, value in flat(row.view.overrides).items()
        if not name.startswith(unused)
    }


def parameters_that_differ(row: RowAtWork, environment: Tree) -> dict[str, Any]:
    """Return what a row sets to another value than its environment does, dotted."""
    here = flat(environment)
    return {
        name: value
        for name, value in chosen_overrides(row).items()
        if name not in here or here[name] != value
    }


def experiment_command(
    name: str,
    row: str,
    env: str | None,
    trials: int | None,
    trained_on: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> str:
    """Write the command that runs all trials of a row, with what the experiment was run with."""
    words = ["uv", "run", "kedro", "experiment", "run", name, "--rows", row]
    words += ["--env", env] if env else []
    words += ["--trained-on", trained_on] if trained_on else []
    words += ["--trials", str(trials)] if trials else []
    return shlex.join([*words, "--params", as_params(params)] if params else words)


def plain_command(row: RowAtWork) -> str:
    """Write the plain run of Kedro that makes a row's scores."""
    words = ["uv", "run", "kedro", "run", *(["--env", row.env] if row.env else [])]
    words += ["--pipelines", ",".join(row.stages)]
    overrides = chosen_overrides(row)
    return shlex.join([*words, "--params", as_params(overrides)] if overrides else words)
