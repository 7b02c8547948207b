"""What MLflow is told of an experiment: a run a row, in it a run a trial.

A row keeps its run when the experiment is started again; a trial has one for each state of the
data. Sessions of Kedro log into the run that is open, whatever ``mlflow.yml`` says of runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd

from wherewhen.experiments.config import configure
from wherewhen.experiments.variants import Variant
from wherewhen.pipelines.evaluate.nodes import HEADLINES
from wherewhen.project import project_root

Run = Any
"""`mlflow.entities.Run`."""

PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a run inside another."""

DATA = "dataset_fingerprint"
"""The tag that the stage ``ingest`` sets in the runs of Kedro, too."""


class Tracking:
    """The MLflow experiment of an environment's data set.

    Parameters
    ----------
    env : str or None
        The environment.
    """

    def __init__(self, env: str | None) -> None:
        import mlflow
        from kedro.framework.session import KedroSession

        configure()
        # the hooks of a session set MLflow up as mlflow.yml says, if no run is open
        with quiet(), KedroSession.create(project_path=project_root(), env=env) as session:
            tracking = session.load_context().mlflow.tracking
        self._experiment = tracking.experiment._experiment.experiment_id
        self._client = mlflow.MlflowClient()

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> Iterator[Run]:
        """Open a run that sessions log into; it fails if what is done in it fails.

        It is the only open one, also where it belongs to a row's run: kedro-mlflow asks at every
        node whether the first that was opened is its own.
        """
        import mlflow

        mlflow.set_experiment(experiment_id=self._experiment)  # another's may be the current one
        belongs = {} if parent is None else {PARENT: parent}
        with quiet(), mlflow.start_run(run_name=name, tags={**tags, **belongs}) as opened:
            yield opened

    @contextmanager
    def row(self, tags: Mapping[str, str], variant: Variant) -> Iterator[str]:
        """Let a row's run go on, the one that it has already or a new one; give its id."""
        with self.parent(self._row_run(tags), tags["row"], tags) as row:
            self._client.log_dict(row, variant.overrides, "row.yml")
            yield row

    @contextmanager
    def parent(self, found: str | None, name: str, tags: Mapping[str, str]) -> Iterator[str]:
        """Let a run that others belong to go on, or begin it; give its id.

        Parameters
        ----------
        found
            The run's id; None: there is none yet.
        name, tags
            Of a new one.
        """
        run_id = found
        if run_id is None:
            created = self._client.create_run(self._experiment, tags=dict(tags), run_name=name)
            run_id = created.info.run_id
        self._client.update_run(run_id, status="RUNNING")
        self.close_killed(run_id)
        try:
            yield run_id
        except BaseException:
            self._client.set_terminated(run_id, status="FAILED")
            raise
        self._client.set_terminated(run_id)

    def mark(self, row: str, failed: bool) -> None:
        """Say at a row's run whether any of its trials failed."""
        self._client.set_tag(row, "failed", str(failed).lower())

    def trials(self, tags: Mapping[str, str], data: str) -> set[str]:
        """Name the trials of which a row's run has a finished run, on this state of the data."""
        parent = self._row_run(tags)
        if parent is None:
            return set()
        return {
            run.data.tags["trial"]
            for run in self._children(parent)
            if run.info.status == "FINISHED" and run.data.tags.get(DATA) == data
            if "trial" in run.data.tags
        }

    def runs(self, experiment: str) -> list[Run]:
        """Return all runs of a named experiment, of rows, of stages and of trials."""
        return self._search(f"tags.experiment = '{experiment}'")

    def log_scores(self, run_id: str, scores: pd.DataFrame, shown: tuple[str, str] | None) -> None:
        """Log a trial's scores, and those that the row shows by their plain names.

        Parameters
        ----------
        run_id
            The trial's run, or the row's: then means and deviations over the trials.
        scores
            Of one trial, or of several.
        shown
            The features and the metric of the row.
        """
        heads = scores[scores.measure.isin(HEADLINES)]
        kinds = heads.groupby(["features", "metric", "measure"]).value
        metrics = {f"score.{'.'.join(kind)}": value for kind, value in kinds.mean().items()}
        if shown is not None:
            own = heads[(heads.features == shown[0]) & (heads.metric == shown[1])]
            values = own.groupby("measure").value
            metrics |= dict(values.mean())
            if own.trial.nunique() > 1:
                metrics |= {f"{name} std": value for name, value in values.std(ddof=1).items()}
        self._log(run_id, metrics)

    def commit(self, run_id: str) -> str:
        """Return the commit that a run's sessions named."""
        return self._client.get_run(run_id).data.tags.get("git_commit", "unknown")

    def _log(self, run_id: str, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        self._client.log_batch(
            run_id, metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items()]
        )

    def close_killed(self, parent: str) -> None:
        """End the runs that a killed process left open."""
        for run in self._children(parent):
            if run.info.status == "RUNNING":
                self._client.set_terminated(run.info.run_id, status="KILLED")

    def find(self, tags: Mapping[str, str]) -> str | None:
        """Return the id of the newest run that has all these tags."""
        found = self._search(" and ".join(f"tags.{name} = '{tags[name]}'" for name in tags))
        return found[0].info.run_id if found else None

    def _row_run(self, tags: Mapping[str, str]) -> str | None:
        """Find a row's run among all that have its tags, none of a trial or of a stage."""
        found = self._search(f"tags.variant = '{tags['variant']}'")
        return next(
            (
                run.info.run_id
                for run in found
                if run.data.tags.get("experiment") == tags["experiment"]
                and run.data.tags.get("row") == tags["row"]
                and not {PARENT, "stage"} & set(run.data.tags)
            ),
            None,
        )

    def _children(self, parent: str) -> list[Run]:
        return self._search(f"tags.{PARENT} = '{parent}'")

    def _search(self, condition: str) -> list[Run]:
        return list(self._client.search_runs([self._experiment], condition, max_results=10_000))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Kedro's lines about every node, and kedro-mlflow's about the open run, to themselves.

    Errors, too: whoever runs the session tells them.
    """
    import kedro_mlflow  # noqa: F401  (sets its level when it is first imported)

    loggers = [logging.getLogger(name) for name in ("kedro", "kedro.runner", "kedro_mlflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
