import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.conv_gru import ChannelNorm, ConvGRULayer, ConvGRUStack


def stack_of(channels, grid, inputs=2, **choices):
    """Layers of 3x3 and 1x1 kernels, unless chosen otherwise."""
    return ConvGRUStack(inputs, NetworkConfig(channels=channels, **choices), grid)


def test_on_a_1x1_grid_it_is_torchs_gru():
    """The FC-GRU baselines; torch's gates are the other way round: its z is our 1 - z."""
    layer = ConvGRULayer(3, 4, (1, 1), (1, 1))
    with torch.no_grad():
        layer.bias.normal_()
    cell = torch.nn.GRUCell(3, 4)
    w_z, w_r, w = layer.input_weight.detach().flatten(1).chunk(3)
    u_z, u_r = layer.gate_weight.detach().flatten(1).chunk(2)
    u = layer.candidate_weight.detach().flatten(1)
    b_z, b_r, b = layer.bias.detach().chunk(3)
    x, h = torch.randn(5, 3), torch.randn(5, 4)
    z = torch.sigmoid(x @ w_z.T + h @ u_z.T + b_z)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.cat([w_r, -w_z, w]))
        cell.weight_hh.copy_(torch.cat([u_r, -u_z, torch.zeros_like(u)]))
        cell.bias_ih.copy_(torch.cat([b_r, -b_z, b]))
        cell.bias_hh.zero_()
    # torch applies r after the product with U, the paper before: compare where U is absent
    layer.candidate_weight.data.zero_()
    ours = layer(x[:, :, None, None], h[:, :, None, None])[:, :, 0, 0]
    torch.testing.assert_close(ours, cell(x, h))
    # and where it is there, with the reset state worked out by hand
    layer.candidate_weight.data.copy_(u[:, :, None, None])
    r = torch.sigmoid(x @ w_r.T + h @ u_r.T + b_r)
    candidate = torch.tanh(x @ w.T + (r * h) @ u.T + b)
    ours = layer(x[:, :, None, None], h[:, :, None, None])[:, :, 0, 0]
    torch.testing.assert_close(ours, (1 - z) * h + z * candidate)


def test_initial_weights():
    layer = ConvGRULayer(6, 8, (3, 3), (3, 3))
    for gate in (*layer.gate_weight.chunk(2), layer.candidate_weight):
        rows = gate.flatten(1)
        torch.testing.assert_close(rows @ rows.T, torch.eye(8), atol=1e-5, rtol=0)
    bound = (6 / (6 * 9 + 8 * 9)) ** 0.5
    assert 0.9 * bound < layer.input_weight.abs().max() <= bound
    assert not layer.bias.any()
    uniform = ConvGRULayer(6, 8, (3, 3), (3, 3), bias=False, initialisation="uniform")
    assert uniform.bias is None
    for weight in uniform.parameters():
        assert 0.95 < weight.abs().max() <= 1.0
        assert abs(weight.mean()) < 0.1


def test_centred_kernels_start_as_the_1x1_kernels_of_the_same_seed():
    torch.manual_seed(3)
    plain = ConvGRULayer(6, 8, (1, 1), (1, 1))
    torch.manual_seed(3)
    centred = ConvGRULayer(6, 8, (5, 3), (3, 3), initialisation="centred")
    for name in ("input_weight", "gate_weight", "candidate_weight"):
        large, small = getattr(centred, name), getattr(plain, name)
        height, width = large.shape[2:]
        assert torch.equal(large[:, :, height // 2, width // 2], small[:, :, 0, 0])
        assert large.count_nonzero() == small.count_nonzero()
    x, h = torch.randn(2, 6, 4, 4), torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(centred(x, h), plain(x, h))


def test_normalised_over_channels_at_each_location():
    norm = ChannelNorm(3)
    normalised = norm(torch.randn(2, 3, 4, 5) * 7 + 2)
    torch.testing.assert_close(normalised.mean(1), torch.zeros(2, 4, 5), atol=1e-6, rtol=0)
    torch.testing.assert_close(normalised.square().mean(1), torch.ones(2, 4, 5), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("between", "grids"),
    [
        ("none", [(16, 7)] * 3),
        ("max_3x3", [(16, 7)] * 3),
        ("max_2x2", [(16, 7), (8, 3), (4, 1)]),
    ],
)
def test_grids_of_the_layers(between, grids):
    stack = stack_of([3, 4, 5], (16, 7), between_layers=between)
    assert stack.grids == grids
    states = [
        torch.zeros(2, channels, *grid)
        for channels, grid in zip([3, 4, 5], stack.grids, strict=True)
    ]
    states, outputs = stack(torch.randn(2, 2, 16, 7), states, torch.ones(2, 1, 1, 1).bool())
    assert [tuple(state.shape[2:]) for state in states] == stack.grids
    assert len(outputs) == 3


def test_too_small_a_grid_is_named():
    with pytest.raises(ValueError, match="max_2x2 leaves nothing of a 8 x 3 grid for 3 layers"):
        stack_of([3] * 3, (8, 3), between_layers="max_2x2")


def stack_and_inputs(**choices):
    stack = stack_of([4, 4, 6], (3, 3), **choices)
    states = [torch.randn(2, count, 3, 3) for count in (4, 4, 6)]
    return stack, torch.randn(2, 2, 3, 3), states, torch.ones(2, 1, 1, 1).bool()


def test_residual_layers_add_what_they_are_given():
    stack, inputs, states, valid = stack_and_inputs(residual=True)
    (first, second, third), outputs = stack(inputs, states, valid)
    assert torch.equal(outputs[0], first)
    assert torch.equal(outputs[1], second + first)
    projected = torch.einsum("oc,nchw->nohw", stack.skips[1].weight[:, :, 0, 0], outputs[1])
    torch.testing.assert_close(outputs[2], third + projected)


def test_a_normalised_layer_does_not_see_how_large_its_input_is():
    stack, _, states, _ = stack_and_inputs(normalisation="layer")
    assert len(stack.norms) == 2
    below = 10 * torch.randn(2, 4, 3, 3)
    small, large = (stack.norms[0](scale * below) for scale in (1.0, 3.0))
    torch.testing.assert_close(small, large, atol=1e-4, rtol=1e-4)
    small, large = (stack.layers[1](seen, states[1]) for seen in (small, large))
    torch.testing.assert_close(small, large, atol=1e-4, rtol=1e-4)


def test_gradcheck_of_a_layer(passes_gradcheck):
    layer = ConvGRULayer(2, 2, (3, 1), (1, 3))
    assert passes_gradcheck(layer, torch.randn(2, 2, 2, 2), torch.randn(2, 2, 2, 2))


@pytest.mark.parametrize("normalisation", ["layer", "none"])
def test_gradcheck_of_the_stack(passes_gradcheck, normalisation):
    class Flat(torch.nn.Module):
        """A stack with its states as arguments of their own."""

        def __init__(self):
            super().__init__()
            choices = {"normalisation": normalisation, "residual": True, "input_kernels": 1}
            self.stack = stack_of([2, 3], (2, 2), inputs=1, **choices)

        def forward(self, inputs, first, second):
            states, outputs = self.stack(inputs, [first, second], torch.ones(1, 1, 1, 1).bool())
            return *states, *outputs

    states = torch.randn(1, 2, 1, 2), torch.randn(1, 3, 1, 2)
    assert passes_gradcheck(Flat(), torch.randn(1, 1, 1, 2), *states)


def test_dropout_spares_the_recurrence():
    stack = stack_of([16], (7, 7), hidden_kernels=3, dropout=0.5)
    inputs, state = torch.randn(1, 2, 7, 7), torch.randn(1, 16, 7, 7)
    valid = torch.ones(1, 1, 1, 1).bool()
    states, outputs = stack(inputs, [state], valid)
    dropped = outputs[0] == 0
    assert 0.3 < dropped.float().mean() < 0.7
    torch.testing.assert_close(outputs[0][~dropped], 2 * states[0][~dropped])
    assert torch.equal(states[0], stack(inputs, [state], valid)[0][0])
