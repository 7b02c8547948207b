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


class WeightedPooling(TemporalPooling):
    """Pooling by a weighted sum."""

    @abstractmethod
    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Weights ``[N, T]``."""

    def forward(self, states: Sequence[Tensor], mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """Weighted sums over time, ``sum_t alpha(t) h(t)``, and the weights."""
        weights = self.weigh(states, mask)
        # einsum would copy states with the memory layout of the DFT
        return [(weights[:, :, None, None, None] * state).sum(1) for state in states], weights


class AttentionPooling(WeightedPooling):
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
        return self.scores(states, mask).softmax(1)

    def scores(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Scores ``[N, T]`` of frames by their own states; -inf for padding."""
        seen = torch.cat([state.mean((3, 4)) for state in states], dim=2)
        return self.perceptron(seen).squeeze(2).masked_fill(~mask, -torch.inf)


class AgreementPooling(AttentionPooling):
    """Learned weights that also depend on how far a frame agrees with the others of its clip.

    ``alpha = softmax_t(b a(t) + MLP(mean_i h(t, i)))``: Eq 6 with one more term, the `agreement`
    a(t), and a learned b > 0. A passer-by agrees with few frames, while a state alone can't tell
    which of two people the clip is about.

    Frames are compared by the rows (mean over the width) of the lowest layer that is read out: for
    ``with_input`` the attended input, which knows nothing of the frames before.

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
    [[0.5, 0.5, 0.0]]

    See Also
    --------
    AttentionPooling : By the states alone (Eq 6).
    """

    SCALE = 30.0
    """Initial b: cosines of frames of one person differ by a few hundredths."""
    ROUNDS = 2
    """Rounds of weighing: in the second, frames are compared with those that weigh most."""

    def __init__(self, channels: int, hidden: int = HIDDEN) -> None:
        super().__init__(channels, hidden)
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.SCALE)))

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Softmax over the valid frames."""
        own = self.scores(states, mask)
        rows = states[0].mean(4).flatten(2)
        weights = mask / mask.sum(1, keepdim=True)
        for _ in range(self.ROUNDS):
            weights = (own + self.log_scale.exp() * agreement(rows, weights)).softmax(1)
        return weights


def agreement(frames: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cosines of frames with the other frames of their clip.

    Parameters
    ----------
    frames : Tensor [N, T, F]
        A vector for every frame.
    weights : Tensor [N, T]
        The frames' weights, which sum to 1 over a clip.

    Returns
    -------
    Tensor [N, T]
        ``sum_s w(s) cos(t, s) / sum_s w(s)`` over s other than t; 0 where all weight is on t.

    Examples
    --------
    >>> frames = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    >>> (100 * agreement(frames, torch.tensor([[0.5, 0.25, 0.25]]))).round().tolist()
    [[50.0, 67.0, 0.0]]
    """
    frames = nn.functional.normalize(frames, dim=2)
    total = (weights.unsqueeze(2) * frames).sum(1, keepdim=True)
    with_itself = weights * frames.square().sum(2)
    others = (frames * total).sum(2) - with_itself
    return others / (1 - weights).clamp_min(1e-6)


class AveragePooling(WeightedPooling):
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
