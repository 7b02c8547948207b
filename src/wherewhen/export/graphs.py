"""Backbone and network in the form in which they are exported: nothing in it follows values."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan  # a prototype; torch.onnx makes ONNX's Scan of it

from wherewhen.model.convolution import Execution
from wherewhen.model.heads.siamese_attention import SiameseAttentionNetwork
from wherewhen.model.siamese import Encoding, SiameseNetwork

if TYPE_CHECKING:
    from wherewhen.features.backbones import Backbone


class PixelsToCubes(nn.Module):
    """Cubes ``[N, H, W, D]`` of resized frames: uint8 ``[N, 3, height, width]``, red first.

    The resize is left out: ONNX Runtime's antialiased Resize rounds differently.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.normalise = backbone.preprocess.normalise
        self.module = copy.deepcopy(backbone.module).cpu()

    def forward(self, images: Tensor) -> Tensor:
        """Normalise the pixels, and run the backbone."""
        return self.module(self.normalise(images)).permute(0, 2, 3, 1)


class CubesToEmbeddings(nn.Module):
    """What `SiameseNetwork.encode` computes, with a loop that any length goes through.

    `encode` unrolls a recurrence, so that a trace of it is for one number of frames.
    """

    def __init__(self, network: SiameseNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().float()

    def forward(self, cubes: Tensor, mask: Tensor) -> Encoding:
        """Encode clips: cubes ``[N, T, H, W, D]``, mask ``[N, T]`` of valid frames."""
        network = self.network
        padded = ~mask[:, :, None, None, None]
        cubes = network.through_trunk(cubes.masked_fill(padded, 0.0), mask)
        inputs = network.input(cubes).masked_fill(padded, 0.0)
        if isinstance(network, SiameseAttentionNetwork):
            attention, states = self._look(inputs, network.start(inputs, mask), mask)
        else:
            attention, states = network.states(inputs, mask)
        pooled, frame_weights = network.temporal_pooling(states, mask)
        # `encode` refuses a clip without a valid frame; a graph can only say that it has no result
        some = mask.any(1, keepdim=True)
        embedding = torch.where(some, network.neck(network.readout(pooled)), torch.nan)
        return Encoding(embedding, attention, frame_weights)

    def _look(
        self, inputs: Tensor, start: list[Tensor], mask: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Attention ``[N, T, H, W]``, and ``[N, T, C_l, H_l, W_l]`` of each layer read out."""
        network = self.network
        products = network.gru.products(Execution("direct"), frames=1)

        def step(
            states: list[Tensor], frame_and_valid: tuple[Tensor, Tensor]
        ) -> tuple[list[Tensor], list[Tensor]]:
            frame, valid = frame_and_valid
            valid = valid[:, None, None]
            before = states if network.config.recurrence == "gru" else start
            weights = network.attention(before[network.attention_layer], frame)
            attended = network.glimpse(frame, weights)
            states, outputs = network.gru(attended, before, valid[:, None], products)
            read = [[attended, *outputs][layer] for layer in network.layers_read]
            # a scan may not give a tensor twice, and a state is often what is read out
            return states, [torch.where(valid, weights, 0.0), *(each.clone() for each in read)]

        frames = inputs.permute(1, 0, 4, 2, 3).contiguous()
        first = [state.clone(memory_format=torch.contiguous_format) for state in start]
        _, collected = scan(step, first, (frames, mask.T.contiguous()))
        attention, *states = (each.movedim(0, 1) for each in collected)
        return attention, states


class PixelsToEmbeddings(nn.Module):
    """Both, one after the other: clips of frames, uint8 ``[N, T, 3, height, width]``, red first."""

    def __init__(self, backbone: Backbone, network: SiameseNetwork) -> None:
        super().__init__()
        self.cubes = PixelsToCubes(backbone)
        self.embeddings = CubesToEmbeddings(network)

    def forward(self, images: Tensor, mask: Tensor) -> Encoding:
        """Encode clips of frames; mask ``[N, T]`` of valid frames."""
        cubes = self.cubes(images.flatten(0, 1))
        return self.embeddings(cubes.unflatten(0, images.shape[:2]), mask)
