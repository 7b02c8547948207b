"""The engine that works in Ray's processes, on this machine or on a cluster.

A map is a pool of actors: each is sent the work once, and gets portions of the items. The pool is
our own (`wherewhen.execution.pool`) because `ray.util.ActorPool` does not survive an actor's death,
and an actor that Ray itself restarts waits for resources that a lost node has taken along.

Ray is imported when an engine is made, and started when it first maps.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from wherewhen.errors import raised_here
from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import Engine, Item, Result, Work
from wherewhen.execution.pool import Schedule
from wherewhen.execution.versions import versions_here

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it reports its use to its makers
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run` it would build the environment anew
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a worker without a GPU sees none
}

PORTIONS = 8
"""Portions of a map that each worker gets, unless it has fewer items."""

LARGEST_PORTION = 16
"""Items that a worker takes at once: so many are done again if it dies."""

AHEAD = 4
"""Portions for each worker that may be finished before an earlier one is."""

PATIENCE = 60.0
"""Seconds without an answer after which it is said that no worker has started."""

STARTS = 2
"""Attempts to start Ray: the first is too slow where Python has yet to compile its modules."""

log = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """Ray is not installed, can't be used, or has workers that are not like this process."""


class RayEngine(Engine):
    """Does the work in a pool of Ray's actors.

    Parameters
    ----------
    config
        Cluster and resources.
    device
        Where networks compute; a worker gets a GPU if it is one.

    Raises
    ------
    EngineError
        If Ray is not installed.
    """

    def __init__(self, config: ExecutionConfig, device: str = "cpu") -> None:
        self.config = config
        on_gpu = device.startswith("cuda")
        self.gpus = float(on_gpu) if config.gpus is None else config.gpus
        if on_gpu and not self.gpus:
            raise EngineError(
                f"device is {device}, and execution.gpus is 0, so that workers see no GPU: set it "
                "to 1, to a share of one, or to null"
            )
        _ray()

    def map(
        self,
        work: Callable[[Iterable[Item]], Iterator[Result]],
        items: Sequence[Item],
        long: bool = False,
        share: int = 1,
    ) -> Iterator[Result]:
        """Apply a function to items; see `Engine.map`.

        Raises
        ------
        EngineError
            If Ray can't be started or reached, the cluster has no room for a worker, or a worker
            has other versions than this process.
        wherewhen.execution.pool.LostWorkers
            If workers die again and again at the same items.
        """
        if not items:
            return
        connect(self.config)
        cpus, gpus = share * self.config.cpus, share * self.gpus
        workers = min(self._workers(cpus, gpus), len(items))
        pool = _Pool(work, workers, cpus, gpus)
        portions = [[item] for item in items] if long else _portions(items, workers)
        schedule = Schedule(portions, AHEAD * workers, queued=1 if long else 2)
        try:
            yield from pool.run(schedule)
        finally:
            pool.end()

    def _workers(self, cpus: float, gpus: float) -> int:
        """Return how many workers there is room for, and are wanted."""
        there = _ray().cluster_resources()
        room = int(there.get("CPU", 0) // cpus)
        if gpus:
            room = min(room, int(there.get("GPU", 0) // gpus))
        if room < 1:
            raise EngineError(
                f"a worker needs {cpus:g} processor(s) and {gpus:g} GPU(s), and "
                f"the cluster has {there.get('CPU', 0):g} and {there.get('GPU', 0):g}: lower "
                "execution.cpus or execution.gpus, or add nodes"
            )
        return min(room, self.config.workers or room)


class _Pool:
    """Actors that hold the work, and those that take the places of dead ones."""

    idle: ClassVar[dict[tuple[float, float], list[Any]]] = {}
    """Actors that earlier maps have left, by their processors and GPUs: one takes seconds to
    start."""

    def __init__(self, work: Work, workers: int, cpus: float, gpus: float) -> None:
        self._given = (_ray().put(work), versions_here(), max(1, int(cpus)))
        self._resources = (cpus, gpus)
        self._actors: set[Any] = set()
        self._running: dict[Any, tuple[Any, int | None]] = {}
        """What an answer is of: an actor, and the number of a portion, or None for its start."""
        left = self._left()
        for _ in range(workers):
            self._start(left.pop() if left else self._new())
        self.idle[self._resources] = left

    def run(self, schedule: Schedule[Any]) -> Iterator[Any]:
        """Have the work done; yield results in order."""
        ray = _ray()
        while not schedule.over:
            answers, _ = ray.wait(list(self._running), num_returns=1, timeout=PATIENCE)
            if not answers:
                self._say_waiting()
                continue
            actor, number = self._running.pop(answers[0])
            try:
                results, error = ray.get(answers[0])
            except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as death:
                self._replace(actor, schedule, death)
            else:
                if error is not None:
                    raise error
                if number is not None:
                    schedule.finished(actor, number, results)
            yield from schedule.ready()
            for each in self._started():  # for all: there may be room again
                self._feed(each, schedule)

    def end(self) -> None:
        """Leave actors to the next map, but for those at work, which end."""
        busy = {actor for actor, number in self._running.values() if number is not None}
        left = [actor for actor in self._actors if actor not in busy]
        for actor in left:
            actor.release.remote()
        self.idle.setdefault(self._resources, []).extend(left)
        _kill(busy)

    @classmethod
    def forget(cls) -> None:
        """Forget idle actors: their cluster is left."""
        cls.idle.clear()

    def _left(self) -> list[Any]:
        """Take the idle actors, and end those of other resources, which they hold."""
        left = self.idle.pop(self._resources, [])
        for others in self.idle.values():
            _kill(others)
        self.idle.clear()
        return left

    def _new(self) -> Any:
        cpus, gpus = self._resources
        return _ray().remote(max_restarts=0, num_cpus=cpus, num_gpus=gpus)(_Actor).remote()

    def _start(self, actor: Any) -> None:
        self._actors.add(actor)
        self._running[actor.start.remote(*self._given)] = (actor, None)

    def _started(self) -> list[Any]:
        starting = {actor for actor, number in self._running.values() if number is None}
        return [actor for actor in self._actors if actor not in starting]

    def _say_waiting(self) -> None:
        if not self._started():
            log.warning("no worker has started yet: waiting for processors or GPUs of the cluster")

    def _feed(self, actor: Any, schedule: Schedule[Any]) -> None:
        while (number := schedule.next_for(actor)) is not None:
            self._running[actor.run.remote(schedule.portions[number])] = (actor, number)

    def _replace(self, actor: Any, schedule: Schedule[Any], death: Exception) -> None:
        why = str(death).strip().splitlines()[0]
        log.warning("a worker has died, and its items are done again: %s", why)
        self._actors.discard(actor)
        self._running = {ref: each for ref, each in self._running.items() if each[0] != actor}
        _kill([actor])  # cut off, it may go on
        schedule.lost(actor, why)
        self._start(self._new())


def _kill(actors: Iterable[Any]) -> None:
    for actor in actors:
        with suppress(Exception):  # the cluster may be gone
            _ray().kill(actor)


class _Actor:
    """A process that holds the work."""

    def start(self, work: Work, versions: dict[str, str], cpus: int) -> tuple[None, Any]:
        """Take the work; say so if something here is of another version than where it is from."""
        os.environ["PYTHON_CPU_COUNT"] = str(cpus)
        self._work = work
        here = versions_here()
        if differing := [name for name in versions if here.get(name) != versions[name]]:
            return None, EngineError(
                "a worker has another version of "
                + ", ".join(
                    f"{name} ({here.get(name)}, not {versions[name]})" for name in differing
                )
                + f" on node {_ray().util.get_node_ip_address()}, and may give other results: "
                "install the same environment on all nodes"
            )
        return None, None

    def release(self) -> None:
        """Let the work's memory go."""
        del self._work

    def run(self, items: Sequence[Any]) -> tuple[list[Any] | None, Any]:
        """Return the items' results, or the error that was raised on purpose."""
        try:
            return list(self._work(items)), None
        except Exception as error:
            if not raised_here(error):
                raise
            return None, error


def _portions(items: Sequence[Item], workers: int) -> list[Sequence[Item]]:
    size = min(LARGEST_PORTION, max(1, len(items) // (PORTIONS * workers)))
    return [items[first : first + size] for first in range(0, len(items), size)]


def connect(config: ExecutionConfig) -> None:
    """Connect this process to a cluster, or start Ray here; once, until `disconnect`.

    Raises
    ------
    EngineError
        If it can't be started or reached.
    """
    ray = _ray()
    if ray.is_initialized():
        return
    quiet = {"configure_logging": False, "log_to_driver": False}
    if config.address is not None:
        try:
            ray.init(config.address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(
                f"execution.address: no Ray cluster answers at {config.address} ({error}): start "
                "one (ray start --head), or set it to null to work on this machine"
            ) from error
        return
    folder = Path(tempfile.mkdtemp(prefix="ww-ray-"))  # short: sockets lie in it
    atexit.register(_end, folder)
    for attempt in range(1, STARTS + 1):
        try:
            ray.init(
                _temp_dir=str(folder),
                object_store_memory=int(config.object_store_gib * 2**30),
                include_dashboard=False,
                **quiet,
            )
        except Exception as error:  # Ray raises nothing more precise
            ray.shutdown()
            if attempt == STARTS:
                raise EngineError(
                    f"Ray can't be started here: {error}; its logs: {folder}"
                ) from error
            log.warning("Ray did not start in time, and is started once more")
            time.sleep(1)
        else:
            return


def disconnect() -> None:
    """Leave the cluster, or end Ray where it was started here."""
    _Pool.forget()
    _ray().shutdown()


def _end(folder: Path) -> None:
    disconnect()
    shutil.rmtree(folder, ignore_errors=True)


def _ray() -> Any:
    """Import Ray."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise EngineError(
            "execution.engine is ray, and Ray is not installed: uv sync --extra ray, or pip "
            "install 'wherewhen[ray]'; or set it to local"
        ) from None
    return ray
