"""A training step on all channels of the backbone, and on those of a frozen PCA of them.

    uv run python benchmarks/basis.py --json FILE
    uv run python benchmarks/basis.py --clock processor           one thread on a busy machine

The networks are those of the preset ``modern`` with 1x1 kernels, without and with
``train.network.basis``. Cubes are reduced before the step, as training does it once for all steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import _record
import torch
from train_step import CLOCKS, EXECUTIONS, LibraryStep, batch_of, network_of

from wherewhen.model.config import NetworkConfig

SIZES = {
    "pairs": 36, "frames": 6, "channels": 1280, "grid": 7, "projection": 64, "basis": 256,
}  # fmt: skip


def main() -> None:
    """Time both steps in turn, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    for name, value in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    size = {name: getattr(arguments, name) for name in SIZES}
    cubes, steps = batch_of(size, torch.device("cpu")), {}
    for basis in (None, size["basis"]):
        config = NetworkConfig(
            basis=basis, projection=size["projection"], input_kernels=1, hidden_kernels=1
        )
        network = network_of(config, cubes)
        with torch.no_grad():
            reduced = network.input.reduce(cubes).half()
        name = "all channels" if basis is None else f"basis of {basis}"
        steps[name] = LibraryStep(network, EXECUTIONS["direct, float32"], reduced).run
    seconds = _record.interleaved(steps, arguments.repeats, CLOCKS[arguments.clock])
    _record.write(
        arguments.json,
        "basis",
        _record.rows(seconds, baseline="all channels", dtype="float32"),
        packages=("torch",),
        size=size,
        clock=arguments.clock,
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
