"""What a sweep has found: the best parameters to copy, a table, what mattered, a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from wherewhen.describe import as_params
from wherewhen.experiments.config import nested
from wherewhen.project import to_root
from wherewhen.sessions import Tree, merged

if TYPE_CHECKING:
    from wherewhen.experiments.sweeps import Outcome
    from wherewhen.tracking import Tracker

IMPORTANCE_FROM = 8
"""Judged evaluations from which it is said what mattered: a handful says nothing."""

STATES = {"COMPLETE": "judged", "PRUNED": "given up", "FAIL": "killed", "RUNNING": "running"}
"""By the state in Optuna; an evaluation that failed by itself has an error besides."""


def best_parameters(outcome: Outcome) -> Tree | None:
    """Return all parameters that the best evaluation set, nested; None if none was judged."""
    if not _judged(outcome):
        return None
    found = nested(outcome.sweep.values(outcome.study.best_trial.params))
    return merged(outcome.sweep.parameters, outcome.given, found)


def table(outcome: Outcome) -> pd.DataFrame:
    """Return one row an evaluation, in order.

    Returns
    -------
    pandas.DataFrame
        Columns ``evaluation, state, value, trials, seconds, error, mlflow_run_id`` and a column a
        searched parameter, by its path.
    """
    rows = [
        {
            "evaluation": each.number,
            "state": "failed" if "error" in each.user_attrs else STATES[each.state.name],
            "value": each.value,
            "trials": len(each.user_attrs.get("values", [])),
            "seconds": each.user_attrs.get("seconds"),
            "error": each.user_attrs.get("error"),
            "mlflow_run_id": each.user_attrs.get("mlflow_run_id"),
            **each.params,
        }
        for each in outcome.study.get_trials(deepcopy=False)
    ]
    return pd.DataFrame(rows)


def importance(outcome: Outcome) -> dict[str, float] | None:
    """Return each searched parameter's share in the spread of the values (fANOVA).

    None where there is one parameter, where fewer than `IMPORTANCE_FROM` evaluations were judged,
    or where all are alike.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    values = [each.value for each in _judged(outcome)]
    if len(values) < IMPORTANCE_FROM or len(set(values)) == 1 or len(outcome.sweep.search) == 1:
        return None
    return get_param_importances(outcome.study, evaluator=FanovaImportanceEvaluator(seed=0))


def describe(outcome: Outcome) -> str:
    """Say what was found, ready to be copied."""
    sweep, best = outcome.sweep, best_parameters(outcome)
    counts = table(outcome).state.value_counts()
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    persons = " and ".join(map(str, outcome.persons))
    lines = [
        f"{outcome.study.study_name}: {said}",
        f"judge: {sweep.measure}, {sweep.metric} on {sweep.features}, mean over {sweep.trials} "
        f"trial(s) with {persons} validation persons",
    ]
    if best is None:
        return "\n".join([*lines, "no evaluation was judged: see the errors above"])
    trial = outcome.study.best_trial
    lines += [
        f"best: evaluation {trial.number}, {sweep.measure} {trial.value:.4f}",
        "",
        "The best of several looks at the same persons flatters. What these parameters are worth "
        "on test persons, a run says:",
        "",
        f"--params '{as_params(best)}'",
        "",
        _yaml(best),
    ]
    shares = importance(outcome)
    if shares is not None:
        listed = ", ".join(f"{path} {share:.0%}" for path, share in shares.items())
        lines += [f"what mattered: {listed}"]
    return "\n".join([*lines, f"table and picture: {to_root(outcome.folder)}"])


def write(outcome: Outcome, tracker: Tracker) -> None:
    """Write the table, the best parameters and the picture, and log them to an MLflow run."""
    table(outcome).to_csv(outcome.folder / "evaluations.csv", index=False)
    files = [outcome.folder / "evaluations.csv"]
    best = best_parameters(outcome)
    if best is not None:
        trial = outcome.study.best_trial
        (outcome.folder / "best.yml").write_text(_yaml(best), encoding="utf-8")
        _draw(outcome, outcome.folder / "sweep.html")
        files += [outcome.folder / "best.yml", outcome.folder / "sweep.html"]
        tracker.log_metrics({"best": trial.value}, step=trial.number)
        tracker.set_tags({"best_evaluation": str(trial.number)})
    for file in files:
        tracker.log_file(file, "sweep")


def _judged(outcome: Outcome) -> list[Any]:
    """Return the evaluations with a value of all trials."""
    from optuna.trial import TrialState

    return outcome.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _draw(outcome: Outcome, file: Path) -> None:
    """Draw the values by evaluation and by parameters, in a page that needs no other."""
    from optuna.visualization import plot_optimization_history, plot_parallel_coordinate

    name = f"{outcome.sweep.measure} on validation persons"
    history = plot_optimization_history(outcome.study, target_name=name)
    history.update_layout(title=outcome.study.study_name, xaxis_title="evaluation")
    figures = [history]
    if len(outcome.sweep.search) > 1:
        lines = plot_parallel_coordinate(_in_short(outcome), target_name=name)
        figures.append(lines.update_layout(title="each line an evaluation"))
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False})
        for number, figure in enumerate(figures)
    ]
    head = f'<meta charset="utf-8"><title>{outcome.study.study_name}</title>'
    page = f"<!doctype html><html><head>{head}</head><body>{''.join(parts)}</body></html>\n"
    file.write_text(page, encoding="utf-8")


def _in_short(outcome: Outcome) -> Any:
    """Return the judged evaluations with short names: Optuna cuts long ones off at their end."""
    import optuna

    paths = list(outcome.sweep.search)
    names = {path: path.rpartition(".")[-1] for path in paths}
    if len(set(names.values())) < len(paths):
        names = dict(zip(paths, paths, strict=True))
    study = optuna.create_study(direction=outcome.sweep.direction)
    for each in _judged(outcome):
        params, distributions = (
            {names[path]: value for path, value in of.items()}
            for of in (each.params, each.distributions)
        )
        study.add_trial(
            optuna.create_trial(value=each.value, params=params, distributions=distributions)
        )
    return study


def _yaml(tree: Tree) -> str:
    import yaml

    # through JSON: tuples of the configuration are lists there
    return yaml.safe_dump(json.loads(json.dumps(tree)), sort_keys=False)
