import subprocess
import sys

import pytest
from pydantic import ValidationError

from wherewhen.model.config import (
    ARCHITECTURES,
    KERNELS,
    PRESETS,
    NetworkConfig,
    network_config,
)


def test_imports_without_torch():
    code = (
        "import sys; from wherewhen.model.config import network_config; network_config('paper'); "
        "print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_a_dump(preset):
    config = network_config(preset)
    assert NetworkConfig(**config.model_dump(mode="json")) == config


def test_paper_is_the_letter_of_the_paper():
    paper = network_config("paper")
    assert paper.channels == (128, 256, 256)
    assert paper.input_kernels == ((3, 3), (5, 5), (5, 5))
    assert paper.hidden_kernels == ((5, 5), (5, 5), (5, 5))
    assert (paper.dropout, paper.initialisation) == (0.7, "uniform")
    assert (paper.similarity, paper.readout, paper.normalise) == ("weighted", "top", False)
    assert (paper.attention_rescale, paper.standardise, paper.projection) == (False, False, None)


def test_one_kernel_serves_all_layers():
    config = network_config(channels=[8, 8, 8], input_kernels=5, hidden_kernels=[[1, 3]])
    assert config.input_kernels == ((5, 5),) * 3
    assert config.hidden_kernels == ((1, 3),) * 3


@pytest.mark.parametrize(
    ("name", "second", "third"), [("9x9-1x1", 9, 1), ("1x1-9x9", 1, 9), ("5x5-5x5", 5, 5)]
)
def test_kernel_variants_of_table_ii(name, second, third):
    config = network_config("paper", **KERNELS[name])
    assert config.input_kernels == ((3, 3), (second, second), (third, third))
    assert config.hidden_kernels == ((5, 5), (second, second), (third, third))


def test_the_architectures_of_table_iii():
    """Nine rows: two backbones with three kernels each, their vectors, and the muted network."""
    assert len(ARCHITECTURES) == 9
    backbones = [architecture.backbone for architecture in ARCHITECTURES.values()]
    assert (backbones.count("vgg16"), backbones.count("googlenet")) == (3, 4)
    for name, architecture in ARCHITECTURES.items():
        config = network_config("paper", **architecture.network)
        assert config.channels == (128, 256, 256)
        assert (config.attention == "muted") == name.endswith("muted")
        is_vector = ":" in architecture.backbone
        assert (set(config.input_kernels + config.hidden_kernels) == {(1, 1)}) == is_vector
    best = network_config("paper", **ARCHITECTURES["googlenet-5x5-5x5"].network)
    assert best == network_config("paper")


def test_what_is_wrong_is_named():
    with pytest.raises(ValidationError, match="chanels"):
        network_config(chanels=[3])
    with pytest.raises(ValueError, match="unknown preset 'papr'"):
        network_config("papr")
    with pytest.raises(ValidationError, match="input_kernels names 3 layers, channels 2"):
        network_config("paper", channels=[8, 8])
    with pytest.raises(ValidationError, match="hidden_kernels: 4x4 is even"):
        network_config(hidden_kernels=4)
    with pytest.raises(ValidationError, match="channels"):
        network_config(channels=7)
    with pytest.raises(ValidationError, match="attention_layer is 3, but there are 2 layers"):
        network_config(channels=[8, 8], attention_layer=3)
    with pytest.raises(ValidationError, match="update_bias needs a bias"):
        network_config("paper", update_bias=-2)
    with pytest.raises(ValidationError, match="4 does not divide the 6 channels"):
        network_config(channels=[6, 8], normalisation="group")
    with pytest.raises(ValidationError, match="attention_temperature"):
        network_config(attention_temperature=0)


def test_every_field_has_a_docstring():
    assert all(field.description for field in NetworkConfig.model_fields.values())


def test_the_page_about_the_network_names_every_field(repository):
    page = (repository / "docs/explanation/network.md").read_text(encoding="utf-8")
    for name in NetworkConfig.model_fields:
        assert f"`{name}`" in page, name
