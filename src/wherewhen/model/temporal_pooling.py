"""Temporal pooling of the frames' states, without padded frames (III-D, Eq 6)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wherewhen.model.attention import HIDDEN, perceptron


class TemporalPooling(nn.Module, ABC):
    """Pools the states of the layers that are read out over time."""

    @abstractmethod
    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Pool each layer's states over time.

        Parameters
        ----------
        states : sequence of Tensor [N, T, C_l, H_l, W_l]
            Of each layer.
        mask : Tensor of bool [N, T]
            Valid frames.

        Returns
        -------
        pooled : list of Tensor [N, C_l, H_l, W_l]
            Of each layer.
        weights : Tensor [N, T]
            The frames' weights, which sum to 1 and are 0 for padding.
        """


class _WeightedPooling(TemporalPooling):
    """Pooling by a weighted sum."""

    @abstractmethod
    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Weights ``[N, T]``."""

    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Weighted sums over time, ``sum_t alpha(t) h(t)``, and the weights."""
        weights = self.weigh(states, mask)
        # einsum would copy states with the memory layout of the DFT
        return [(weights[:, :, None, None, None] * state).sum(1) for state in states], weights


class AttentionPooling(_WeightedPooling):
    """Learned weights, ``alpha = softmax_t MLP(mean_i h(t, i))`` (Eq 6).

    Parameters
    ----------
    channels : int
        Total channels of the layers that are read out.
    hidden : int
        Hidden units of the perceptron.

    Examples
    --------
    >>> states, mask = [torch.ones(1, 3, 4, 7, 7)], torch.tensor([[True, True, False]])
    >>> pooled, weights = AttentionPooling(channels=4)(states, mask)
    >>> weights.tolist()
    [[0.5, 0.5, 0.0]]

    See Also
    --------
    AveragePooling, MaxPooling : Without learned weights.
    """

    def __init__(self, channels: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.perceptron = perceptron(channels, hidden, 1)

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Softmax over the valid frames."""
        seen = torch.cat([state.mean((3, 4)) for state in states], dim=2)
        return self.perceptron(seen).squeeze(2).masked_fill(~mask, -torch.inf).softmax(1)


class AgreementPooling(_WeightedPooling):
    """Learned weights that also see how far a frame agrees with the others of its clip.

    ``alpha = softmax_t(b a(t) + MLP(mean_i h(t, i)))``: Eq 6 with one more term, where a(t) is the
    mean cosine of frame t with the other valid frames and b > 0 is learned. A frame is compared by
    the rows of its states (mean over the width). A passer-by agrees with few frames, and a state
    alone can't tell who of two people the clip is about.

    Parameters
    ----------
    channels : int
        Total channels of the layers that are read out.
    hidden : int
        Hidden units of the perceptron.

    Examples
    --------
    >>> states = [torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).view(1, 3, 2, 1, 1)]
    >>> _, weights = AgreementPooling(channels=2)(states, torch.ones(1, 3).bool())
    >>> weights.round(decimals=3).tolist()
    [[0.498, 0.498, 0.003]]

    See Also
    --------
    AttentionPooling : By the states alone (Eq 6).
    """

    SCALE = 10.0
    """Initial b: cosines of frames of one person differ by a few hundredths."""

    def __init__(self, channels: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.perceptron = perceptron(channels, hidden, 1)
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.SCALE)))

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Softmax over the valid frames."""
        seen = torch.cat([state.mean((3, 4)) for state in states], dim=2)
        scores = self.perceptron(seen).squeeze(2) + self.log_scale.exp() * agreement(states, mask)
        return scores.masked_fill(~mask, -torch.inf).softmax(1)


def agreement(states: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Mean cosines ``[N, T]`` of the rows of frames' states with those of the other valid frames.

    0 in a clip of one frame. Arguments are those of `TemporalPooling.forward`.
    """
    rows = torch.cat([state.mean(4).flatten(2) for state in states], dim=2)
    rows = nn.functional.normalize(rows, dim=2) * mask.unsqueeze(2)
    total = rows.sum(1, keepdim=True)
    others = (rows * (total - rows)).sum(2)
    return others / (mask.sum(1, keepdim=True) - 1).clamp_min(1)


class AveragePooling(_WeightedPooling):
    """Mean over the valid frames (V-B)."""

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """One over the number of valid frames."""
        weights = mask.to(states[0].dtype)
        return weights / weights.sum(1, keepdim=True)


class MaxPooling(TemporalPooling):
    """Maximum of each element over time (V-D); a frame's weight is its share of the maxima."""

    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maxima over the valid frames, and the share of them in each frame."""
        pooled, shares = [], states[0].new_zeros(mask.shape)
        for state in states:
            valid = state.masked_fill(~mask[:, :, None, None, None], -torch.inf)
            values, frames = valid.max(dim=1)
            pooled.append(values)
            frames = frames.flatten(1)
            shares.scatter_add_(1, frames, torch.ones_like(frames, dtype=shares.dtype))
        return pooled, shares / shares.sum(1, keepdim=True)
