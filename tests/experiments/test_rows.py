"""What a row asks for, and what of it is finished, with results laid by hand."""

import shlex
import shutil

import pandas as pd
import pytest

from wherewhen.commands import parse_params
from wherewhen.experiments.config import ExperimentError, nested
from wherewhen.experiments.rows import Request, resolve
from wherewhen.project import from_root
from wherewhen.sessions import View

HERE = Request("prid2011")
AVERAGE = {"parameters": {"train.network.temporal_pooling": "average"}}


@pytest.fixture
def results(project):
    """The project's folder, without results afterwards."""
    yield project
    for name in ("data", "footage/prid2011"):
        shutil.rmtree(project / name, ignore_errors=True)


@pytest.fixture
def row(table, results):
    """Return a function that resolves one row anew, as a command does that is started."""

    def resolved(request=HERE, fields=None, **parameters):
        rows = {"ours": {"parameters": parameters, **(fields or {})}}
        return resolve(table(rows), request)["ours"]

    return resolved


class TestParameters:
    def test_params_win_over_the_row_s_and_these_over_the_environment_s(self, row):
        given = Request("prid2011", {"embed": {"clips": 3}})
        embed = row(given, **{"embed.clips": 2, "embed.frames": 7}).parameters.embed
        assert (embed.clips, embed.frames) == (3, 7)
        assert row().parameters.embed.clips == 4

    def test_params_are_laid_over_the_chosen_preset(self, row):
        given = Request(params={"train": {"training": {"learning_rate": 0.5}}})
        assert row(given).parameters.train.training.learning_rate == 0.5

    def test_quoted_rows_are_left_out_and_the_rest_keeps_its_order(self, table, project):
        rows = {"b": {}, "TDL": {"quoted": True, "published": "TDL"}, "a": {}, "c": {}}
        mine = table(rows, table="VII")
        assert list(resolve(mine, HERE)) == ["b", "a", "c"]
        assert list(resolve(mine, Request("prid2011", rows=("c", "b")))) == ["b", "c"]

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"parameters": {"embed.frame": 3}}, "did you mean frames"),
            ({"features": "fisher"}, "shows the features fisher, but embed.features are network"),
            ({"metric": "rank_svm"}, "metric is rank_svm, but network are measured by"),
        ],
    )
    def test_an_impossible_row_is_named(self, table, project, fields, message):
        with pytest.raises(ExperimentError, match=f"(?s)experiment mine, row wrong: .*{message}"):
            resolve(table({"right": {}, "wrong": fields}), HERE)

    @pytest.mark.parametrize("metric", ["cosine-re-ranked", "kissme-re-ranked"])
    def test_re_ranked_metrics_are_there_where_they_are_asked_for(self, row, metric):
        re_ranked = {"evaluate.re_ranking": {}}
        assert row(fields={"metric": metric}, **re_ranked).row.metric == metric
        with pytest.raises(ExperimentError, match=f"metric is {metric}, but .*re_ranking"):
            row(fields={"metric": metric})

    @pytest.mark.parametrize("metric", ["siamese-re-ranked", "nobody-re-ranked", "-re-ranked"])
    def test_re_ranked_metrics_that_are_never_made(self, row, metric):
        with pytest.raises(ExperimentError, match=f"metric is {metric}, but"):
            row(fields={"metric": metric}, **{"evaluate.re_ranking": {}})

    def test_a_fusion_is_shown_where_it_is_asked_for(self, row):
        parts = ["network/cosine", "network/kissme"]
        shown = {"features": "fusion", "metric": "network/cosine and network/kissme"}
        fused = row(fields=shown, **{"evaluate.fusion.parts": parts})
        assert fused.outputs("trial_00") == ["trial_00.scores_network", "trial_00.scores_fusion"]
        with pytest.raises(ExperimentError, match=r"features fusion, .* evaluate.fusion is null"):
            row(fields=shown)
        with pytest.raises(ExperimentError, match="but fusion are measured by network/cosine and"):
            row(fields={"features": "fusion"}, **{"evaluate.fusion.parts": parts})

    def test_more_trials_than_there_are(self, row):
        assert row(Request("prid2011", trials=1)).wanted == ["trial_00"]
        with pytest.raises(ExperimentError, match=r"--trials 3: there are 2 .*split\.trials=3"):
            row(Request("prid2011", trials=3))


class TestFinished:
    def test_nothing_is_before_anything_was_made(self, row):
        assert row().trials == [] and not row().is_finished
        assert "measure" in row().scores().columns and row().scores().empty

    def test_trial_by_trial(self, row, finish):
        finish(row(), "trial_01")
        assert row().trials == ["trial_01"] and not row().is_finished
        finish(row(), "trial_00")
        assert row().trials == ["trial_00", "trial_01"] and row().is_finished

    def test_a_trial_has_the_scores_of_all_features(self, row, make, finish):
        both = {"embed.features": ["network", "mean_pooled"]}
        make(row(**both).view, {"trial_00.scores_network": pd.DataFrame({"n": [1]})})
        assert row(**both).trials == []
        finish(row(**both), "trial_00")
        assert row(**both).trials == ["trial_00"]

    def test_of_the_first_trials_alone(self, row, finish):
        finish(row(), "trial_00")
        first = row(Request("prid2011", trials=1))
        assert first.is_finished and first.trials == ["trial_00"]

    def test_what_is_shown_is_of_its_features_and_its_metric(self, row, finish):
        both = {"embed.features": ["network", "mean_pooled"]}
        chosen = {"features": "mean_pooled", "metric": "cosine"}
        for trial, rank_1 in (("trial_00", 0.5), ("trial_01", 0.75)):
            finish(row(fields=chosen, **both), trial, rank_1)
        shown = row(fields=chosen, **both).shown()
        assert set(shown.features) == {"mean_pooled"} and set(shown.metric) == {"cosine"}
        rank_1 = shown[shown.measure == "rank-1"]
        assert rank_1.set_index("trial").value.to_dict() == {"trial_00": 0.5, "trial_01": 0.75}

    def test_records_say_which_network_the_numbers_are_of(self, row, make, finish):
        finish(row(), "trial_00", network=b"weights")
        network = row().network("trial_00")
        assert network.content[:16] == "9a129038d9a00aed"  # printf weights | sha256sum
        assert row().record("trial_00").run_id == "a-run"
        assert row(**{"embed.features": ["network"]}).network("trial_01") is None


class TestShared:
    """Rows of any experiments that ask for the same have the same results."""

    def test_by_another_name_and_another_metric(self, table, row, finish):
        finish(row(), "trial_00")
        other = table({"ours, by its own score": {"metric": "siamese"}})
        (shared,) = resolve(other, HERE).values()
        assert shared.trials == ["trial_00"]
        assert shared.record("trial_00") == row().record("trial_00")

    @pytest.mark.parametrize(
        "parameters",
        [
            {"extract.readers": 3},
            {"ingest.workers": 1},
            {"device": "cpu"},
            {"extract.budget_gib": 3.0},
        ],
    )
    def test_whatever_says_only_how(self, row, finish, parameters):
        finish(row(), "trial_00")
        assert row(**parameters).trials == ["trial_00"]

    def test_whatever_another_preset_would_do(self, row, finish):
        finish(row(), "trial_00")
        other = {"presets.paper.train.training.learning_rate": 0.5}
        assert row(**other).trials == ["trial_00"]
        assert row(**{"train.training.learning_rate": 0.5}).trials == []

    def test_however_many_trials_are_wanted(self, row, finish):
        finish(row(Request("prid2011", trials=1)), "trial_00")
        assert row().trials == ["trial_00"]

    def test_a_row_that_asks_for_more_takes_over_what_it_can(self, row, finish, make):
        finish(row(), "trial_00")
        fields = {"features": "fisher", "metric": "cosine"}
        fisher = row(fields=fields, **{"embed.features": ["fisher"]})
        assert fisher.trials == []
        assert fisher.network("trial_00") == row().network("trial_00")


class TestOutOfDate:
    def test_other_parameters(self, row, finish):
        finish(row(), "trial_00")
        assert row(**AVERAGE["parameters"]).trials == []

    def test_other_data(self, row, finish, results):
        frames = results / "footage/prid2011"
        frames.mkdir(parents=True)
        (frames / "0001.png").write_bytes(b"a frame")
        finish(row(), "trial_00")
        assert row().trials == ["trial_00"]
        (frames / "0002.png").write_bytes(b"another")
        assert row().trials == []

    def test_scores_that_were_changed_after_they_were_made(self, row, finish):
        finish(row(), "trial_00")
        before = row().identity
        file = row().view.ledger.file("trial_00.scores_network")
        pd.read_parquet(file).assign(value=1.0).to_parquet(file)
        assert row().trials == []
        finish(row(), "trial_00", rank_1=0.75)
        assert row().trials == ["trial_00"] and row().identity != before


def test_the_frames_folder_is_listed_once_for_all_rows(table, results, monkeypatch):
    from wherewhen.lineage import ledger

    looked, look = [], ledger.content_of

    def counting(path):
        looked.append(path.name)
        return look(path)

    monkeypatch.setattr(ledger, "content_of", counting)
    rows = resolve(table({"a": {}, "b": AVERAGE, "c": {"metric": "siamese"}}), HERE)
    assert [row.trials for row in rows.values()] == [[], [], []]
    assert looked.count("prid2011") == 1
    rows["a"].view.ledger.refresh()  # as after a session
    assert [row.trials for row in rows.values()] == [[], [], []]
    assert looked.count("prid2011") == 2


class TestTrainedElsewhere:
    ACROSS = Request("prid2011", trained_on="mars")

    @pytest.fixture
    def train(self, make, row):
        """Return a function that lays networks where the row says that they come from."""

        def lay(*trials, **parameters):
            source = row(self.ACROSS, **parameters).source
            make(source, {f"{trial}.network": f"network of {trial}".encode() for trial in trials})

        return lay

    def test_it_has_to_be_said_where(self, table, project):
        with pytest.raises(ExperimentError, match="say where to train, --trained-on ENV"):
            resolve(table({"ours": {}}, cross_dataset=True), HERE)

    def test_before_the_training_nothing_is_finished(self, row):
        assert row(self.ACROSS).trials == [] and not row(self.ACROSS).is_finished

    def test_networks_are_found_by_their_records(self, row, train):
        train("trial_00", "trial_01")
        across = row(self.ACROSS)
        networks = across.parameters.train.network_from
        read = {trial: from_root(path).read_bytes() for trial, path in networks.items()}
        assert read == {"trial_00": b"network of trial_00", "trial_01": b"network of trial_01"}
        assert not any(path.is_absolute() for path in networks.values())
        assert not across.trains and across.source.dataset == "mars"

    def test_they_read_cubes_of_the_backbone_that_they_were_trained_on(self, row):
        across, own = row(self.ACROSS).parameters.extract, row().parameters.extract
        assert across.backbone == "vgg16"
        assert own.backbone == "timm:tf_efficientnet_lite0"
        assert (across.weights.source, across.weights.seed) == ("random", 3)

    def test_features_without_a_trained_network_are_left_out_of_those_that_the_row_asks_for(
        self, row
    ):
        asked = ["mean_pooled", "network", "untrained", "fisher"]
        across = row(self.ACROSS, **{"embed.features": asked})
        assert list(across.own.parameters.embed.features) == asked
        assert list(across.parameters.embed.features) == ["network", "fisher"]
        assert across.outputs("trial_00") == ["trial_00.scores_network", "trial_00.scores_fisher"]

    def test_another_network_makes_the_row_unfinished(self, row, train, finish, make):
        train("trial_00", "trial_01")
        for trial in ("trial_00", "trial_01"):
            finish(row(self.ACROSS), trial)
        assert row(self.ACROSS).is_finished
        make(row(self.ACROSS).source, {"trial_01.network": b"a network that was trained anew"})
        assert row(self.ACROSS).trials == ["trial_00"]

    def test_so_do_other_parameters_and_other_data_of_the_training(
        self, row, train, finish, results
    ):
        train("trial_00")
        finish(row(self.ACROSS), "trial_00")
        assert row(self.ACROSS).trials == ["trial_00"]
        assert row(self.ACROSS, **AVERAGE["parameters"]).trials == []
        (results / "footage/mars").mkdir()
        (results / "footage/mars/0001.png").write_bytes(b"a frame")
        assert row(self.ACROSS).trials == []
        shutil.rmtree(results / "footage/mars")

    def test_params_of_the_test_are_not_the_training_s(self, row):
        given = {
            "synthesise": {"persons": 7}, "ingest": {"allow_faulty": 1}, "split": {"seed": 5},
            "evaluate": {"max_rank": 9}, "embed": {"clips": 3},
        }  # fmt: skip
        across = row(Request("prid2011", given, "mars"))
        here, there = across.own.parameters, across.source.parameters
        without = row(self.ACROSS).source.parameters
        for name in ("synthesise", "ingest", "split", "evaluate"):
            assert getattr(there, name) == getattr(without, name)
        assert (here.synthesise.persons, here.evaluate.max_rank) == (7, 9)
        assert (here.split.seed, here.ingest.allow_faulty) == (5, 1)
        assert (here.embed.clips, there.embed.clips) == (3, 3)

    def test_what_trains_no_network_can_take_none(self, row):
        pooled = {"features": "mean_pooled", "metric": "cosine"}
        with pytest.raises(ExperimentError, match="mean_pooled train no network"):
            row(self.ACROSS, pooled, **{"embed.features": ["mean_pooled"]})

    def test_more_trials_than_networks_are_trained_in(self, row):
        more = Request("prid2011", {"split": {"trials": 3}}, "mars")
        with pytest.raises(ExperimentError, match=r"in 3 trials, but in mars .* --trials 2"):
            row(more)
        assert row(Request("prid2011", more.params, "mars", trials=2)).wanted == [
            "trial_00",
            "trial_01",
        ]


@pytest.fixture
def muted(project, table):
    said = {"parameters": {"train.network.attention": "muted", "embed.frames": 128}}
    return resolve(table({"it's muted": said}), Request("prid2011", trials=1))["it's muted"]


def test_parameters_that_the_environment_has_already_do_not_differ(muted):
    differ = muted.differing_parameters()
    assert differ == {"train.network.attention": "muted", "embed.features": ["network"]}


def test_a_row_is_one_command_quoted_for_the_shell(project, table):
    given = {
        "embed": {"clips": 3, "features": ["network", "fisher"]},
        "ingest": {"options": {"prid2011": {"persons": "min_frames"}}},
    }
    mine = table({"5x5 & 'more'": {}}, cross_dataset=True)
    (row,) = resolve(mine, Request("prid2011", given, "mars")).values()
    *words, params = shlex.split(row.experiment_command(2))
    assert parse_params(params) == given
    assert words == [
        "uv", "run", "kedro", "experiment", "run", "mine", "--rows", "5x5 & 'more'",
        "--env", "prid2011", "--trained-on", "mars", "--trials", "2", "--params",
    ]  # fmt: skip


def test_a_command_says_no_more_than_it_has_to(project, table):
    (row,) = resolve(table({"ours": {}}), Request()).values()
    assert row.experiment_command() == "uv run kedro experiment run mine --rows ours"


def test_kedro_takes_the_plain_run_which_asks_for_the_same(muted):
    from wherewhen.cli import run

    words = shlex.split(muted.plain_command("trial_00", "trial_01"))
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
    line = resolve(mine, request)["ours"].plain_command("trial_00")
    given = parse_params(shlex.split(line)[-1])
    networks = given["train"]["network_from"]
    assert {trial: from_root(path).read_bytes() for trial, path in networks.items()} == {
        "trial_00": b"network 0",
        "trial_01": b"network 1",
    }
    assert not any(path.startswith("/") for path in networks.values())
    assert given["extract"]["backbone"] == "vgg16"
    assert given["extract"]["size"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("evaluate.dataset", "it's"),
        ("evaluate.dataset", "a, b"),
        ("evaluate.dataset", "1"),
        ("embed.clips", 1),
        ("extract.weights.path", None),
        ("embed.features", ["network", "fisher"]),
        ("ingest.options", {}),
    ],
)
def test_params_are_read_as_they_were_given(project, table, name, value):
    given = nested({name: value})
    (row,) = resolve(table({"ours": {}}), Request("prid2011", given)).values()
    assert parse_params(shlex.split(row.experiment_command())[-1]) == given
