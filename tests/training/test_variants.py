"""Augmented variants of the cubes are drawn for every clip, and kept out of the rest."""

import numpy as np
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import train

D, K = 8, 3
QUICK = {
    "frames": 4,
    "persons_per_batch": 3,
    "checkpoint_every": 2,
    "checkpoint_seconds": 0,
    "validate_every": 1,
}


class TwoVariants(ArrayCubes):
    """Toy cubes, and beside them ones that are shifted; it notes what is read."""

    stored = True

    def __init__(self, cubes):
        plain = {name: cubes.read(cubes.whole(name)) for name in cubes.lengths}
        super().__init__({name: np.stack([array, array + 1]) for name, array in plain.items()})
        self.asked = []

    def is_stored(self, tracklet):
        return self.stored

    def _fill(self, window, out):
        self.asked.append((window.tracklet, window.variant))
        super()._fill(window, out)


@pytest.fixture
def data(toy):
    cubes, tracklets = toy(8)
    training = tracklets[tracklets["person"] < "p0006"]
    return TwoVariants(cubes), training, tracklets.drop(training.index)


def trained(data, folder, steps=4, log=None, **options):
    cubes, training, validation = data
    network = build_network(NetworkConfig(channels=[4], projection=4), D, K)
    config = TrainingConfig(**QUICK, steps=steps, **options)
    train(network, cubes, training, validation, config, folder, log, progress=False)
    return network.state_dict()


@pytest.mark.parametrize("gigabytes", [0.0, 1.0], ids=["from the store", "from memory"])
def test_training_clips_come_in_variants_and_validation_plain(data, tmp_path, gigabytes):
    trained(data, tmp_path, preload_gigabytes=gigabytes)
    cubes, training, _ = data
    learners = set(training.tracklet)
    assert {variant for name, variant in cubes.asked if name in learners} == {0, 1}
    assert {variant for name, variant in cubes.asked if name not in learners} == {0}


def test_preloaded_or_not_the_same_is_drawn(data, tmp_path):
    one = trained(data, tmp_path / "one", preload_gigabytes=0.0)
    other = trained(data, tmp_path / "other", preload_gigabytes=1.0)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_run_draws_the_same(data, tmp_path):
    class Killed(Exception):
        pass

    def log(row):
        if row["step"] == 3:
            raise Killed

    undisturbed = trained(data, tmp_path / "undisturbed")
    with pytest.raises(Killed):
        trained(data, tmp_path / "killed", log=log)
    again = trained(data, tmp_path / "killed")
    assert all(torch.equal(undisturbed[name], again[name]) for name in again)


def test_clips_that_are_made_when_drawn_give_the_same_network(data, tmp_path):
    cubes, *_ = data
    stored = trained(data, tmp_path / "stored")
    loaded = len(cubes.asked)
    cubes.stored = False
    made = trained(data, tmp_path / "made")
    asked = cubes.asked[loaded:]
    assert max(asked.count(one) for one in set(asked)) > 1  # read again and again, not once
    for name, value in stored.items():
        assert torch.equal(value, made[name]), name
