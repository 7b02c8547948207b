"""The paper's network: a ConvGRU that looks where its states say (III, Fig 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wherewhen.model.attention import ExpectedSlice, Glimpse, MutedAttention, SpatialAttention
from wherewhen.model.config import NetworkConfig
from wherewhen.model.conv_gru import ConvGRUStack
from wherewhen.model.initial_state import LearnedInitialState, ZeroInitialState
from wherewhen.model.siamese import SiameseNetwork
from wherewhen.model.temporal_pooling import (
    AgreementPooling,
    AttentionPooling,
    AveragePooling,
    MaxPooling,
    TemporalPooling,
)
from wherewhen.tracklets.sizes import Size


class SiameseAttentionNetwork(SiameseNetwork):
    """The Siamese attention ConvGRU (Eqs 3 to 7).

    Padded frames leave the states unchanged, and the mean slice of Eq 7 excludes them.

    Parameters
    ----------
    config, channels, grid
        See `wherewhen.model.siamese.SiameseNetwork`.

    Examples
    --------
    >>> network = SiameseAttentionNetwork(NetworkConfig(projection=4), channels=16, grid=7)
    >>> network.layers_read  # the attended input, and the layer of the ConvGRU
    [0, 1]

    See Also
    --------
    wherewhen.model.siamese.build_network : Builds it with seeded initial weights.
    """

    def __init__(self, config: NetworkConfig, channels: int, grid: int | Size) -> None:
        super().__init__(config, channels, grid)
        self.glimpse = (
            ExpectedSlice()
            if config.glimpse == "expectation"
            else Glimpse(self.grid, config.attention_rescale)
        )
        self.gru = ConvGRUStack(self.input.channels, config, self.glimpse.grid)
        self.initial_state = (
            ZeroInitialState(self.gru.channels, self.gru.grids)
            if config.initial_state == "zeros"
            else LearnedInitialState(self.input.channels, self.gru.channels, self.gru.grids)
        )
        layers = len(config.channels)
        self.attention_layer = (config.attention_layer or layers) - 1
        self.attention = self._attention()
        # layer 0 is the attended input, as in Eq 5
        lowest = {"with_input": 0, "concatenated": 1, "top": layers}[config.readout]
        self.layers_read = list(range(lowest, layers + 1))
        all_channels = [self.input.channels, *config.channels]
        all_grids = [self.glimpse.grid, *self.gru.grids]
        read_channels = [all_channels[layer] for layer in self.layers_read]
        read_grids = [all_grids[layer] for layer in self.layers_read]
        self.temporal_pooling = _temporal_pooling(config, sum(read_channels))
        self._read_out(read_channels, read_grids)

    def _attention(self) -> nn.Module:
        if self.config.attention == "muted":
            return MutedAttention(self.grid)
        return SpatialAttention(
            self.gru.channels[self.attention_layer],
            self.gru.grids[self.attention_layer],
            self.grid,
            flattened=self.config.attention_state == "flattened",
            features=self.input.channels if self.config.conditioned_on_features else None,
            temperature=self.config.attention_temperature,
        )

    @property
    def multiplications(self) -> int:
        """Multiplications for the states of a frame by Eq 5, more than 99 % of all."""
        return sum(
            height * width * sum(p.numel() for p in layer.parameters() if p.ndim == 4)
            for layer, (height, width) in zip(self.gru.layers, self.gru.grids, strict=True)
        )

    def states(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Attention, and the states of each layer that is read out (Eqs 3 to 5 and 7)."""
        attention, states = self._look(inputs, self.start(inputs, mask), mask)
        return attention, [
            _stack_frames([state[layer] for state in states]) for layer in self.layers_read
        ]

    def start(self, inputs: Tensor, mask: Tensor | None) -> list[Tensor]:
        """States ``[N, C_l, H_l, W_l]`` before the first frame, by the mean slice (Eq 7)."""
        if mask is None:
            mean_slice = inputs.mean((1, 2, 3))
        else:
            mean_slice = inputs.mean((2, 3)).sum(1) / mask.sum(1, keepdim=True)
        return self.initial_state(mean_slice)

    def _look(
        self, inputs: Tensor, start: list[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """Run the recurrence: attention ``[N, T, H, W]``, and each frame's outputs 0 to L."""
        recurrent = self.config.recurrence == "gru"
        states = start
        products = self.gru.products(self.execution, inputs.shape[1])
        frames = products[0].form.lay_out(inputs)
        attention, all_outputs = [], []
        for time, frame in enumerate(frames.unbind(0)):
            before = states if recurrent else start
            weights = self.attention(before[self.attention_layer], frame)
            attended = self.glimpse(frame, weights)
            valid = None if mask is None else mask[:, time, None, None]
            states, outputs = self.gru(
                attended, before, None if valid is None else valid[:, None], products
            )
            attention.append(weights if valid is None else torch.where(valid, weights, 0.0))
            all_outputs.append([attended, *outputs])
        return torch.stack(attention, 1), all_outputs


def _stack_frames(states: list[Tensor]) -> Tensor:
    """``[N, T, C, H, W]`` of T states ``[N, C, H, W]``, with the same memory layout."""
    order = states[0].dim_order()
    stacked = torch.stack([state.permute(order) for state in states])
    back = [order.index(dimension) + 1 for dimension in range(4)]
    return stacked.permute(back[0], 0, *back[1:])


def _temporal_pooling(config: NetworkConfig, channels: int) -> TemporalPooling:
    learned = {"attention": AttentionPooling, "agreement": AgreementPooling}
    if config.temporal_pooling in learned:
        return learned[config.temporal_pooling](channels)
    return {"average": AveragePooling, "max": MaxPooling}[config.temporal_pooling]()
