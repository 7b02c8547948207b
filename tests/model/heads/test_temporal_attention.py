"""Temporal attention against the source's equations, written frame by frame."""

import math

import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.heads.temporal_attention import MIDDLE
from wherewhen.model.siamese import build_network

CONFIG = NetworkConfig(
    head="temporal_attention",
    standardise="none",
    projection=None,
    normalise=False,
    location="mean",
)


def plain(frames, weights):
    """Embedding and frame weights of frames ``[T, H, W, C]``, by loops."""
    middle = []
    for frame in frames:
        products = weights["over_space.weight"] * frame.permute(2, 0, 1)
        middle.append((products.sum((1, 2, 3)) + weights["over_space.bias"]).clamp_min(0))
    nothing = torch.zeros(MIDDLE, dtype=frames.dtype)
    around = [nothing, *middle, nothing]
    scores = []
    for time in range(len(frames)):
        score = weights["over_time.bias"].item()
        for offset in range(3):
            kernel = weights["over_time.weight"][0, :, offset]
            score += (kernel * around[time + offset]).sum().item()
        scores.append(math.exp(score))
    alpha = torch.tensor([score / sum(scores) for score in scores], dtype=frames.dtype)
    return sum(a * frame.mean((0, 1)) for a, frame in zip(alpha, frames, strict=True)), alpha


def test_it_is_the_temporal_attention_of_the_source():
    network = build_network(CONFIG, channels=3, grid=2).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.temporal_pooling.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    cubes = torch.randn(2, 5, 2, 2, 3, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]])
    encoding = network.encode(cubes, mask)
    weights = network.temporal_pooling.state_dict()
    for index, valid in enumerate(mask):
        embedding, alpha = plain(cubes[index][valid], weights)
        assert alpha.std() > 0.01
        torch.testing.assert_close(encoding.embedding[index], embedding)
        torch.testing.assert_close(encoding.frame_weights[index][valid], alpha)


def test_it_starts_as_the_mean_of_the_frames():
    network = build_network(CONFIG, channels=3, grid=2)
    encoding = network.encode(torch.randn(1, 4, 2, 2, 3))
    torch.testing.assert_close(encoding.frame_weights, torch.full((1, 4), 0.25))
    (gradient,) = torch.autograd.grad(
        encoding.embedding.square().sum(), network.temporal_pooling.over_time.weight
    )
    assert gradient.any()  # and moves away from there
    assert network.multiplications == 2 * 2 * 3 * MIDDLE + 3 * MIDDLE
