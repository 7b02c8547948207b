"""What all heads have in common, by name."""

from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from wherewhen.model.ablations import with_averaged_frames, with_muted_attention
from wherewhen.model.config import NetworkConfig
from wherewhen.model.encode import encode_frames, encode_tracklets
from wherewhen.model.files import read_network, write_network
from wherewhen.model.heads import HEADS
from wherewhen.model.siamese import build_network
from wherewhen.model.trace import trace
from wherewhen.tracklets.cubes import ArrayCubes

D, GRID = 6, (3, 2)


def build(head, **changes):
    """A network whose every weight is random, so that none is tested at its start."""
    config = NetworkConfig(**({"head": head, "projection": 4, "channels": [4]} | changes))
    network = build_network(config, D, GRID)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    network.calibrate(torch.rand(20, *GRID, D, generator=generator))
    return network.double().eval()


def clips(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 6, *GRID, D, generator=generator, dtype=torch.float64)


MASK = torch.tensor([[0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]]).bool()


@pytest.fixture(params=sorted(HEADS))
def head(request):
    return request.param


def test_every_head_has_a_name_in_the_configuration():
    assert list(get_args(NetworkConfig.model_fields["head"].annotation)) == list(HEADS)
    for head in HEADS:
        assert build(head).config.head == head


@pytest.mark.parametrize("location", ["cells", "rows", "mean"])
def test_padded_frames_have_no_influence(head, location):
    network, cubes = build(head, location=location), clips()
    alone = [network.encode(cubes[i : i + 1][:, valid]) for i, valid in enumerate(MASK)]
    states = [network.frame_states(cubes[i : i + 1][:, valid]) for i, valid in enumerate(MASK)]
    cubes = cubes.masked_fill(~MASK[:, :, None, None, None], torch.nan).requires_grad_()
    encoding = network.encode(cubes, MASK)
    assert encoding.embedding.shape == (3, network.embedding_size)
    assert encoding.attention.shape == (3, 6, *GRID)
    for index, (valid, expected) in enumerate(zip(MASK, alone, strict=True)):
        torch.testing.assert_close(encoding.embedding[index], expected.embedding[0])
        torch.testing.assert_close(encoding.attention[index][valid], expected.attention[0])
        torch.testing.assert_close(encoding.frame_weights[index][valid], expected.frame_weights[0])
        assert not encoding.attention[index][~valid].any()
        assert not encoding.frame_weights[index][~valid].any()
        torch.testing.assert_close(
            network.frame_states(cubes, MASK)[index][valid], states[index][0]
        )
    encoding.embedding.square().sum().backward()
    network.pairwise_logits(encoding.embedding.detach(), encoding.embedding.detach()).sum()
    assert torch.isfinite(cubes.grad[MASK]).all()
    assert not cubes.grad[~MASK].any()


def test_weights_sum_to_one(head):
    encoding = build(head).encode(clips(), MASK)
    torch.testing.assert_close(encoding.frame_weights.sum(1), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(encoding.attention.sum((2, 3)), MASK.double())


def test_gradients_are_those_of_finite_differences(head):
    network = build(head, dropout=0.0, normalise=False)
    parameters = dict(network.named_parameters())
    if head == "transformer":  # a fast path of evaluation has no gradients
        network.train()

    def logits(cubes, *values):
        tensors = dict(zip(parameters, values, strict=True))
        embedding = torch.func.functional_call(network, tensors, (cubes, MASK)).embedding
        return embedding

    small = [p.detach().requires_grad_() for p in parameters.values()]
    if head == "temporal_attention":  # many entries alike: a part of them stands for all
        network.temporal_pooling.over_space.weight.requires_grad_(False)
    assert torch.autograd.gradcheck(logits, (clips().requires_grad_(), *small), fast_mode=True)


def test_a_file_brings_it_back(head, tmp_path):
    network = build(head).float()
    write_network(network, tmp_path / "network.safetensors")
    again = read_network(tmp_path / "network.safetensors")
    assert again.config == network.config
    cubes = clips().float()
    found, expected = again.eval().encode(cubes, MASK), network.encode(cubes, MASK)
    assert all(map(torch.equal, found, expected))


def test_tracklets_are_embedded(head):
    network = build(head).float()
    reader = ArrayCubes({"a": clips()[0].half().numpy(), "b": clips()[1, :2].half().numpy()})
    windows = [reader.whole("a"), reader.whole("b")]
    encodings = encode_tracklets(network, reader, windows, attention=True, progress=False)
    assert encodings.embeddings.shape == (2, network.embedding_size)
    assert [len(weights) for weights in encodings.frame_weights] == [6, 2]
    assert [len(s) for s in encode_frames(network, reader, windows, progress=False)] == [6, 2]


def test_parts_are_taken_out_where_there_are_any(head):
    network, cubes = build(head), clips()
    weights = with_averaged_frames(network).encode(cubes, MASK).frame_weights
    torch.testing.assert_close(weights, MASK / MASK.sum(1, keepdim=True).double())
    attention = with_muted_attention(network).encode(cubes, MASK).attention
    torch.testing.assert_close(attention, (MASK[:, :, None, None] / 6).double().expand(3, 6, *GRID))


def test_gates_of_a_head_without_any_are_refused():
    with pytest.raises(TypeError, match="head average has no gates; expected siamese_attention"):
        trace(build("average"), clips())


@pytest.mark.parametrize("name", ["transformer_layers", "transformer_heads"])
def test_settings_of_the_transformer_belong_to_it(name):
    with pytest.raises(ValidationError, match=f"{name} has no effect without head: transformer"):
        NetworkConfig(head="average", **{name: 2})
    assert getattr(NetworkConfig(head="transformer", **{name: 2}), name) == 2


def test_a_file_of_the_papers_network_names_no_head(tmp_path):
    """Files stay as earlier versions wrote them, and can read them."""
    from wherewhen.model.files import read_network_header

    config = NetworkConfig(projection=4, channels=[4])
    write_network(build_network(config, D, GRID), tmp_path / "network.safetensors")
    header = read_network_header(tmp_path / "network.safetensors")
    assert not {"head", "transformer_layers", "transformer_heads", "neck"} & header["config"].keys()
    assert header["config"]["channels"] == [4]
