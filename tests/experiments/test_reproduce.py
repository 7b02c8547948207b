import shlex

import pytest

from wherewhen.commands import parse_params
from wherewhen.experiments.config import nested
from wherewhen.experiments.reproduce import (
    chosen_overrides,
    experiment_command,
    parameters_that_differ,
    plain_command,
)
from wherewhen.experiments.rows import Request, resolve
from wherewhen.project import from_root
from wherewhen.sessions import View


@pytest.fixture
def muted(project, table):
    said = {"parameters": {"train.network.attention": "muted", "embed.clips": 4}}
    return resolve(table({"it's muted": said}), Request("prid2011", trials=1))["it's muted"]


def test_what_a_row_overrides_is_dotted(muted):
    assert chosen_overrides(muted) == {
        "train.network.attention": "muted",
        "embed.features": ["network"],
        "embed.clips": 4,
    }


def test_parameters_that_the_environment_has_already_do_not_differ(muted):
    differ = parameters_that_differ(muted)
    assert differ == {"train.network.attention": "muted", "embed.features": ["network"]}


def test_a_row_is_one_command_quoted_for_the_shell(project, table):
    given = {"embed": {"clips": 3}, "ingest": {"options": {"prid2011": {"persons": [1, 2]}}}}
    mine = table({"5x5 & 'more'": {}}, cross_dataset=True)
    (row,) = resolve(mine, Request("prid2011", given, "mars")).values()
    *words, params = shlex.split(experiment_command(row, 2))
    assert parse_params(params) == given
    assert words == [
        "uv", "run", "kedro", "experiment", "run", "mine", "--rows", "5x5 & 'more'",
        "--env", "prid2011", "--trained-on", "mars", "--trials", "2", "--params",
    ]  # fmt: skip


def test_a_command_says_no_more_than_it_has_to(project, table):
    (row,) = resolve(table({"ours": {}}), Request()).values()
    assert experiment_command(row) == "uv run kedro experiment run mine --rows ours"


def test_kedro_takes_the_plain_run_which_asks_for_the_same(muted):
    from wherewhen.cli import run

    words = shlex.split(plain_command(muted, "trial_00", "trial_01"))
    assert words[:4] == ["uv", "run", "kedro", "run"]
    given = run.make_context("run", words[4:]).params
    assert given["env"] == "prid2011"
    assert given["to_outputs"] == ["trial_00.scores_network", "trial_01.scores_network"]
    plain = View.of(given["env"], given["params"]).ledger
    for name in ("trial_00.untrained_network", "ingest_report"):
        assert plain.version(name) == muted.view.ledger.version(name)
    assert plain.parameters == muted.parameters


def test_a_plain_run_takes_networks_that_were_trained_elsewhere(project, table, make):
    request = Request("prid2011", trained_on="mars")
    mine = table({"ours": {}}, cross_dataset=True)
    source = resolve(mine, request)["ours"].source
    make(source, {f"trial_0{n}.network": f"network {n}".encode() for n in range(2)})
    line = plain_command(resolve(mine, request)["ours"], "trial_00")
    given = parse_params(shlex.split(line)[-1])
    networks = given["train"]["network_from"]
    assert {trial: from_root(path).read_bytes() for trial, path in networks.items()} == {
        "trial_00": b"network 0",
        "trial_01": b"network 1",
    }
    assert not any(path.startswith("/") for path in networks.values())
    assert given["extract"]["backbone"] == "vgg16"


@pytest.mark.parametrize("value", ["it's", "a, b", "1", 1, None, [64, 3], {}])
def test_params_are_read_as_they_were_given(project, table, value):
    given = nested({"ingest.options.prid2011.note": value})
    (row,) = resolve(table({"ours": {}}), Request("prid2011", given)).values()
    assert parse_params(shlex.split(experiment_command(row))[-1]) == given
