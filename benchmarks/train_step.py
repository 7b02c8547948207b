"""A training step: the plain loop beside the network's own ways, on this machine.

    uv run python benchmarks/train_step.py --json FILE            the paper's size
    uv run python benchmarks/train_step.py --small                a quick look
    uv run python benchmarks/train_step.py --device cuda

A step is forward, loss, backward, clipping and RMSProp's update of all weights, on one batch of
pairs: the step that training takes (``wherewhen.training.step``), against the plain loop
(``_plain.py``), which does not clip. The variants run interleaved in one process. The share of the
roofline counts the FLOPs of direct convolutions, whatever is executed, against the rate of large
products of matrices in the variant's precision, measured in the same process. ``--memory`` takes
two steps of every variant in a process of its own.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _plain
import _record
import torch
from torch import Tensor

from wherewhen.model.config import NetworkConfig
from wherewhen.model.convolution import Execution, full_float32
from wherewhen.model.siamese import SiameseNetwork, build_network
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import Compared, TrainingLoss
from wherewhen.training.losses.cross_entropy import pair_cross_entropy
from wherewhen.training.losses.penalty import attention_penalty
from wherewhen.training.optimisation import Optimiser
from wherewhen.training.roofline import measure_roofline, network_flops
from wherewhen.training.step import StepInputs, build_step

PAPER = {"pairs": 10, "frames": 20, "channels": 1024, "grid": 7, "projection": None}
DEMONSTRATION = {"pairs": 36, "frames": 6, "channels": 320, "grid": 7, "projection": 64}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
EXECUTIONS = {
    "direct, float32": Execution("direct", "float32"),
    "dft, float32": Execution("dft", "float32"),
    "direct, bfloat16": Execution("direct", "bfloat16"),
    "dft, bfloat16": Execution("dft", "bfloat16"),
}
PLAIN, GRAPH = "plain loop", ", CUDA graph"
TRAINING = {"learning_rate": 1e-6, "frames": 1}
"""By the letter of the paper, but for a rate that leaves the weights where they are."""


class PlainStep:
    """The step in the way the equations are written down.

    Parameters
    ----------
    network
        Of which it takes a copy.
    cubes
        ``[2 pairs, T, K, K, D]`` float16; every other pair is positive.
    """

    def __init__(self, network: SiameseNetwork, cubes: Tensor) -> None:
        self.network = copy.deepcopy(network)
        self.cubes = cubes
        self.same = torch.arange(len(cubes) // 2, device=cubes.device) % 2 == 0
        self.optimiser = torch.optim.RMSprop(
            self.network.parameters(), lr=1e-6, alpha=0.95, momentum=0.9, foreach=cubes.is_cuda
        )

    def run(self, frames: int | None = None) -> Tensor:
        """Take the step, on the first frames alone if so asked; return the loss."""
        cubes = self.cubes[:, :frames]
        self.optimiser.zero_grad(set_to_none=True)
        embeddings, attention = _plain.embed(self.network, cubes.to(torch.float32))
        left, right = embeddings.chunk(2)
        mask = torch.ones(cubes.shape[:2], dtype=torch.bool, device=cubes.device)
        logits = self.network.logits(left, right)
        loss = pair_cross_entropy(logits, self.same, balanced=False)
        loss = loss + attention_penalty(attention, mask, reachable=False)
        loss.backward()
        self.optimiser.step()
        return loss.detach()


class LibraryStep:
    """The step that training takes.

    Parameters
    ----------
    network
        Of which it takes a copy.
    execution
        How it computes.
    cubes
        As for `PlainStep`.
    graph
        Record it once as a CUDA graph and play it back.
    """

    def __init__(
        self,
        network: SiameseNetwork,
        execution: Execution,
        cubes: Tensor,
        graph: bool = False,
    ) -> None:
        self.network = copy.deepcopy(network)
        self.network.execution = execution
        self.cubes, self.graph, device = cubes, graph, cubes.device
        config = TrainingConfig.from_preset("paper", cuda_graph=graph, **TRAINING)
        loss = TrainingLoss(config, self.network.embedding_size, persons=2).to(device)
        self.optimiser = Optimiser(self.network, config, loss)
        self.take = build_step(self.network, loss, self.optimiser.parameters, config, device)
        pairs = torch.arange(len(cubes) // 2, device=device)
        persons = torch.zeros(len(cubes), dtype=torch.long, device=device)
        counted = torch.ones_like(pairs, dtype=torch.bool)
        self.compared = Compared(pairs, pairs + len(pairs), pairs % 2 == 0, counted, persons)
        self.scheduled = {"penalty_weight": torch.ones((), device=device)}

    def run(self, frames: int | None = None) -> Tensor:
        """Take the step, on the first frames alone if so asked; return the loss."""
        cubes = self.cubes if self.graph else self.cubes[:, :frames]  # every length is recorded
        mask = torch.ones(cubes.shape[:2], dtype=torch.bool, device=cubes.device)
        outputs = self.take(StepInputs(cubes, mask, self.compared, self.scheduled, whole=True))
        self.optimiser.step(1.0)
        return outputs["loss"]


Step = PlainStep | LibraryStep


def step_of(name: str, network: SiameseNetwork, cubes: Tensor) -> Step:
    """Make the step of a variant by its name."""
    if name == PLAIN:
        return PlainStep(network, cubes)
    execution = EXECUTIONS[name.removesuffix(GRAPH)]
    return LibraryStep(network, execution, cubes, graph=name.endswith(GRAPH))


def network_of(config: NetworkConfig, cubes: Tensor) -> SiameseNetwork:
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


def memory_of(arguments: argparse.Namespace, name: str) -> float:
    """GiB that a variant takes beyond its batch and the network, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_take_alone, (arguments, name))


def _take_alone(arguments: argparse.Namespace, name: str) -> float:
    device = torch.device(arguments.device)
    size, config = sizes(arguments)
    cubes = batch_of(size, device)
    network = network_of(config, cubes)
    before = _memory(device, peak=False)
    with full_float32():
        step = step_of(name, network, cubes)
        for _ in range(2):  # the optimiser's own tensors come with the first
            step.run()
    return (_memory(device, peak=True) - before) / 2**30


def _memory(device: torch.device, peak: bool) -> int:
    """Bytes that the process has, or the most that it has had; on a GPU with its graphs' pools."""
    if device.type == "cuda":
        now, most = torch.cuda.memory_reserved, torch.cuda.max_memory_reserved
        return most(device) if peak else now(device)
    # not getrusage's: a process inherits that from whoever started it
    status = Path("/proc/self/status").read_text()
    name = "VmHWM" if peak else "VmRSS"
    (line,) = (line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


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
    for name in PAPER:
        parser.add_argument(f"--{name}", type=int)
    return parser


def sizes(arguments: argparse.Namespace) -> tuple[dict[str, Any], NetworkConfig]:
    """Sizes of the batch, and the network, that the command line asks for."""
    size = dict(DEMONSTRATION if arguments.small else PAPER)
    size |= {name: given for name in size if (given := getattr(arguments, name, None))}
    kernels = {"hidden_kernels": 3} if arguments.small else {}  # 1x1 would leave nothing to choose
    config = NetworkConfig.from_preset(
        "modern" if arguments.small else "paper",
        **kernels,
        projection=size["projection"],
        initialisation="centred",  # quickly drawn, and does not saturate
    )
    return size, config


def chosen(arguments: argparse.Namespace, device: torch.device) -> dict[str, Execution]:
    """Ways that were asked for, less those in a bfloat16 that the device does not have.

    Raises
    ------
    SystemExit
        For a name that is none of them.
    """
    asked = EXECUTIONS if arguments.variants is None else arguments.variants
    unknown = sorted(set(asked) - set(EXECUTIONS))
    if unknown:
        raise SystemExit(f"--variants: {unknown} not known; choose from {list(EXECUTIONS)}")
    return {
        name: execution
        for name, execution in EXECUTIONS.items()
        if name in asked
        and not (execution.precision == "bfloat16" and execution.dtype(device) == torch.float32)
    }


def main() -> None:
    """Measure and write the record."""
    parser = options(__doc__)
    parser.add_argument("--memory", action="store_true", help="of each, in processes of their own")
    arguments = parser.parse_args()
    with full_float32():
        measure(arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Time all variants in turn, and write the record."""
    device, clock = torch.device(arguments.device), CLOCKS[arguments.clock]
    size, config = sizes(arguments)
    dtypes = {PLAIN: torch.float32}
    for name, execution in chosen(arguments, device).items():
        dtypes[name] = execution.dtype(device)
        if device.type == "cuda":
            dtypes[name + GRAPH] = dtypes[name]
    cubes = batch_of(size, device)
    network = network_of(config, cubes)
    memory = {name: memory_of(arguments, name) for name in dtypes if arguments.memory}
    steps = {name: step_of(name, network, cubes) for name in dtypes}

    def timed(name: str) -> Callable[[], None]:
        def call() -> None:
            losses[name] = steps[name].run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return call

    losses: dict[str, Tensor] = {}
    for step in steps.values():  # a short clip warms up, at a fraction of a step's time
        step.run(2)
    seconds = _record.interleaved(
        {name: timed(name) for name in steps}, arguments.repeats, clock=clock, warm_up=False
    )
    rooflines = {
        dtype: measure_roofline(device, dtype, clock=clock) for dtype in set(dtypes.values())
    }
    flops = network_flops(network, len(cubes), cubes.shape[1])
    rows = _record.rows(seconds, baseline=PLAIN, device=device.type)
    for row in rows:
        name = row["variant"]
        row["dtype"] = str(dtypes[name]).removeprefix("torch.")
        row["roofline_share"] = flops / row["seconds"] / rooflines[dtypes[name]]
        row["memory_gib"] = memory.get(name)
        row["pairs_per_second"] = len(cubes) / 2 / row["seconds"]
        row["loss"] = losses[name].item()
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
