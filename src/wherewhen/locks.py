"""Locks between processes, released when the process that holds them ends, however it ends."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

POLL_SECONDS = 0.2
"""Seconds between two attempts to acquire a lock that is waited for."""


@contextmanager
def held(path: Path, waits: Callable[[str], object]) -> Iterator[None]:
    """Hold a lock file that one process at a time can hold.

    Parameters
    ----------
    path : Path
        The lock file, in a folder that exists; the file stays there. While the lock is held,
        ``<path>.json`` names the holder.
    waits : callable
        Called with the holder, such as ``process 4711 on HOST since 14:03``, if there is one: it
        raises to refuse, or returns to wait until the lock is released.
    """
    lock, note = FileLock(path), path.with_name(f"{path.name}.json")
    if not _acquired(lock):
        waits(_holder(note))
        lock.acquire(poll_interval=POLL_SECONDS)
    try:
        _write_holder(note)
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that another process is reading
            note.unlink(missing_ok=True)
        lock.release()


@contextmanager
def alone(folder: Path, waits: Callable[[str], object]) -> Iterator[Path]:
    """Hold the lock file ``.lock`` of a folder, which is made if it is not there; see `held`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home, alone(Path(home, "set"), print) as folder:
    ...     folder.is_dir()
    True
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / ".lock", waits):
        yield folder


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _write_holder(note: Path) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    with suppress(OSError):  # the lock holds without the note, on a full disk for example
        note.write_text(json.dumps(holder) + "\n", encoding="utf-8")


def _holder(note: Path) -> str:
    try:
        holder = json.loads(note.read_text(encoding="utf-8"))
        process, host = int(holder["process"]), str(holder["host"])
        since = datetime.fromisoformat(holder["since"]).astimezone()
    except (OSError, ValueError, KeyError, TypeError):  # not written yet, or half
        return "another process"
    if host == socket.gethostname() and not psutil.pid_exists(process):
        return "another process"  # the note is of an earlier holder, which was killed
    today = since.date() == datetime.now().astimezone().date()
    return f"process {process} on {host} since {since:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"
