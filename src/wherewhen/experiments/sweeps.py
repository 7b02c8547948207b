"""Sweeps: parameters searched by Optuna, judged on validation persons and never on test persons.

A sweep is a study in an SQLite file and a run in MLflow; each evaluation is one of the study's
trials and a child run. What is called a trial here is a split of the data, as everywhere else.

What is proposed follows from the evaluations that are finished and from nothing else: a sweep that
was killed, and started again, goes the way that it would have gone.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NoReturn

import numpy as np

from wherewhen.commands import on_purpose
from wherewhen.experiments.config import ExperimentError, Tree, config_loader, nested
from wherewhen.experiments.judging import Judge, Tables, UnknownMeasure, stored_cubes
from wherewhen.experiments.results import Results
from wherewhen.experiments.sweep_config import Sweep, check_search, setting
from wherewhen.experiments.tracking import Tracking
from wherewhen.experiments.variants import Variant, decisive_parameters
from wherewhen.locks import alone
from wherewhen.project import project_root
from wherewhen.tracklets.fingerprint import fingerprint

log = logging.getLogger(__name__)

Study = Any
"""`optuna.Study`."""

Evaluation = Any
"""`optuna.trial.Trial`, or a frozen one."""

ERROR = "error"
"""Attribute of an evaluation that failed by itself, not by being killed: it is not repeated."""

RUN = "mlflow_run_id"
"""Attribute of an evaluation."""


@dataclass(frozen=True)
class Outcome:
    """What a sweep has found."""

    sweep: Sweep
    """What was searched."""
    study: Study
    """All evaluations; `optuna.load_study` reads it from `database` by its name."""
    database: Path
    """The SQLite file."""
    folder: Path
    """Where the tables and the pictures are."""
    given: Tree
    """Parameters that all evaluations had besides the searched, nested."""
    persons: list[int]
    """Validation persons of each trial."""


def run_sweep(
    sweep: Sweep,
    env: str | None = None,
    evaluations: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run a sweep, or what is left of one.

    Parameters
    ----------
    sweep : Sweep
        What to search.
    env : str, optional
        The environment; None: Kedro's default.
    evaluations : int, optional
        How many, those of earlier calls included; None: as many as the sweep says.
    params : mapping, optional
        Parameters for all evaluations, over those of the sweep.

    Returns
    -------
    Outcome
        With the files in its folder written.

    Raises
    ------
    ExperimentError
        If a parameter or a value is impossible (before anything runs), nobody can be held out, or
        another process is at the same sweep.
    """
    from wherewhen.experiments.sweep_report import write

    given = nested(params or {})
    tree = config_loader(env)["parameters"]
    common = check_search(sweep, env, tree, given)
    tracking = Tracking(env)
    tables = _ingested(common, tracking, {"sweep": sweep.name, "dataset": common.dataset})
    data = project_root() / "data"
    home = data / "08_reporting" / common.dataset
    workspace = data / "06_models" / common.dataset / "sweeps"
    cubes = stored_cubes(data / "04_feature" / common.dataset / "cubes")
    judge = Judge(sweep, common.parameters, tables, cubes, workspace / sweep.name)
    name = f"{sweep.name}-{_identity(sweep, common, judge)[:8]}"
    with _alone(home / "sweeps" / name) as folder:
        study = open_study(home / "sweeps.db", name, sweep)
        search = _Search(sweep, study, tracking, judge, env, tree, given, common.dataset)
        outcome = Outcome(sweep, study, home / "sweeps.db", folder, given, judge.persons)
        with search.run() as run_id:
            search.go_on(evaluations or sweep.evaluations)
            write(outcome, run_id)
    shutil.rmtree(workspace / sweep.name, ignore_errors=True)
    return outcome


def open_study(database: Path, name: str, sweep: Sweep) -> Study:
    """Open a study, or begin it; evaluations that a killed process left open are given up.

    Parameters
    ----------
    database : Path
        The SQLite file.
    name : str
        The study's.
    sweep : Sweep
        Says who gives evaluations up, and what is better.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner: Any = optuna.pruners.NopPruner()
    if sweep.pruner is not None:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=sweep.pruner.startup)
    return optuna.create_study(
        storage=f"sqlite:///{database}",
        study_name=name,
        direction=sweep.direction,
        pruner=pruner,
        load_if_exists=True,
    )


def give_up_killed(study: Study) -> list[Evaluation]:
    """Mark the evaluations that a killed process left open as failed, and return them."""
    from optuna.trial import TrialState

    killed = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for evaluation in killed:
        study.tell(evaluation.number, state=TrialState.FAIL)
    return killed


def finished(study: Study) -> list[Evaluation]:
    """Return the evaluations that are not repeated: judged, given up, or failed by themselves."""
    return [
        evaluation
        for evaluation in study.get_trials(deepcopy=False)
        if evaluation.state.is_finished()
        and (evaluation.state.name != "FAIL" or ERROR in evaluation.user_attrs)
    ]


def propose(study: Study, sweep: Sweep) -> Evaluation:
    """Begin an evaluation with the next values: what is finished and the seed decide them."""
    import optuna

    entropy = [sweep.sampler.seed, len(finished(study))]
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    study.sampler = (
        optuna.samplers.RandomSampler(seed=seed)
        if sweep.sampler.name == "random"
        else optuna.samplers.TPESampler(seed=seed, n_startup_trials=sweep.sampler.startup)
    )
    return study.ask({path: where.distribution() for path, where in sweep.search.items()})


class _Search:
    """A sweep at work: evaluation after evaluation, each told to Optuna and to MLflow."""

    def __init__(
        self,
        sweep: Sweep,
        study: Study,
        tracking: Tracking,
        judge: Judge,
        env: str | None,
        tree: Tree,
        given: Tree,
        dataset: str,
    ) -> None:
        self._sweep, self._study, self._judge = sweep, study, judge
        self._tracking, self._env, self._tree, self._given = tracking, env, tree, given
        self._run: str | None = None
        self._tags = {"sweep": sweep.name, "study": study.study_name, "dataset": dataset}

    @contextmanager
    def run(self) -> Iterator[str]:
        """Let the sweep's run go on, the one that it has already or a new one; give its id."""
        import mlflow

        tags = {**self._tags, "stage": "sweep"}
        name = self._sweep.name
        with self._tracking.parent(self._tracking.find(tags), name, tags) as self._run:
            for evaluation in give_up_killed(self._study):
                log.info("evaluation %d was killed: it is done again", evaluation.number)
            said = self._sweep.model_dump(mode="json")
            mlflow.MlflowClient().log_dict(self._run, said, "sweep.yml")
            yield self._run

    def go_on(self, wanted: int) -> None:
        """Evaluate until so many evaluations are finished."""
        done = len(finished(self._study))
        if done >= wanted:
            log.info("%s: all %d evaluations are finished already", self._sweep.name, done)
        for number in range(done, wanted):
            evaluation = propose(self._study, self._sweep)
            values = self._sweep.values(evaluation.params)
            said = ", ".join(f"{path} = {value}" for path, value in values.items())
            log.info("%s, %d of %d: %s", self._sweep.name, number + 1, wanted, said)
            self._evaluate(evaluation, values)

    def _evaluate(self, evaluation: Evaluation, values: dict[str, Any]) -> None:
        """Judge one set of values; what fails by itself is noted, and the sweep goes on."""
        import mlflow
        from optuna.trial import TrialState

        started = time.monotonic()
        tags = {**self._tags, "evaluation": str(evaluation.number)}
        try:
            name = f"evaluation_{evaluation.number:03d}"
            with self._tracking.run(name, tags, parent=self._run) as opened:
                evaluation.set_user_attr(RUN, opened.info.run_id)
                mlflow.log_params(values)
                judged = self._judged(evaluation, values)
                evaluation.set_user_attr("values", judged)
                evaluation.set_user_attr("seconds", time.monotonic() - started)
                given_up = len(judged) < self._sweep.trials
                mlflow.set_tag("given_up", str(given_up).lower())
        except UnknownMeasure:  # no other values would change that
            self._study.tell(evaluation, state=TrialState.FAIL)
            raise
        except Exception as error:
            known = on_purpose(error)
            message = str(known) if known else f"{type(error).__name__}: {error}"
            evaluation.set_user_attr(ERROR, message)
            self._study.tell(evaluation, state=TrialState.FAIL)
            log.error(
                "evaluation %d failed: %s",
                evaluation.number,
                message,
                exc_info=None if known else error,
            )
        else:
            state = TrialState.PRUNED if given_up else TrialState.COMPLETE
            self._study.tell(evaluation, None if given_up else fmean(judged), state=state)
            log.info(
                "%s %s on validation persons%s",
                self._sweep.measure,
                f"{fmean(judged):.4f}",
                f", given up after {len(judged)} trial(s)" if given_up else "",
            )

    def _judged(self, evaluation: Evaluation, values: dict[str, Any]) -> list[float]:
        """Judge on trial after trial, until the pruner has seen enough."""
        import mlflow

        parameters = setting(self._sweep, self._env, self._tree, values, self._given).parameters
        judged: list[float] = []
        for step, trial in enumerate(self._judge.splits, start=1):
            judged.append(self._judge.judge(parameters, trial))
            mlflow.log_metric("value", fmean(judged), step=step)
            evaluation.report(fmean(judged), step)
            if step < self._sweep.trials and evaluation.should_prune():
                break
        return judged


def _identity(sweep: Sweep, common: Variant, judge: Judge) -> str:
    """Name everything that evaluations of one study have in common."""
    return fingerprint(
        {
            "sweep": sweep.definition,
            "parameters": decisive_parameters(common.parameters),
            "data": Results(None, common.dataset).data_fingerprint(),
            "splits": judge.fingerprint,
        }
    )


def _ingested(common: Variant, tracking: Tracking, tags: Mapping[str, str]) -> Tables:
    """Read the data set as a run does, and return its tables."""
    from kedro.framework.session import KedroSession

    stages = ["synthesise", "ingest"] if common.parameters.ingest.synthetic else ["ingest"]
    with (
        tracking.run("+".join(stages), {**tags, "stage": "ingest"}),
        KedroSession.create(
            project_path=project_root(), env=common.env, runtime_params=common.overrides
        ) as session,
    ):
        session.run(pipeline_names=stages)
        catalog = session.load_context().catalog
        return Tables(*(catalog.load(name) for name in ("tracklets", "frames", "frames_root")))


def _alone(folder: Path) -> AbstractContextManager[Path]:
    """Make a study's folder, and be the only process that is at the study."""

    def busy(who: str) -> NoReturn:
        raise ExperimentError(f"{who} is at the sweep {folder.name}; wait for it to finish")

    return alone(folder, busy)
