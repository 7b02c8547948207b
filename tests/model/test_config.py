import subprocess
import sys

import pytest
from pydantic import ValidationError

from wherewhen.model.config import NetworkConfig
from wherewhen.presets import preset_names


def test_imports_without_torch():
    code = (
        "import sys; from wherewhen.model.config import NetworkConfig; "
        "NetworkConfig.from_preset('paper'); "
        "print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize("preset", preset_names())
def test_presets_survive_a_dump(preset):
    config = NetworkConfig.from_preset(preset)
    assert NetworkConfig(**config.model_dump(mode="json")) == config


def test_paper_is_the_letter_of_the_paper():
    paper = NetworkConfig.from_preset("paper")
    assert paper.channels == (128, 256, 256)
    assert paper.input_kernels == ((3, 3), (5, 5), (5, 5))
    assert paper.hidden_kernels == ((5, 5), (5, 5), (5, 5))
    assert (paper.dropout, paper.initialisation) == (0.7, "uniform")
    assert (paper.similarity, paper.readout, paper.normalise) == ("weighted", "top", False)
    assert (paper.attention_rescale, paper.standardise, paper.projection) == (False, "none", None)


def test_standardisation_may_be_the_switch_that_it_was():
    assert NetworkConfig(standardise=True) == NetworkConfig(standardise="scale")
    assert NetworkConfig(standardise=False) == NetworkConfig(standardise="none")
    with pytest.raises(ValidationError, match="'none', 'centre' or 'scale'"):
        NetworkConfig(standardise=None)


def test_one_kernel_serves_all_layers():
    config = NetworkConfig(channels=[8, 8, 8], input_kernels=5, hidden_kernels=[[1, 3]])
    assert config.input_kernels == ((5, 5),) * 3
    assert config.hidden_kernels == ((1, 3),) * 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chanels": [3]}, "chanels"),
        ({"channels": 7}, "channels"),
        ({"hidden_kernels": 4}, "hidden_kernels: 4x4 is even"),
        ({"channels": [8, 8], "attention_layer": 3}, "attention_layer is 3, but there are 2 layer"),
        ({"attention_temperature": 0}, "attention_temperature"),
        ({"basis": 32, "projection": 64}, "projection: 64 channels asked of a basis that has 32"),
    ],
)
def test_what_is_wrong_is_named(fields, message):
    with pytest.raises(ValidationError, match=message):
        NetworkConfig(**fields)


def test_presets_are_known_and_fit_the_layers():
    with pytest.raises(ValueError, match="unknown preset 'papr'"):
        NetworkConfig.from_preset("papr")
    with pytest.raises(ValidationError, match="input_kernels names 3 layers, channels 2"):
        NetworkConfig.from_preset("paper", channels=[8, 8])


def test_every_field_has_a_docstring():
    assert all(field.description for field in NetworkConfig.model_fields.values())


def test_the_page_about_the_network_names_every_field(repository):
    page = (repository / "docs/explanation/network.md").read_text(encoding="utf-8")
    for name in NetworkConfig.model_fields:
        assert f"`{name}`" in page, name
