"""When to look: the states of all frames become one (III-D, Eq 6). Padded frames have no part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wherewhen.model.attention import HIDDEN, perceptron


class TemporalPooling(nn.Module, ABC):
    """Pools the states of the layers that are read out."""

    @abstractmethod
    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Pool over time.

        Parameters
        ----------
        states
            Of each layer, ``[N, T, C_l, H_l, W_l]``.
        mask
            Valid frames ``[N, T]``.

        Returns
        -------
        pooled, weights
            Of each layer, ``[N, C_l, H_l, W_l]``; the frames' weights ``[N, T]``, which sum to 1
            and are 0 for padding.
        """


class _WeightedPooling(TemporalPooling):
    """Pooling by weights: a subclass says which."""

    @abstractmethod
    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Weights ``[N, T]``."""

    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Weighted sums over time, ``sum_t alpha(t) h(t)``, and the weights."""
        weights = self.weigh(states, mask)
        # not einsum, which copies states that are laid out locations first
        return [(weights[:, :, None, None, None] * state).sum(1) for state in states], weights


class AttentionPooling(_WeightedPooling):
    """Learned weights, ``alpha = softmax_t MLP(mean_i h(t, i))`` (Eq 6).

    Parameters
    ----------
    channels
        Channels of all layers that are read out, together.
    hidden
        Hidden units of the perceptron.
    """

    def __init__(self, channels: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.perceptron = perceptron(channels, hidden, 1)

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Softmax over the valid frames."""
        seen = torch.cat([state.mean((3, 4)) for state in states], dim=2)
        return self.perceptron(seen).squeeze(2).masked_fill(~mask, -torch.inf).softmax(1)


class AveragePooling(_WeightedPooling):
    """All valid frames alike (V-B)."""

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """One over the number of valid frames."""
        weights = mask.to(states[0].dtype)
        return weights / weights.sum(1, keepdim=True)


class MaxPooling(TemporalPooling):
    """The largest activation of each element over time (V-D); a frame's weight is its share."""

    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maxima over the valid frames, and the share of them that each frame supplied."""
        pooled, shares = [], states[0].new_zeros(mask.shape)
        for state in states:
            valid = state.masked_fill(~mask[:, :, None, None, None], -torch.inf)
            values, frames = valid.max(dim=1)
            pooled.append(values)
            frames = frames.flatten(1)
            shares.scatter_add_(1, frames, torch.ones_like(frames, dtype=shares.dtype))
        return pooled, shares / shares.sum(1, keepdim=True)
