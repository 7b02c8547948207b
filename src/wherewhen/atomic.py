"""Atomic writes: a file appears under its name whole, or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def replacing(path: Path, delete_abandoned: bool = True) -> Iterator[Path]:
    """Write a file under a temporary name, and rename it when it is complete and on the disk.

    The temporary name is unique, so that two processes may write the same file: the last one to
    end wins. What killed processes of this machine left of the same file is deleted first.

    Parameters
    ----------
    path : Path
        The file to write or to replace; its folder is made if it is not there.
    delete_abandoned : bool
        Whether to look for what killed processes left. That lists the folder, which takes long
        where there are thousands of files.

    Yields
    ------
    Path
        The temporary file, to be written by name. If the block raises, it is deleted and the file
        that was there stays.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as partial:
    ...         _ = partial.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if delete_abandoned:
        _delete_abandoned(path)
    owner = f"{_host()}-{os.getpid()}"
    partial = path.with_name(f".{path.name}.{owner}-{secrets.token_hex(4)}.tmp")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        error.add_note(f"while {path} was written")
        raise
    _sync(path.parent)


def _delete_abandoned(path: Path) -> None:
    """Delete temporary files of a path whose process has ended."""
    owner = re.compile(rf"\.{_host()}-(\d+)-[0-9a-f]+\.tmp$")
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        found = owner.search(partial.name)
        if found and not psutil.pid_exists(int(found[1])):
            partial.unlink(missing_ok=True)


def _host() -> str:
    """Name this machine in eight characters: host names are long, and names of files bounded."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _sync(path: Path) -> None:
    """Write a file, or a folder's entries where folders can be opened, to the disk."""
    with suppress(PermissionError):  # Windows opens no folder
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
