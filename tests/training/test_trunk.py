"""Training of a network and of the layers of a backbone under it."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from side_by_side import side_by_side

from wherewhen.features.backbones import build_trunk
from wherewhen.features.weights import WeightsSource
from wherewhen.model.config import NetworkConfig
from wherewhen.model.files import read_network, write_network
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import calibrate, train
from wherewhen.training.optimisation import Optimiser
from wherewhen.training.run import Run

QUICK = {
    "frames": 2,
    "persons_per_batch": 2,
    "steps": 4,
    "checkpoint_every": 1,
    "checkpoint_seconds": 0,
    "validation_fraction": 0.0,
    "threads": 1,
}
CONFIG = NetworkConfig(channels=[4], projection=4, standardise="centre")


def trunk_of(trained="last:1", name="timm:test_resnet"):
    return build_trunk(name, WeightsSource(source="random", seed=1), trained)


@pytest.fixture(scope="module")
def footage():
    """Noise around its person, in cubes of all stages of the backbone but the last."""
    generator, cubes, rows = np.random.default_rng(0), {}, []
    shape = trunk_of().takes
    for person in "pqrs":
        who = generator.random(shape[-1])
        for camera in "ab":
            tracklet = f"cam_{camera}/{person}"
            cubes[tracklet] = (who + generator.random((3, *shape))).astype(np.float16)
            rows.append((tracklet, person, camera))
    return ArrayCubes(cubes), pd.DataFrame(rows, columns=["tracklet", "person", "camera"])


def network_on(trunk, config=CONFIG):
    *grid, channels = trunk.gives
    return build_network(config, channels, tuple(grid), trunk)


def trained(footage, folder, log=None, trunk=None, **config):
    network = network_on(trunk or trunk_of())
    cubes, tracklets = footage
    options = TrainingConfig(**(QUICK | config))
    train(network, cubes, tracklets, None, options, folder, log, progress=False)
    return network


def differing(one, other):
    states = one.state_dict(), other.state_dict()
    return {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}


def test_layers_of_the_backbone_learn_and_statistics_stay(footage, tmp_path):
    before, network = trunk_of(), trained(footage, tmp_path)
    changed = differing(before, network.trunk)
    assert changed == {name for name, _ in before.named_parameters()}


def test_statistics_learn_if_they_are_to(footage, tmp_path):
    network = trained(footage, tmp_path, batch_statistics=True)
    assert any(name.endswith("running_mean") for name in differing(trunk_of(), network.trunk))


def test_only_norms_learn_if_only_they_are_to():
    network = network_on(trunk_of("norms"))
    learning = {id(each) for each in Optimiser(network, TrainingConfig()).parameters}
    inside = {name for name, each in network.trunk.named_parameters() if id(each) in learning}
    parts = {network.trunk.get_submodule(name.rpartition(".")[0]) for name in inside}
    assert parts
    assert all(isinstance(part, torch.nn.BatchNorm2d) for part in parts)


def test_a_rate_of_its_own(footage, tmp_path):
    network = trained(footage, tmp_path, learning_rate_factors={"trunk": 0.0})
    assert not differing(trunk_of(), network.trunk)


class Killed(Exception):
    pass


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_a_killed_run_goes_on_to_the_same_weights(footage, tmp_path, batch_statistics):
    def kill(row):
        if row["step"] == 3:
            raise Killed

    options = {"batch_statistics": batch_statistics}
    whole = trained(footage, tmp_path / "whole", **options)
    with pytest.raises(Killed):
        trained(footage, tmp_path / "killed", kill, **options)
    assert not differing(whole, trained(footage, tmp_path / "killed", **options))


def test_activations_that_are_computed_again_change_nothing(footage, tmp_path):
    kept = trained(footage, tmp_path / "kept")
    assert not differing(kept, trained(footage, tmp_path / "again", recompute=True))


def test_micro_batches_give_the_gradient_of_the_whole(footage, tmp_path):
    options = {"steps": 1, "optimiser": "adamw", "learning_rate": 1e-3}
    whole = trained(footage, tmp_path / "whole", **options)
    parts = trained(footage, tmp_path / "parts", micro_batch=1, **options)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, parts.state_dict()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("recompute", [False, True])
def test_processes_give_the_gradient_of_the_whole(footage, tmp_path, recompute):
    options = {"steps": 1, "optimiser": "adamw", "learning_rate": 1e-3, "recompute": recompute}
    whole = trained(footage, tmp_path, **options)
    cubes, tracklets = footage
    networks = [network_on(trunk_of()) for _ in range(2)]
    for network in networks:
        calibrate(network, cubes, list(tracklets.tracklet))

    def follow(group):
        config = TrainingConfig(**(QUICK | options), processes=2)
        device = torch.device("cpu")
        Run(networks[group.rank], cubes, tracklets, config, device, group=group).follow(cubes)

    side_by_side(2, follow)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(networks[0].state_dict()[name], value, rtol=1e-3, atol=1e-4)
    assert not differing(*networks)


@pytest.mark.parametrize("part", ["last:1", "norms"])
def test_a_network_with_a_trunk_can_be_sent_to_a_process(part):
    network = network_on(trunk_of(part))
    again = pickle.loads(pickle.dumps(network))
    cubes = torch.rand(2, 3, *network.takes)
    with torch.no_grad():
        sent = [each.eval().encode(cubes).embedding for each in (network, again)]
    assert torch.equal(*sent)


@pytest.mark.parametrize("other", [{"micro_batch": 2}, {"processes": 2}, {"recompute": True}])
def test_statistics_of_a_part_of_the_batch_are_refused(other):
    with pytest.raises(ValueError, match="those of the whole batch, seen once"):
        TrainingConfig(batch_statistics=True, **other)


def test_a_basis_of_cubes_that_change_is_refused():
    config = CONFIG.model_copy(update={"basis": 8})
    with pytest.raises(ValueError, match="basis: 8 components of cubes that change in training"):
        network_on(trunk_of(), config)


def test_padded_frames_have_no_influence():
    network = network_on(trunk_of()).eval()
    cubes = torch.rand(2, 3, *network.takes)
    network.calibrate(cubes)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    cubes[1, 2] = torch.nan
    with torch.no_grad():
        padded, alone = network.encode(cubes, mask), network.encode(cubes[1:, :2])
    torch.testing.assert_close(padded.embedding[1], alone.embedding[0])


@pytest.mark.parametrize("part", ["last:1", "norms"])
def test_the_file_of_a_network_has_its_trunk(footage, tmp_path, part):
    network = network_on(trunk_of(part))
    cubes = 200 * torch.rand(1, 2, *network.takes)
    network.calibrate(cubes)
    write_network(network, tmp_path / "n.safetensors")
    again = read_network(tmp_path / "n.safetensors").eval()
    assert not differing(network, again)
    assert again.trunk.spec == network.trunk.spec
    assert again.takes == network.takes
    with torch.no_grad():
        assert torch.equal(network.eval().encode(cubes).embedding, again.encode(cubes).embedding)


def test_cubes_of_another_part_are_refused():
    network = network_on(trunk_of())
    with pytest.raises(ValueError, match="the network was built for another backbone"):
        network.encode(torch.zeros(1, 2, *network.grid, network.channels))
