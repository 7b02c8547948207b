"""Gates and states of every layer at every frame (III-C, Eq 5), to look into the recurrence."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from wherewhen.model.conv_gru import ConvGRULayer, LayerStep
from wherewhen.model.encode import evaluating
from wherewhen.model.heads.siamese_attention import SiameseAttentionNetwork
from wherewhen.model.siamese import Encoding, SiameseNetwork


class Trace(NamedTuple):
    """Encoding, gates and states of N clips of T frames."""

    encoding: Encoding
    """From `SiameseNetwork.encode`."""
    update: list[Tensor]
    """Update gate z of every layer, bottom to top, ``[N, T, C_l, H_l, W_l]``: 0 keeps the state, 1
    replaces it by the candidate."""
    reset: list[Tensor]
    """Reset gate r, likewise: at 0 the candidate does not depend on the state."""
    states: list[Tensor]
    """State h after each frame, likewise."""


def trace(network: SiameseNetwork, cubes: Tensor) -> Trace:
    """Encode clips ``[N, T, H, W, D]`` in evaluation mode, without gradients, and keep the gates.

    All frames are valid. The network does not change. Every layer is computed twice, so that
    training and embedding need not keep the gates.

    Raises
    ------
    TypeError
        If the network's head has no gates.
    """
    if not isinstance(network, SiameseAttentionNetwork):
        raise TypeError(
            f"trace: a network with the head {network.config.head} has no gates; expected "
            "siamese_attention"
        )
    steps: list[list[LayerStep]] = [[] for _ in network.gru.layers]
    hooks = [
        layer.register_forward_hook(partial(_keep, kept))
        for layer, kept in zip(network.gru.layers, steps, strict=True)
    ]
    try:
        with evaluating(network):
            encoding = network.encode(cubes)
    finally:
        for hook in hooks:
            hook.remove()
    return Trace(
        encoding,
        update=[_over_time([step.update for step in layer]) for layer in steps],
        reset=[_over_time([step.reset for step in layer]) for layer in steps],
        states=[_over_time([step.state for step in layer]) for layer in steps],
    )


def _keep(kept: list[LayerStep], layer: ConvGRULayer, arguments: tuple, _: Tensor) -> None:
    kept.append(layer.step(*arguments))


def _over_time(frames: list[Tensor]) -> Tensor:
    """``[N, T, C, H, W]`` of T tensors ``[N, C, H, W]``."""
    return torch.stack([frame.float().contiguous() for frame in frames], 1)
