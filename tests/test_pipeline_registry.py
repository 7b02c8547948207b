import json
import subprocess
import sys

import pytest

from wherewhen import pipeline_registry
from wherewhen.pipelines.parameters import check_parameters

STAGES = (
    "synthesise",
    "ingest",
    "split",
    "extract",
    "train",
    "embed",
    "learn_metric",
    "evaluate",
    "assemble",
    "report",
)


@pytest.fixture(autouse=True)
def own_parameters(monkeypatch):
    monkeypatch.setattr(pipeline_registry, "_parameters", None)


def registered(tree):
    pipeline_registry.configure(check_parameters(tree))
    return pipeline_registry.register_pipelines()


def test_a_pipeline_a_stage_in_the_order_of_the_datas_way():
    assert tuple(registered({})) == (*STAGES, "search", "analyse", "__default__")


def test_a_closer_look_is_no_part_of_the_whole_and_needs_a_network():
    pipelines = registered({"split": {"trials": 2}})
    look, whole = pipelines["analyse"], pipelines["__default__"]
    assert not {node.name for node in look.nodes} & {node.name for node in whole.nodes}
    wanted = {name for name in look.inputs() if not name.startswith("params:")}
    assert wanted <= whole.datasets()
    assert not registered({"embed": {"features": ["row_pooled"]}})["analyse"].nodes


def test_without_a_root_the_people_are_rendered():
    default = registered({})["__default__"]
    assert "plan_people" in {node.name for node in default.nodes}
    assert all(name.startswith(("params:", "trial_")) for name in default.inputs())
    assert "params:ingest.root" not in default.inputs()


def test_with_a_root_nobody_is_rendered():
    pipelines = registered({"ingest": {"root": "data/01_raw/prid2011"}})
    default = pipelines["__default__"]
    assert "plan_people" not in {node.name for node in default.nodes}
    assert {"params:ingest.root", "params:ingest"} <= default.inputs()
    assert "synthetic_people" not in default.datasets()
    assert pipelines["synthesise"].nodes


def nodes_of(features, **train):
    tree = {"embed": {"features": features}, "train": train, "split": {"trials": 1}}
    pipelines = registered(tree)
    inputs = pipelines["__default__"].inputs()
    assert all(name.startswith("params:") or name.endswith(".checkpoints") for name in inputs)
    (collect,) = [n for n in pipelines["evaluate"].nodes if n.name == "collect_scores"]
    half = [name for name in collect.inputs if ".scores_" in name]
    assert half == [f"trial_00.scores_{name}" for name in features]
    return {node.name.removeprefix("trial_00.") for node in pipelines["__default__"].nodes}


def test_what_is_asked_for_is_embedded_learned_on_and_evaluated():
    nodes = nodes_of(["network", "fisher"])
    assert {"initialise", "fit", "embed_by_network", "embed_by_fisher"} <= nodes
    assert {"learn_metrics_on_fisher", "score_fisher", "draw_attention_over_time"} <= nodes
    assert not {"pool_cubes", "embed_by_untrained_network"} & nodes


def test_nothing_is_trained_for_features_without_a_network():
    assert not {"initialise", "fit"} & nodes_of(["row_pooled", "stfv3d"])
    nodes = nodes_of(["untrained"])
    assert "initialise" in nodes
    assert not {"fit", "draw_training_curves", "draw_attention_over_time"} & nodes


def test_a_baseline_asks_for_no_cubes():
    pipelines = registered({"embed": {"features": ["hog3d"]}, "split": {"trials": 1}})
    assert "cubes" not in pipelines["embed"].inputs()
    assert "trial_00.embeddings_hog3d" in pipelines["embed"].all_outputs()


def test_a_borrowed_network_is_not_trained():
    nodes = nodes_of(["network"], network_from="networks/{trial}.safetensors")
    assert {"borrow", "embed_by_network", "draw_best_ranked"} <= nodes
    assert not {"fit", "initialise", "draw_training_curves"} & nodes


def test_a_training_from_a_file_needs_no_network_at_random():
    tree = {"train": {"start": "{trial}.safetensors"}, "split": {"trials": 1}}
    for features, initialised in ((["network"], False), (["network", "untrained"], True)):
        train = registered(tree | {"embed": {"features": features}})["train"]
        (fit,) = [each for each in train.nodes if each.name == "trial_00.fit"]
        (start,) = [each for each in train.nodes if each.name == "trial_00.start"]
        assert "params:train.start.trial_00" in start.inputs
        assert start.outputs == ["trial_00.start_network"]
        assert "trial_00.start_network" in fit.inputs
        assert "trial_00.network" in fit.outputs
        assert ("trial_00.untrained_network" in train.all_outputs()) == initialised


def test_the_start_is_embedded_where_it_is_asked_for():
    tree = {"train": {"start": "{trial}.safetensors"}, "split": {"trials": 1}}
    embed = registered(tree | {"embed": {"features": ["network", "start"]}})["embed"]
    (encode,) = [each for each in embed.nodes if each.name == "trial_00.embed_by_start_network"]
    assert encode.inputs[0] == "trial_00.start_network"
    assert encode.outputs == ["trial_00.embeddings_start"]


def test_a_start_that_nobody_asks_for_is_not_made():
    tree = {"train": {"start": "{trial}.safetensors"}, "split": {"trials": 1}}
    for features, made in ((["row_pooled"], False), (["start"], True)):
        train = registered(tree | {"embed": {"features": features}})["train"]
        assert ("trial_00.start_network" in train.all_outputs()) == made


@pytest.mark.parametrize("trials", [1, 3])
def test_every_trial_is_a_namespace(trials):
    pipelines = registered({"split": {"trials": trials}})
    names = [f"trial_{trial:02d}" for trial in range(trials)]
    fits = [node.name for node in pipelines["__default__"].nodes if node.name.endswith(".fit")]
    assert sorted(fits) == [f"{name}.fit" for name in names]
    (collect,) = [n for n in pipelines["evaluate"].nodes if n.name == "collect_scores"]
    assert {name.split(".")[0] for name in collect.inputs} == set(names)


def test_the_stages_fit_together():
    pipelines = registered({"split": {"trials": 2}})
    made = set()
    for stage in STAGES:
        wanted = {
            name
            for name in pipelines[stage].inputs()
            if not name.startswith("params:") and not name.endswith(".checkpoints")
        }
        assert wanted <= made, f"{stage} asks for {wanted - made}"
        made |= pipelines[stage].all_outputs()


def test_before_a_session_the_parameters_are_those_of_base():
    assert pipeline_registry.parameters().synthesise.persons == 80


def test_building_the_pipelines_imports_nothing_heavy():
    """A start-up that only prints help, or renders people, must not pay for training."""
    heavy = ("torch", "torchvision", "timm", "warp", "anny", "sklearn", "matplotlib")
    code = (
        "import json, sys; from wherewhen import pipeline_registry as r; r.register_pipelines();"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
