"""The machine's rate of matrix products, and the FLOPs of a step."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import torch

from wherewhen.model.siamese import SiameseNetwork

SIZE = {"cpu": 1536, "cuda": 8192}
"""Rows of the square matrices: large enough for the machine's full rate."""


def measure_roofline(
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    repeats: int = 5,
    size: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Measure the rate of this machine's matrix product, an upper bound for a step.

    Uses torch's present number of threads; depends on the load of the machine.

    Parameters
    ----------
    device, dtype
        Device and dtype of the matrices.
    repeats
        Timed products, after one warm-up; the median counts.
    size
        Rows of the square matrices; None for `SIZE`.
    clock
        Returns the time in seconds.

    Returns
    -------
    float
        FLOP/s.
    """
    device = torch.device(device)
    size = size or SIZE.get(device.type, SIZE["cpu"])
    generator = torch.Generator(device).manual_seed(0)
    left, right = (
        torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2)
    )
    out = torch.empty_like(left)

    def seconds() -> float:
        began = clock()
        torch.mm(left, right, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock() - began

    seconds()
    return 2.0 * size**3 / statistics.median(seconds() for _ in range(repeats))


def network_flops(network: SiameseNetwork, clips: int, frames: int, backward: bool = True) -> float:
    """Count the FLOPs of encoding clips of reduced cubes, with convolutions in their direct form.

    The products of the projection and of the head (`SiameseNetwork.multiplications`), for the
    ConvGRU more than 99 % of all. A faster form of the
    convolutions counts the same, so that shares of the roofline can be compared.

    Parameters
    ----------
    network
        The network.
    clips, frames
        Clips, and frames of each.
    backward
        Count the backward pass, too: two more products for each, one for the projection, whose
        input has no gradient.

    Returns
    -------
    float
        Multiplications and additions.
    """
    projection = network.input.weight
    projected = 0 if projection is None else math.prod(network.grid) * projection.numel()
    trunk = 0 if network.trunk is None else network.trunk.multiplications
    passes = (3, 2) if backward else (1, 1)
    learned = trunk + network.multiplications
    return 2.0 * clips * frames * (passes[0] * learned + passes[1] * projected)
