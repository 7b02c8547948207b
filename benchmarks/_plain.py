"""The plain loop that the network's fast paths are compared with.

The same weights and the same result, in the way the equations are written down: one sibling after
the other, and of every layer and frame six convolutions (Eq 5), in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from wherewhen.model.conv_gru import ConvGRULayer
from wherewhen.model.heads.siamese_attention import SiameseAttentionNetwork


def embed(network: SiameseAttentionNetwork, cubes: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings ``[N, E]`` and attention ``[N, T, K, K]`` of clips ``[N, T, K, K, D]``.

    The first half of the clips are the left ones of pairs, the second half the right ones.
    """
    siblings = [_sibling(network, clips) for clips in cubes.chunk(2)]
    embeddings, attention = zip(*siblings, strict=True)
    return torch.cat(embeddings), torch.cat(attention)


def _sibling(network: SiameseAttentionNetwork, cubes: Tensor) -> tuple[Tensor, Tensor]:
    frames = network.input(cubes).permute(1, 0, 4, 2, 3).contiguous()
    states = network.initial_state(frames.mean((0, 3, 4)))
    maps, read = [], []
    for frame in frames:
        weights = network.attention(states[network.attention_layer], frame)
        below = network.glimpse(frame, weights)
        outputs = [below]
        for index, layer in enumerate(network.gru.layers):
            above = below if index == 0 else network.gru.pool(below)
            states[index] = _gru(layer, above, states[index])
            below = network.gru.dropout(states[index])
            outputs.append(below)
        maps.append(weights)
        read.append([outputs[layer] for layer in network.layers_read])
    stacked = [torch.stack(layer, 1) for layer in zip(*read, strict=True)]
    mask = torch.ones(cubes.shape[:2], dtype=torch.bool, device=cubes.device)
    pooled, _ = network.temporal_pooling(stacked, mask)
    return network.neck(network.readout(pooled)), torch.stack(maps, 1)


def _gru(layer: ConvGRULayer, x: Tensor, h: Tensor) -> Tensor:
    w_z, w_r, w = layer.input_weight.chunk(3)
    u_z, u_r = layer.gate_weight.chunk(2)
    u = layer.candidate_weight
    b_z, b_r, b = (None, None, None) if layer.bias is None else layer.bias.chunk(3)
    around_w, around_u = ([side // 2 for side in kernel.shape[2:]] for kernel in (w, u))
    z = torch.sigmoid(conv2d(x, w_z, b_z, padding=around_w) + conv2d(h, u_z, padding=around_u))
    r = torch.sigmoid(conv2d(x, w_r, b_r, padding=around_w) + conv2d(h, u_r, padding=around_u))
    candidate = torch.tanh(conv2d(x, w, b, padding=around_w) + conv2d(r * h, u, padding=around_u))
    return (1 - z) * h + z * candidate
