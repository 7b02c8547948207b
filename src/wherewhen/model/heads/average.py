"""Temporal average pooling: the mean of the frames, without recurrence and attention."""

from __future__ import annotations

from torch import Tensor

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import SiameseNetwork, uniform_attention
from wherewhen.model.temporal_pooling import AveragePooling
from wherewhen.tracklets.sizes import Size


class AverageNetwork(SiameseNetwork):
    """The mean of the inputs over the valid frames, and over the grid by ``location``.

    Beside the projection and the similarity nothing in it is learned. With ``location: mean`` it is
    the baseline of the source; ``rows`` keeps where in the height something is.

    Parameters
    ----------
    config, channels, grid
        See `wherewhen.model.siamese.SiameseNetwork`.

    Examples
    --------
    >>> import torch
    >>> config = NetworkConfig(head="average", projection=None, standardise="none", location="mean")
    >>> cubes = torch.tensor([3.0, 0.0, 0.0, 4.0]).view(1, 2, 1, 1, 2)
    >>> AverageNetwork(config, channels=2, grid=1).encode(cubes).embedding
    tensor([[0.6000, 0.8000]])

    References
    ----------
    Gao and Nevatia 2018, "Revisiting Temporal Modeling for Video-based Person ReID", temporal
    pooling.

    See Also
    --------
    wherewhen.model.heads.temporal_attention.TemporalAttentionNetwork : Weighs the frames.
    """

    def __init__(self, config: NetworkConfig, channels: int, grid: int | Size) -> None:
        super().__init__(config, channels, grid)
        self.temporal_pooling = AveragePooling()
        self._read_out([self.input.channels], [self.grid])

    def states(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Uniform attention, and the inputs as they are."""
        return uniform_attention(inputs, mask), [inputs.movedim(4, 2)]
