"""Map in threads with results in order, and limit the threads of numerical libraries."""

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
    """Map in threads; an interrupt ends it soon, because few items are queued.

    Parameters
    ----------
    work : callable
        From an item to a result.
    items : iterable
        Read lazily.
    workers : int
        Threads.
    ahead : int
        The most items that are submitted and not yet yielded.
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
    """Limit BLAS and OpenMP to one thread in a ``with`` block.

    With several, the order of sums and so the last digits depend on the number of processors.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def processors() -> int:
    """Return the number of processors that this process may use.

    ``PYTHON_CPU_COUNT``, as Python 3.13 has it, says so where several processes share a machine.
    """
    given = os.environ.get("PYTHON_CPU_COUNT", "")
    if given.isdigit():
        return max(1, int(given))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
