from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.trials import SHARED, per_trial


def test_each_trial_has_its_own_data_and_shares_the_rest():
    inputs = ["cubes", "split", "params:train.network", "params:embed"]
    once = Pipeline([node(lambda *_: None, inputs, "network", name="f")])
    trials = per_trial(once, ["trial_00", "trial_01"])
    assert {n.name for n in trials.nodes} == {"trial_00.f", "trial_01.f"}
    shared = {"cubes", "params:train.network", "params:embed"}
    assert trials.inputs() == shared | {"trial_00.split", "trial_01.split"}
    assert trials.outputs() == {"trial_00.network", "trial_01.network"}


def test_what_is_passed_on_inside_a_trial_is_its_own():
    once = Pipeline(
        [
            node(lambda *_: None, "split", "windows", name="f"),
            node(lambda *_: None, ["windows", *sorted(SHARED)], "scores", name="g"),
        ]
    )
    made = per_trial(once, ["trial_00", "trial_01"])
    assert made.inputs() == {*SHARED, "trial_00.split", "trial_01.split"}
    assert "trial_01.windows" in made.all_outputs()
    assert made.outputs() == {"trial_00.scores", "trial_01.scores"}


def test_without_trials_there_is_nothing():
    assert not per_trial(Pipeline([node(lambda: None, None, "x")]), []).nodes
