"""Runs the unfinished rows of an experiment, each as a Kedro session.

A session makes what is missing or out of date (`wherewhen.lineage`): what rows share is made once,
and a row that was killed continues where it stopped. A row that fails does not stop the others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from wherewhen.commands import SHOW_TRACEBACK, on_purpose
from wherewhen.experiments.rows import ResolvedRow, make, make_missing
from wherewhen.tracking import Description, Tracker, find_runs, score_metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A row that failed, and why."""

    experiment: str
    row: str
    message: str

    def __str__(self) -> str:
        return f"{self.experiment}, {self.row}: {self.message}"


def run_rows(rows: Mapping[str, ResolvedRow]) -> list[Failure]:
    """Run the unfinished rows of an experiment.

    Parameters
    ----------
    rows : mapping of str to ResolvedRow
        By the row's name.

    Returns
    -------
    list of Failure
        The rows that failed; all others are finished.
    """
    failures = []
    for number, (name, row) in enumerate(rows.items(), start=1):
        log.info("%s, row %d of %d: %s", row.experiment, number, len(rows), name)
        try:
            _run(row)
        except Exception as error:
            message = log_failure(f"{row.experiment}, {name}", error)
            failures.append(Failure(row.experiment, name, message))
    return failures


def log_failure(what: str, error: Exception) -> str:
    """Log why something failed, with a traceback if it is a bug; return the message.

    Parameters
    ----------
    what : str
        What failed.
    error : Exception
        An error that is raised for users is logged by its message alone.
    """
    known = on_purpose(error)
    message = str(known) if known else f"{type(error).__name__}: {error}"
    traced = not known or os.environ.get(SHOW_TRACEBACK)
    log.error("failed: %s: %s", what, message, exc_info=error if traced else None)
    return message


def _run(row: ResolvedRow) -> None:
    """Run a row under an MLflow run of its own, also if other rows have made all of its scores."""
    if row.source is not None:
        networks = [f"{trial}.network" for trial in row.wanted]
        described = _describe(row, f"trained on {row.source.dataset}", stage="training")
        make_missing(row.source, networks, described)
        row = replace(row)  # looks again at which networks there are
    described = _describe(row, row.view.dataset)
    if row.is_finished and find_runs(row.view.dataset, {**described.tags, "scores": row.identity}):
        log.info("finished already")
        return
    make(row.view, row.outputs(*row.wanted), described)
    prefix = f"score.{row.row.features}.{row.row.metric}."
    shown = {  # by plain names, so that MLflow compares rows
        name.removeprefix(prefix): value for name, value in score_metrics(row.shown()).items()
    }
    run = Tracker(described.run_id)
    run.log_metrics(shown)
    run.set_tags({"scores": row.identity})
    run.require_told()


def _describe(row: ResolvedRow, what: str, **tags: str) -> Description:
    """Return name, tags and command of a row's MLflow run."""
    tags |= {"experiment": row.experiment, "row": row.row.name}
    if row.request.trained_on:
        tags["trained_on"] = row.request.trained_on
    name = f"{row.experiment} · {row.row.name} · {what}"
    return Description(name, tags, row.experiment_command(row.request.trials))
