"""Work in threads, in order and bounded: files read, frames checked, people rendered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int
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

    Yields
    ------
    object
        The results, in the order of the items.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="frames") as pool:
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
