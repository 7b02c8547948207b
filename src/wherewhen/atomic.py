"""Atomic writes: a file appears under its name whole, or not at all."""

import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name, and rename it when it is complete and on the disk.

    The temporary name is unique, so that two processes may write the same file: the last one to
    end wins. Temporary files of this path whose process was killed are deleted first.

    Parameters
    ----------
    path : Path
        The file to write or to replace; its folder is made if it is not there.

    Yields
    ------
    Path
        The temporary file, empty, to be written by name. If the block raises, it is deleted and
        the file that was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _delete_abandoned(path)
    partial, lock = _create_locked(path)
    with lock:
        try:
            yield partial
            _sync(partial)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    _sync(path.parent)


def _create_locked(path: Path) -> tuple[Path, IO[bytes]]:
    """Create a temporary file; the lock on it says that its process is alive."""
    while True:
        partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        lock = partial.open("xb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_nlink:
            return partial, lock
        lock.close()  # deleted as abandoned by another process before it was locked


def _delete_abandoned(path: Path) -> None:
    """Delete temporary files of a path that no process holds a lock on any more."""
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        try:
            with partial.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                partial.unlink()
        except (BlockingIOError, FileNotFoundError):
            continue  # being written, or already complete


def _sync(path: Path) -> None:
    """Write a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
