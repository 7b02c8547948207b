import pytest
from omegaconf import OmegaConf

from wherewhen.pipelines.parameters import ParameterError, Parameters, check_parameters


def shipped(repository, environment):
    """Merge an environment over base, as Kedro's soft merge does."""
    files = sorted((repository / "conf/base").glob("parameters*.yml"))
    if environment != "base":
        files += sorted((repository / "conf" / environment).glob("parameters*.yml"))
    OmegaConf.register_new_resolver("globals", lambda name: name, replace=True)
    merged = OmegaConf.merge(*(OmegaConf.load(file) for file in files))
    return OmegaConf.to_container(merged, resolve=True)


@pytest.mark.parametrize("environment", ["base", "prid2011"])
def test_every_shipped_environment_is_valid(repository, environment):
    assert check_parameters(shipped(repository, environment))


def test_prid2011_is_the_papers_setting(repository):
    parameters = check_parameters(shipped(repository, "prid2011"))
    assert parameters.extract.backbone == "googlenet"
    assert parameters.split.trials == 10
    for preset in ("modern", "paper"):
        train = parameters.train.model_copy(update={"preset": preset})
        assert train.training_config().epochs == 1000
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
        ({"train": {"preset": "papr"}}, "train.preset = 'papr'"),
        ({"train": {"training": {"modern": {"epoch": 3}}}}, "epoch"),
        ({"train": {"network": {"modrn": {}}}}, "modrn"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_expected(tree, message):
    with pytest.raises(ParameterError) as caught:
        check_parameters(tree)
    assert message in str(caught.value)


def test_every_wrong_parameter_is_listed():
    with pytest.raises(ParameterError, match=r"2 parameter\(s\)"):
        check_parameters({"split": {"trails": 3}, "embed": {"clip": 1}})


def test_trials_are_numbered_from_zero():
    assert Parameters().split.model_copy(update={"trials": 3}).trial_names == [
        "trial_00",
        "trial_01",
        "trial_02",
    ]
