"""Runs a sweep: evaluations one after another, each a Kedro session for every split.

The sweep is an MLflow run, each evaluation a child run of it. The splits are those of
`split.validation`: they hold no test person, so no test person is trained on, embedded or scored.
Artifacts have identities, so an evaluation that was killed continues where it stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from statistics import fmean
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from wherewhen.experiments.config import ExperimentError, nested
from wherewhen.experiments.engine import log_failure
from wherewhen.experiments.rows import make, make_missing
from wherewhen.lineage.code import code_version
from wherewhen.locks import alone
from wherewhen.project import from_root
from wherewhen.sessions import View
from wherewhen.sweeps.config import Sweep, check_search, evaluation_view
from wherewhen.sweeps.report import write
from wherewhen.sweeps.study import (
    ERROR,
    RUN,
    Outcome,
    finished,
    open_study,
    propose,
    require_usable,
    storage_errors,
    understood,
)
from wherewhen.tracking import Description, Tracker, TrackingError, find_runs
from wherewhen.tracklets.fingerprint import decisive, fingerprint

if TYPE_CHECKING:
    from optuna.trial import Trial

log = logging.getLogger(__name__)

PARENT = "mlflow.parentRunId"
"""MLflow's tag of a child run."""


class UnknownMeasure(ExperimentError):
    """The scores do not have the measure that the sweep optimises."""


def run_sweep(
    sweep: Sweep,
    env: str | None = None,
    evaluations: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run a sweep, or continue it.

    Parameters
    ----------
    sweep : Sweep
        What to search.
    env : str, optional
        The environment; None: Kedro's default.
    evaluations : int, optional
        Evaluations in total, those of earlier calls included; None: as many as the sweep says.
    params : mapping, optional
        Parameters of all evaluations; they win over the sweep's.

    Returns
    -------
    Outcome
        The files in its folder are written.

    Raises
    ------
    ExperimentError
        If a parameter or a value is impossible (before anything runs), nobody can be held out, or
        another process runs the same sweep.
    """
    given = nested(params or {})
    common = check_search(sweep, env, given)
    splits = Description(f"{sweep.name} · splits", {"sweep": sweep.name})
    make_missing(common, _of_trials(common, "split"), splits)
    name = f"{sweep.name}-{_identity(sweep, common)[:8]}"
    home = from_root(f"data/08_reporting/{common.dataset}")
    with (
        alone(home / "sweeps" / name, _refuse(name)) as folder,
        _tracked(sweep, name, common.dataset) as tracker,
    ):
        database = home / "sweeps.db"
        with understood(database):
            study = open_study(database, name, sweep)
            outcome = Outcome(sweep, study, folder, given, _persons(common))
            wanted = evaluations or sweep.evaluations
            if len(finished(study)) >= wanted:
                log.info("%s: all %d evaluations are finished already", sweep.name, wanted)
            while len(finished(study)) < wanted:
                require_usable(database)
                _evaluate(propose(study, sweep), outcome, env, tracker.run_id)
            write(outcome, tracker)
    return outcome


def _evaluate(evaluation: Trial, outcome: Outcome, env: str | None, parent: str | None) -> None:
    """Run one evaluation and tell Optuna; a failure is recorded, and the sweep continues."""
    from optuna.trial import TrialState

    sweep, study, number = outcome.sweep, outcome.study, evaluation.number
    values = sweep.values(evaluation.params)
    said = ", ".join(f"{path} = {value}" for path, value in values.items())
    log.info("%s, evaluation %d: %s", sweep.name, number, said)
    name = f"{sweep.name} · evaluation {number}"
    tags = {"sweep": sweep.name, "study": study.study_name}
    try:
        view = evaluation_view(sweep, env, values, outcome.given)
        own = {**tags, PARENT: parent, "evaluation": str(number)}
        with Tracker.of_its_own(view.dataset, name, own) as tracker:
            evaluation.set_user_attr(RUN, tracker.run_id)
            tracker.log_parameters(values)
            described = Description(name, {**tags, PARENT: tracker.run_id})
            judged: list[float] = []
            for score in _scores(sweep, view, described):
                judged.append(score)
                evaluation.report(fmean(judged), len(judged))
                tracker.log_metrics({"value": fmean(judged)}, step=len(judged))
                pruned = len(judged) < sweep.trials and evaluation.should_prune()
                if pruned:
                    break
            tracker.set_tags({"pruned": str(pruned).lower()})
    except (UnknownMeasure, TrackingError, *storage_errors()):  # every evaluation would fail
        with suppress(*storage_errors()):
            study.tell(evaluation, state=TrialState.FAIL)  # as if killed: it is made again
        raise
    except Exception as error:
        evaluation.set_user_attr(ERROR, log_failure(name, error))
        study.tell(evaluation, state=TrialState.FAIL)
    else:
        mean = fmean(judged)
        study.tell(evaluation, **({"state": TrialState.PRUNED} if pruned else {"values": mean}))
        end = f", pruned after {len(judged)} trial(s)" if pruned else ""
        log.info("%s %.4f on validation persons%s", sweep.measure, mean, end)


def _scores(sweep: Sweep, view: View, described: Description) -> Iterator[float]:
    """Run the splits of an evaluation one after another; yield the objective of each.

    Where workers train, and no pruner looks at one split before the next, they are run at once.
    """
    if sweep.pruner is None and view.parameters.execution.engine != "local":
        make_missing(view, _of_trials(view, f"scores_{sweep.features}"), described)
    for trial, wanted in zip(
        view.parameters.split.trial_names, _of_trials(view, f"scores_{sweep.features}"), strict=True
    ):
        tags = {**described.tags, "trial": trial}
        make(view, [wanted], Description(f"{described.name} · {trial}", tags))
        yield objective(sweep, view.catalog.load(wanted))


def objective(sweep: Sweep, scores: pd.DataFrame) -> float:
    """Return the score that a sweep optimises.

    Raises
    ------
    UnknownMeasure
        If the scores do not have it.
    """
    values = scores[scores.metric == sweep.metric].set_index("measure").value
    if sweep.measure not in values:
        raise UnknownMeasure(
            f"sweep {sweep.name}: {sweep.metric} on {sweep.features} has no measure "
            f"{sweep.measure}; it has {', '.join(values.index) or 'none'}"
        )
    return float(values[sweep.measure])


def _of_trials(view: View, artifact: str) -> list[str]:
    return [f"{trial}.{artifact}" for trial in view.parameters.split.trial_names]


def _identity(sweep: Sweep, common: View) -> str:
    """Return the fingerprint of everything that the evaluations of a study have in common."""
    ledger = common.ledger
    nodes = ledger.ancestors(_of_trials(common, f"scores_{sweep.features}"))
    return fingerprint(
        {
            "sweep": sweep.definition,
            "parameters": decisive(common.parameters, content=str),
            "splits": [ledger.record(name).content for name in _of_trials(common, "split")],
            "frames": ledger.record("frames").content,
            "code": sorted({code_version(node.func) for node in nodes}),
        }
    )


def _persons(common: View) -> list[int]:
    """Count the validation persons of each split."""
    splits = common.catalog.load("splits")
    return splits[splits.role == "probe"].groupby("trial").person.nunique().to_list()


@contextmanager
def _tracked(sweep: Sweep, name: str, dataset: str) -> Iterator[Tracker]:
    """Start the sweep's MLflow run, or continue it."""
    tags = {"sweep": sweep.name, "study": name, "stage": "sweep"}
    earlier = find_runs(dataset, tags)
    again = earlier[0].info.run_id if earlier else None
    with Tracker.of_its_own(dataset, f"{sweep.name} · sweep", tags, again) as tracker:
        tracker.log_dict(sweep.model_dump(mode="json"), "sweep.yml")
        yield tracker


def _refuse(name: str) -> Any:
    def refuse(holder: str) -> NoReturn:
        raise ExperimentError(f"{holder} runs the sweep {name}; wait for it to finish")

    return refuse
