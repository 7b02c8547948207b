import math

import torch

from wherewhen.model.attention import Glimpse, MutedAttention, SpatialAttention, entropy_share


def test_weights_are_a_softmax_over_the_grid():
    attention = SpatialAttention(5, (3, 3), grid=3, hidden=4, flattened=False)
    with torch.no_grad():
        attention.perceptron[2].weight.zero_()
        attention.perceptron[2].bias.copy_(torch.log(torch.arange(1.0, 10.0)))
    weights = attention(torch.randn(2, 5, 3, 3))
    expected = (torch.arange(1.0, 10.0) / 45).view(3, 3)
    torch.testing.assert_close(weights, expected.expand(2, 3, 3))


def test_the_mean_forgets_where_the_flattened_state_does_not():
    state = torch.randn(1, 5, 3, 3)
    moved = state.roll(1, dims=3)
    mean = SpatialAttention(5, (3, 3), grid=3, hidden=4, flattened=False)
    flat = SpatialAttention(5, (3, 3), grid=3, hidden=4, flattened=True)
    for attention in (mean, flat):
        torch.testing.assert_close(attention(state), torch.full((1, 3, 3), 1 / 9))  # at the start
        torch.nn.init.normal_(attention.perceptron[2].weight)
    torch.testing.assert_close(mean(state), mean(moved))
    assert not torch.allclose(flat(state), flat(moved))


def test_muted_weights_rescaled_leave_the_cube_as_it_is():
    inputs = torch.randn(2, 4, 7, 7)
    weights = MutedAttention(7)(torch.randn(2, 5, 7, 7))
    assert torch.equal(weights, torch.full((2, 7, 7), 1 / 49))
    torch.testing.assert_close(Glimpse(7, rescale=True)(inputs, weights), inputs)
    torch.testing.assert_close(Glimpse(7, rescale=False)(inputs, weights), inputs / 49)


def test_entropy_share_of_known_distributions():
    uniform = torch.full((2, 2), 0.25)
    peak = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    half = torch.tensor([[0.5, 0.5], [0.0, 0.0]])
    attention = torch.stack([torch.stack([uniform, peak]), torch.stack([half, peak])])
    everything = torch.ones(2, 2, dtype=torch.bool)
    assert math.isclose(entropy_share(attention, everything), (1 + 0 + 0.5 + 0) / 4)
    first = torch.tensor([[True, False], [True, False]])
    assert math.isclose(entropy_share(attention, first), 0.75)
    assert entropy_share(torch.ones(1, 2, 1, 1), torch.ones(1, 2).bool()) == 1
