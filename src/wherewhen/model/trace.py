"""A look into the recurrence: what the gates of every layer did with every frame (III-C, Eq 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wherewhen.model.conv_gru import ConvGRULayer, LayerStep
from wherewhen.model.encode import evaluating
from wherewhen.model.siamese import Encoding, SiameseAttentionNetwork


class Trace(NamedTuple):
    """What the network made of N clips of T frames, and how."""

    encoding: Encoding
    """What `SiameseAttentionNetwork.encode` returns."""
    update: list[Tensor]
    """Of every layer, bottom to top, z of Eq 5, ``[N, T, C_l, H_l, W_l]``: near 0 the state stays
    as it was, near 1 the frame replaces it."""
    reset: list[Tensor]
    """The same of r: near 0 the frame's candidate knows nothing of what was seen before."""
    states: list[Tensor]
    """The same of h, after the frame."""


def trace(network: SiameseAttentionNetwork, cubes: Tensor) -> Trace:
    """Encode clips in evaluation mode, without gradients, and keep the gates.

    Training and embedding do not carry the gates along: here every layer is computed twice.

    Parameters
    ----------
    network
        The network; it leaves as it came.
    cubes
        ``[N, T, K, K, D]``, all frames valid.

    Returns
    -------
    Trace
    """
    steps: list[list[LayerStep]] = [[] for _ in network.gru.layers]

    def keeper(kept: list[LayerStep]) -> Callable[..., None]:
        def keep(layer: ConvGRULayer, arguments: tuple[Any, ...], _: Tensor) -> None:
            kept.append(layer.step(*arguments))

        return keep

    hooks = [
        layer.register_forward_hook(keeper(kept))
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


def _over_time(frames: list[Tensor]) -> Tensor:
    """``[N, T, C, H, W]`` of T tensors ``[N, C, H, W]``."""
    return torch.stack([frame.float().contiguous() for frame in frames], 1)
