import shlex

import pytest
from wherewhen.experiments.variants import variant, variants_of

from wherewhen.commands import read_params
from wherewhen.experiments.config import config_loader, nested, read_experiments
from wherewhen.experiments.reproduce import (
    as_params,
    chosen_overrides,
    experiment_command,
    flat,
    parameters_that_differ,
    plain_commands,
)

TREE = {"a": {"b": 1, "c": {"d": [1, "x, y", {"z": None}]}}, "e": {}, "f": "text"}


def test_flat_is_undone_by_nesting():
    assert flat(TREE) == {"a.b": 1, "a.c.d": [1, "x, y", {"z": None}], "e": {}, "f": "text"}
    assert nested(flat(TREE)) == TREE


@pytest.mark.parametrize(
    "value",
    ["timm:convnext_tiny", "data/{trial}/network", "1", "true", "null", "", " a ", "a b", "a=b",
     "it's", 'say "so"', 1, 1e-05, 0.1, True, None, [64, 3], {}, ["a", {"b": "c, d"}], "λ"],
)  # fmt: skip
def test_params_are_read_as_they_were_written(value):
    text = as_params({"one.two": value, "three": 3})
    assert read_params(None, None, text) == {"one": {"two": value}, "three": 3}


def test_a_text_that_params_would_split_is_refused_by_name():
    with pytest.raises(ValueError, match=r"one\.two: 'a,b' can't be given by --params"):
        as_params({"one.two": "a,b"})


@pytest.fixture(scope="module")
def muted():
    tree = config_loader()["parameters"]
    overrides = nested({
        "train.network.modern.attention": "muted",
        "train.network.paper.attention": "muted",
        "embed.features": ["network"],
    })  # fmt: skip
    return variant("a test", None, tree, overrides)


def test_what_another_preset_would_do_is_left_away(muted):
    assert chosen_overrides(muted) == {
        "train.network.modern.attention": "muted",
        "embed.features": ["network"],
    }


def test_parameters_that_the_environment_has_already_do_not_differ(muted):
    environment = {"embed": {"features": ["network"]}, "train": {"network": {"modern": {}}}}
    assert parameters_that_differ(muted, environment) == {"train.network.modern.attention": "muted"}


def test_row_is_one_command_quoted_for_the_shell():
    line = experiment_command("table_iii", "VGG16, 5x5 & 'more'", "prid2011", 3, "mars", TREE)
    *words, params = shlex.split(line)
    assert read_params(None, None, params) == TREE
    assert words == [
        "uv", "run", "kedro", "experiment", "run", "table_iii", "--rows", "VGG16, 5x5 & 'more'",
        "--env", "prid2011", "--trained-on", "mars", "--trials", "3", "--params",
    ]  # fmt: skip


def test_plain_runs_share_what_comes_before_and_give_the_overrides(muted):
    (_, shared), (purpose, trial) = plain_commands(muted, "trial_02", 3)
    words = shlex.split(trial)
    assert purpose == "trial_02"
    assert words[:8] == [
        "uv", "run", "kedro", "run", "--pipelines", "train,embed,learn_metric,evaluate",
        "--namespaces", "trial_02",
    ]  # fmt: skip
    assert read_params(None, None, words[-1]) == {
        "variant": muted.key,
        "train": {"network": {"modern": {"attention": "muted"}}},
        "embed": {"features": ["network"]},
        "split": {"trials": 3},
    }
    assert shlex.split(shared)[5] == "synthesise,ingest,split,extract"
    assert shlex.split(shared)[-1] == words[-1]


def test_kedro_takes_the_plain_runs(muted):
    from wherewhen.cli import run

    for _, line in plain_commands(muted, "trial_00", 2):
        given = run.make_context("run", shlex.split(line)[4:]).params
        assert given["params"]["variant"] == muted.key and given["pipelines"]


def test_the_params_of_a_plain_run_name_the_same_variant(muted):
    (_, _), (_, trial) = plain_commands(muted, "trial_00", 2)
    given = read_params(None, None, shlex.split(trial)[-1])
    del given["variant"]
    assert variant("again", None, config_loader()["parameters"], given).key == muted.key


def test_a_borrowed_network_is_trained_first():
    rows = {"trained": {}, "borrowed": {"network_of": "trained", "metric": "siamese"}}
    (experiment,) = read_experiments({"t": {"title": "T", "rows": rows}}).values()
    borrowed = variants_of(experiment)["borrowed"]
    commands = list(plain_commands(borrowed, "trial_00", 1))
    assert [purpose.endswith("where the network is trained") for purpose, _ in commands] == [
        True, True, False, False,
    ]  # fmt: skip
    assert f"variant={borrowed.source.key}" in commands[1][1]
    assert "network_from=" in commands[3][1] and "{trial}" in commands[3][1]
