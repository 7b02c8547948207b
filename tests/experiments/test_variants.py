import pytest

from wherewhen.experiments.config import (
    ExperimentError,
    load_experiments,
    nested,
    read_experiments,
)
from wherewhen.experiments.variants import HOW_ONLY, decisive_parameters, variants_of
from wherewhen.pipelines.parameters import Parameters
from wherewhen.training.config import TrainingConfig


@pytest.fixture
def key(make_variant):
    return lambda **overrides: make_variant(**nested(overrides)).key


@pytest.mark.parametrize("env", [None, "hundred", "prid2011"])
def test_every_shipped_experiment_can_be_run(env):
    for name, experiment in load_experiments(env).items():
        elsewhere = "mars" if experiment.cross_dataset else None
        variants = variants_of(experiment, env, trained_on=elsewhere)
        assert set(variants) == {row.name for row in experiment.rows if not row.quoted}, name


class TestKeys:
    @pytest.mark.parametrize(
        "overrides",
        [
            {"split": {"trials": 3}},
            {"extract": {"device": "cpu", "batch_size": 2}},
            {"ingest": {"workers": 3}},
            {"report": {"probes": 9}},
            {"train": {"training": {"modern": {"checkpoint_every": 7}}}},
            {"train": {"training": {"paper": {"epochs": 7}}}},
            {"embed": {"fisher": {"components": 3}}},
            {"embed": {"baselines": {"hog3d": {}}}},
        ],
    )
    def test_what_does_not_change_the_numbers_does_not_count(self, make_variant, overrides):
        assert make_variant(**overrides).key == make_variant().key

    @pytest.mark.parametrize(
        "overrides",
        [
            {"split": {"seed": 1}},
            {"synthesise": {"persons": 9}},
            {"extract": {"backbone": "vgg16"}},
            {"train": {"network": {"modern": {"seed": 1}}}},
            {"train": {"preset": "paper"}},
            {"embed": {"frames": 3}},
            {"embed": {"features": ["network", "fisher"]}},
            {"learn_metric": {"dimension": 3}},
            {"evaluate": {"max_rank": 3}},
        ],
    )
    def test_what_changes_them_does(self, make_variant, overrides):
        assert make_variant(**overrides).key != make_variant().key

    def test_a_default_that_is_spelled_out_is_the_same_variant(self, make_variant):
        said = {"train": {"preset": "modern", "network": {"modern": {"channels": [64]}}}}
        assert make_variant(**said).key == make_variant().key

    def test_a_baseline_knows_neither_backbone_nor_training(self, make_variant):
        pooled, hog = ({"embed": {"features": [name]}} for name in ("mean_pooled", "hog3d"))
        other = {"train": {"preset": "paper"}}
        backbone = {"extract": {"backbone": "vgg16"}}
        assert make_variant(**pooled).key == make_variant(**pooled, **other).key
        assert make_variant(**pooled).key != make_variant(**pooled, **backbone).key
        assert make_variant(**hog).key == make_variant(**hog, **other, **backbone).key
        assert make_variant(**pooled).needs_cubes and not make_variant(**hog).needs_cubes
        assert make_variant().trains and not make_variant(**pooled).trains

    def test_the_decisive_parameters_are_plain(self, make_variant):
        import json

        tree = decisive_parameters(make_variant().parameters)
        assert json.loads(json.dumps(tree)) == tree

    def test_the_names_that_do_not_count_are_names(self):
        for group, names in HOW_ONLY.items():
            if group == "training":
                fields = TrainingConfig.model_fields
            else:
                fields = Parameters.model_fields[group].annotation.model_fields
            assert names <= set(fields), group


def write_conf(root, **environments):
    """Write the parameters of environments, and a project that Kedro knows."""
    for name, text in environments.items():
        folder = root / "conf" / name
        folder.mkdir(parents=True)
        (folder / "parameters.yml").write_text(text)
        (folder / "globals.yml").write_text(f"dataset: {name}\n")


class TestVariantsOf:
    @pytest.fixture
    def conf(self, tmp_path):
        common = "evaluate: {dataset: '${globals:dataset}'}\nembed: {features: [network]}\n"
        write_conf(
            tmp_path,
            base=common + "extract: {backbone: vgg16, weights: {source: random, seed: 3}}\n",
            other="train: {network: {modern: {channels: [8]}}}\n",
        )
        (tmp_path / "conf/local").mkdir()
        return tmp_path

    @staticmethod
    def experiment(rows, **said):
        return read_experiments({"e": {"title": "E", "rows": rows, **said}})["e"]

    def test_rows_with_the_same_parameters_share_a_variant(self, conf):
        rows = {"a": {}, "b": {"metric": "kissme"}, "c": {"parameters": {"embed.frames": 2}}}
        found = variants_of(self.experiment(rows), root=conf)
        assert list(found) == ["a", "b", "c"]
        assert found["a"].key == found["b"].key != found["c"].key
        assert found["a"].dataset == "base"

    def test_quoted_rows_and_rows_not_asked_for_have_none(self, conf):
        rows = {"a": {}, "b": {}, "q": {"published": "Max pooling", "quoted": True}}
        experiment = self.experiment(rows, table="IV")
        assert list(variants_of(experiment, root=conf)) == ["a", "b"]
        assert list(variants_of(experiment, rows=["b"], root=conf)) == ["b"]

    def test_parameters_given_by_command_win(self, conf):
        rows = {"a": {"parameters": {"train.network.both.projection": 4}}}
        params = {"train": {"network": {"modern": {"projection": 5}}}}
        found = variants_of(self.experiment(rows), params=params, root=conf)["a"]
        assert found.parameters.train.network_config().projection == 5
        assert found.runtime["variant"] == found.key

    def test_a_row_may_take_the_networks_of_another(self, conf):
        fisher = {"network_of": "a", "features": "fisher", "metric": "cosine"}
        fisher["parameters"] = {"embed.features": ["fisher"]}
        found = variants_of(self.experiment({"a": {}, "f": fisher}), rows=["f"], root=conf)["f"]
        alone = variants_of(self.experiment({"a": {}}), root=conf)["a"]
        assert found.source.key == alone.key
        assert not found.trains and found.source.trains
        path = found.parameters.train.network_from
        assert path == f"data/06_models/base/variants/{alone.key}/{{trial}}/network.safetensors"

    def test_across_data_sets_the_backbone_is_that_of_the_training(self, conf):
        (conf / "conf/other/parameters.yml").write_text(
            "extract: {backbone: googlenet, weights: {source: imagenet, seed: null}}\n"
        )
        experiment = self.experiment({"a": {}}, cross_dataset=True)
        found = variants_of(experiment, trained_on="other", root=conf)["a"]
        assert (found.dataset, found.source.dataset) == ("base", "other")
        assert found.parameters.extract == found.source.parameters.extract
        assert found.parameters.extract.backbone == "googlenet"
        assert found.source.env == "other" and found.env is None

    def test_parameters_of_the_test_are_not_of_the_training(self, conf):
        params = nested({"split.seed": 4, "embed.frames": 5})
        experiment = self.experiment({"a": {}})
        found = variants_of(experiment, params=params, trained_on="other", root=conf)["a"]
        assert (found.parameters.split.seed, found.source.parameters.split.seed) == (4, 0)
        assert found.parameters.embed.frames == found.source.parameters.embed.frames == 5

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ({"parameters": {"embed.frame": 3}}, "did you mean frames"),
            ({"features": "fisher"}, "embed.features are network"),
            ({"metric": "xqda"}, "learn_metric.metrics"),
            ({"parameters": {"variant": "mine"}}, "follows from the rest"),
        ],
    )
    def test_an_impossible_row_is_named(self, conf, row, said):
        with pytest.raises(ExperimentError, match=f"(?s)experiment e, row a.*{said}"):
            variants_of(self.experiment({"a": row}), root=conf)

    def test_what_trains_no_network_is_not_taken_elsewhere(self, conf):
        row = {"features": "hog3d", "metric": "cosine", "parameters": {"embed.features": ["hog3d"]}}
        with pytest.raises(ExperimentError, match="hog3d train no network"):
            variants_of(self.experiment({"a": row}), trained_on="other", root=conf)

    def test_where_to_train_must_be_said(self, conf):
        with pytest.raises(ExperimentError, match="--trained-on"):
            variants_of(self.experiment({"a": {}}, cross_dataset=True), root=conf)
