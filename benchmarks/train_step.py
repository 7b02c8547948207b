"""A training step: the plain loop beside the network's own ways, on this machine.

    uv run python benchmarks/train_step.py --json FILE            the paper's size
    uv run python benchmarks/train_step.py --small                a quick look
    uv run python benchmarks/train_step.py --device cuda

A step is forward, loss, backward and RMSProp's update of all weights, on one batch of pairs. The
variants run interleaved in one process; ``ratio`` is against the plain loop (``_plain.py``). The
share of the roofline counts the FLOPs of direct convolutions, whatever is executed, against the
rate of large products of matrices in the variant's precision, measured in the same process.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _plain
import _record
import torch
from torch import Tensor

from wherewhen.model.config import NetworkConfig, network_config
from wherewhen.model.convolution import Execution
from wherewhen.model.loss import PairLoss
from wherewhen.model.siamese import SiameseAttentionNetwork, build_network
from wherewhen.training.roofline import SIZE, network_flops

PAPER = {"pairs": 10, "frames": 20, "channels": 1024, "grid": 7, "projection": None}
DEMONSTRATION = {"pairs": 36, "frames": 6, "channels": 320, "grid": 7, "projection": 64}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
EXECUTIONS = {
    "direct, float32": Execution("direct", "float32"),
    "dft, float32": Execution("dft", "float32"),
    "direct, bfloat16": Execution("direct", "bfloat16"),
    "dft, bfloat16": Execution("dft", "bfloat16"),
}


class Step:
    """One variant: a network of its own, its optimiser, and a batch.

    Parameters
    ----------
    network
        Of which it takes a copy.
    execution
        How it computes; None for the plain loop.
    cubes
        ``[2 pairs, T, K, K, D]`` float16.
    graph
        Capture the step once as a CUDA graph and replay it.
    """

    def __init__(
        self,
        network: SiameseAttentionNetwork,
        execution: Execution | None,
        cubes: Tensor,
        graph: bool = False,
    ) -> None:
        self.network = copy.deepcopy(network)
        self.execution = execution
        self.network.execution = execution or Execution("direct", "float32")
        self.cubes = cubes
        self.same = torch.arange(len(cubes) // 2, device=cubes.device) % 2 == 0
        self.loss = PairLoss()
        self.optimiser = torch.optim.RMSprop(
            self.network.parameters(),
            lr=1e-6,
            alpha=0.95,
            momentum=0.9,
            foreach=cubes.is_cuda,
            capturable=graph,
        )
        self.run = self.eager
        if graph:
            self.run = self.captured()

    def eager(self, frames: int | None = None) -> Tensor:
        """Take the step, on the first frames alone if so asked; return the loss."""
        cubes = self.cubes if frames is None else self.cubes[:, :frames]
        self.optimiser.zero_grad(set_to_none=True)
        if self.execution is None:
            embeddings, attention = _plain.embed(self.network, cubes.to(torch.float32))
        else:
            embeddings, attention, _ = self.network.encode(cubes)
        left, right = embeddings.chunk(2)
        mask = torch.ones(cubes.shape[:2], dtype=torch.bool, device=cubes.device)
        loss = self.loss(self.network.logits(left, right), self.same, attention, mask).loss
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def captured(self) -> Callable[..., Tensor]:
        """Capture the step after a few on a side stream, as CUDA graphs need it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.eager()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.eager()

        def replay(frames: int | None = None) -> Tensor:
            graph.replay()
            return loss

        return replay


def network_of(config: NetworkConfig, cubes: Tensor) -> SiameseAttentionNetwork:
    """Build the network for cubes, in training mode."""
    network = build_network(config, cubes.shape[4], cubes.shape[2]).to(cubes.device)
    network.calibrate(cubes[:2])
    return network.train()


def batch_of(size: dict[str, Any], device: torch.device) -> Tensor:
    """Draw cubes as a ReLU leaves them."""
    generator = torch.Generator().manual_seed(0)
    grid = size["grid"]
    shape = (2 * size["pairs"], size["frames"], grid, grid, size["channels"])
    return torch.randn(shape, generator=generator).relu().half().to(device)


@contextmanager
def peak_memory(device: torch.device, found: dict[str, float], name: str) -> Iterator[None]:
    """Note the most GPU memory that the block takes beyond what is in use, in GiB.

    Nothing on a CPU: there a process keeps what earlier variants freed.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    yield
    found[name] = (torch.cuda.max_memory_allocated(device) - before) / 2**30


def measure_rate(device: torch.device, dtype: torch.dtype, clock: Callable[[], float]) -> float:
    """FLOP/s of a large product of matrices, by the same clock as the steps."""
    size = SIZE[device.type]
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = _record.interleaved({"product": multiply}, repeats=7, clock=clock)["product"]
    return 2.0 * size**3 / statistics.median(seconds)


def options(text: str) -> argparse.ArgumentParser:
    """Make the command line of a benchmark of the network."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--small", action="store_true", help="the demonstration's size")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", nargs="*", help="of the fast ones, by name; all if not given")
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="processor: for one thread on a machine that others use, too",
    )
    for name, value in PAPER.items():
        if value is not None:
            parser.add_argument(f"--{name}", type=int)
    return parser


def sizes(arguments: argparse.Namespace) -> tuple[dict[str, Any], NetworkConfig]:
    """Sizes of the batch, and the network, that the command line asks for."""
    size = dict(DEMONSTRATION if arguments.small else PAPER)
    size |= {name: given for name in size if (given := getattr(arguments, name, None))}
    config = network_config(
        "modern" if arguments.small else "paper",
        projection=size["projection"],
        initialisation="centred",  # quickly drawn, and does not saturate
    )
    return size, config


def chosen(arguments: argparse.Namespace, device: torch.device) -> dict[str, Execution]:
    """Ways that were asked for, less those in a bfloat16 that the device does not have."""
    asked = arguments.variants or EXECUTIONS
    return {
        name: execution
        for name, execution in EXECUTIONS.items()
        if name in asked
        and not (execution.precision == "bfloat16" and execution.dtype(device) == torch.float32)
    }


def main() -> None:
    """Measure and write the record."""
    arguments = options(__doc__).parse_args()
    device, clock = torch.device(arguments.device), CLOCKS[arguments.clock]
    size, config = sizes(arguments)
    cubes = batch_of(size, device)
    network = network_of(config, cubes)

    steps = {"plain loop": Step(network, None, cubes)}
    dtypes = {"plain loop": torch.float32}
    for name, execution in chosen(arguments, device).items():
        dtypes[name] = execution.dtype(device)
        steps[name] = Step(network, execution, cubes)
        if device.type == "cuda":
            steps[f"{name}, CUDA graph"] = Step(network, execution, cubes, graph=True)
            dtypes[f"{name}, CUDA graph"] = dtypes[name]

    memory: dict[str, float] = {}

    def timed(name: str) -> Callable[[], None]:
        def call() -> None:
            with peak_memory(device, memory, name):
                steps[name].run()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)

        return call

    for step in steps.values():  # a short clip warms up, at a fraction of a step's time
        step.run(2)
    seconds = _record.interleaved(
        {name: timed(name) for name in steps}, arguments.repeats, clock=clock, warm_up=False
    )
    rooflines = {dtype: measure_rate(device, dtype, clock) for dtype in set(dtypes.values())}
    flops = network_flops(steps["plain loop"].network, len(cubes), cubes.shape[1])
    rows = _record.rows(seconds, baseline="plain loop", device=device.type)
    for row in rows:
        name = row["variant"]
        row["dtype"] = str(dtypes[name]).removeprefix("torch.")
        row["roofline_share"] = flops / row["seconds"] / rooflines[dtypes[name]]
        row["memory_gib"] = memory.get(name)
        row["pairs_per_second"] = len(cubes) / 2 / row["seconds"]
    _record.write(
        arguments.json,
        "train_step",
        rows,
        packages=("torch",),
        size=size,
        clock=arguments.clock,
        threads=torch.get_num_threads(),
        tera_flops=flops / 1e12,
        roofline_gflops={str(dtype): rate / 1e9 for dtype, rate in rooflines.items()},
    )


if __name__ == "__main__":
    main()
