"""Files of networks: the same network comes back, and what is none is refused with its reason."""

import json
import os
import pickle
import re
import subprocess
import sys
import textwrap

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from wherewhen.model.config import NetworkConfig
from wherewhen.model.files import (
    NetworkFileError,
    read_network,
    read_network_header,
    write_network,
)
from wherewhen.model.siamese import build_network

CHANNELS, GRID = 5, 2


def small(grid=GRID, **overrides):
    """A network whose every weight is random, so that none is tested at its start."""
    config = NetworkConfig(**({"channels": (4,), "projection": 3, "seed": 1} | overrides))
    network = build_network(config, CHANNELS, grid)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    network.calibrate(torch.rand(20, *network.grid, CHANNELS, generator=generator))
    return network.eval()


@pytest.fixture
def network():
    return small()


@pytest.fixture
def path(tmp_path, network):
    """The file of the network."""
    path = tmp_path / "network.safetensors"
    write_network(network, path)
    return path


def header_of(path):
    with safe_open(path, framework="pt") as opened:
        return json.loads(opened.metadata()["network"])


def rewrite(path, network, weights=None, config=(), **changes):
    """Write the network's file with something else in its header or weights."""
    built = header_of(path) | changes
    built["config"] |= dict(config)
    weights = dict(network.state_dict()) if weights is None else weights
    save_file(weights, path, metadata={"network": json.dumps(built)})


class TestRoundTrip:
    @pytest.mark.parametrize(
        "overrides",
        [
            {},
            {"projection": None, "standardise": "none"},
            {"basis": 4, "standardise": "centre"},
            {"similarity": "weighted", "normalise": False, "location": "cells", "readout": "top"},
            {"channels": (4, 6), "input_kernels": (1, 3), "hidden_kernels": (3, 1)},
        ],
    )
    def test_the_same_network_comes_back(self, tmp_path, overrides):
        network, path = small(**overrides), tmp_path / "network.safetensors"
        write_network(network, path)
        again = read_network(path)
        assert again.config == network.config
        assert (again.channels, again.grid) == (CHANNELS, (GRID, GRID))
        assert again.calibrated == network.calibrated
        before = network.state_dict()
        assert list(again.state_dict()) == list(before)
        for name, value in again.state_dict().items():
            assert value.dtype == before[name].dtype
            assert torch.equal(value, before[name]), name
        cubes = torch.randn(2, 3, GRID, GRID, CHANNELS)
        with torch.inference_mode():
            one, other = (each.eval().encode(cubes) for each in (network, again))
        assert torch.equal(one.embedding, other.embedding)
        assert torch.equal(one.attention, other.attention)

    def test_the_header_says_how_it_was_built(self, path, network):
        header = read_network_header(path)
        assert NetworkConfig(**header.pop("config")) == network.config
        assert header == {"channels": CHANNELS, "grid": GRID}

    def test_a_grid_that_is_no_square_comes_back(self, tmp_path):
        network, path = small(grid=(4, 2)), tmp_path / "network.safetensors"
        write_network(network, path)
        assert read_network_header(path)["grid"] == [4, 2]
        again = read_network(path)
        assert again.grid == (4, 2)
        cubes = torch.randn(2, 3, 4, 2, CHANNELS)
        assert torch.equal(again.encode(cubes)[0], network.encode(cubes)[0])

    def test_a_square_may_be_said_with_both_its_sides(self, path, network):
        rewrite(path, network, grid=[GRID, GRID])
        assert read_network(path).grid == (GRID, GRID)

    def test_fields_that_are_fixed_now_may_have_their_value(self, path, network):
        """Networks of versions that had more settings can be read."""
        rewrite(path, network, config={"attention_hidden": 64, "update_bias": 0.0})
        assert read_network(path).config == network.config
        rewrite(path, network, config={"update_bias": -2.0})
        with pytest.raises(NetworkFileError, match="update_bias"):
            read_network(path)

    @pytest.mark.parametrize(("before", "now"), [(True, "scale"), (False, "none")])
    def test_standardisation_was_a_switch(self, tmp_path, before, now):
        network, path = small(standardise=now), tmp_path / "network.safetensors"
        write_network(network, path)
        rewrite(path, network, config={"standardise": before})
        assert read_network(path).config == network.config

    def test_reading_the_header_needs_no_weights(self, path):
        """Of a file whose weights were cut off by another tool, say, it is refused by its size."""
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(NetworkFileError, match="can't be read as a network"):
            read_network_header(path)

    def test_equal_networks_make_equal_files(self, tmp_path):
        for number in range(4):
            write_network(small(), tmp_path / f"{number}.safetensors")
        files = {path.read_bytes() for path in tmp_path.iterdir()}
        assert len(files) == 1
        write_network(small(seed=2), tmp_path / "other.safetensors")
        assert (tmp_path / "other.safetensors").read_bytes() not in files

    def test_another_process_makes_the_same_file(self, tmp_path):
        """Whatever the order of a set is in it, and however many threads it has."""
        code = """
            import sys
            from pathlib import Path
            from wherewhen.model.config import NetworkConfig
            from wherewhen.model.files import write_network
            from wherewhen.model.siamese import build_network

            config = NetworkConfig(channels=[8], projection=3)
            write_network(build_network(config, 5, 2), Path(sys.argv[1]))
        """
        files = set()
        for seed in ("1", "2"):
            path = tmp_path / f"{seed}.safetensors"
            environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
            command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
            subprocess.run(command, env=environment, check=True)
            files.add(path.read_bytes())
        assert len(files) == 1

    def test_writing_replaces_a_file_whole(self, path, network, monkeypatch):
        before = path.read_bytes()

        def full_disk(tensors, partial, metadata):
            partial.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("safetensors.torch.save_file", full_disk)
        with pytest.raises(OSError, match="No space"):
            write_network(network, path)
        assert path.read_bytes() == before
        assert [each.name for each in path.parent.iterdir()] == [path.name]


class TestRefused:
    def refused(self, path, message):
        """Both what reads the header alone and what reads all; each names the file."""
        with pytest.raises(NetworkFileError, match=message) as raised:
            read_network(path)
        assert str(path) in str(raised.value)

    def test_no_file(self, tmp_path):
        path = tmp_path / "network.safetensors"
        for read in (read_network_header, read_network):
            with pytest.raises(
                FileNotFoundError, match=r"network\.safetensors: expected the file of a trained"
            ):
                read(path)

    @pytest.mark.parametrize("kept", [0, 7, 8, 100, -1])
    def test_a_truncated_file(self, path, kept):
        path.write_bytes(path.read_bytes()[:kept])
        self.refused(
            path, "can't be read as a network .* it is damaged, or no file of this project"
        )

    def test_a_longer_file(self, path):
        path.write_bytes(path.read_bytes() + b"\0")
        self.refused(path, "can't be read as a network")

    @pytest.mark.parametrize("dump", [pickle.dump, torch.save])
    def test_a_pickle_is_not_executed(self, path, dump):
        made = path.with_name("executed")
        with path.open("wb") as file:
            dump(_Planted(made), file)
        self.refused(path, "can't be read as a network")
        assert not made.exists()

    def test_weights_of_something_else(self, path):
        save_file({"weight": torch.zeros(2)}, path)
        self.refused(path, r"does not say how its network was built \(no `network` in its header\)")
        save_file({"weight": torch.zeros(2)}, path, metadata={"format": "pt"})
        self.refused(path, "save the network with write_network")

    @pytest.mark.parametrize(
        "header",
        ["", "{", "[" * 100_000, "[]", "{}", "null", '"text"', '{"channels": 5, "grid": 2}'],
    )
    def test_a_header_that_describes_nothing(self, path, network, header):
        save_file(dict(network.state_dict()), path, metadata={"network": header})
        self.refused(path, "can't be read as a network")

    @pytest.mark.parametrize("config", [None, [4], {"chanels": [4]}, {"channels": [0]}])
    def test_a_configuration_that_is_none(self, path, network, config):
        built = header_of(path) | {"config": config}
        save_file(dict(network.state_dict()), path, metadata={"network": json.dumps(built)})
        self.refused(path, "can't be read as a network")

    @pytest.mark.parametrize(
        "value", [0, -1, 5.0, 5.5, "5", True, None, [5], float("inf"), float("nan")]
    )
    def test_sides_that_are_no_whole_numbers(self, path, network, value):
        rewrite(path, network, channels=value)
        self.refused(path, r"channels on a grid of 2 x 2")
        for grid in (value, [2, value], [2, 2, 2]):
            rewrite(path, network, channels=CHANNELS, grid=grid)
            self.refused(path, "expected a height and a width, or one number for both")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"channels": 6}, r"is float32 \[1, 1, 5\], not float32 \[1, 1, 6\]|not float32 \[.*6"),
            ({"grid": [2, 1]}, "attention.perceptron.2.bias is float32 .4., not float32 .2."),
            ({"grid": 3}, "attention.perceptron.2.bias is float32 .4., not float32 .9."),
            ({"config": {"channels": [5]}}, "not float32"),
            ({"config": {"similarity": "weighted"}}, "similarity.* not"),
            ({"config": {"projection": 6}}, "projection: 6 channels asked of cubes that have 5"),
        ],
    )
    def test_weights_of_another_network(self, path, network, changes, message):
        rewrite(path, network, **changes)
        self.refused(path, message)

    def test_weights_that_are_missing_or_too_many(self, path, network):
        weights = dict(network.state_dict())
        name = "gru.layers.0.candidate_weight"
        rewrite(path, network, {key: value for key, value in weights.items() if key != name})
        self.refused(path, re.escape(f"{name} is None, not float32 [4, 4"))
        rewrite(path, network, weights | {"extra": torch.zeros(1)})
        self.refused(path, re.escape("extra is float32 [1], not None"))

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_weights_that_are_no_numbers(self, path, network, value):
        weights = {name: weight.clone() for name, weight in network.state_dict().items()}
        weights["gru.layers.0.candidate_weight"].flatten()[3] = value
        rewrite(path, network, weights)
        self.refused(path, "gru.layers.0.candidate_weight holds values that are no numbers")

    @pytest.mark.parametrize("kind", [torch.float16, torch.float64, torch.int32])
    def test_weights_of_another_type(self, path, network, kind):
        weights = {
            name: value.to(kind) if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        }
        rewrite(path, network, weights)
        self.refused(path, f"is {str(kind).removeprefix('torch.')} .*, not float32")


LARGE = {
    "channels": {"channels": 10**9},
    "channels as JSON's float": {"channels": 1e9},
    "channels, on one cell": {"channels": 10**9, "grid": 1},
    "grid": {"grid": 10**9},
    "width": {"config": {"channels": [10**9]}},
    "more than can be counted": {"config": {"channels": [10**12]}},
    "more than 64 bits": {"config": {"projection": 10**19}},
    "kernel": {"config": {"input_kernels": [[10**9 + 1, 10**9 + 1]]}},
    "seed": {"config": {"seed": 10**30}},
}


@pytest.mark.parametrize("changes", LARGE.values(), ids=LARGE)
@pytest.mark.timeout(20)
def test_what_a_header_asks_for_takes_no_memory(path, network, monkeypatch, changes):
    """Nothing is built where memory is needed: only a network without its weights."""
    rewrite(path, network, **changes)
    built = []

    def build(config, channels, grid):
        built.append(torch.empty(0).device.type)
        return build_network(config, channels, grid)

    monkeypatch.setattr("wherewhen.model.siamese.build_network", build)
    with pytest.raises(NetworkFileError, match=r"network\.safetensors can't be read as a network"):
        read_network(path)
    assert built in ([], ["meta"])


def test_a_large_header_is_refused_in_little_memory(path, network):
    """The most that a process of its own ever has, beside one that reads the sound file."""
    resource = pytest.importorskip("resource")
    assert resource
    code = """
        import resource, sys
        from wherewhen.model.files import NetworkFileError, read_network

        try:
            read_network(sys.argv[1])
            print("read", end=" ")
        except NetworkFileError:
            print("refused", end=" ")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """

    def memory():
        command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        outcome, most = done.stdout.split()
        return outcome, int(most) * (1 if sys.platform == "darwin" else 1024)

    sound, usual = memory()
    rewrite(path, network, channels=10**9, grid=1)
    outcome, most = memory()
    assert (sound, outcome) == ("read", "refused")
    assert most - usual < 100 * 2**20  # a weight for every channel would be 4 GB


class _Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
