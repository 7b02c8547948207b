"""BNNeck against its formula, with statistics written out."""

import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.files import read_network, write_network
from wherewhen.model.neck import BatchNormNeck
from wherewhen.model.siamese import build_network


def test_training_uses_the_batch_and_testing_what_training_saw():
    neck = BatchNormNeck(3, normalise=False).double()
    with torch.no_grad():
        neck.norm.weight.copy_(torch.tensor([1.0, 2.0, 0.5]))
    batches = torch.randn(2, 8, 3, dtype=torch.float64) * 3 + 1
    mean, variance = torch.zeros(3), torch.ones(3)
    for batch in batches:
        centred = batch - batch.mean(0)
        expected = centred / (centred.square().mean(0) + 1e-5).sqrt() * neck.norm.weight
        torch.testing.assert_close(neck(batch), expected)
        mean = 0.9 * mean + 0.1 * batch.mean(0)
        variance = 0.9 * variance + 0.1 * batch.var(0)
    neck.eval()
    expected = (batches[0] - mean) / (variance + 1e-5).sqrt() * neck.norm.weight
    torch.testing.assert_close(neck(batches[0]), expected)
    assert [name for name, _ in neck.named_parameters()] == ["norm.weight"]  # no shift


@pytest.fixture
def network():
    config = NetworkConfig(projection=3, channels=[4], neck="batch_norm", standardise="none")
    network = build_network(config, channels=5, grid=2)
    network.neck.norm.running_mean.uniform_(-1, 1)
    network.neck.norm.running_var.uniform_(0.5, 2)
    return network.eval()


def test_it_comes_after_the_readout_and_before_the_length(network):
    cubes = torch.randn(3, 4, 2, 2, 5)
    before = network.encode_reduced(cubes).embedding
    assert (before.norm(dim=1) - 1).abs().min() > 0.01
    norm = network.neck.norm
    expected = (before - norm.running_mean) / (norm.running_var + 1e-5).sqrt()
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(network.encode(cubes).embedding, expected)


def test_a_single_frame_is_its_own_clip(network):
    cube = torch.randn(1, 1, 2, 2, 5)
    torch.testing.assert_close(network.frame_states(cube)[:, 0], network.encode(cube).embedding)


def test_a_file_brings_it_back(network, tmp_path):
    network.input.calibrated.fill_(True)
    write_network(network, tmp_path / "network.safetensors")
    again = read_network(tmp_path / "network.safetensors").eval()
    cubes = torch.randn(3, 4, 2, 2, 5)
    assert torch.equal(again.encode(cubes).embedding, network.encode(cubes).embedding)
