"""Threads of a CPU: how many compute decides the last digits of sums, so it is never left open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with a number of threads, whatever the machine has.

    Parameters
    ----------
    count
        Threads within an operation.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
