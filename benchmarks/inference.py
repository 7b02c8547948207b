"""Embedding tracklets: the plain loop beside the network's own ways, in tracklets a second.

    uv run python benchmarks/inference.py --json FILE             the paper's network
    uv run python benchmarks/inference.py --small                 the demonstration's
    uv run python benchmarks/inference.py --device cuda

One call embeds a batch of tracklets in evaluation mode, without gradients. ``seconds`` are a
tracklet's; ``ratio`` is against the plain loop (``_plain.py``). The variants run interleaved in one
process.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import _plain
import _record
import torch
from torch import Tensor
from train_step import CLOCKS, PLAIN, batch_of, chosen, network_of, options, sizes

from wherewhen.model.convolution import Execution, full_float32
from wherewhen.model.siamese import SiameseNetwork


def embedder(
    network: SiameseNetwork, execution: Execution | None, cubes: Tensor
) -> Callable[[], Tensor]:
    """Embed the batch; None is the plain loop."""
    network = copy.deepcopy(network).eval()

    @torch.no_grad()
    @full_float32()
    def embed() -> Tensor:
        if execution is None:
            embedding = _plain.embed(network, cubes.to(torch.float32))[0]
        else:
            network.execution = execution
            embedding = network.encode(cubes).embedding
        if embedding.is_cuda:
            torch.cuda.synchronize(embedding.device)
        return embedding

    return embed


def main() -> None:
    """Measure and write the record."""
    arguments = options(__doc__).parse_args()
    device = torch.device(arguments.device)
    size, config = sizes(arguments)
    executions = chosen(arguments, device)
    cubes = batch_of(size, device)
    network = network_of(config, cubes)

    calls = {PLAIN: embedder(network, None, cubes)}
    dtypes = {PLAIN: torch.float32}
    for name, execution in executions.items():
        dtypes[name] = execution.dtype(device)
        calls[name] = embedder(network, execution, cubes)

    embeddings = {name: call() for name, call in calls.items()}  # warms up
    exact = embeddings[PLAIN]
    seconds = _record.interleaved(
        calls, arguments.repeats, clock=CLOCKS[arguments.clock], warm_up=False
    )
    rows = _record.rows(seconds, baseline=PLAIN, device=device.type)
    for row in rows:
        name = row["variant"]
        row["dtype"] = str(dtypes[name]).removeprefix("torch.")
        row["seconds"] /= len(cubes)
        row["tracklets_per_second"] = 1 / row["seconds"]
        row["relative_difference"] = ((embeddings[name] - exact).norm() / exact.norm()).item()
    _record.write(
        arguments.json,
        "inference",
        rows,
        packages=("torch",),
        size=size,
        clock=arguments.clock,
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
