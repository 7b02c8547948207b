"""Initial states of the recurrent layers (IV-A, Eq 7)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class LearnedInitialState(nn.Module):
    """A tanh head for each layer on the mean feature slice, the same at every cell (Eq 7).

    ``h_l(0) = tanh(A_l mean_t mean_i X(t, i) + b_l)``, a mean over the valid frames (decision 9).

    Parameters
    ----------
    inputs : int
        Channels of the feature slices.
    channels, grids : sequence of int, of (int, int)
        Channels and grid (height, width) of each layer's state.

    Examples
    --------
    >>> import torch
    >>> states = LearnedInitialState(4, channels=[8, 2], grids=[(7, 7), (3, 3)])(torch.zeros(1, 4))
    >>> [tuple(state.shape) for state in states]
    [(1, 8, 7, 7), (1, 2, 3, 3)]

    See Also
    --------
    ZeroInitialState : Without heads.
    """

    def __init__(
        self, inputs: int, channels: Sequence[int], grids: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.heads = nn.ModuleList(nn.Linear(inputs, count) for count in channels)
        for head in self.heads:
            nn.init.xavier_uniform_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, mean_slice: Tensor) -> list[Tensor]:
        """States ``[N, C_l, H_l, W_l]`` of the layers from mean slices ``[N, C]``."""
        return [
            head(mean_slice).tanh()[:, :, None, None].expand(-1, -1, *grid)
            for head, grid in zip(self.heads, self.grids, strict=True)
        ]


class ZeroInitialState(nn.Module):
    """Initial states of 0, for layers with `channels` and `grids` as of `LearnedInitialState`."""

    def __init__(self, channels: Sequence[int], grids: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.shapes = [(count, *grid) for count, grid in zip(channels, grids, strict=True)]

    def forward(self, mean_slice: Tensor) -> list[Tensor]:
        """States ``[N, C_l, H_l, W_l]`` of zeros for mean slices ``[N, C]``."""
        return [mean_slice.new_zeros((len(mean_slice), *shape)) for shape in self.shapes]
