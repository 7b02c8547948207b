"""Results of a sweep: the best parameters to copy, a table, parameter importance, plots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.describe import as_params
from wherewhen.experiments.config import nested
from wherewhen.presets import overlay
from wherewhen.project import to_root
from wherewhen.sessions import Tree
from wherewhen.sweeps.study import ERROR, RUN, Outcome

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from wherewhen.tracking import Tracker

IMPORTANCE_FROM = 8
"""Complete evaluations below which no importance is computed."""


def best_parameters(outcome: Outcome) -> Tree | None:
    """Return all parameters that the best evaluation set, nested; None if none is complete."""
    if not _complete(outcome):
        return None
    found = nested(outcome.sweep.values(outcome.study.best_trial.params))
    return overlay(outcome.sweep.parameters, outcome.given, found)


def table(outcome: Outcome) -> pd.DataFrame:
    """Return one row per evaluation, in order.

    Returns
    -------
    pandas.DataFrame
        Columns ``evaluation, state, value, trials, seconds, error, mlflow_run_id`` and one column
        per searched parameter, named by its path. ``state`` is ``complete``,
        ``pruned``, ``failed`` (with an error), ``killed`` (its process ended) or ``running``.
    """
    return pd.DataFrame(
        {
            "evaluation": each.number,
            "state": _state(each),
            "value": each.value,
            "trials": len(each.intermediate_values),
            "seconds": each.duration.total_seconds() if each.duration else None,
            "error": each.user_attrs.get(ERROR),
            "mlflow_run_id": each.user_attrs.get(RUN),
            **each.params,
        }
        for each in outcome.study.get_trials(deepcopy=False)
    )


def importance(outcome: Outcome) -> dict[str, float] | None:
    """Return each searched parameter's share of the variance of the objective (fANOVA).

    None if one parameter was searched, if fewer than `IMPORTANCE_FROM` evaluations are complete,
    or if all values are equal.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    values = [each.value for each in _complete(outcome)]
    if len(values) < IMPORTANCE_FROM or len(set(values)) == 1 or len(outcome.sweep.search) == 1:
        return None
    return get_param_importances(outcome.study, evaluator=FanovaImportanceEvaluator(seed=0))


def describe(outcome: Outcome) -> str:
    """Summarise a sweep for the console, with the best parameters ready to be copied."""
    sweep, study, best = outcome.sweep, outcome.study, best_parameters(outcome)
    counts = table(outcome).state.value_counts()
    persons = " and ".join(map(str, outcome.persons))
    lines = [
        f"{study.study_name}: {', '.join(f'{count} {state}' for state, count in counts.items())}",
        f"objective: {sweep.measure}, {sweep.metric} on {sweep.features}, mean over "
        f"{sweep.trials} trial(s) with {persons} validation persons",
    ]
    if best is None:
        return "\n".join([*lines, "no evaluation is complete: see the errors above"])
    lines += [
        f"best: evaluation {study.best_trial.number}, {sweep.measure} {study.best_value:.4f}",
        "",
        "This value is biased: it is the best of several on the same validation persons. Run the "
        "pipelines with these parameters to measure them on test persons:",
        "",
        f"--params '{as_params(best)}'",
        "",
        _yaml(best),
    ]
    if shares := importance(outcome):
        listed = ", ".join(f"{path} {share:.0%}" for path, share in shares.items())
        lines.append(f"importance (fANOVA): {listed}")
    return "\n".join([*lines, f"table and plots: {to_root(outcome.folder)}"])


def write(outcome: Outcome, tracker: Tracker) -> None:
    """Write table, best parameters and plots into the sweep's folder and its MLflow run."""
    contents = {"evaluations.csv": table(outcome).to_csv(index=False)}
    if best := best_parameters(outcome):
        trial = outcome.study.best_trial
        contents |= {"best.yml": _yaml(best), "sweep.html": _plots(outcome)}
        tracker.log_metrics({"best": trial.value}, step=trial.number)
        tracker.set_tags({"best_evaluation": str(trial.number)})
    for name, text in contents.items():
        with replacing(outcome.folder / name) as partial:
            partial.write_text(text, encoding="utf-8")
        tracker.log_file(outcome.folder / name, "sweep")


def _state(evaluation: FrozenTrial) -> str:
    if evaluation.state.name == "FAIL":
        return "failed" if ERROR in evaluation.user_attrs else "killed"
    return evaluation.state.name.lower()


def _complete(outcome: Outcome) -> list[FrozenTrial]:
    """Return the evaluations that have a value over all splits."""
    from optuna.trial import TrialState

    return outcome.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _plots(outcome: Outcome) -> str:
    """Return a self-contained HTML page: value by evaluation, and by parameters."""
    from optuna.visualization import plot_optimization_history, plot_parallel_coordinate

    title, name = outcome.study.study_name, f"{outcome.sweep.measure} on validation persons"
    history = plot_optimization_history(outcome.study, target_name=name)
    figures = [history.update_layout(title=title, xaxis_title="evaluation")]
    if len(outcome.sweep.search) > 1:
        lines = plot_parallel_coordinate(_with_short_names(outcome), target_name=name)
        figures.append(lines.update_layout(title="one line per evaluation"))
    body = "".join(
        figure.to_html(full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False})
        for number, figure in enumerate(figures)
    )
    head = f'<meta charset="utf-8"><title>{title}</title>'
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>\n"


def _with_short_names(outcome: Outcome) -> Study:
    """Return a study whose parameters are named by the ends of their paths: Optuna truncates."""
    import optuna

    names = {path: path.rpartition(".")[-1] for path in outcome.sweep.search}
    if len(set(names.values())) < len(names):
        return outcome.study
    study = optuna.create_study(direction=outcome.sweep.direction)
    for each in _complete(outcome):
        params, distributions = (
            {names[path]: value for path, value in named.items()}
            for named in (each.params, each.distributions)
        )
        study.add_trial(
            optuna.create_trial(value=each.value, params=params, distributions=distributions)
        )
    return study


def _yaml(tree: Tree) -> str:
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(tree)), sort_keys=False)  # JSON: tuples to lists
