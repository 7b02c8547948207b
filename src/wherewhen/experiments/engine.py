"""Runs what is not finished of an experiment: every row over every trial, each a Kedro session.

What trials share (the people and the tables, a variant's splits and cubes) is made once. A trial
that is finished, on the same data, is not run again, whichever experiment asked for it first. A
row that fails does not stop the next.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from wherewhen.commands import SHOW_TRACEBACK, on_purpose
from wherewhen.experiments.config import Experiment, Row
from wherewhen.experiments.results import Done, Results
from wherewhen.experiments.tracking import DATA, Tracking
from wherewhen.experiments.variants import (
    Variant,
    decisive_parameters,
    run_variant,
    variants_of,
)
from wherewhen.locks import alone
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.splits import trial_name

log = logging.getLogger(__name__)

OF_A_TRIAL = ["train", "embed", "learn_metric", "evaluate"]
"""The stages that are run in a trial's namespace."""


@dataclass(frozen=True)
class Failure:
    """What could not be run, and why."""

    experiment: str
    row: str
    trial: str | None
    message: str

    def __str__(self) -> str:
        where = f"{self.experiment}, {self.row}" + (f", {self.trial}" if self.trial else "")
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class Job:
    """A row to run: a variant, and which of its scores are the row's."""

    row: str
    variant: Variant
    shown: tuple[str, str] | None
    trials: tuple[str, ...]


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
        self._env = env
        self._params = params or {}
        self._trained_on = trained_on
        self._trials = trials
        self._ingested: dict[str, str] = {}
        self._trackings: dict[str | None, Tracking] = {}
        self._clock = Clock()

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
        jobs = self._jobs(experiment, rows)
        trials = {(job.variant.key, trial) for job in jobs for trial in job.trials}
        self._clock.expect(trials)
        log.info("%s: %d rows, %d trials to have", experiment.name, len(jobs), len(trials))
        failures: list[Failure] = []
        for number, job in enumerate(jobs, start=1):
            label = f"{experiment.name}, row {number} of {len(jobs)} ({job.row})"
            try:
                failures += self._row(experiment, job, label)
            except Exception as error:
                failures.append(self._failed(experiment, job, None, error))
        return failures

    # --- what is to be done ----------------------------------------------------------------------

    def _jobs(self, experiment: Experiment, rows: Sequence[str]) -> list[Job]:
        """List the rows to run, before each the row that trains its network."""
        variants = variants_of(experiment, self._env, self._params, self._trained_on, rows)
        jobs: list[Job] = []
        for name, variant in variants.items():
            row, source = experiment.row(name), variant.source
            if source is not None and source.key not in {job.variant.key for job in jobs}:
                trains = experiment.row(row.network_of) if row.network_of else row
                jobs.append(self._job(trains, source))
            jobs.append(self._job(row, variant))
        return jobs

    def _job(self, row: Row, variant: Variant) -> Job:
        count = self._trials or variant.parameters.split.trials
        shown = (row.features, row.metric)
        return Job(row.name, variant, shown, tuple(map(trial_name, range(count))))

    # --- a row -----------------------------------------------------------------------------------

    def _row(self, experiment: Experiment, job: Job, label: str) -> list[Failure]:
        """Run a row as the only process at its data set: another's table waits, then skips it."""
        waits = partial(log.info, "%s: waiting for %s, which is at the same data set", label)
        with alone(Results(None, job.variant.dataset).records_folder, waits):
            return self._row_alone(experiment, job, label)

    def _row_alone(self, experiment: Experiment, job: Job, label: str) -> list[Failure]:
        """Run a row's trials that are not finished; tell MLflow of those that are."""
        variant = job.variant
        tracking, results = self._tracking(variant.env), Results(None, variant.dataset)
        tags = {"experiment": experiment.name, "row": job.row}
        tags |= {"dataset": variant.dataset, "variant": variant.key}
        data = self._data(variant, experiment.name)
        if variant.parameters.split.source != "drawn":  # a file may say something else by now
            self._session(job, ["split"], self._of(tags, "split"))
        pending = [
            trial for trial in job.trials if not self._is_done(results, variant, trial, data)
        ]
        done = set(job.trials) - set(pending)
        self._clock.skip((variant.key, trial) for trial in done)
        told = tracking.trials(tags, data)
        if not pending and done <= told:
            log.info("%s: finished already", label)
            return []
        failures = []
        with tracking.row(tags, variant) as parent:
            if pending:
                log.info("%s: splits%s", label, " and cubes" if variant.needs_cubes else "")
                shared = ["split", "extract"] if variant.needs_cubes else ["split"]
                self._session(job, shared, self._of(tags, "shared"), parent)
            for trial in job.trials:
                own = {**tags, "trial": trial, DATA: data}
                if trial in pending:
                    log.info("%s, %s; %s", label, trial, self._clock)
                    try:
                        self._trial(job, trial, data, own, parent)
                    except Exception as error:
                        failures.append(self._failed(experiment, job, trial, error))
                elif trial not in told:
                    log.info("%s, %s: finished already, for another row", label, trial)
                    self._tell(job, trial, own, parent)
            scores = results.scores(variant)
            if len(scores):
                tracking.log_scores(parent, scores, job.shown)
            tracking.mark(parent, bool(failures))
        return failures

    def _trial(self, job: Job, trial: str, data: str, tags: dict[str, str], parent: str) -> None:
        """Run a trial, and write its record last."""
        variant = job.variant
        tracking, results = self._tracking(variant.env), Results(None, variant.dataset)
        results.forget(variant, trial)
        with tracking.run(trial, tags, parent) as run, self._clock.time(variant.key, trial):
            started = time.monotonic()
            self._kedro(job, OF_A_TRIAL, [trial])
            done = Done(
                variant=variant.key,
                dataset=variant.dataset,
                trial=trial,
                data=data,
                split=results.split_fingerprints(variant)[trial],
                parameters=decisive_parameters(variant.parameters),
                commit=tracking.commit(run.info.run_id),
                seconds=time.monotonic() - started,
                finished=datetime.now(UTC).isoformat(),
                mlflow_run_id=run.info.run_id,
            )
            tracking.log_scores(run.info.run_id, results.of_trial(done), job.shown)
            results.record(done)

    def _tell(self, job: Job, trial: str, tags: dict[str, str], parent: str) -> None:
        """Give a row that shares its variant with one that ran before runs of its own in MLflow."""
        results = Results(None, job.variant.dataset)
        done = results.done(job.variant, trial)
        shared = {**tags, "ran_in": str(done.mlflow_run_id), "git_commit": done.commit}
        tracking = self._tracking(job.variant.env)
        with tracking.run(trial, shared, parent) as run:
            tracking.log_scores(run.info.run_id, results.of_trial(done), job.shown)

    def _is_done(self, results: Results, variant: Variant, trial: str, data: str) -> bool:
        done = results.done(variant, trial)
        if done is None or done.data != data:
            return False
        if variant.parameters.split.source == "drawn":  # by data and parameters alone
            return True
        return done.split == results.split_fingerprints(variant).get(trial)

    # --- sessions --------------------------------------------------------------------------------

    def _data(self, variant: Variant, experiment: str) -> str:
        """Read the data set, once, and return its fingerprint; that of the source's, too."""
        ingest = ["synthesise", "ingest"] if variant.parameters.ingest.synthetic else ["ingest"]
        decisive = decisive_parameters(variant.parameters)
        asked = fingerprint({name: decisive[name] for name in ingest})
        if self._ingested.get(variant.dataset) != asked:
            log.info("%s: reading the frames", variant.dataset)
            tags = {"experiment": experiment, "dataset": variant.dataset}
            self._session(Job("", variant, None, ()), ingest, self._of(tags, "ingest"))
            self._ingested[variant.dataset] = asked
        data = str(Results(None, variant.dataset).data_fingerprint())
        if variant.source is None or variant.source.dataset == variant.dataset:
            return data
        source = Results(None, variant.source.dataset).data_fingerprint()
        return fingerprint([data, source])

    def _session(
        self, job: Job, stages: list[str], tags: dict[str, str], parent: str | None = None
    ) -> None:
        """Run stages that trials share, in an MLflow run of their own."""
        with self._tracking(job.variant.env).run("+".join(stages), tags, parent):
            self._kedro(job, stages)

    def _kedro(self, job: Job, stages: list[str], namespaces: list[str] | None = None) -> None:
        run_variant(job.variant, stages, len(job.trials), namespaces=namespaces)

    # --- helpers ---------------------------------------------------------------------------------

    def _tracking(self, env: str | None) -> Tracking:
        if env not in self._trackings:
            self._trackings[env] = Tracking(env)
        return self._trackings[env]

    @staticmethod
    def _of(tags: Mapping[str, str], stage: str) -> dict[str, str]:
        return {**tags, "stage": stage}

    def _failed(
        self, experiment: Experiment, job: Job, trial: str | None, error: Exception
    ) -> Failure:
        """Log why something failed: a bug with its traceback, a known fault by its message."""
        known = on_purpose(error)
        message = str(known) if known else f"{type(error).__name__}: {error}"
        failure = Failure(experiment.name, job.row, trial, message)
        traced = not known or os.environ.get(SHOW_TRACEBACK)
        log.error("failed: %s", failure, exc_info=error if traced else None)
        self._clock.skip((job.variant.key, each) for each in ([trial] if trial else job.trials))
        return failure


class Clock:
    """Counts trials, and guesses what the rest will take."""

    def __init__(self) -> None:
        self._open: set[tuple[str, str]] = set()
        self._total = 0
        self._seconds: list[float] = []

    def expect(self, trials: set[tuple[str, str]]) -> None:
        """Set the trials, each a variant's key and a name, that are to be had."""
        self._open, self._total = set(trials), len(trials)

    def skip(self, trials: Iterator[tuple[str, str]]) -> None:
        """Take trials off that need not, or can't, be run."""
        self._open -= set(trials)

    @contextmanager
    def time(self, key: str, trial: str) -> Iterator[None]:
        """Time a trial."""
        started = time.monotonic()
        yield
        self._seconds.append(time.monotonic() - started)
        self._open.discard((key, trial))

    @property
    def left(self) -> float | None:
        """Seconds until all is done, about; None before the first trial."""
        if not self._seconds:
            return None
        return len(self._open) * sum(self._seconds) / len(self._seconds)

    def __str__(self) -> str:
        said = f"{len(self._open)} of {self._total} trials to go"
        return said if self.left is None else f"{said}, about {duration(self.left)} left"


def duration(seconds: float) -> str:
    """Write a time for people: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
