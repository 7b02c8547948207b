import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.training.roofline import measure_roofline, network_flops


@pytest.mark.parametrize("between_layers", ["none", "max_2x2"])
def test_flops_are_those_that_torch_counts(between_layers):
    config = NetworkConfig(
        projection=5,
        channels=[4, 6],
        input_kernels=[3, 5],
        hidden_kernels=[5, 3],
        between_layers=between_layers,
        attention="muted",
        initial_state="zeros",
        temporal_pooling="average",
    )
    network = build_network(config, 8, (6, 4))
    cubes = torch.randn(3, 2, 6, 4, 8)
    with FlopCounterMode(display=False) as counter:
        network.encode(cubes)
    counted = sum(
        flops
        for kind, flops in counter.get_flop_counts()["Global"].items()
        if "bmm" not in str(kind)
    )
    assert network_flops(network, clips=3, frames=2, backward=False) == pytest.approx(counted)


def test_backward_doubles_the_forward_and_spares_the_cubes():
    recurrent = build_network(NetworkConfig(projection=None, channels=[4]), 8, 3)
    assert network_flops(recurrent, 2, 3) == 3 * network_flops(recurrent, 2, 3, backward=False)
    projected = build_network(NetworkConfig(projection=4, channels=[4]), 8, 3)
    projection = 2 * 2 * 3 * 9 * 4 * 8
    assert (
        network_flops(projected, 2, 3)
        == 3 * network_flops(projected, 2, 3, backward=False) - projection
    )


def test_the_roofline_is_the_median_rate_of_the_products_that_are_timed():
    seconds = iter([0.0, 9.0, 0.0, 2.0, 0.0, 1.0, 0.0, 4.0])  # the first one warms up
    state = torch.get_rng_state()
    rate = measure_roofline(size=16, repeats=3, clock=lambda: next(seconds))
    assert rate == 2 * 16**3 / 2.0
    assert torch.equal(state, torch.get_rng_state())
