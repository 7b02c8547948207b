"""Threads: equal weights on any number of them. Between processes: `training/test_loop.py`."""

import hashlib
import threading

import numpy as np
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.loop import calibrate

PRESETS = {
    "modern": NetworkConfig(channels=[48, 48], projection=64, seed=3),
    "paper": NetworkConfig.from_preset("paper", channels=[32, 48, 48], seed=3),
}
CHANNELS, GRID = 512, 7


@pytest.fixture
def threads():
    """Set how many threads the machine gives torch."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def noise():
    """Make cubes of fifty tracklets of noise, with a spectrum that a PCA can order."""
    generator = np.random.default_rng(0)
    scales = 2.0 / np.arange(1, CHANNELS + 1) ** 0.5
    shape = (4, GRID, GRID, CHANNELS)
    return ArrayCubes(
        {
            f"t{number:02}": (generator.standard_normal(shape) * scales).astype(np.float16)
            for number in range(50)
        }
    )


def digest(network):
    """Name the weights of a network by their bytes."""
    found = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode() + value.numpy().tobytes())
    return found.hexdigest()


def calibrated(preset):
    network = build_network(PRESETS[preset], CHANNELS, GRID)
    cubes = noise()
    calibrate(network, cubes, list(cubes.lengths), 200)
    return network


def test_the_number_holds_inside_and_is_restored(threads):
    for before in (1, 3):
        threads(before)
        with torch_threads(2):
            assert torch.get_num_threads() == 2
            with torch_threads(1):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == before


def test_the_number_is_restored_after_a_fault(threads):
    threads(3)
    with pytest.raises(KeyError), torch_threads(1):
        raise KeyError
    assert torch.get_num_threads() == 3


def test_the_number_holds_in_threads_that_start_inside(threads):
    threads(3)
    found = []
    with torch_threads(2):
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    assert found == [2]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_network_is_built_alike_on_any_number(threads, preset):
    built = set()
    for count in (1, 2, 3):
        threads(count)
        built.add(digest(build_network(PRESETS[preset], CHANNELS, GRID)))
        assert torch.get_num_threads() == count
    assert len(built) == 1


def test_a_network_is_calibrated_alike_on_any_number(threads):
    made = set()
    for count in (1, 2, 3):
        threads(count)
        made.add(digest(calibrated("modern")))
        assert torch.get_num_threads() == count
    assert len(made) == 1


def test_sums_would_differ_without_the_rule(threads):
    """What the tests above would miss if no operation here depended on the number of threads."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(1_000_003, generator=generator)
    sums = set()
    for count in (1, 2, 3):
        threads(count)
        sums.add(values.sum().item())
    if len(sums) == 1:
        pytest.skip("this build of torch adds in the same order on one to three threads")
    alike = set()
    for count in (1, 2, 3):
        threads(count)
        with torch_threads(1):
            alike.add(values.sum().item())
    assert len(alike) == 1
