"""Which worker gets which items: the bookkeeping of a pool whose workers may die.

It knows nothing of Ray, and starts and sends nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Worker = TypeVar("Worker", bound=Hashable)

DEATHS = 3
"""Workers that may die of a portion, or in a row before any, until the work is given up."""


class LostWorkers(RuntimeError):
    """Workers have died again and again at the same items."""


class Schedule(Generic[Worker]):
    """Hands out portions of the items, again if a worker dies, and keeps results in order.

    Parameters
    ----------
    portions
        Items that a worker takes at once.
    ahead
        The most portions that are finished or being worked at and whose results are not taken:
        bounds the memory.
    queued
        Portions that a worker has at once: with two, the next one waits there while it computes.

    Examples
    --------
    >>> schedule = Schedule([["a"], ["b"]], ahead=4)
    >>> schedule.next_for("worker 1"), schedule.next_for("worker 2")
    (0, 1)
    >>> schedule.lost("worker 1", "out of memory")
    >>> schedule.finished("worker 2", 1, ["B"])
    >>> list(schedule.ready()), schedule.next_for("worker 2")
    ([], 0)
    >>> schedule.finished("worker 2", 0, ["A"])
    >>> list(schedule.ready()), schedule.over
    (['A', 'B'], True)
    """

    def __init__(self, portions: Sequence[Sequence[Any]], ahead: int, queued: int = 2) -> None:
        self.portions = portions
        self._ahead, self._queued = ahead, queued
        self._waiting = list(range(len(portions)))
        heapify(self._waiting)
        self._held: dict[Worker, list[int]] = {}
        self._results: dict[int, Sequence[Any]] = {}
        self._taken = 0
        self._deaths: Counter[int | None] = Counter()

    @property
    def over(self) -> bool:
        """Whether all results are taken."""
        return self._taken == len(self.portions)

    def next_for(self, worker: Worker) -> int | None:
        """Give a worker the next portion; None if it has enough, or there is none now."""
        held = self._held.setdefault(worker, [])
        if not self._waiting or len(held) >= self._queued:
            return None
        if self._waiting[0] >= self._taken + self._ahead:
            return None
        number = heappop(self._waiting)
        held.append(number)
        return number

    def finished(self, worker: Worker, number: int, results: Sequence[Any]) -> None:
        """Take the results of a portion."""
        self._held[worker].remove(number)
        self._results[number] = results
        self._deaths[None] = 0

    def lost(self, worker: Worker, why: str) -> None:
        """Take back what a dead worker had.

        Raises
        ------
        LostWorkers
            If several have died of the same portion, the first that each had, or before any.
        """
        held = self._held.pop(worker, [])
        for number in held:
            heappush(self._waiting, number)
        at = held[0] if held else None
        self._deaths[at] += 1
        if self._deaths[at] >= DEATHS:
            where = "before they had work" if at is None else f"at {self.portions[at][0]}"
            raise LostWorkers(
                f"{DEATHS} workers have died {where}: {why}. If memory ran out, take fewer workers "
                "(execution.workers) or smaller batches. What is finished is kept"
            )

    def ready(self) -> Iterator[Any]:
        """Yield the results that are there of the next portions in order."""
        while self._taken in self._results:
            results = self._results.pop(self._taken)
            self._taken += 1
            yield from results
