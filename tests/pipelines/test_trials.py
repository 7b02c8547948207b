from kedro.pipeline import Pipeline, node

from wherewhen.pipelines.trials import per_trial


def test_each_trial_has_its_own_data_and_shares_the_rest():
    once = Pipeline(
        [node(lambda *_: None, ["cubes", "split", "params:train"], "network", name="f")]
    )
    trials = per_trial(once, ["trial_00", "trial_01"], shared={"cubes", "params:train"})
    assert {n.name for n in trials.nodes} == {"trial_00.f", "trial_01.f"}
    assert trials.inputs() == {"cubes", "params:train", "trial_00.split", "trial_01.split"}
    assert trials.outputs() == {"trial_00.network", "trial_01.network"}
