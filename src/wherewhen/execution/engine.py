"""Engines: one way to apply a function to many items, in this process or in many.

What is applied turns a stream of items into a stream of results, one each, so that it may read
ahead, and is made once in each process, so that it may hold a network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from wherewhen.execution.config import ExecutionConfig

Item = TypeVar("Item")
Result = TypeVar("Result")

Work = Callable[[Iterable[Any]], Iterator[Any]]
"""From items to their results, one each and in order."""


class Engine(ABC):
    """Base class of what applies functions to items."""

    distributed = True
    """Whether work leaves this process."""

    @abstractmethod
    def map(
        self,
        work: Callable[[Iterable[Item]], Iterator[Result]],
        items: Sequence[Item],
        long: bool = False,
    ) -> Iterator[Result]:
        """Apply a function to items.

        Parameters
        ----------
        work
            From items to their results, one each and in order. A distributed engine sends it to
            every worker once and calls it for a few items at a time; results must not depend on
            which. Errors that this package raises come back as they are.
        items
            Read lazily.
        long
            Whether an item takes minutes: then a worker is given one when it has none.

        Yields
        ------
        object
            Results in the order of the items. Closing the iterator ends the work.
        """

    def together(self, work: Callable[[Any], None], given: Any, workers: int, folder: Path) -> None:
        """Run a function in several workers at once; for engines that are distributed."""
        raise NotImplementedError


class Local(Engine):
    """Does the work in this process.

    Examples
    --------
    >>> list(Local().map(lambda items: (item + 1 for item in items), [1, 2]))
    [2, 3]
    """

    distributed = False

    def map(
        self,
        work: Callable[[Iterable[Item]], Iterator[Result]],
        items: Sequence[Item],
        long: bool = False,
    ) -> Iterator[Result]:
        """Apply a function to all items at once; see `Engine.map`."""
        yield from work(items)


LOCAL = Local()


def engine_of(config: ExecutionConfig, device: str = "cpu") -> Engine:
    """Return the engine that parameters ask for; nothing is started yet.

    Parameters
    ----------
    config
        The parameters.
    device
        Where networks compute: each worker gets a GPU if it is one (`ExecutionConfig.gpus`).

    Raises
    ------
    EngineError
        If Ray is asked for and not installed.
    """
    if config.engine == "local":
        return LOCAL
    from wherewhen.execution.ray_engine import RayEngine

    return RayEngine(config, device)
