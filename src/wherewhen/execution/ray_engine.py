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
from wherewhen.execution.pool import DEATHS, Schedule
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

TIMEOUT = 7200
"""Seconds that workers which work together wait for each other."""

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
        workers = min(self._workers(), len(items))
        pool = _Pool(work, workers, self.config.cpus, self.gpus)
        portions = [[item] for item in items] if long else _portions(items, workers)
        schedule = Schedule(portions, AHEAD * workers, queued=1 if long else 2)
        try:
            yield from pool.run(schedule)
        finally:
            pool.end()

    def together(self, work: Callable[[Any], None], given: Any, workers: int, folder: Path) -> None:
        """Run a function in several workers at once, which form a group of `torch.distributed`.

        Parameters
        ----------
        work
            Called with `given` in each of them. If one dies, all are started again.
        given
            What it needs.
        workers
            Their number, whatever `ExecutionConfig.workers` says.
        folder
            Ray Train's own files, which all machines see.

        Raises
        ------
        EngineError
            If there is no room for all, or they fail again and again.
        """
        connect(self.config)
        room = self._room()
        if room < workers:
            raise EngineError(
                f"train.training.processes is {workers}, and the cluster has room for {room} "
                "workers (execution.cpus, execution.gpus): set it lower, or add nodes"
            )
        _Pool.end_idle()  # they hold what is needed now
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.base_trainer import TrainingFailedError
        from ray.train.torch import TorchConfig, TorchTrainer

        trainer = TorchTrainer(
            _entered,
            train_loop_config={"work": work, "given": given, "versions": versions_here()},
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=self.gpus > 0,
                resources_per_worker={"CPU": self.config.cpus, "GPU": self.gpus},
            ),
            torch_config=TorchConfig(timeout_s=TIMEOUT),
            run_config=RunConfig(
                storage_path=str(folder), failure_config=FailureConfig(max_failures=DEATHS - 1)
            ),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise EngineError(f"the workers that train together have failed: {error}") from error

    def _workers(self) -> int:
        """Return how many workers there is room for, and are wanted."""
        room = self._room()
        if room < 1:
            there = _ray().cluster_resources()
            raise EngineError(
                f"a worker needs {self.config.cpus:g} processor(s) and {self.gpus:g} GPU(s), and "
                f"the cluster has {there.get('CPU', 0):g} and {there.get('GPU', 0):g}: lower "
                "execution.cpus or execution.gpus, or add nodes"
            )
        return min(room, self.config.workers or room)

    def _room(self) -> int:
        there = _ray().cluster_resources()
        room = int(there.get("CPU", 0) // self.config.cpus)
        return min(room, int(there.get("GPU", 0) // self.gpus)) if self.gpus else room


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
    def end_idle(cls) -> None:
        """End idle actors, which hold processors and GPUs."""
        for actors in cls.idle.values():
            _kill(actors)
        cls.idle.clear()

    def _left(self) -> list[Any]:
        """Take the idle actors, and end those of other resources."""
        left = self.idle.pop(self._resources, [])
        self.end_idle()
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
        return None, _other_versions(versions)

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


def _other_versions(expected: dict[str, str]) -> EngineError | None:
    """Return the error of a worker that is not like the process whose work it does, if it isn't."""
    here = versions_here()
    differing = [
        f"{name} ({here.get(name)}, not {version})"
        for name, version in expected.items()
        if here.get(name) != version
    ]
    if not differing:
        return None
    return EngineError(
        f"a worker on node {_ray().util.get_node_ip_address()} has another version of "
        f"{', '.join(differing)}, and may give other results: install the same environment on all "
        "nodes"
    )


def _entered(config: dict[str, Any]) -> None:
    """Be one of the workers that work together."""
    if error := _other_versions(config["versions"]):
        raise error
    config["work"](config["given"])


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
        except Exception as error:  # of many kinds
            raise EngineError(
                f"execution.address: no Ray cluster can be joined at {config.address} ({error}): "
                "start one (ray start --head), set RAY_AUTH_MODE=token if it asks for a token, or "
                "set the address to null to work on this machine"
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
    _Pool.end_idle()
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
