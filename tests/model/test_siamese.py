import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution
from wherewhen.model.siamese import Readout, build_network
from wherewhen.training.losses.cross_entropy import pair_cross_entropy
from wherewhen.training.losses.penalty import attention_penalty

D, K = 4, 3


def network_in_double(config, grid=(K, K), seed=0):
    """A network whose every parameter and buffer is random, so that none is tested at zero."""
    network = build_network(config, D, grid).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = parameter.data * 0.5 + 0.3 * noise
    if config.standardise != "none":
        network.calibrate(torch.rand(20, *grid, D, generator=generator) * 2 + 1)
    return network.eval()


def random_clips(lengths, grid=(K, K), seed=1):
    """Clips of so many valid frames, with padding wherever chance puts it."""
    generator = torch.Generator().manual_seed(seed)
    frames = max(lengths)
    shape = (len(lengths), frames, *grid, D)
    cubes = torch.randn(shape, generator=generator, dtype=torch.float64)
    mask = torch.zeros(len(lengths), frames, dtype=torch.bool)
    for row, length in zip(mask, lengths, strict=True):
        row[torch.randperm(frames, generator=generator)[:length]] = True
    return cubes, mask


def assert_equal(actual, expected, scale=1.0, what=""):
    """Equal to 1e-12 of the scale of the values, which rounding leaves some hundred times over."""
    largest = (actual - expected).abs().max().item()
    assert largest <= 1e-12 * scale, f"{what} differs by {largest:.2e}, the scale is {scale:.2e}"


def assert_equals_reference(reference, config, cubes, mask, reachable, balanced, execution):
    """Compare outputs, loss and gradients with the plain reference's."""
    network = network_in_double(config, tuple(cubes.shape[2:4]))
    network.execution = execution
    clips = [cube[valid] for cube, valid in zip(cubes, mask, strict=True)]
    pairs = [(0, 1, True), (0, len(clips) - 1, False), (1, 2, False)]
    left, right, same = (torch.tensor(column) for column in zip(*pairs, strict=True))

    encoding = network.encode(cubes, mask)
    logits = network.pairwise_logits(encoding.embedding, encoding.embedding)[left, right]
    torch.testing.assert_close(
        logits, network.logits(encoding.embedding[left], encoding.embedding[right])
    )
    loss = pair_cross_entropy(logits, same, balanced)
    loss = loss + 0.3 * attention_penalty(encoding.attention, mask, reachable)
    loss.backward()

    weights = {
        name: value.detach().clone().requires_grad_(value.is_floating_point())
        for name, value in network.state_dict().items()
    }
    expected = reference.loss(config, weights, clips, pairs, 0.3, reachable, balanced)
    expected.backward()
    for index, clip in enumerate(clips):
        valid = mask[index]
        embedding, attention, alpha = reference.encode(config, weights, clip)
        scale = embedding.abs().max().item()
        assert_equal(encoding.embedding[index], embedding, scale, "embedding")
        assert_equal(encoding.attention[index][valid], attention, what="attention")
        assert not encoding.attention[index][~valid].any()
        assert not encoding.frame_weights[index][~valid].any()
        if config.temporal_pooling != "max":
            assert_equal(encoding.frame_weights[index][valid], alpha, what="frame weights")
    assert_equal(loss, expected, max(1.0, expected.item()), "loss")
    gradients = {name: weights[name].grad for name, _ in network.named_parameters()}
    # what many frames and pairs add up to may cancel: the scale is the whole gradient's
    scale = max(
        gradient.abs().max().item() for gradient in gradients.values() if gradient is not None
    )
    for name, parameter in network.named_parameters():
        if gradients[name] is None:  # nothing of the loss depends on it
            assert parameter.grad is None or not parameter.grad.any(), name
        else:
            assert parameter.grad is not None, name
            assert_equal(parameter.grad, gradients[name], scale, name)


EXECUTIONS = {form: Execution(convolution=form) for form in ("direct", "dft")}

THREE = {"projection": 3, "channels": [2, 2, 4]}
TABLE_II = {
    "9x9-1x1": {"input_kernels": [3, 9, 1], "hidden_kernels": [5, 9, 1]},
    "1x1-9x9": {"input_kernels": [3, 1, 9], "hidden_kernels": [5, 1, 9]},
    "5x5-5x5": {"input_kernels": [3, 5, 5], "hidden_kernels": [5, 5, 5]},
    "1x1": {"input_kernels": [1], "hidden_kernels": [1]},
}

VARIANTS = {
    "modern": NetworkConfig(projection=3, channels=[4]),
    "modern, three layers": NetworkConfig(**THREE),
    "paper": NetworkConfig.from_preset("paper", channels=[2, 3, 4], dropout=0.0),
    "pooled 2x2": NetworkConfig(channels=[2, 3], projection=None, between_layers="max_2x2"),
    "pooled 3x3": NetworkConfig(
        channels=[2, 3], projection=2, between_layers="max_3x3", standardise="none", location="rows"
    ),
    "frozen basis": NetworkConfig(channels=[3], basis=3, projection=2, standardise="centre"),
    "frozen basis alone": NetworkConfig(channels=[3], basis=3, projection=None),
    "flattened": NetworkConfig(
        projection=2, channels=[3, 2], attention_state="flattened", attention_layer=1
    ),
    "conditioned on features": NetworkConfig(
        **THREE, conditioned_on_features=True, attention_temperature=0.5, attention_layer=2
    ),
    "expectation": NetworkConfig(**THREE, glimpse="expectation"),
    "no recurrence": NetworkConfig(**THREE, recurrence="none"),
    "layer norm, residual": NetworkConfig(
        **THREE, normalisation="layer", residual=True, between_layers="max_3x3"
    ),
    "residual, pooled 2x2": NetworkConfig(**THREE, residual=True, between_layers="max_2x2"),
    "cells": NetworkConfig(projection=2, channels=[3, 2], location="cells"),
    "muted": NetworkConfig(projection=2, channels=[3, 2], attention="muted", location="mean"),
    "average": NetworkConfig(
        projection=2, channels=[3], temporal_pooling="average", initial_state="zeros"
    ),
    "max": NetworkConfig(projection=2, channels=[3], temporal_pooling="max", readout="top"),
} | {
    f"kernels {name}": NetworkConfig(projection=2, channels=[2, 2, 2], **kernels)
    for name, kernels in TABLE_II.items()
}


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_plain_reference_in_outputs_and_gradients(reference, variant, execution):
    cubes, mask = random_clips([3, 2, 1], grid=(4, 4) if "2x2" in variant else (K, K))
    eq_9 = variant != "paper"
    config, form = VARIANTS[variant], EXECUTIONS[execution]
    assert_equals_reference(reference, config, cubes, mask, eq_9, eq_9, form)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("variant", ["modern", "paper", "flattened", "pooled 2x2"])
def test_equals_the_plain_reference_on_a_grid_that_is_no_square(reference, variant, execution):
    cubes, mask = random_clips([3, 2, 1], grid=(8, 4))
    form = EXECUTIONS[execution]
    assert_equals_reference(reference, VARIANTS[variant], cubes, mask, True, True, form)


@st.composite
def configurations(draw):
    """Any variant of the network, small."""
    of = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    layers = draw(st.integers(1, 3))
    kernels = [of(1, 3, 9, (1, 3), (5, 1)) for _ in range(layers)]
    between = of("none", "max_3x3", "max_2x2")
    return NetworkConfig(
        channels=[of(2, 4) for _ in range(layers)],
        input_kernels=kernels,
        hidden_kernels=kernels[::-1],
        basis=of(None, 3),
        projection=of(None, 2),
        standardise=of("none", "centre", "scale"),
        gate_bias=of(True, False),
        recurrence=of("gru", "none"),
        between_layers=between,
        normalisation=of("none", "layer"),
        residual=of(True, False),
        initial_state=of("learned", "zeros"),
        attention=of("learned", "muted"),
        attention_layer=of(None, *range(1, layers + 1)),
        attention_state=of("mean", "flattened"),
        conditioned_on_features=of(True, False),
        attention_temperature=of(0.5, 1.0, 3.0),
        # an expectation's grid of 1x1 can't be halved
        glimpse="cube" if between == "max_2x2" else of("cube", "expectation"),
        attention_rescale=of(True, False),
        temporal_pooling=of("attention", "average", "max"),
        readout=of("top", "concatenated", "with_input"),
        location=of("cells", "rows", "mean"),
        normalise=of(True, False),
        similarity=of("cosine", "weighted"),
    )


@settings(deadline=None, max_examples=20)
@given(
    config=configurations(),
    lengths=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 2**16),
    loss=st.tuples(st.booleans(), st.booleans()),
    execution=st.sampled_from(sorted(EXECUTIONS)),
)
def test_equals_the_reference_for_any_choice(
    reference, config, lengths, grid, seed, loss, execution
):
    if config.between_layers == "max_2x2":  # three layers halve it twice
        grid = tuple(max(4, side) for side in grid)
    cubes, mask = random_clips(lengths, grid, seed)
    assert_equals_reference(reference, config, cubes, mask, *loss, EXECUTIONS[execution])


def test_gradcheck():
    network = network_in_double(NetworkConfig(projection=2, channels=[2]), grid=(3, 2))
    cubes, mask = random_clips([2, 1], grid=(3, 2))

    def embed(cubes, *parameters):
        encoding = torch.func.functional_call(
            network, dict(zip(names, parameters, strict=True)), (cubes, mask)
        )
        return encoding.embedding, encoding.attention, encoding.frame_weights

    names, parameters = zip(*network.named_parameters(), strict=True)
    assert torch.autograd.gradcheck(embed, (cubes.requires_grad_(), *parameters))


@pytest.mark.parametrize("location", ["cells", "rows", "mean"])
def test_gradcheck_of_the_readout(passes_gradcheck, location):
    class OfTwoLayers(Readout):
        def forward(self, first, second):
            return super().forward([first, second])

    readout = OfTwoLayers([2, 1], [(2, 3), (1, 1)], location, normalise=True)
    assert passes_gradcheck(readout, torch.randn(2, 2, 2, 3), torch.randn(2, 1, 1, 1))


@pytest.mark.parametrize(
    "choices",
    [
        {"temporal_pooling": "attention"},
        {"temporal_pooling": "average"},
        {"temporal_pooling": "max"},
        {"conditioned_on_features": True, "normalisation": "layer", "residual": True},
        {"conditioned_on_features": True, "glimpse": "expectation", "standardise": "none"},
        {"recurrence": "none", "initial_state": "zeros", "normalisation": "layer"},
    ],
    ids=lambda choices: ", ".join(f"{name}={value}" for name, value in choices.items()),
)
@pytest.mark.parametrize("filling", [0.0, 1e4, float("nan")])
def test_padding_has_no_influence_on_anything(choices, filling):
    config = NetworkConfig(**{"projection": 3, "channels": [3, 2], **choices})
    cubes, _ = random_clips([5, 5, 5])
    # padding at the end, at the beginning, and in the middle
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 0, 1, 0, 1]]).bool()

    def outcome(cubes):
        network = network_in_double(config)
        encoding = network.encode(cubes, mask)
        logits = network.pairwise_logits(encoding.embedding, encoding.embedding)[[0, 1], [1, 2]]
        same = torch.tensor([True, False])
        loss = pair_cross_entropy(logits, same, balanced=True)
        (loss + attention_penalty(encoding.attention, mask, reachable=True)).backward()
        return [*encoding, *(parameter.grad for parameter in network.parameters())]

    changed = torch.where(mask[:, :, None, None, None], cubes, filling)
    for before, after in zip(outcome(cubes), outcome(changed), strict=True):
        assert torch.equal(before, after)


def test_a_padded_clip_is_encoded_like_the_clip_itself():
    network = network_in_double(NetworkConfig(projection=3, channels=[3]))
    cubes, mask = random_clips([5, 2])
    batch = network.encode(cubes, mask)
    alone = network.encode(cubes[1:, mask[1]])
    assert_equal(batch.embedding[1:], alone.embedding)
    assert_equal(batch.attention[1:, mask[1]], alone.attention)
    frames, of_the_clip = (
        network.frame_states(cubes, mask),
        network.frame_states(cubes[1:, mask[1]]),
    )
    assert_equal(frames[1:, mask[1]], of_the_clip)
    assert not frames[~mask].any()


@pytest.mark.parametrize("projection", [None, 2])
def test_reduced_cubes_are_encoded_as_the_cubes_that_they_were(projection):
    network = network_in_double(NetworkConfig(basis=3, projection=projection, channels=[3]))
    cubes, mask = random_clips([4, 2])
    whole = network.encode(cubes, mask)
    reduced = network.encode_reduced(network.input.reduce(cubes), mask)
    for one, other in zip(whole, reduced, strict=True):
        assert_equal(one, other)
    with pytest.raises(ValueError, match=r"H, W, D = \(3, 3, 4\)"):
        network.encode(network.input.reduce(cubes))
    with pytest.raises(ValueError, match=r"H, W, D = \(3, 3, 3\)"):
        network.encode_reduced(cubes)


def test_without_a_basis_reduced_cubes_are_the_cubes():
    network = network_in_double(NetworkConfig(projection=2, channels=[3]))
    cubes, mask = random_clips([4, 2])
    assert network.input.reduce(cubes) is cubes
    one, other = network.encode(cubes, mask), network.encode_reduced(cubes, mask)
    assert torch.equal(one.embedding, other.embedding)


@pytest.mark.parametrize("location", ["cells", "rows", "mean"])
def test_frame_states_averaged_are_what_average_pooling_reads_out(location):
    network = network_in_double(
        NetworkConfig(**THREE, temporal_pooling="average", normalise=False, location=location)
    )
    cubes, mask = random_clips([4, 2])
    frames = network.frame_states(cubes, mask)
    assert frames.shape == (2, 4, network.embedding_size)
    average = frames.sum(1) / mask.sum(1, keepdim=True)
    assert_equal(average, network.encode(cubes, mask).embedding)


def test_without_recurrence_the_order_of_the_frames_is_of_no_account():
    order = [2, 0, 3, 1]
    cubes, _ = random_clips([4])
    for recurrence in ("none", "gru"):
        network = network_in_double(NetworkConfig(**THREE, recurrence=recurrence))
        ordered, shuffled = (
            network.encode(frames).embedding for frames in (cubes, cubes[:, order])
        )
        assert torch.allclose(ordered, shuffled, atol=1e-12, rtol=0) == (recurrence == "none")


def test_a_network_of_centred_5x5_kernels_starts_as_that_of_1x1_kernels():
    cubes = torch.rand(2, 3, K, K, D)
    large, small = (
        build_network(
            NetworkConfig(**THREE, input_kernels=k, hidden_kernels=k, initialisation=i), D, K
        )
        for k, i in ((5, "centred"), (1, "xavier_orthogonal"))
    )
    torch.testing.assert_close(large.encode(cubes).embedding, small.encode(cubes).embedding)


def test_the_same_weights_with_and_without_recurrence():
    gru, none = (
        build_network(NetworkConfig(**THREE, recurrence=recurrence), D, K).state_dict()
        for recurrence in ("gru", "none")
    )
    assert list(gru) == list(none)
    assert all(torch.equal(gru[name], none[name]) for name in gru)


def test_attention_and_frame_weights_are_distributions():
    network = network_in_double(NetworkConfig(projection=3, channels=[3]))
    cubes, mask = random_clips([4, 2])
    encoding = network.encode(cubes, mask)
    torch.testing.assert_close(encoding.attention.sum((2, 3)), mask.double())
    torch.testing.assert_close(encoding.frame_weights.sum(1), torch.ones(2).double())
    torch.testing.assert_close(encoding.embedding.norm(dim=1), torch.ones(2).double())


def test_uniform_attention_that_is_rescaled_changes_nothing():
    cubes, _ = random_clips([3])
    muted = network_in_double(NetworkConfig(projection=3, channels=[3], attention="muted"))
    plain = network_in_double(
        NetworkConfig(projection=3, channels=[3], attention="muted", attention_rescale=False)
    )
    plain.load_state_dict(muted.state_dict())
    plain.glimpse.scale = 9.0
    assert torch.equal(muted.encode(cubes).embedding, plain.encode(cubes).embedding)


def test_dropout_acts_in_training_alone():
    network = build_network(NetworkConfig(projection=3, channels=[8], dropout=0.5), D, K)
    cubes = torch.rand(1, 2, K, K, D)
    assert not torch.equal(network.encode(cubes).embedding, network.encode(cubes).embedding)
    network.eval()
    assert torch.equal(network.encode(cubes).embedding, network.encode(cubes).embedding)


def test_paper_preset_has_the_sizes_of_the_paper():
    with torch.device("meta"):
        network = build_network(NetworkConfig.from_preset("paper"), 1024, 7)
    assert network.embedding_size == 49 * 256 == 12_544
    shapes = [tuple(layer.input_weight.shape) for layer in network.gru.layers]
    assert shapes == [(384, 1024, 3, 3), (768, 128, 5, 5), (768, 256, 5, 5)]
    assert {tuple(layer.gate_weight.shape[2:]) for layer in network.gru.layers} == {(5, 5)}


def test_rebuilt_from_its_dump_it_is_the_same():
    config = NetworkConfig(projection=3, channels=[4, 2])
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
        build_network(NetworkConfig(projection=3, seed=seed), D, K) for seed in (1, 1, 2)
    )
    assert torch.equal(state, torch.get_rng_state())
    for a, b in zip(first.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.input.weight, other.input.weight)


def test_float16_cubes_are_taken():
    network = build_network(NetworkConfig(projection=3, channels=[4]), D, K)
    assert network.encode(torch.rand(2, 3, K, K, D).half()).embedding.dtype == torch.float32


@pytest.mark.parametrize(
    ("cubes", "mask", "message"),
    [
        ((2, 3, 7, 7, D), None, r"H, W, D = \(3, 3, 4\)"),
        ((2, 3, K, K, D), torch.ones(2, 3), r"mask is torch.float32"),
        ((2, 3, K, K, D), torch.zeros(2, 3).bool(), "no valid frame"),
    ],
)
def test_clips_that_do_not_fit_are_named(cubes, mask, message):
    network = build_network(NetworkConfig(projection=3, channels=[4]), D, K)
    with pytest.raises(ValueError, match=message):
        network.encode(torch.rand(cubes), mask)


def test_a_grid_on_its_side_is_named():
    network = build_network(NetworkConfig(projection=3, channels=[4]), D, (8, 4))
    assert network.grid == (8, 4)
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 8, 4\), expected .* H, W, D = \(8, 4, 4\)"):
        network.encode(torch.rand(2, 3, 4, 8, D))


def test_channels_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="projection: 64 channels asked of cubes that have 4"):
        build_network(NetworkConfig(), D, K)
    with pytest.raises(ValueError, match="basis: 9 channels asked of cubes that have 4"):
        build_network(NetworkConfig(basis=9, projection=3), D, K)
    network = build_network(NetworkConfig(projection=3, channels=[4]), D, K)
    with pytest.raises(ValueError, match="cubes have 5 channels, the network 4"):
        network.calibrate(torch.rand(3, K, K, 5))
