"""Spatial attention: weights of the H x W locations of every frame (III-B, Eqs 3 and 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wherewhen.tracklets.sizes import Size

HIDDEN = 64
"""Hidden units of the perceptrons of Eqs 3 and 6 (decisions 2, 8; the paper names no number)."""


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two-layer perceptron with tanh units whose initial output is 0.

    A softmax of it is initially uniform. Random initial scores cost the network as much as
    attention later gains (``docs/explanation/recipe.md``).
    """
    layers = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))
    nn.init.xavier_uniform_(layers[0].weight)
    for zero in (layers[0].bias, layers[2].weight, layers[2].bias):
        nn.init.zeros_(zero)
    return layers


class FeatureScores(nn.Module):
    """Scores of the locations from their features: ``v . tanh(A s + B X(t, i) + b)``.

    A, B, b and v are shared by all locations; v is initially 0, so that attention is uniform.
    Source: additive attention, Bahdanau et al., ICLR 2015, A.1.2.

    Parameters
    ----------
    seen : int
        Entries of s, the part of the state that the attention sees.
    features : int
        Channels of the feature slices X(t, i).
    hidden : int
        Hidden units.

    See Also
    --------
    SpatialAttention : Adds them to its scores.
    """

    def __init__(self, seen: int, features: int, hidden: int) -> None:
        super().__init__()
        self.from_state = nn.Linear(seen, hidden)
        self.from_features = nn.Conv2d(features, hidden, 1, bias=False)
        self.score = nn.Conv2d(hidden, 1, 1, bias=False)
        nn.init.xavier_uniform_(self.from_state.weight)
        nn.init.zeros_(self.from_state.bias)
        nn.init.xavier_uniform_(self.from_features.weight)
        nn.init.zeros_(self.score.weight)

    def forward(self, seen: Tensor, frame: Tensor) -> Tensor:
        """Scores ``[N, H*W]`` from ``[N, S]`` of the states and frames ``[N, C, H, W]``."""
        hidden = self.from_features(frame) + self.from_state(seen)[:, :, None, None]
        return self.score(hidden.tanh()).flatten(1)


class SpatialAttention(nn.Module):
    """Weights of the locations from a layer's previous state (Eq 3).

    ``m(t, i) = softmax_i((MLP(s)_i + f(s, X(t, i))) / tau)``, where s is the state h(t-1) or its
    spatial mean, tau the temperature and f the optional `FeatureScores`, which Eq 3 does not have.
    The paper's denominator lacks the ``exp`` of a softmax (decision 1).

    Parameters
    ----------
    channels, state_grid : int, (int, int)
        Channels and grid (height, width) of the state of the layer.
    grid : (int, int)
        Height and width of the frames' grid.
    hidden : int
        Hidden units of the perceptron, and of the scores by features.
    flattened : bool
        Use the flattened state instead of its spatial mean.
    features : int or None
        Channels of the frames X(t), for `FeatureScores`; None for Eq 3 without them.
    temperature : float
        Tau: below 1 more selective, above more uniform.

    Examples
    --------
    >>> attention = SpatialAttention(channels=8, state_grid=(7, 7), grid=(7, 7))
    >>> attention(torch.zeros(2, 8, 7, 7), torch.zeros(2, 16, 7, 7)).shape
    torch.Size([2, 7, 7])

    See Also
    --------
    MutedAttention : Uniform weights.
    """

    def __init__(
        self,
        channels: int,
        state_grid: Size,
        grid: Size,
        hidden: int = HIDDEN,
        flattened: bool = False,
        features: int | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.flattened = flattened
        self.temperature = temperature
        inputs = channels * state_grid[0] * state_grid[1] if flattened else channels
        self.perceptron = perceptron(inputs, hidden, math.prod(grid))
        self.by_features = None if features is None else FeatureScores(inputs, features, hidden)

    def forward(self, state: Tensor, frame: Tensor) -> Tensor:
        """Weights ``[N, H, W]`` of a frame's locations, summing to 1.

        Parameters
        ----------
        state : Tensor [N, C, H, W]
            The layer's previous state.
        frame : Tensor [N, F, H, W]
            X(t); not used without `features`.
        """
        seen = state.flatten(1) if self.flattened else state.mean((2, 3))
        scores = self.perceptron(seen)
        if self.by_features is not None:
            scores = scores + self.by_features(seen, frame)
        return (scores / self.temperature).softmax(1).unflatten(1, self.grid)


class MutedAttention(nn.Module):
    """Uniform weights 1/(H*W): the paper's network (9) without attention (V-C)."""

    def __init__(self, grid: Size) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, state: Tensor, frame: Tensor) -> Tensor:
        """Uniform weights ``[N, H, W]`` for N states; the frame is not used."""
        return state.new_full((len(state), *self.grid), 1 / math.prod(self.grid))


class Glimpse(nn.Module):
    """The attention-weighted cube ``x(t) = m(t, i) X(t, i)`` (Eq 4).

    Parameters
    ----------
    grid : (int, int)
        Height and width of the cube.
    rescale : bool
        Multiply by H*W, so that uniform weights leave the cube as it is.

    Examples
    --------
    >>> inputs = torch.ones(1, 2, 7, 7)
    >>> torch.equal(Glimpse((7, 7), rescale=True)(inputs, torch.full((1, 7, 7), 1 / 49)), inputs)
    True

    See Also
    --------
    ExpectedSlice : The sum over the locations.
    """

    def __init__(self, grid: Size, rescale: bool) -> None:
        super().__init__()
        self.scale = float(math.prod(grid)) if rescale else 1.0
        self.grid = grid

    def forward(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """Weighted inputs ``[N, C, H, W]`` of inputs ``[N, C, H, W]``, weights ``[N, H, W]``."""
        return inputs * (self.scale * weights).unsqueeze(1)


class ExpectedSlice(nn.Module):
    """The attention-weighted mean slice ``x(t) = sum_i m(t, i) X(t, i)``, on a 1 x 1 grid.

    "The expected value of the input" of III-B; Eq 4 and Fig 3 have no sum (decision 3).

    Examples
    --------
    >>> ExpectedSlice()(torch.ones(2, 16, 7, 7), torch.full((2, 7, 7), 1 / 49)).shape
    torch.Size([2, 16, 1, 1])

    See Also
    --------
    Glimpse : Without the sum.
    """

    grid = (1, 1)

    def forward(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """Slices ``[N, C, 1, 1]`` of inputs ``[N, C, H, W]``, weights ``[N, H, W]``."""
        return torch.einsum("nchw,nhw->nc", inputs, weights)[:, :, None, None]


def entropy(attention: Tensor) -> Tensor:
    """Entropies ``[N, T]`` of frames' attention ``[N, T, H, W]`` as shares of the maximum log(H*W).

    They are from 0 (a single location) to 1 (uniform; also for a 1 x 1 grid). The gradient is
    finite where weights are 0.
    """
    weights = attention.flatten(2)
    if weights.shape[2] == 1:
        return weights.new_ones(weights.shape[:2])
    return -(weights * weights.clamp_min(1e-12).log()).sum(2) / math.log(weights.shape[2])


def entropy_share(attention: Tensor, mask: Tensor) -> Tensor:
    """Mean `entropy` of the attention ``[N, T, H, W]`` of the valid frames (mask ``[N, T]``)."""
    share = (entropy(attention) * mask).sum() / mask.sum()
    return share.clamp(max=1)  # rounding can exceed 1 for uniform attention
