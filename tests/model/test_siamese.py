import importlib.util
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.model.config import NetworkConfig, network_config
from wherewhen.model.loss import PairLoss
from wherewhen.model.siamese import build_network

_spec = importlib.util.spec_from_file_location("reference", Path(__file__).parent / "reference.py")
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

SMALL = {"attention_hidden": 3, "temporal_hidden": 3}
D, K = 4, 3


def network_in_double(config, grid=K, seed=0):
    """A network whose every parameter and buffer is random, so that none is tested at zero."""
    network = build_network(config, D, grid).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = parameter.data * 0.5 + 0.3 * noise
    if config.standardise:
        network.calibrate(torch.rand(20, grid, grid, D, generator=generator) * 2 + 1)
    return network.eval()


def random_clips(lengths, grid=K, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (max(lengths), grid, grid, D)
    cubes = torch.randn(len(lengths), *shape, generator=generator, dtype=torch.float64)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return cubes, mask


def assert_equals_reference(config, cubes, mask, reachable, balanced, grid=K):
    network = network_in_double(config, grid)
    clips = [cube[valid] for cube, valid in zip(cubes, mask, strict=True)]
    pairs = [(0, 1, True), (0, len(clips) - 1, False), (1, 2, False)]
    left, right, same = (torch.tensor(column) for column in zip(*pairs, strict=True))

    encoding = network.encode(cubes, mask)
    logits = network.pairwise_logits(encoding.embedding, encoding.embedding)[left, right]
    torch.testing.assert_close(
        logits, network.logits(encoding.embedding[left], encoding.embedding[right])
    )
    loss = PairLoss(0.3, reachable, balanced)(logits, same, encoding.attention, mask).loss
    loss.backward()

    weights = {
        name: value.detach().clone().requires_grad_(value.is_floating_point())
        for name, value in network.state_dict().items()
    }
    expected = reference.loss(config, weights, clips, pairs, 0.3, reachable, balanced)
    expected.backward()
    for index, clip in enumerate(clips):
        embedding, attention, alpha = reference.encode(config, weights, clip)
        torch.testing.assert_close(encoding.embedding[index], embedding, rtol=0, atol=1e-10)
        torch.testing.assert_close(
            encoding.attention[index][mask[index]], attention, rtol=0, atol=1e-10
        )
        assert not encoding.attention[index][~mask[index]].any()
        if config.temporal_pooling != "max":
            torch.testing.assert_close(
                encoding.frame_weights[index][mask[index]], alpha, rtol=0, atol=1e-10
            )
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-10)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        gradient = weights[name].grad
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-10, atol=1e-10, msg=name)


VARIANTS = {
    "modern": network_config(projection=3, channels=[4], **SMALL),
    "modern, three layers": network_config(projection=3, channels=[2, 3, 4], **SMALL),
    "paper": network_config("paper", channels=[2, 3, 4], dropout=0.0, **SMALL),
    "pooled 2x2": network_config(channels=[2, 3], projection=None, between_layers="max_2x2"),
    "pooled 3x3": network_config(
        channels=[2, 3], projection=2, between_layers="max_3x3", standardise=False, location="rows"
    ),
    "flattened": network_config(projection=2, channels=[3], attention_state="flattened"),
    "cells": network_config(projection=2, channels=[3, 2], location="cells"),
    "muted": network_config(projection=2, channels=[3, 2], attention="muted", location="mean"),
    "average": network_config(
        projection=2, channels=[3], temporal_pooling="average", initial_state="zeros"
    ),
    "max": network_config(projection=2, channels=[3], temporal_pooling="max", readout="top"),
    "Table II kernels": network_config(
        projection=2, channels=[2, 2, 2], input_kernels=[3, 9, 1], hidden_kernels=[3, 1, [1, 5]]
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_plain_reference_in_outputs_and_gradients(variant):
    config = VARIANTS[variant]
    cubes, mask = random_clips([4, 2, 3, 1])
    assert_equals_reference(config, cubes, mask, variant != "paper", variant != "paper")


@settings(deadline=None, max_examples=12)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=3, max_size=4),
    grid=st.integers(1, 4),
    channels=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    kernels=st.sampled_from([1, 3, (1, 3)]),
    choices=st.fixed_dictionaries(
        {
            "projection": st.sampled_from([None, 2]),
            "standardise": st.booleans(),
            "gate_bias": st.booleans(),
            "attention": st.sampled_from(["learned", "muted"]),
            "attention_rescale": st.booleans(),
            "temporal_pooling": st.sampled_from(["attention", "average", "max"]),
            "readout": st.sampled_from(["top", "concatenated", "with_input"]),
            "location": st.sampled_from(["cells", "rows", "mean"]),
            "normalise": st.booleans(),
            "similarity": st.sampled_from(["cosine", "weighted"]),
        }
    ),
    loss=st.tuples(st.booleans(), st.booleans()),
)
def test_equals_the_reference_for_any_choice(lengths, grid, channels, kernels, choices, loss):
    config = network_config(
        channels=channels, input_kernels=[kernels], hidden_kernels=[kernels], **choices, **SMALL
    )
    cubes, mask = random_clips(lengths, grid)
    assert_equals_reference(config, cubes, mask, *loss, grid=grid)


def test_gradcheck():
    network = network_in_double(network_config(projection=2, channels=[2], **SMALL), grid=2)
    cubes, mask = random_clips([2, 1], grid=2)

    def embed(cubes, *parameters):
        encoding = torch.func.functional_call(
            network, dict(zip(names, parameters, strict=True)), (cubes, mask)
        )
        return encoding.embedding, encoding.attention, encoding.frame_weights

    names, parameters = zip(*network.named_parameters(), strict=True)
    assert torch.autograd.gradcheck(embed, (cubes.requires_grad_(), *parameters))


@pytest.mark.parametrize("temporal_pooling", ["attention", "average", "max"])
@pytest.mark.parametrize("filling", [0.0, 1e4, float("nan")])
def test_padding_has_no_influence_on_anything(temporal_pooling, filling):
    config = network_config(
        projection=3, channels=[3, 2], temporal_pooling=temporal_pooling, **SMALL
    )
    cubes, _ = random_clips([5, 5, 5])
    # padding at the end, at the beginning, and in the middle
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 0, 1, 0, 1]]).bool()

    def outcome(cubes):
        network = network_in_double(config)
        encoding = network.encode(cubes, mask)
        logits = network.pairwise_logits(encoding.embedding, encoding.embedding)[[0, 1], [1, 2]]
        same = torch.tensor([True, False])
        PairLoss(1.0)(logits, same, encoding.attention, mask).loss.backward()
        return [*encoding, *(parameter.grad for parameter in network.parameters())]

    changed = torch.where(mask[:, :, None, None, None], cubes, filling)
    for before, after in zip(outcome(cubes), outcome(changed), strict=True):
        assert torch.equal(before, after)


def test_a_padded_clip_is_encoded_like_the_clip_itself():
    network = network_in_double(network_config(projection=3, channels=[3], **SMALL))
    cubes, mask = random_clips([5, 2])
    batch = network.encode(cubes, mask)
    alone = network.encode(cubes[1:, :2])
    torch.testing.assert_close(batch.embedding[1:], alone.embedding, rtol=0, atol=1e-12)
    torch.testing.assert_close(batch.attention[1:, :2], alone.attention, rtol=0, atol=1e-12)


def test_attention_and_frame_weights_are_distributions():
    network = network_in_double(network_config(projection=3, channels=[3], **SMALL))
    cubes, mask = random_clips([4, 2])
    encoding = network.encode(cubes, mask)
    torch.testing.assert_close(encoding.attention.sum((2, 3)), mask.double())
    torch.testing.assert_close(encoding.frame_weights.sum(1), torch.ones(2).double())
    torch.testing.assert_close(encoding.embedding.norm(dim=1), torch.ones(2).double())


def test_uniform_attention_that_is_rescaled_changes_nothing():
    cubes, _ = random_clips([3])
    muted = network_in_double(network_config(projection=3, channels=[3], attention="muted"))
    plain = network_in_double(
        network_config(projection=3, channels=[3], attention="muted", attention_rescale=False)
    )
    plain.load_state_dict(muted.state_dict())
    plain.glimpse.scale = 9.0
    assert torch.equal(muted.encode(cubes).embedding, plain.encode(cubes).embedding)


def test_dropout_acts_in_training_alone():
    network = build_network(network_config(projection=3, channels=[8], dropout=0.5), D, K)
    cubes = torch.rand(1, 2, K, K, D)
    assert not torch.equal(network.encode(cubes).embedding, network.encode(cubes).embedding)
    network.eval()
    assert torch.equal(network.encode(cubes).embedding, network.encode(cubes).embedding)


def test_paper_preset_has_the_sizes_of_the_paper():
    with torch.device("meta"):
        network = build_network(network_config("paper"), 1024, 7)
    assert network.embedding_size == 49 * 256 == 12_544
    shapes = [tuple(layer.input_weight.shape) for layer in network.gru.layers]
    assert shapes == [(384, 1024, 3, 3), (768, 128, 5, 5), (768, 256, 5, 5)]
    assert {tuple(layer.gate_weight.shape[2:]) for layer in network.gru.layers} == {(5, 5)}


def test_rebuilt_from_its_dump_it_is_the_same():
    config = network_config(projection=3, channels=[4, 2])
    network = build_network(config, D, K)
    network.calibrate(torch.rand(30, K, K, D))
    again = build_network(NetworkConfig(**config.model_dump(mode="json")), D, K)
    assert not again.calibrated
    again.load_state_dict(network.state_dict())
    assert again.calibrated
    cubes = torch.rand(2, 3, K, K, D)
    assert torch.equal(network.encode(cubes).embedding, again.encode(cubes).embedding)


def test_building_depends_on_the_seed_alone_and_leaves_the_random_state():
    state = torch.get_rng_state()
    first, same, other = (
        build_network(network_config(projection=3, seed=seed), D, K) for seed in (1, 1, 2)
    )
    assert torch.equal(state, torch.get_rng_state())
    for a, b in zip(first.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.input.weight, other.input.weight)


def test_float16_cubes_are_taken():
    network = build_network(network_config(projection=3, channels=[4]), D, K)
    assert network.encode(torch.rand(2, 3, K, K, D).half()).embedding.dtype == torch.float32


def test_what_does_not_fit_is_named():
    network = build_network(network_config(projection=3, channels=[4]), D, K)
    with pytest.raises(ValueError, match=r"K, K, D = \(3, 3, 4\)"):
        network.encode(torch.rand(2, 3, 7, 7, D))
    with pytest.raises(ValueError, match=r"mask is torch.float32"):
        network.encode(torch.rand(2, 3, K, K, D), torch.ones(2, 3))
    with pytest.raises(ValueError, match="no valid frame"):
        network.encode(torch.rand(2, 3, K, K, D), torch.zeros(2, 3).bool())
    with pytest.raises(ValueError, match="projection: 64 channels asked of cubes that have 4"):
        build_network(network_config(), D, K)
    with pytest.raises(ValueError, match="cubes have 5 channels, the network 4"):
        network.calibrate(torch.rand(3, K, K, 5))
