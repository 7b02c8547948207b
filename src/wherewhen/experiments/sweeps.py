"""Sweeps: parameters searched by Optuna, judged on validation persons and never on test persons.

A sweep is a study in an SQLite file and a run in MLflow; each evaluation is one of the study's
trials and a child run, and each split of the data that judges it is a Kedro session. What is called
a trial here is a split of the data, as everywhere else. The splits are those of `split.validation`:
test persons are in none of them, so nothing that is trained, embedded or scored knows them.

What is proposed follows from the evaluations that are finished and from nothing else: a sweep that
was killed, and started again, goes the way that it would have gone. What an evaluation has made has
identities like anything else, so a killed one goes on where it stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from wherewhen.commands import on_purpose
from wherewhen.experiments.config import ExperimentError, nested
from wherewhen.experiments.sweep_config import Sweep, check_search, setting
from wherewhen.lineage.code import code_version
from wherewhen.locks import alone
from wherewhen.project import from_root
from wherewhen.sessions import Tree, View, run
from wherewhen.tracking import Description, Tracker, described, find_runs
from wherewhen.tracklets.fingerprint import decisive, fingerprint

log = logging.getLogger(__name__)

Study = Any
"""`optuna.Study`."""

Evaluation = Any
"""`optuna.trial.Trial`, or a frozen one."""

ERROR = "error"
"""Attribute of an evaluation that failed by itself, not by being killed: it is not repeated."""

RUN = "mlflow_run_id"
"""Attribute of an evaluation."""

PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a run inside another."""


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
    common = check_search(sweep, env, given)
    _make_splits(sweep, common)
    home = from_root(f"data/08_reporting/{common.dataset}")
    name = f"{sweep.name}-{_identity(sweep, common)[:8]}"
    tags = {"sweep": sweep.name, "study": name, "stage": "sweep"}
    with _alone(home / "sweeps" / name) as folder:
        study = open_study(home / "sweeps.db", name, sweep)
        outcome = Outcome(sweep, study, home / "sweeps.db", folder, given, _persons(common))
        earlier = find_runs(common.dataset, tags)
        again = earlier[0].info.run_id if earlier else None
        with Tracker.of_its_own(common.dataset, f"{sweep.name} · sweep", tags, again) as tracker:
            tracker.log_dict(sweep.model_dump(mode="json"), "sweep.yml")
            _Search(sweep, study, env, given, common.dataset, tracker.run_id).go_on(
                evaluations or sweep.evaluations
            )
            write(outcome, tracker)
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


class UnknownMeasure(ExperimentError):
    """A measure that the scores don't have."""


class _Search:
    """A sweep at work: evaluation after evaluation, each told to Optuna and to MLflow."""

    def __init__(
        self,
        sweep: Sweep,
        study: Study,
        env: str | None,
        given: Tree,
        dataset: str,
        parent: str,
    ) -> None:
        self._sweep, self._study, self._env, self._given = sweep, study, env, given
        self._dataset, self._parent = dataset, parent
        self._tags = {"sweep": sweep.name, "study": study.study_name}

    def go_on(self, wanted: int) -> None:
        """Evaluate until so many evaluations are finished."""
        for evaluation in give_up_killed(self._study):
            log.info("evaluation %d was killed: it is done again", evaluation.number)
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
        from optuna.trial import TrialState

        started = time.monotonic()
        name = f"{self._sweep.name} · evaluation {evaluation.number}"
        tags = {**self._tags, PARENT: self._parent, "evaluation": str(evaluation.number)}
        try:
            with Tracker.of_its_own(self._dataset, name, tags) as tracker:
                evaluation.set_user_attr(RUN, tracker.run_id)
                tracker.log_parameters(values)
                judged = self._judged(evaluation, values, tracker, name)
                evaluation.set_user_attr("values", judged)
                evaluation.set_user_attr("seconds", time.monotonic() - started)
                given_up = len(judged) < self._sweep.trials
                tracker.set_tags({"given_up": str(given_up).lower()})
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

    def _judged(
        self, evaluation: Evaluation, values: dict[str, Any], tracker: Tracker, name: str
    ) -> list[float]:
        """Judge on trial after trial, until the pruner has seen enough."""
        view = setting(self._sweep, self._env, values, self._given)
        judged: list[float] = []
        for step, trial in enumerate(view.parameters.split.trial_names, start=1):
            tags = {**self._tags, PARENT: tracker.run_id, "trial": trial}
            wanted = f"{trial}.scores_{self._sweep.features}"
            with described(Description(f"{name} · {trial}", tags)):
                run(self._env, view.overrides, ["__default__"], to_outputs=[wanted])
            view.ledger.refresh()
            judged.append(measured(self._sweep, view.catalog.load(wanted)))
            tracker.log_metrics({"value": fmean(judged)}, step=step)
            evaluation.report(fmean(judged), step)
            if step < self._sweep.trials and evaluation.should_prune():
                break
        return judged


def measured(sweep: Sweep, scores: pd.DataFrame) -> float:
    """Return the number by which a sweep judges.

    Raises
    ------
    UnknownMeasure
        If the scores have no such number.
    """
    of_metric = scores[scores.metric == sweep.metric].set_index("measure").value
    if sweep.measure not in of_metric:
        raise UnknownMeasure(
            f"sweep {sweep.name}: {sweep.metric} on {sweep.features} has no measure "
            f"{sweep.measure}; it has {', '.join(of_metric.index) or 'none'}"
        )
    return float(of_metric[sweep.measure])


def _make_splits(sweep: Sweep, common: View) -> None:
    """Make what evaluations have in common, as far as it is not there."""
    wanted = [f"{trial}.split" for trial in common.parameters.split.trial_names]
    if not all(map(common.ledger.is_there, wanted)):
        with described(Description(f"{sweep.name} · splits", {"sweep": sweep.name})):
            run(common.env, common.overrides, ["__default__"], to_outputs=wanted)
        common.ledger.refresh()


def _identity(sweep: Sweep, common: View) -> str:
    """Name everything that evaluations of one study have in common."""
    ledger, parameters = common.ledger, common.parameters
    trials = parameters.split.trial_names
    scores = [f"{trial}.scores_{sweep.features}" for trial in trials]
    return fingerprint(
        {
            "sweep": sweep.definition,
            "parameters": decisive(parameters, content=str),
            "splits": [ledger.record(f"{trial}.split").content for trial in trials],
            "frames": ledger.record("frames").content,
            "code": sorted({code_version(node.func) for node in ledger.ancestors(scores)}),
        }
    )


def _persons(common: View) -> list[int]:
    """Count the persons who judge in each trial."""
    splits = common.catalog.load("splits")
    return splits[splits.role == "probe"].groupby("trial").person.nunique().to_list()


def _alone(folder: Path) -> AbstractContextManager[Path]:
    """Make a study's folder, and be the only process that is at the study."""

    def busy(who: str) -> NoReturn:
        raise ExperimentError(f"{who} is at the sweep {folder.name}; wait for it to finish")

    return alone(folder, busy)
