"""A transformer over the frames of a clip, and the mean of its outputs."""

from __future__ import annotations

from torch import Tensor, nn

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import Readout, SiameseNetwork, uniform_attention
from wherewhen.model.temporal_pooling import AveragePooling
from wherewhen.tracklets.sizes import Size

WIDENING = 4
"""Hidden units of the perceptrons, as a multiple of the width (Vaswani et al. 2017, 3.3)."""


class TransformerNetwork(SiameseNetwork):
    """A transformer whose tokens are the frames' vectors, and the mean of the valid outputs.

    A frame's vector is its input, with the grid as ``location`` says. Layers are normalised before
    each part (Xiong et al. 2020), so that the vectors pass through; the parts are initially 0, so
    that the network starts as `wherewhen.model.heads.average.AverageNetwork`.

    Frames have no positions: the outputs don't depend on their order, and clips may be longer than
    in training. There is no class token either: the mean of the outputs is the embedding.

    Parameters
    ----------
    config, channels, grid
        See `wherewhen.model.siamese.SiameseNetwork`.

    Raises
    ------
    ValueError
        If a frame's vector can't be divided among ``transformer_heads``.

    References
    ----------
    Vaswani et al. 2017, "Attention Is All You Need", 3.1 to 3.3 (the encoder); Xiong et al. 2020,
    "On Layer Normalization in the Transformer Architecture".
    """

    def __init__(self, config: NetworkConfig, channels: int, grid: int | Size) -> None:
        super().__init__(config, channels, grid)
        self.flatten = Readout([self.input.channels], [self.grid], config.location, normalise=False)
        width, heads = self.flatten.size, config.transformer_heads
        if width % heads:
            raise ValueError(
                f"transformer_heads is {heads}, but a frame's vector has {width} entries "
                f"(location: {config.location}): choose a number that divides it"
            )
        layer = nn.TransformerEncoderLayer(
            width,
            heads,
            WIDENING * width,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(
            layer, config.transformer_layers, enable_nested_tensor=False
        )
        for each in self.transformer.layers:
            nn.init.xavier_uniform_(each.linear1.weight)
            nn.init.zeros_(each.linear1.bias)
            for part in (each.self_attn.out_proj, each.linear2):
                nn.init.zeros_(part.weight)
                nn.init.zeros_(part.bias)
        self.temporal_pooling = AveragePooling()
        self._read_out([width], [(1, 1)])

    @property
    def multiplications(self) -> int:
        """Multiplications for the output of a frame, without those of pairs of frames."""
        return sum(p.numel() for p in self.transformer.parameters() if p.ndim == 2)

    def states(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Uniform attention, and the outputs of the transformer on a 1 x 1 grid."""
        vectors = self.flatten([inputs.movedim(4, 2).flatten(0, 1)]).unflatten(0, inputs.shape[:2])
        padded = None if mask is None else ~mask
        outputs = self.transformer(vectors, src_key_padding_mask=padded)
        return uniform_attention(inputs, mask), [outputs[..., None, None]]
