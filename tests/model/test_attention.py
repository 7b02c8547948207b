import math

import pytest
import torch

from wherewhen.model.attention import (
    ExpectedSlice,
    FeatureScores,
    Glimpse,
    MutedAttention,
    SpatialAttention,
    entropy_share,
)

FRAME = torch.zeros(2, 4, 3, 3)
"""A frame for attention that does not look at it."""


def test_weights_are_a_softmax_over_the_grid():
    attention = SpatialAttention(5, (3, 3), grid=(3, 3), hidden=4, flattened=False)
    with torch.no_grad():
        attention.perceptron[2].weight.zero_()
        attention.perceptron[2].bias.copy_(torch.log(torch.arange(1.0, 10.0)))
    weights = attention(torch.randn(2, 5, 3, 3), FRAME)
    expected = (torch.arange(1.0, 10.0) / 45).view(3, 3)
    torch.testing.assert_close(weights, expected.expand(2, 3, 3))


def test_of_a_grid_that_is_no_square_the_rows_come_first():
    attention = SpatialAttention(5, (3, 3), grid=(4, 2))
    with torch.no_grad():
        attention.perceptron[2].bias.copy_(torch.log(torch.arange(1.0, 9.0)))
    weights = attention(torch.randn(1, 5, 3, 3), torch.zeros(1, 4, 4, 2))
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]) / 36
    torch.testing.assert_close(weights, expected[None])
    muted = MutedAttention((4, 2))(torch.randn(1, 5, 3, 3), torch.zeros(1, 4, 4, 2))
    assert torch.equal(muted, torch.full((1, 4, 2), 1 / 8))
    inputs = torch.randn(1, 4, 4, 2)
    torch.testing.assert_close(Glimpse((4, 2), rescale=True)(inputs, muted), inputs)


def test_the_mean_forgets_where_the_flattened_state_does_not():
    state = torch.randn(1, 5, 3, 3)
    moved = state.roll(1, dims=3)
    mean = SpatialAttention(5, (3, 3), grid=(3, 3), hidden=4, flattened=False)
    flat = SpatialAttention(5, (3, 3), grid=(3, 3), hidden=4, flattened=True)
    for attention in (mean, flat):
        at_the_start = attention(state, FRAME)
        torch.testing.assert_close(at_the_start, torch.full((1, 3, 3), 1 / 9))
        torch.nn.init.normal_(attention.perceptron[2].weight)
    torch.testing.assert_close(mean(state, FRAME), mean(moved, FRAME))
    assert not torch.allclose(flat(state, FRAME), flat(moved, FRAME))


def test_a_low_temperature_selects():
    cold, warm = (
        SpatialAttention(5, (3, 3), grid=(3, 3), hidden=4, flattened=False, temperature=temperature)
        for temperature in (0.5, 1.0)
    )
    with torch.no_grad():
        warm.perceptron[2].bias.copy_(torch.log(torch.arange(1.0, 10.0)))
    cold.load_state_dict(warm.state_dict())
    squares = torch.arange(1.0, 10.0).square()
    torch.testing.assert_close(
        cold(torch.randn(1, 5, 3, 3), FRAME).flatten(), squares / squares.sum()
    )


def test_conditioned_on_features_it_follows_what_moves():
    attention = SpatialAttention(5, (3, 3), grid=(3, 3), hidden=4, flattened=False, features=4)
    state, frame = torch.randn(2, 5, 3, 3), torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(attention(state, frame), torch.full((2, 3, 3), 1 / 9))  # the start
    torch.nn.init.normal_(attention.by_features.score.weight)
    weights = attention(state, frame)
    assert weights.std() > 0.01
    moved = attention(state, frame.roll(1, dims=3))
    torch.testing.assert_close(moved, weights.roll(1, dims=2))


def test_scores_by_features_by_hand():
    scores = FeatureScores(seen=1, features=1, hidden=1)
    with torch.no_grad():
        scores.from_state.weight.fill_(0.5)
        scores.from_state.bias.fill_(-0.1)
        scores.from_features.weight.fill_(2.0)
        scores.score.weight.fill_(3.0)
    found = scores(torch.tensor([[0.6]]), torch.tensor([[[[0.1, 0.2], [0.3, -0.4]]]]))
    hidden = torch.tensor([[0.2 + 0.2, 0.2 + 0.4, 0.2 + 0.6, 0.2 - 0.8]])
    torch.testing.assert_close(found, 3 * hidden.tanh())


def test_muted_weights_rescaled_leave_the_cube_as_it_is():
    inputs = torch.randn(2, 4, 7, 7)
    weights = MutedAttention((7, 7))(torch.randn(2, 5, 7, 7), inputs)
    assert torch.equal(weights, torch.full((2, 7, 7), 1 / 49))
    torch.testing.assert_close(Glimpse((7, 7), rescale=True)(inputs, weights), inputs)
    torch.testing.assert_close(Glimpse((7, 7), rescale=False)(inputs, weights), inputs / 49)


def test_the_expected_slice_is_the_mean_when_nothing_is_preferred():
    inputs = torch.arange(8.0).view(1, 2, 2, 2)
    expected = ExpectedSlice()
    uniform = expected(inputs, torch.full((1, 2, 2), 0.25))
    torch.testing.assert_close(uniform, torch.tensor([1.5, 5.5]).view(1, 2, 1, 1))
    weights = torch.tensor([[[0.5, 0.0], [0.0, 0.5]]])
    torch.testing.assert_close(expected(inputs, weights).flatten(), torch.tensor([1.5, 5.5]))
    weights = torch.tensor([[[0.0, 0.0], [0.25, 0.75]]])
    torch.testing.assert_close(expected(inputs, weights).flatten(), torch.tensor([2.75, 6.75]))


@pytest.mark.parametrize("features", [None, 3])
@pytest.mark.parametrize("flattened", [True, False])
def test_gradcheck_of_the_attention(passes_gradcheck, features, flattened):
    attention = SpatialAttention(2, (2, 2), (2, 2), 2, flattened, features, temperature=0.7)
    assert passes_gradcheck(attention, torch.randn(2, 2, 2, 2), torch.randn(2, 3, 2, 2))


@pytest.mark.parametrize("glimpse", [Glimpse((2, 2), rescale=True), ExpectedSlice()])
def test_gradcheck_of_the_glimpse(passes_gradcheck, glimpse):
    assert passes_gradcheck(glimpse, torch.randn(2, 3, 2, 2), torch.rand(2, 2, 2))


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
