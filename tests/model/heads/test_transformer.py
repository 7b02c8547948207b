"""The transformer against the equations of Vaswani et al. 2017, head by head."""

import math

import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network

PLAIN = {"standardise": "none", "projection": None, "normalise": False}
CONFIG = NetworkConfig(head="transformer", transformer_layers=2, transformer_heads=2, **PLAIN)


def normalised(vectors, weights, name):
    centred = vectors - vectors.mean(1, keepdim=True)
    scaled = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(vectors, weights, name):
    return vectors @ weights[f"{name}weight"].T + weights[f"{name}bias"]


def plain(vectors, weights, layers, heads):
    """Outputs of vectors ``[T, E]``: x + attention(norm x), then x + perceptron(norm x)."""
    for layer in range(layers):
        own = {
            name.removeprefix(f"layers.{layer}."): value
            for name, value in weights.items()
            if name.startswith(f"layers.{layer}.")
        }
        seen = linear(normalised(vectors, own, "norm1"), own, "self_attn.in_proj_")
        queries, keys, values = (part.chunk(heads, 1) for part in seen.chunk(3, 1))
        each = [
            torch.softmax(q @ k.T / math.sqrt(q.shape[1]), 1) @ v
            for q, k, v in zip(queries, keys, values, strict=True)
        ]
        vectors = vectors + linear(torch.cat(each, 1), own, "self_attn.out_proj.")
        hidden = linear(normalised(vectors, own, "norm2"), own, "linear1.")
        hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2  # GELU
        vectors = vectors + linear(hidden, own, "linear2.")
    return vectors


def test_outputs_are_those_of_the_equations():
    network = build_network(CONFIG, channels=4, grid=2).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.transformer.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    cubes = torch.randn(2, 5, 2, 2, 4, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]])
    found = network.encode(cubes, mask)
    for index, valid in enumerate(mask):
        rows = cubes[index][valid].mean(2).mT.flatten(1)  # [T, C * H]
        expected = plain(rows, network.transformer.state_dict(), layers=2, heads=2)
        assert (expected - rows).abs().max() > 0.1
        torch.testing.assert_close(found.embedding[index], expected.mean(0))


def test_it_starts_as_the_mean_of_the_frames():
    networks = [
        build_network(NetworkConfig(head=head, **PLAIN), channels=4, grid=2).eval()
        for head in ("transformer", "average")
    ]
    cubes = torch.randn(1, 4, 2, 2, 4)
    one, other = (network.encode(cubes).embedding for network in networks)
    torch.testing.assert_close(one, other)


def test_the_order_of_frames_does_not_matter():
    network = build_network(CONFIG, channels=4, grid=2).eval()
    with torch.no_grad():
        for parameter in network.transformer.parameters():
            parameter += 0.2
    cubes = torch.randn(1, 4, 2, 2, 4)
    torch.testing.assert_close(
        network.encode(cubes).embedding, network.encode(cubes.flip(1)).embedding
    )


def test_attention_heads_that_do_not_divide_a_frames_vector_are_refused():
    with pytest.raises(ValueError, match="transformer_heads is 3, but a frame's vector has 8 ent"):
        build_network(CONFIG.model_copy(update={"transformer_heads": 3}), channels=4, grid=2)


def test_multiplications_are_those_of_the_matrices():
    network = build_network(CONFIG, channels=4, grid=2)
    width = 8
    assert network.multiplications == 2 * 12 * width**2
