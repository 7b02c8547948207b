import re

import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.model.start import start_from

CONFIG = NetworkConfig(projection=3, channels=[4, 4], similarity="weighted")


@pytest.fixture
def trained():
    network = build_network(CONFIG, channels=5, grid=2)
    network.calibrate(torch.rand(20, 2, 2, 5) + 3.0)
    return network


def changed(**fields):
    return NetworkConfig(**CONFIG.model_dump() | fields)


@pytest.mark.parametrize(
    "fields",
    [{}, {"dropout": 0.5, "seed": 9}, {"initialisation": "uniform"}, {"attention_rescale": False}],
)
def test_it_has_the_weights_and_statistics_of_the_trained_one(trained, fields):
    config = changed(**fields)
    started = start_from(trained, config)
    assert started.config == config
    assert started.calibrated
    weights = trained.state_dict()
    for name, value in started.state_dict().items():
        assert torch.equal(value, weights[name]), name
        assert value.data_ptr() != weights[name].data_ptr()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": (4, 6)}, "channels is (4, 6), not (4, 4)"),
        ({"channels": (4,)}, "channels is (4,), not (4, 4)"),
        ({"projection": None}, "projection is None, not 3"),
        ({"basis": 3}, "basis is 3, not None"),
        ({"standardise": "centre"}, "standardise is centre, not scale"),
        ({"scale_floor": 0.1, "location": "cells"}, "scale_floor is 0.1, not 0.0; location is cel"),
        ({"similarity": "cosine", "dropout": 0.5}, "similarity is cosine, not weighted"),
        ({"gate_bias": False, "normalise": False}, "gate_bias is False, not True"),
    ],
)
def test_fields_that_have_to_agree_are_named_with_both_values(trained, fields, message):
    if len(fields.get("channels", (4, 4))) == 1:
        fields = fields | {"input_kernels": (3,), "hidden_kernels": (1,)}
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        start_from(trained, changed(**fields))
    assert "dropout" not in str(raised.value)
    assert "normalise" not in str(raised.value)
