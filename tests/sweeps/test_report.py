from pathlib import Path

import optuna
import pytest
import yaml
from optuna.trial import TrialState, create_trial

from wherewhen.commands import read_params
from wherewhen.describe import as_params
from wherewhen.experiments.config import nested
from wherewhen.sweeps.config import read_sweep
from wherewhen.sweeps.report import _plots, best_parameters, describe, importance, table
from wherewhen.sweeps.study import ERROR, RUN, Outcome

RATE, KERNELS = "train.training.learning_rate", "train.network.hidden_kernels"


@pytest.fixture
def outcome(tmp_path):
    """Ten evaluations: the rate decides, the kernels don't; one failed and one was given up."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sweep = read_sweep(
        "mine",
        {
            "search": {
                RATE: {"low": 0.0, "high": 1.0},
                KERNELS: {"choices": [[1], [3]]},
            },
            "parameters": {"embed.clips": 2},
            "trials": 2,
        },
    )
    distributions = {path: where.distribution() for path, where in sweep.search.items()}
    study = optuna.create_study(direction="maximize", study_name="mine-1234")
    for number in range(10):
        params = {RATE: number / 10, KERNELS: "[3]" if number % 2 else "[1]"}
        state, value, error = TrialState.COMPLETE, 0.9 - (number / 10 - 0.7) ** 2, {}
        reported = {1: 0.5, 2: 0.55}
        if number == 8:
            state, value, error = TrialState.FAIL, None, {ERROR: "diverged"}
        if number == 9:
            state, reported = TrialState.PRUNED, {1: 0.95}
            value = 0.95  # better, but of one trial
        study.add_trial(
            create_trial(
                state=state,
                value=value,
                params=params,
                distributions=distributions,
                intermediate_values=reported,
                user_attrs={RUN: f"run {number}", **error},
            )
        )
    return Outcome(sweep, study, tmp_path, {"embed": {"frames": 9}}, [5, 6])


def test_the_best_of_all_trials_is_spelled_for_every_command(outcome):
    best = best_parameters(outcome)
    assert best["train"]["training"] == {"learning_rate": 0.7}
    assert best["train"]["network"] == {"hidden_kernels": [3]}
    assert best["embed"] == {"clips": 2, "frames": 9}
    assert read_params(None, None, as_params(best)) == best


def test_parameters_survive_the_way_through_the_command_line():
    tree = nested(
        {
            "a.b": 1e-05,
            "a.c": None,
            "a.d": [1, 3],
            "a.e": ["x", "y"],
            "f": True,
            "g": "a word",
            "h": 0.1 + 0.2,
        }
    )
    assert read_params(None, None, as_params(tree)) == tree


def test_the_table_has_every_evaluation(outcome):
    rows = table(outcome).set_index("evaluation")
    assert rows.state.to_list() == ["complete"] * 8 + ["failed", "pruned"]
    assert rows.trials.to_list() == [2] * 9 + [1]
    assert rows.error[8] == "diverged" and rows.mlflow_run_id[3] == "run 3"
    assert rows[RATE][7] == 0.7 and rows[KERNELS][7] == "[3]"


def test_what_mattered_is_said_when_there_is_enough_to_say_it_from(outcome):
    shares = importance(outcome)
    assert shares[RATE] > 0.9 > shares[KERNELS]
    few = optuna.create_study(direction="maximize")
    few.add_trials(outcome.study.trials[:7])
    assert importance(Outcome(outcome.sweep, few, Path(), {}, [])) is None


def test_what_is_printed_can_be_copied_and_warns(outcome):
    said = describe(outcome)
    assert "8 complete, 1 failed, 1 pruned" in said
    assert "mean over 2 trial(s) with 5 and 6 validation persons" in said
    assert "best: evaluation 7, mAP 0.9000" in said
    assert "biased" in said
    (line,) = [line for line in said.splitlines() if line.startswith("--params '")]
    assert read_params(None, None, line.removeprefix("--params '").removesuffix("'")) == (
        best_parameters(outcome)
    )
    in_yaml = said[said.index("\nembed:") : said.index("importance (fANOVA)")]
    assert yaml.safe_load(in_yaml) == best_parameters(outcome)


def test_nothing_judged_says_so(outcome):
    none = optuna.create_study(study_name="mine-5678")
    none.add_trial(outcome.study.trials[8])
    nothing = Outcome(outcome.sweep, none, Path(), {}, [5, 6])
    assert best_parameters(nothing) is None
    assert "no evaluation is complete" in describe(nothing)


def test_the_picture_is_one_page_without_others(outcome):
    page = _plots(outcome)
    assert page.count('class="plotly-graph-div"') == 2
    assert "<script src=" not in page and "mine-1234" in page
    assert "learning_rate" in page and "hidden_kernels" in page
    assert "train.tra" not in page
