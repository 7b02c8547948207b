"""Runs what is not finished of an experiment: every row is a Kedro session.

A session makes what is missing or out of date (`wherewhen.lineage`), so what rows share is made
once, and a killed row goes on where it stopped. A row that fails does not stop the next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from wherewhen.commands import SHOW_TRACEBACK, on_purpose
from wherewhen.experiments.reproduce import experiment_command
from wherewhen.experiments.rows import ResolvedRow
from wherewhen.sessions import View, run
from wherewhen.tracking import Description, described, find_runs, log_finished, score_metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """What could not be run, and why."""

    experiment: str
    row: str
    message: str

    def __str__(self) -> str:
        return f"{self.experiment}, {self.row}: {self.message}"


def run_rows(rows: Mapping[str, ResolvedRow]) -> list[Failure]:
    """Run what is not finished of an experiment's rows.

    Parameters
    ----------
    rows : mapping of str to ResolvedRow
        By the row's name.

    Returns
    -------
    list of Failure
        What failed; the rest is done.
    """
    failures = []
    for number, (name, row) in enumerate(rows.items(), start=1):
        log.info("%s, row %d of %d: %s", row.experiment, number, len(rows), name)
        try:
            _run(row)
        except Exception as error:
            failures.append(_failed(row, error))
    return failures


def _run(row: ResolvedRow) -> None:
    """Run a row; MLflow gets a run of it under the experiment's name, also if all is there."""
    if row.source is not None:
        _train_elsewhere(row, row.source)
        row = replace(row)  # its networks are there now
    said = _describe(row, row.view.dataset)
    if row.is_finished and find_runs(row.view.dataset, {**said.tags, "scores": row.identity}):
        log.info("finished already")
        return
    _make(row.view, row.outputs(*row.wanted), said)
    _log_shown(said.run_id, row)


def _train_elsewhere(row: ResolvedRow, source: View) -> None:
    """Train the networks of a row in the environment that they come from."""
    networks = [f"{trial}.network" for trial in row.wanted]
    if not all(map(source.ledger.is_there, networks)):
        said = _describe(row, f"trained on {source.dataset}", stage="training")
        _make(source, networks, said)


def _make(view: View, outputs: list[str], said: Description) -> None:
    """Make artifacts, and all that they follow from, as far as that is not there."""
    with described(said):
        run(view.env, view.overrides, ["__default__"], to_outputs=outputs)
    view.ledger.refresh()


def _describe(row: ResolvedRow, what: str, **tags: str) -> Description:
    """Say how the MLflow run of a row is named, tagged and repeated."""
    tags |= {"experiment": row.experiment, "row": row.row.name}
    if row.request.trained_on:
        tags["trained_on"] = row.request.trained_on
    name = f"{row.experiment} · {row.row.name} · {what}"
    return Description(name, tags, experiment_command(row, row.request.trials))


def _log_shown(run_id: str, row: ResolvedRow) -> None:
    """Log the numbers that a row shows by their plain names, so that rows can be compared."""
    prefix = f"score.{row.row.features}.{row.row.metric}."
    values = score_metrics(row.shown())
    plain = {name.removeprefix(prefix): value for name, value in values.items()}
    log_finished(run_id, plain, {"scores": row.identity})


def _failed(row: ResolvedRow, error: Exception) -> Failure:
    """Log why a row failed: a bug with its traceback, a known fault by its message."""
    known = on_purpose(error)
    message = str(known) if known else f"{type(error).__name__}: {error}"
    failure = Failure(row.experiment, row.row.name, message)
    traced = not known or os.environ.get(SHOW_TRACEBACK)
    log.error("failed: %s", failure, exc_info=error if traced else None)
    return failure
