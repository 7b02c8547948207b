"""Commands of the project in processes that are forked from one that has imported all of it.

Starting Kedro, MLflow and torch takes seconds, a fork of a process that has them does not. Each
command still is a process of its own that can be killed, also at a chosen moment: before or after
its n-th file operation, or some time after a stage began.

    with Launcher() as launcher:
        ended = launcher.run(project, "run", death=Death("train", operation=7))

The launcher starts this file as a program: the process that forks must have no second thread.
"""

from __future__ import annotations

import builtins
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NoReturn

import disks

START, END = "start", "end"
"""What a command does before its first node and after its last, beside the stages."""

OPERATIONS = ("replace", "rename", "unlink", "remove", "link", "mkdir", "rmdir", "fsync")
"""Functions of `os` that change what lies on a disk; beside them, opening a file for writing."""


@dataclass(frozen=True)
class Death:
    """Where a command is killed; if the stage ends before, at the operation that comes next.

    Attributes
    ----------
    stage : str, optional
        From the first node of this stage on, or of the first one that runs at all if this one has
        nothing to do; None: from the start of the command.
    operation : int, optional
        At this file operation of the stage, counted from 1: each is counted before and after.
    seconds : float, optional
        This long after the stage began, whatever is done then.
    """

    stage: str | None = None
    operation: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Disk:
    """What is wrong with the disk on which a folder of the project lies.

    Attributes
    ----------
    folder : str
        ``data``; or ``.``: MLflow's database lies there, too.
    full_in : str, optional
        The stage from whose beginning on no byte is free.
    read_only : bool
        Whether nothing can be written.
    """

    folder: str = "data"
    full_in: str | None = None
    read_only: bool = False


@dataclass
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int
        Exit code; negative: the signal that ended it.
    output : str
        What was printed.
    stage : str
        The last one that had begun.
    point : str, optional
        The file operation at which it was killed: ``before replace .../record.json``.
    operations : dict of str to int
        Counted by stage, of a command that ended by itself.
    seconds : dict of str to float
        Of wall clock, by stage.
    processor : float
        Seconds of processor time.
    lost : float
        Those of them after the first node began and the last thing was made that stays.
    kinds : dict of str to int
        File operations by their kinds, of a command that ended by itself.
    """

    code: int
    output: str
    stage: str
    point: str | None = None
    operations: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    processor: float = 0.0
    lost: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


class Launcher:
    """Starts commands; several may run at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self._logs = tempfile.TemporaryDirectory()
        self._ended: dict[int, Ended] = {}
        self._started = 0

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._logs.cleanup()

    def run(self, project: Any, *words: str, **options: Any) -> Ended:
        """Run a command of the project to its end, or to its death; see `start`."""
        return self.wait(self.start(project, *words, **options))

    def start(
        self,
        project: Any,
        *words: str,
        death: Death | None = None,
        disk: Disk | None = None,
        **given: object,
    ) -> int:
        """Start a command with parameters; return its number."""
        self._started += 1
        log = Path(self._logs.name, f"{self._started}.txt")
        request = {
            "number": self._started,
            "root": str(project.root),
            "environment": dict(project.environment),
            "words": project.kedro(*words, **given)[3:],
            "death": asdict(death or Death()),
            "disk": asdict(disk or Disk()),
            "log": str(log),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._started

    def wait(self, number: int) -> Ended:
        """Wait for the end of a command."""
        while number not in self._ended:
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError("the process that forks has ended")
            answer = json.loads(line)
            if "failed" in answer:
                raise RuntimeError(f"command {answer['number']}: {answer['failed']}")
            ended, log = answer.pop("number"), Path(answer.pop("log"))
            output = log.read_text(encoding="utf-8", errors="replace")
            self._ended[ended] = Ended(output=output, **answer)
        return self._ended.pop(number)


# --- the process that forks ----------------------------------------------------------------------


def serve() -> None:
    """Fork for each request that comes as a line; answer in a line when its command has ended."""
    _import_everything()
    for line in sys.stdin:
        while _reaped():
            pass
        request = json.loads(line)
        if os.fork() == 0:
            return _supervise(request)  # in a process of its own, so that several may run
    return None


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _import_everything() -> None:
    with _printing_to(os.devnull):
        names = ["kedro.framework.cli.cli", "kedro.framework.startup", "mlflow", "optuna", "warp"]
        names += ["anny", "timm", "matplotlib.pyplot", "sklearn", "pyarrow.parquet"]
        for name in names:
            importlib.import_module(name)
        package = importlib.import_module("wherewhen")
        for module in pkgutil.walk_packages(package.__path__, "wherewhen."):
            if not module.name.endswith("__main__"):
                _compute_versions(importlib.import_module(module.name))
    threads = {task.joinpath("comm").read_text() for task in Path("/proc/self/task").iterdir()}
    others = threads - {Path("/proc/self/comm").read_text(), "jemalloc_bg_thd\n"}
    if others:
        raise RuntimeError(f"{others} run: a fork would have none of these threads")


def _compute_versions(module: ModuleType) -> None:
    """Compute the versions of the code behind nodes, which each command would take seconds for."""
    from wherewhen.lineage.code import code_version

    if module.__name__.endswith(".nodes"):
        for function in vars(module).values():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                code_version(function)


@contextmanager
def _printing_to(path: str) -> Iterator[None]:
    """Let standard output and error go to a file, also those of libraries in C."""
    kept = [os.dup(1), os.dup(2)]
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(target, number)
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, each in zip((1, 2), kept, strict=True):
            os.dup2(each, number)
            os.close(each)
        os.close(target)


def _supervise(request: dict[str, Any]) -> None:
    """Run a command in a process, and tell how it ended; neither of the two processes returns.

    The command's leaves by its exception, without closing what this one has opened.
    """
    opened = ExitStack()
    try:
        _prepare(request, opened)
        reading, writing = os.pipe()
        process = os.fork()
    except Exception as error:
        _answer(request, failed=repr(error))
    if process == 0:
        os.close(reading)
        return _command(request, writing)
    try:
        os.close(writing)
        ended = _followed(process, reading, request)
        opened.close()
    except Exception as error:
        _answer(request, failed=repr(error))
    return _answer(request, **ended)


def _answer(request: dict[str, Any], **answer: Any) -> NoReturn:
    answer = {"number": request["number"], "log": request["log"], **answer}
    os.write(1, (json.dumps(answer) + "\n").encode())
    os._exit(0)


def _prepare(request: dict[str, Any], opened: ExitStack) -> None:
    """Make the disk that is asked for."""
    disk = Disk(**request["disk"])
    if not disk.read_only and disk.full_in is None:
        return
    folder = Path(request["root"], disk.folder)
    folder.mkdir(exist_ok=True)
    disks.enter()
    if disk.read_only:
        disks.protect(folder)
    else:
        opened.enter_context(disks.small_disk(folder))


def _followed(process: int, reading: int, request: dict[str, Any]) -> dict[str, Any]:
    """Read what a command tells until it ends: stages, and what was made and stays."""
    death = Death(**(request["death"]))
    told: dict[str, Any] = {"stage": START, "point": None, "operations": {}, "kinds": {}}
    begun: list[tuple[str, float]] = []
    target, kept, events = death.stage or START, None, _Events(reading)
    for event in events:
        if event is None:
            os.kill(process, signal.SIGKILL)
            continue
        kept = event.pop("kept", kept)
        target = event.pop("target", target)
        told.update(event)
        if "stage" in event:
            begun.append((event["stage"], time.monotonic()))
            if death.seconds is not None and event["stage"] == target:
                events.deadline = time.monotonic() + death.seconds
    _, status, used = os.wait4(process, 0)
    seconds: Counter[str] = Counter()
    for (stage, since), (_, until) in pairwise([*begun, ("", time.monotonic())]):
        seconds[stage] += round(until - since, 3)
    processor = used.ru_utime + used.ru_stime
    return {
        **told,
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "processor": round(processor, 3),
        "lost": 0.0 if kept is None else round(max(processor - kept, 0), 3),
    }


class _Events:
    """What a command tells, until it ends; None when a deadline has passed, which is then none."""

    deadline: float | None = None

    def __init__(self, reading: int) -> None:
        self._reading = reading

    def __iter__(self) -> Iterator[dict[str, Any] | None]:
        received = b""
        while True:
            left = None if self.deadline is None else max(self.deadline - time.monotonic(), 0)
            if not select.select([self._reading], [], [], left)[0]:
                self.deadline = None
                yield None
                continue
            more = os.read(self._reading, 2**16)
            if not more:
                return
            *lines, received = (received + more).split(b"\n")
            yield from map(json.loads, lines)


# --- the process of a command --------------------------------------------------------------------


def _command(request: dict[str, Any], writing: int) -> None:
    """Call a command as its user would, and end the process by the exception that it ends with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # what is read or printed is its own
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    target = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.chdir(request["root"])
    os.environ.update(request["environment"])
    watch = _Watch(request, writing)
    try:
        _call(request, watch)
    finally:
        watch.finished()


def _call(request: dict[str, Any], watch: _Watch) -> None:
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    watch.begins(START)
    bootstrap_project(Path(request["root"]))
    settings.set("HOOKS", (*settings.HOOKS, _stage_hooks(watch)))
    from wherewhen.cli import cli

    cli.main(request["words"], prog_name="kedro")


class _Watch:
    """Counts file operations, and kills the process at one of them."""

    def __init__(self, request: Mapping[str, Any], writing: int) -> None:
        self._root, self._pipe = request["root"], writing
        self._death = Death(**(request["death"]))
        self._stage, self._was_there = START, self._death.stage in (None, START)
        self._disk = Disk(**request["disk"])
        self._count: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        for name in OPERATIONS:
            setattr(os, name, self._watched(name, getattr(os, name)))
        opening = self._watched("open", io.open, self._writes)
        builtins.open = io.open = opening

    def begins(self, stage: str) -> None:
        """Note that a stage begins."""
        if stage != self._stage or not self._count:
            if self._stage == START and stage != START:
                self.stays()  # nothing of the start is lost: there is nothing yet
            self._stage = stage
            self._was_there |= stage == self._death.stage
            self._tell(stage=stage)
            if stage == self._disk.full_in:
                disks.fill(Path(self._root, self._disk.folder))

    def planned(self, stages: list[str]) -> None:
        """Take the stages that have something to do: one that has nothing is no target."""
        target = self._death.stage
        if stages and target not in (None, START, END, *stages):
            self._death = replace(self._death, stage=stages[0])
            self._tell(target=stages[0])

    def stays(self) -> None:
        """Note that what was made so far stays."""
        self._tell(kept=time.process_time())

    def finished(self) -> None:
        """Tell what was counted."""
        self._tell(operations=dict(self._count), kinds=dict(self._kinds))

    def _watched(
        self, name: str, function: Callable[..., Any], counts: Callable[..., bool] | None = None
    ) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            place = arguments[name in ("replace", "rename", "link")] if arguments else None
            if counts is not None and not counts(*arguments, **options):
                return function(*arguments, **options)
            if isinstance(place, (str, os.PathLike)) and not self._is_ours(os.fspath(place)):
                return function(*arguments, **options)
            self._at(f"before {name}", place)
            done = function(*arguments, **options)
            if name in ("replace", "rename") and _is_whole(str(place)):
                self.stays()
            self._at(f"after {name}", place)
            return done

        return call

    def _at(self, point: str, place: Any) -> None:
        self._count[self._stage] += 1
        self._kinds[point] += 1
        death, stage = self._death, self._stage
        if death.operation is None and death.seconds is None:
            return
        if death.stage is None:
            due = sum(self._count.values()) == death.operation
        elif stage == death.stage:
            due = self._count[stage] == death.operation
        else:
            due = self._was_there
        if due:
            self._tell(point=f"{point} {place}")
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_ours(self, path: str | bytes) -> bool:
        path = os.fsdecode(path)
        return not path.startswith("/") or path.startswith(self._root)

    @staticmethod
    def _writes(_file: Any, mode: str = "r", *_: Any, **__: Any) -> bool:
        return not set(mode).isdisjoint("wax+")

    def _tell(self, **event: Any) -> None:
        os.write(self._pipe, (json.dumps(event) + "\n").encode())


def _is_whole(path: str) -> bool:
    """Whether a file is one that a run takes over once it has its name."""
    return (
        path.endswith("record.json")
        or "/checkpoints/" in path
        or "/01_raw/" in path
        or ("/04_feature/" in path and path.endswith(".safetensors"))
    )


def _stage_hooks(watch: _Watch) -> Any:
    """Return hooks that tell which stage a node is of."""
    from kedro.framework.hooks import hook_impl

    class Stages:
        @hook_impl
        def before_pipeline_run(self, pipeline: Any, catalog: Any) -> None:
            ledger = catalog.ledger
            self._stages = {
                node.name: stage
                for stage, whole in ledger.stages.items()
                for node in whole.nodes
                if stage != "__default__"
            }
            plan = ledger.plan(pipeline.nodes)
            watch.planned([self._stages[node] for node, reason in plan.items() if reason])

        @hook_impl
        def before_node_run(self, node: Any) -> None:
            watch.begins(self._stages[node.name])

        @hook_impl
        def after_pipeline_run(self) -> None:
            watch.begins(END)

    return Stages()


if __name__ == "__main__":
    serve()
