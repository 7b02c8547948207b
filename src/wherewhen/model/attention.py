"""Where to look: a distribution over the K x K locations of every frame (III-B, Eqs 3 and 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two-layer perceptron with tanh units that starts as the function 0.

    Its softmax is then uniform: nothing is preferred before there is a reason to. Random scores
    are noise on every location, and cost the network as much as attention later gains
    (``docs/learning.md``).
    """
    layers = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))
    nn.init.xavier_uniform_(layers[0].weight)
    for zero in (layers[0].bias, layers[2].weight, layers[2].bias):
        nn.init.zeros_(zero)
    return layers


class SpatialAttention(nn.Module):
    """Weights of the locations from the top layer's previous state (Eq 3).

    ``m(t, i) = softmax_i MLP(h(t-1))``; the paper's denominator lacks the ``exp`` of a softmax.

    Parameters
    ----------
    channels, state_grid
        Channels and grid (height, width) of the top layer's state.
    grid
        Locations a side, K.
    hidden
        Hidden units of the perceptron.
    flattened
        Show the perceptron the whole state instead of its spatial mean.
    """

    def __init__(
        self, channels: int, state_grid: tuple[int, int], grid: int, hidden: int, flattened: bool
    ) -> None:
        super().__init__()
        self.grid = grid
        self.flattened = flattened
        inputs = channels * state_grid[0] * state_grid[1] if flattened else channels
        self.perceptron = perceptron(inputs, hidden, grid * grid)

    def forward(self, state: Tensor) -> Tensor:
        """Weights ``[N, K, K]``, summing to 1, from states ``[N, C, H, W]``."""
        seen = state.flatten(1) if self.flattened else state.mean((2, 3))
        return self.perceptron(seen).softmax(1).unflatten(1, (self.grid, self.grid))


class MutedAttention(nn.Module):
    """The same weight 1/(K*K) everywhere: the paper's variant (9) without attention (V-C)."""

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, state: Tensor) -> Tensor:
        """Weights ``[N, K, K]``, all alike."""
        return state.new_full((len(state), self.grid, self.grid), self.grid**-2)


class Glimpse(nn.Module):
    """The attention-weighted cube ``x(t) = m(t, i) X(t, i)`` (Eq 4).

    Parameters
    ----------
    grid
        Locations a side, K.
    rescale
        Multiply by K*K, so that uniform weights leave the cube as it is.
    """

    def __init__(self, grid: int, rescale: bool) -> None:
        super().__init__()
        self.scale = float(grid * grid) if rescale else 1.0

    def forward(self, inputs: Tensor, weights: Tensor) -> Tensor:
        """Weighted inputs ``[N, C, K, K]`` of inputs ``[N, C, K, K]``, weights ``[N, K, K]``."""
        return inputs * (self.scale * weights).unsqueeze(1)


def entropy_share(attention: Tensor, mask: Tensor) -> Tensor:
    """Mean entropy of the valid frames' attention as a share of its maximum, log(K*K).

    Parameters
    ----------
    attention
        Weights ``[N, T, K, K]``.
    mask
        Valid frames ``[N, T]``.

    Returns
    -------
    Tensor
        Scalar in 0 (one location has it all) to 1 (uniform; also for a 1 x 1 grid).
    """
    weights = attention.flatten(2)
    if weights.shape[2] == 1:
        return weights.new_ones(())
    entropy = torch.special.entr(weights).sum(2)
    share = (entropy * mask).sum() / (mask.sum() * math.log(weights.shape[2]))
    return share.clamp(max=1)  # rounding may take uniform attention beyond its bound
