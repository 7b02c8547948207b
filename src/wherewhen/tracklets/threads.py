"""Work in threads, in order and bounded: files read, frames checked, cubes computed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    ahead: int,
    start: Callable[[], object] | None = None,
) -> Iterator[Result]:
    """Map in threads, with no more waiting than keeps them busy: an interrupt ends it soon.

    Parameters
    ----------
    work : callable
        From an item to a result.
    items : iterable
        Taken as they are needed.
    workers : int
        Threads.
    ahead : int
        The most items begun and not yet given.
    start : callable, optional
        Called in every thread before its first item.

    Yields
    ------
    object
        The results, in the order of the items.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="frames", initializer=start) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def one_thread() -> AbstractContextManager[object]:
    """Let matrix products of numpy and scipy compute in one thread for the time being.

    In several, sums are taken in another order, and the last digits depend on the machine.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
