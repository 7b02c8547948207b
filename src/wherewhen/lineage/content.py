"""The content of files and folders, by hash."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from pathlib import Path

from wherewhen.tracklets.archives import is_made_of_the_rest
from wherewhen.tracklets.files import entries
from wherewhen.tracklets.fingerprint import file_sha256, fingerprint

HASHED_UP_TO = 2**30
"""Bytes of a file that is hashed; a larger one, an archive for instance, counts by size and time of
its last change."""

ABSENT = "absent"
"""What stands for the content of a path at which nothing lies."""


def content_of(path: Path) -> str:
    """Name what lies at a path.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    str
        Of a file the sha256 of its bytes. Of a folder, or a file of more than `HASHED_UP_TO` bytes,
        a hash of the names, sizes and times of the last change of all files in it, which takes
        seconds for a million frames. What readers pass over is left out (hidden files and leavings
        of operating systems), and what they unpack and cut beside footage: it follows from the
        rest, and comes while it is read. `ABSENT` if nothing lies there.

    Raises
    ------
    wherewhen.tracklets.files.FileError
        If a folder can't be listed.
    """
    if path.is_dir():
        return fingerprint(_listing(path))
    return _content_of_file(path, HASHED_UP_TO)


def content_of_artifact(path: Path) -> str:
    """Name what lies at the path of an artifact, by its bytes alone.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    str
        Of a file the sha256; of a folder a hash of the names and the sha256 of all files in it;
        `ABSENT` if nothing lies there.
    """
    if path.is_dir():
        inside = sorted(filter(Path.is_file, path.rglob("*")))
        return fingerprint([[each.relative_to(path), content_of_artifact(each)] for each in inside])
    return _content_of_file(path)


def _content_of_file(path: Path, most: float = math.inf) -> str:
    """Name a file by its bytes, if they are at most so many, else by its size and time."""
    try:
        state = path.stat()
    except OSError:
        return ABSENT
    if state.st_size > most:
        return fingerprint([path.name, state.st_size, state.st_mtime_ns])
    return _sha256(str(path), state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=10_000)
def _sha256(path: str, *_state: int) -> str:
    """Hash a file, once as long as its size, time of change and inode stay."""
    return file_sha256(Path(path))


def _listing(folder: Path) -> list[list[str | int]]:
    """List the files in a folder and its subfolders: name, size, time of the last change.

    Links are followed, as readers follow them; a folder that a link leads to is entered once.
    """
    found, waiting, root = [], [str(folder)], len(str(folder)) + 1
    entered: set[str] = set()
    while waiting:
        for entry in entries(waiting.pop()):
            if not _is_new_folder(entry, entered):
                state = _state(entry)
                found.append([entry.path[root:], state.st_size, state.st_mtime_ns])
            elif not is_made_of_the_rest(Path(entry.path)):
                waiting.append(entry.path)
    return sorted(found)


def _is_new_folder(entry: os.DirEntry[str], entered: set[str]) -> bool:
    """Whether an entry is a folder, or a link to one that no link has led to before."""
    if not entry.is_symlink():
        return entry.is_dir()
    place = os.path.realpath(entry.path)
    if place in entered or not Path(place).is_dir():
        return False
    entered.add(place)
    return True


def _state(entry: os.DirEntry[str]) -> os.stat_result:
    """Return the state of what a link leads to, or of one that leads nowhere."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)
