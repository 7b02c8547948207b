"""Runs what is not finished of an experiment: every row is a Kedro session.

A session makes what is missing or out of date (`wherewhen.lineage`), so what rows share is made
once, and a killed row goes on where it stopped. A row that fails does not stop the next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherewhen.commands import SHOW_TRACEBACK, on_purpose
from wherewhen.experiments.config import Experiment
from wherewhen.experiments.reproduce import experiment_command
from wherewhen.experiments.rows import RowAtWork, rows_of
from wherewhen.lineage.ledger import NotMade
from wherewhen.sessions import View, run
from wherewhen.tracking import Description, client, described, find_run, score_metrics

log = logging.getLogger(__name__)

OF_NETWORKS = ["synthesise", "ingest", "split", "extract", "train"]
"""The stages that train networks for other data sets."""


@dataclass(frozen=True)
class Failure:
    """What could not be run, and why."""

    experiment: str
    row: str
    message: str

    def __str__(self) -> str:
        return f"{self.experiment}, {self.row}: {self.message}"


class Engine:
    """Runs experiments in an environment.

    Parameters
    ----------
    env : str, optional
        The environment; None: Kedro's default.
    params : mapping, optional
        As of ``--params``.
    trained_on : str, optional
        The environment that networks are trained in; None: the same.
    trials : int, optional
        How many; None: as many as the environment says.
    """

    def __init__(
        self,
        env: str | None = None,
        params: Mapping[str, Any] | None = None,
        trained_on: str | None = None,
        trials: int | None = None,
    ) -> None:
        self._env, self._params = env, params or {}
        self._trained_on, self._trials = trained_on, trials

    def run(self, experiment: Experiment, rows: Sequence[str] = ()) -> list[Failure]:
        """Run what is not finished.

        Parameters
        ----------
        experiment : Experiment
            Of the environment.
        rows : sequence of str
            The rows to run; none: all.

        Returns
        -------
        list of Failure
            What failed; the rest is done.
        """
        at_work = rows_of(experiment, self._env, self._params, self._trained_on, rows, self._trials)
        failures = []
        for number, (name, row) in enumerate(at_work.items(), start=1):
            log.info("%s, row %d of %d: %s", experiment.name, number, len(at_work), name)
            try:
                self._row(row)
            except Exception as error:
                failures.append(_failed(experiment.name, name, error))
        return failures

    def _row(self, row: RowAtWork) -> None:
        """Run a row; tell MLflow of it under the experiment's name, also if all is there."""
        if row.source is not None:
            self._train_elsewhere(row, row.source)
        said = self._description(row)
        if row.is_finished and _is_told(row, said):
            log.info("finished already")
            return
        with described(said):
            run(row.env, row.view.overrides, row.stages)
        row.view.ledger.refresh()
        _log_shown(said.run_id, row)

    def _train_elsewhere(self, row: RowAtWork, source: View) -> None:
        """Train the networks of a row in the environment that they come from."""
        try:
            row.view  # noqa: B018  (its networks are there)
        except NotMade:
            stages = OF_NETWORKS if source.parameters.ingest.synthetic else OF_NETWORKS[1:]
            name = f"{row.experiment} · {row.row.name} · trained on {source.dataset}"
            tags = {"experiment": row.experiment, "row": row.row.name, "stage": "training"}
            with described(Description(name, tags, self._command(row))):
                run(source.env, source.overrides, stages)
            source.ledger.refresh()

    def _description(self, row: RowAtWork) -> Description:
        tags = {"experiment": row.experiment, "row": row.row.name}
        if self._trained_on:
            tags["trained_on"] = self._trained_on
        name = f"{row.experiment} · {row.row.name} · {row.view.dataset}"
        return Description(name, tags, self._command(row))

    def _command(self, row: RowAtWork) -> str:
        return experiment_command(
            row.experiment, row.row.name, self._env, self._trials, self._trained_on, self._params
        )


def _is_told(row: RowAtWork, said: Description) -> bool:
    """Whether MLflow has a run of a row with the numbers that are there now."""
    return find_run(row.view.dataset, {**said.tags, "scores": row.identity}) is not None


def _log_shown(run_id: str, row: RowAtWork) -> None:
    """Log the numbers that a row shows by their plain names, so that rows can be compared."""
    own = row.shown()
    prefix = f"score.{row.row.features}.{row.row.metric}."
    values = {
        name.removeprefix(prefix): value
        for name, value in score_metrics(own).items()
        if name.startswith(prefix)
    }
    for name, value in values.items():
        client().log_metric(run_id, name, value)
    client().set_tag(run_id, "scores", row.identity)


def _failed(experiment: str, row: str, error: Exception) -> Failure:
    """Log why a row failed: a bug with its traceback, a known fault by its message."""
    known = on_purpose(error)
    message = str(known) if known else f"{type(error).__name__}: {error}"
    failure = Failure(experiment, row, message)
    traced = not known or os.environ.get(SHOW_TRACEBACK)
    log.error("failed: %s", failure, exc_info=error if traced else None)
    return failure
