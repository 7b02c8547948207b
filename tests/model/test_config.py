import subprocess
import sys

import pytest
from pydantic import ValidationError

from wherewhen.model.config import PRESETS, NetworkConfig, network_config


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


@pytest.mark.parametrize("variant", [[9, 1], [1, 9], [5, 5]])
def test_kernel_variants_of_table_ii(variant):
    config = network_config("paper", hidden_kernels=[5, *variant], input_kernels=[3, *variant])
    assert [kernel[0] for kernel in config.hidden_kernels[1:]] == variant


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


def test_every_field_has_a_docstring():
    assert all(field.description for field in NetworkConfig.model_fields.values())
