"""Checkpoints: writing and reading them, beside ``torch.save`` and ``torch.load``.

    uv run python benchmarks/checkpoints.py --json FILE           the demonstration's network
    uv run python benchmarks/checkpoints.py --paper               the paper's: 270 MB

A checkpoint has the weights, the optimiser's state, random numbers and 120 rows of history. Both
kinds are written to the disk (fsync) under a temporary name and then renamed; the pickle is read
with ``weights_only``. ``ratio`` is against torch's way, for writing and for reading; the calls run
interleaved in one process.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import _record
import numpy as np
import torch

from wherewhen.atomic import replacing
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import SiameseNetwork, build_network
from wherewhen.training.checkpoints import Checkpoints
from wherewhen.training.config import TrainingConfig
from wherewhen.training.optimisation import Optimiser

ROWS = 120


def network_and_config(paper: bool) -> tuple[SiameseNetwork, TrainingConfig]:
    """Build a network for cubes of 7 x 7, and say how it is trained."""
    if paper:
        return build_network(
            NetworkConfig.from_preset("paper"), 1024, 7
        ), TrainingConfig.from_preset("paper")
    config = NetworkConfig(input_kernels=[1], hidden_kernels=[1])
    return build_network(config, 1280, 7), TrainingConfig()


def state_after_a_step(network: SiameseNetwork, config: TrainingConfig) -> dict[str, Any]:
    """Return what a checkpoint keeps: `wherewhen.training.run.Run.state_dict`."""
    optimiser = Optimiser(network, config)
    for parameter in optimiser.parameters:
        parameter.grad = torch.randn_like(parameter)
    optimiser.step(1.0)
    generator = np.random.default_rng(0).bit_generator.state
    return {
        "step": ROWS,
        "network": network.state_dict(),
        "loss": {},
        "optimiser": optimiser.state_dict(),
        "epoch": {"first_step": ROWS - 1, "generator": generator},
        "torch_generator": torch.get_rng_state(),
        "cuda_generator": None,
        "best": {"step": ROWS, "value": 0.5, "points_since": 0},
        "history": torch.rand(ROWS, 16, dtype=torch.float64),
    }


def save_pickle(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint by ``torch.save``, as durably as `Checkpoints` does."""
    with replacing(path) as partial:
        torch.save(state, partial)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--paper", action="store_true", help="the paper's network")
    parser.add_argument("--repeats", type=int, default=21)
    arguments = parser.parse_args()
    state = state_after_a_step(*network_and_config(arguments.paper))
    with tempfile.TemporaryDirectory() as folder:
        pickled, checkpoints = Path(folder) / "checkpoint.pt", Checkpoints(folder, "run")
        calls = {
            "write, torch.save": lambda: save_pickle(state, pickled),
            "write, safetensors": lambda: checkpoints.save(state),
            "read, torch.load": lambda: torch.load(pickled, weights_only=True),
            "read, safetensors": checkpoints.load,
        }
        seconds = _record.interleaved(calls, arguments.repeats)
        sizes = {path.name: path.stat().st_size for path in (pickled, checkpoints.path)}
    rows = []
    for what in ("write, ", "read, "):
        part = {name: values for name, values in seconds.items() if name.startswith(what)}
        rows += _record.rows(part, baseline=next(iter(part)))
    packages = ("torch", "safetensors")
    _record.write(arguments.json, "checkpoints", rows, packages=packages, bytes=sizes)


if __name__ == "__main__":
    main()
