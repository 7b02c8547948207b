"""Temporal attention: a weighted mean of the frames, by convolutions over space and time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import SiameseNetwork, uniform_attention
from wherewhen.model.temporal_pooling import WeightedPooling
from wherewhen.tracklets.sizes import Size

MIDDLE = 256
"""Channels d_t between the two convolutions, as in the code of the source."""


class ConvolutionalPooling(WeightedPooling):
    """Weights of frames by a convolution over the whole grid and one over three frames.

    ``alpha = softmax_t(v * relu(W * X(t)))``: W is as large as the grid and gives `MIDDLE`
    channels, v takes a frame, the one before and the one after. v is initially 0, so that the
    weights are uniform, as those of Eq 6 are. The code of the source has a ReLU before the softmax,
    too, which is left out: a score below 0 would have no gradient.

    Frames are neighbours if there are only padded ones between them.

    Parameters
    ----------
    channels : int
        Channels of the frames.
    grid : (int, int)
        Height and width of the frames.
    """

    def __init__(self, channels: int, grid: Size) -> None:
        super().__init__()
        self.over_space = nn.Conv2d(channels, MIDDLE, grid)
        self.over_time = nn.Conv1d(MIDDLE, 1, 3, padding=1)
        nn.init.kaiming_normal_(self.over_space.weight)
        for zero in (self.over_space.bias, self.over_time.weight, self.over_time.bias):
            nn.init.zeros_(zero)

    def weigh(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Softmax over the valid frames, of the states ``[N, T, C, H, W]`` of a single layer."""
        (frames,) = states
        seen = self.over_space(frames.flatten(0, 1)).relu().view(*mask.shape, MIDDLE)
        places = self._places(mask, seen.dtype)
        scores = self.over_time((places.mT @ seen).mT).mT
        return (places @ scores).squeeze(2).masked_fill(~mask, -torch.inf).softmax(1)

    @staticmethod
    def _places(mask: Tensor, dtype: torch.dtype) -> Tensor:
        """``[N, T, T]``: 1 where a frame (row) is the n-th valid one (column).

        A product moves the valid frames to the front and back: sorting is slower and can't be
        exported.
        """
        place = mask.cumsum(1) - 1
        columns = torch.arange(mask.shape[1], device=mask.device)
        return ((place[:, :, None] == columns) & mask[:, :, None]).to(dtype)


class TemporalAttentionNetwork(SiameseNetwork):
    """A weighted mean of the inputs over the valid frames, and the grid by ``location``.

    With ``location: mean`` it is the temporal attention of the source ("spatial conv + temporal
    conv", softmax); ``rows`` keeps where in the height something is.

    Parameters
    ----------
    config, channels, grid
        See `wherewhen.model.siamese.SiameseNetwork`.

    References
    ----------
    Gao and Nevatia 2018, "Revisiting Temporal Modeling for Video-based Person ReID", temporal
    attention.

    See Also
    --------
    wherewhen.model.heads.average.AverageNetwork : All weights alike.
    """

    def __init__(self, config: NetworkConfig, channels: int, grid: int | Size) -> None:
        super().__init__(config, channels, grid)
        self.temporal_pooling = ConvolutionalPooling(self.input.channels, self.grid)
        self._read_out([self.input.channels], [self.grid])

    @property
    def multiplications(self) -> int:
        """Multiplications for the scores of a frame."""
        pooling = self.temporal_pooling
        return pooling.over_space.weight.numel() + pooling.over_time.weight.numel()

    def states(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Uniform attention, and the inputs as they are."""
        return uniform_attention(inputs, mask), [inputs.movedim(4, 2)]
