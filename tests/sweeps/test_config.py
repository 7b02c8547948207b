import pytest

from wherewhen.experiments.config import ExperimentError, choose
from wherewhen.pipelines.parameters import check_parameters, known_names
from wherewhen.sweeps.config import (
    NOT_SEARCHED,
    check_search,
    evaluation_view,
    load_sweeps,
    read_sweep,
)

RATE = "train.training.learning_rate"


def sweep(search=None, **fields):
    return read_sweep("mine", {"search": search or {RATE: {"low": 1e-4, "high": 0.1}}, **fields})


def test_every_shipped_sweep_can_be_run():
    sweeps = load_sweeps()
    assert "learning_rate" in sweeps
    for each in sweeps.values():
        assert check_search(each, None, {}).parameters


def test_ranges_and_choices_become_distributions():
    found = sweep(
        {
            RATE: {"low": 1e-4, "high": 0.1, "log": True},
            "train.training.frames": {"low": 4, "high": 12, "step": 2},
            "train.training.momentum": {"low": 0, "high": 0.9},
            "train.network.hidden_kernels": {"choices": [[1], [3]]},
            "train.training.patience": {"choices": [None, 3]},
        },
        trials=2,
    )
    described = {path: repr(where.distribution()) for path, where in found.search.items()}
    assert described == {
        RATE: "FloatDistribution(high=0.1, log=True, low=0.0001, step=None)",
        "train.training.frames": "IntDistribution(high=12, log=False, low=4, step=2)",
        "train.training.momentum": ("FloatDistribution(high=0.9, log=False, low=0.0, step=None)"),
        "train.network.hidden_kernels": "CategoricalDistribution(choices=('[1]', '[3]'))",
        "train.training.patience": "CategoricalDistribution(choices=(None, 3))",
    }
    drawn = {
        path: where.distribution().choices[1] for path, where in list(found.search.items())[3:]
    }
    drawn |= {path: 4 for path in list(found.search)[:3]}
    values = found.values(drawn)
    assert values["train.network.hidden_kernels"] == [3]
    assert values["train.training.patience"] == 3


def test_searched_values_win_over_params_and_these_over_the_sweeps_own():
    found = sweep(
        parameters={"train.training": {"learning_rate": 0.5, "gradient_clip": 2.0, "frames": 5}}
    )
    given = {"train": {"training": {"learning_rate": 0.6, "gradient_clip": 3.0}}}
    training = evaluation_view(found, None, {RATE: 0.7}, given).parameters.train.training
    assert (training.learning_rate, training.gradient_clip, training.frames) == (0.7, 3.0, 5)


def test_whole_groups_can_be_searched_in_every_preset():
    found = sweep(
        {
            "train.training.learning_rate": {"low": 1e-4, "high": 0.1},
            "train.network": {
                "choices": [
                    {"channels": [8], "input_kernels": [1], "hidden_kernels": [1]},
                    {"channels": [8, 8], "input_kernels": [1, 1], "hidden_kernels": [1, 1]},
                ]
            },
        }
    )
    check_search(found, None, {})
    drawn = found.search["train.network"].distribution().choices[1]
    values = found.values({"train.training.learning_rate": 0.02, "train.network": drawn})
    assert evaluation_view(found, None, values, {}).parameters.train.network.channels == (8, 8)
    for preset in ("modern", "paper"):
        train = evaluation_view(found, None, values, {"preset": preset}).parameters.train
        assert train.training.learning_rate == 0.02


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"train.training.learning_rat": {"low": 1, "high": 2}}, "did you mean learning_rate?"),
        ({"trian.start": {"choices": ["modern", "paper"]}}, "did you mean train?"),
        ({"learn_metric.kissme.shrink": {"low": 0, "high": 1}}, "did you mean shrinkage?"),
        ({"split.train_fraction": {"low": 0.1, "high": 0.9}}, "it decides who is a test person"),
        ({"embed.features": {"choices": [["fisher"], ["network"]]}}, "its `features`"),
        ({RATE: {"low": 2, "high": 1}}, "low is 2 and high 1: expected low below high"),
        ({RATE: {"low": 0, "high": 1, "log": True}}, "log: expected low above 0"),
        ({RATE: {"choices": [1]}}, "at least 2 items"),
        ({RATE: {"low": 1}}, "high: Field required"),
        ({"embed": {"choices": [1, 2]}, "embed.clips": {"low": 1, "high": 2}}, "is given twice"),
        ({}, "at least 1 item"),
    ],
)
def test_faults_are_named(search, message):
    with pytest.raises(ExperimentError, match=r"(?s)sweep mine:.*" + message):
        read_sweep("mine", {"search": search})


def test_impossible_values_are_found_before_anything_runs():
    beyond = sweep({RATE: {"low": -0.1, "high": 0.1}})
    with pytest.raises(ExperimentError, match=r"(?s)rate = -0.1: Input should be greater than 0"):
        check_search(beyond, None, {})
    with pytest.raises(ExperimentError, match="no features are called"):
        check_search(sweep(features="netwrok"), None, {})
    with pytest.raises(ExperimentError, match="metric is siamese, but row_pooled are"):
        check_search(sweep(features="row_pooled", metric="siamese"), None, {})
    with pytest.raises(ExperimentError, match="no sweep his: there are mine"):
        choose({"mine": beyond}, "his", "sweep")
    with pytest.raises(ExperimentError, match="expected a mapping with `search`"):
        read_sweep("mine", [])


def test_what_is_not_searched_exists():
    for path in NOT_SEARCHED:
        *group, name = path.split(".")
        assert name in known_names(group)


def test_evaluations_differ_in_what_is_searched_alone():
    found = sweep()
    common = check_search(found, None, {})
    other = evaluation_view(found, None, {RATE: 0.05}, {})
    assert common.parameters.train.training.learning_rate != 0.05
    assert other.parameters.model_copy(update={"train": common.parameters.train}) == (
        common.parameters
    )
    assert check_parameters({}).evaluate.resamples > 0 == other.parameters.evaluate.resamples


def test_validation_persons_are_in_the_test_persons_place_and_no_other_features_are_made():
    found = sweep(features="row_pooled", metric="kissme", trials=3, validation=0.4)
    parameters = evaluation_view(found, None, {}, {"split": {"trials": 9}}).parameters
    assert (parameters.split.validation, parameters.split.trials) == (0.4, 3)
    assert parameters.embed.features == ("row_pooled",)
