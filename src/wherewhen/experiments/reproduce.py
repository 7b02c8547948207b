"""How to come to the same numbers again: the commands that a report prints beside them."""

from __future__ import annotations

import shlex
from typing import Any

from wherewhen.describe import as_params
from wherewhen.experiments.rows import ResolvedRow
from wherewhen.sessions import environment_parameters
from wherewhen.tracking import flat


def chosen_overrides(row: ResolvedRow) -> dict[str, Any]:
    """Return what a row overrides, dotted."""
    return flat(row.view.overrides)


def parameters_that_differ(row: ResolvedRow) -> dict[str, Any]:
    """Return what a row sets to another value than its environment does, dotted."""
    here = flat(environment_parameters(row.request.env))
    return {
        name: value
        for name, value in chosen_overrides(row).items()
        if name not in here or here[name] != value
    }


def experiment_command(row: ResolvedRow, trials: int | None = None) -> str:
    """Write the command that runs a row, in the first trials or all, as it was asked for."""
    request = row.request
    words = ["uv", "run", "kedro", "experiment", "run", row.experiment, "--rows", row.row.name]
    words += ["--env", request.env] if request.env else []
    words += ["--trained-on", request.trained_on] if request.trained_on else []
    words += ["--trials", str(trials)] if trials else []
    words += ["--params", as_params(request.params)] if request.params else []
    return shlex.join(words)


def plain_command(row: ResolvedRow, *trials: str) -> str:
    """Write the plain run of Kedro that makes a row's scores in some trials."""
    words = ["uv", "run", "kedro", "run", *(["--env", row.request.env] if row.request.env else [])]
    words += ["--to-outputs", ",".join(row.outputs(*trials))]
    overrides = chosen_overrides(row)
    return shlex.join([*words, "--params", as_params(overrides)] if overrides else words)
