from typing import get_args

import pytest
from omegaconf import OmegaConf

from wherewhen.metric_learning.pipeline import METRICS
from wherewhen.pipelines.parameters import (
    EvaluateParameters,
    LearnMetricParameters,
    ParameterError,
    Parameters,
    check_name,
    check_parameters,
    known_names,
)
from wherewhen.retrieval import PROTOCOLS
from wherewhen.retrieval.average_precision import AVERAGE_PRECISIONS


def shipped(repository, environment):
    """Merge an environment over base, as Kedro's soft merge does."""
    files = sorted((repository / "conf/base").glob("parameters*.yml"))
    if environment != "base":
        files += sorted((repository / "conf" / environment).glob("parameters*.yml"))
    OmegaConf.register_new_resolver("globals", lambda name: name, replace=True)
    merged = OmegaConf.merge(*(OmegaConf.load(file) for file in files))
    return OmegaConf.to_container(merged, resolve=True)


@pytest.mark.parametrize("environment", ["base", "ilids_vid", "mars", "prid2011"])
def test_every_shipped_environment_is_valid(repository, environment):
    assert check_parameters(shipped(repository, environment))


@pytest.mark.parametrize(
    ("environment", "epochs"), [("prid2011", 1000), ("ilids_vid", 1000), ("mars", 2000)]
)
def test_the_benchmarks_are_in_the_papers_setting(repository, environment, epochs):
    parameters = check_parameters(shipped(repository, environment))
    assert parameters.ingest.reader == environment
    assert parameters.extract.backbone == "googlenet"
    assert parameters.split.trials == 10
    for preset in ("modern", "paper"):
        train = parameters.train.model_copy(update={"preset": preset})
        assert train.training_config().epochs == epochs
        assert train.training_config().frames == 20
        assert train.network_config().channels == (128, 256, 256)


def test_one_parameter_selects_the_paper():
    parameters = check_parameters({"train": {"preset": "paper"}})
    network, training = parameters.train.network_config(), parameters.train.training_config()
    assert len(network.channels) == 3
    assert network.similarity == "weighted"
    assert (training.pairs, training.pairs_per_batch) == ("drawn", 10)


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
        ({"train": {"preset": "papr"}}, "train.preset = 'papr'"),
        ({"train": {"training": {"modern": {"epoch": 3}}}}, "epoch"),
        ({"train": {"network": {"modrn": {}}}}, "modrn"),
        ({"evaluate": {"protocol": "mars"}}, "evaluate.protocol = 'mars'"),
        (
            {"evaluate": {"re_ranking": {"lamda": 0.1}}},
            "evaluate.re_ranking.lamda: no such parameter; did you mean lambda?",
        ),
        ({"report": {"metric": "xqda"}}, "report.metric is 'xqda'"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_expected(tree, message):
    with pytest.raises(ParameterError) as caught:
        check_parameters(tree)
    assert message in str(caught.value)


def test_a_trials_seed_is_its_own_where_the_split_is_fixed(repository):
    mars = check_parameters(shipped(repository, "mars"))
    assert mars.split.source == "official"
    for config in (mars.train.network_config, mars.train.training_config):
        assert [config(f"trial_{trial:02d}").seed for trial in (0, 1, 9)] == [0, 1, 9]
    drawn = Parameters().train
    assert drawn.training_config("trial_05").seed == drawn.training_config().seed
    assert drawn.network_config("trial_05") == drawn.network_config()


def test_every_wrong_parameter_is_listed():
    with pytest.raises(ParameterError, match=r"2 parameter\(s\)"):
        check_parameters({"split": {"trails": 3}, "embed": {"clip": 1}})


def test_trials_are_numbered_from_zero():
    assert Parameters().split.model_copy(update={"trials": 3}).trial_names == [
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


def test_what_is_learned_or_re_ranked_may_be_pictured():
    tree = {"report": {"metric": "xqda-re-ranked"}, "learn_metric": {"metrics": ["xqda"]}}
    assert check_parameters(tree | {"evaluate": {"re_ranking": {}}})
    assert check_parameters({"report": {"metric": "siamese"}})


@pytest.mark.parametrize(
    "path",
    [
        "train.preset",
        "train.training.modern.rate",
        "train.training.paper.part_rates.attention",
        "train.network.modern.hidden_kernels",
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
        ("trian.preset", "trian.preset: no such parameter; did you mean train?"),
        ("train.training.modren.rate", "did you mean modern?"),
        ("train.training.modern.rat", "train.training.modern.rat: no such .*did you mean rate?"),
        ("train.training.modern.part_rates.attend", "did you mean attention?"),
        ("train.network.paper.chanels", "did you mean channels?"),
        ("learn_metric.kissme.shrink", "did you mean shrinkage?"),
        ("embed.baselines.hog4d.cells", "did you mean hog3d?"),
        ("evaluate.re_ranking.k3", "known here: k1, k2, lambda"),
        ("train.preset.modern", "train.preset has no parameters of its own"),
    ],
)
def test_unknown_parameters_are_named_with_the_nearest_known(path, message):
    with pytest.raises(ParameterError, match=message):
        check_name(path)


def test_a_value_has_no_names_inside():
    assert known_names(["train", "preset"]) is None
    assert known_names(["split"]) == list(Parameters.model_fields["split"].annotation.model_fields)
