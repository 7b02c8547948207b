import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution
from wherewhen.model.siamese import build_network
from wherewhen.model.trace import trace

PLAIN = {  # what enters the first layer is the cube itself, and the state begins at zero
    "attention": "muted",
    "standardise": "none",
    "projection": None,
    "initial_state": "zeros",
    "normalisation": "none",
    "residual": False,
}


def network(**fields):
    network = build_network(NetworkConfig(**fields), channels=3, grid=4)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return network


@pytest.mark.parametrize("convolution", ["direct", "dft"])
def test_gates_are_those_of_eq_5(reference, convolution):
    model = network(channels=[2], input_kernels=[3], hidden_kernels=[3], **PLAIN)
    model.execution = Execution(convolution)
    cubes = torch.randn(2, 3, 4, 4, 3, generator=torch.Generator().manual_seed(2))
    traced = trace(model, cubes)
    weights = model.state_dict()
    w_z, w_r, _ = weights["gru.layers.0.input_weight"].chunk(3)
    u_z, u_r = weights["gru.layers.0.gate_weight"].chunk(2)
    b_z, b_r, _ = weights["gru.layers.0.bias"][:, None, None].chunk(3)
    for clip in range(2):
        state = torch.zeros(2, 4, 4)
        for time in range(3):
            frame = cubes[clip, time].permute(2, 0, 1)
            z = torch.sigmoid(reference.conv(frame, w_z) + reference.conv(state, u_z) + b_z)
            r = torch.sigmoid(reference.conv(frame, w_r) + reference.conv(state, u_r) + b_r)
            state = reference.gru(weights, 0, frame, state)
            torch.testing.assert_close(traced.update[0][clip, time], z, atol=1e-5, rtol=0)
            torch.testing.assert_close(traced.reset[0][clip, time], r, atol=1e-5, rtol=0)
            torch.testing.assert_close(traced.states[0][clip, time], state, atol=1e-5, rtol=0)


def test_looking_changes_nothing():
    model = network(
        channels=[2, 5],
        input_kernels=[1, 3],
        hidden_kernels=[1, 3],
        between_layers="max_2x2",
        projection=None,
    ).train()
    cubes = torch.randn(1, 2, 4, 4, 3)
    model.calibrate(cubes)
    traced = trace(model, cubes)
    assert model.training
    assert not any(layer._forward_hooks for layer in model.gru.layers)
    assert [tuple(gate.shape) for gate in traced.update] == [(1, 2, 2, 4, 4), (1, 2, 5, 2, 2)]
    expected = model.eval().encode(cubes)
    assert torch.equal(traced.encoding.embedding, expected.embedding)
    for gate in (*traced.update, *traced.reset):
        assert gate.min() >= 0 and gate.max() <= 1 and not gate.requires_grad


def test_hooks_are_gone_after_an_error():
    model = network(channels=[2], input_kernels=[1], hidden_kernels=[1], **PLAIN)
    with pytest.raises(ValueError, match="built for another backbone"):
        trace(model, torch.zeros(1, 2, 4, 4, 9))
    assert not any(layer._forward_hooks for layer in model.gru.layers)
