"""Where finished files are kept: on the disk, or in a bucket of which the disk holds a copy.

All work is done on files of the disk, by their paths. A `Files` is told what was written, read
and deleted; that of the disk has nothing more to do, that of a bucket (`wherewhen.buckets`) keeps
the bucket and the copy alike.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple

from wherewhen import atomic, locks


class BucketError(OSError):
    """A bucket that can't be reached, is not there or refuses; or a lock that was lost."""


class Files:
    """Files of the disk.

    See Also
    --------
    wherewhen.buckets.Bucket : Files of a bucket.
    """

    url: str | None = None
    """The address of the bucket; None on the disk."""

    def replacing(self, path: Path, delete_abandoned: bool = True) -> AbstractContextManager[Path]:
        """Write a file whole or not at all; see `wherewhen.atomic.replacing`."""
        return atomic.replacing(path, delete_abandoned)

    def push(self, path: Path) -> None:
        """Keep a file, or all files of a folder, that was written by other means."""

    def pull(self, path: Path) -> bool:
        """Bring a file to the disk that is not there; return whether that was needed.

        Raises
        ------
        FileNotFoundError
            If there is no such file; the disk leaves that to whoever reads it.
        """
        return False

    def update(self, path: Path) -> bool:
        """Make a file on the disk what is kept, gone if nothing is; return whether it is there."""
        return path.is_file()

    def update_folder(self, folder: Path) -> None:
        """Make all files in a folder on the disk what is kept."""

    def release(self, path: Path) -> bool:
        """Give up the disk's copy of a file, where it is a copy; return whether it is one."""
        return False

    def exists(self, path: Path) -> bool:
        """Whether a file is kept."""
        return path.exists()

    def size(self, path: Path) -> int:
        """Return the bytes of a file; FileNotFoundError if there is none."""
        return path.stat().st_size

    def sizes(self, folder: Path) -> dict[Path, int]:
        """Return the bytes of all files below a folder, sorted by path."""
        return dict(sorted(_sizes(folder)))

    def heads(self, paths: Iterable[Path], count: int) -> Iterator[bytes]:
        """Read the first bytes of files; none of one that isn't there."""
        for path in paths:
            try:
                with path.open("rb", buffering=0) as file:
                    start = file.read(count)
            except FileNotFoundError:
                start = b""
            yield start

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder, sorted."""
        return sorted(path for path in folder.glob("*") if path.is_dir())

    def delete(self, path: Path) -> None:
        """Delete a file, or a folder with all that is in it, there or not."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def copy(self, source: Path, target: Path) -> bool:
        """Give a kept file a second name; return whether that can be done."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            return False
        return True

    def room(self, folder: Path) -> int | None:
        """Return the bytes that can still be kept in a folder; None if that has no bound."""
        return shutil.disk_usage(folder).free

    def held(self, path: Path, waits: Callable[[str], object]) -> AbstractContextManager[None]:
        """Hold a lock file that one process at a time can hold; see `wherewhen.locks.held`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return locks.held(path, waits)

    def gone(self, folder: Path) -> list[Path]:
        """Return the files below a folder that are copies of what is not kept any more."""
        return []


def _sizes(folder: Path) -> Iterator[tuple[Path, int]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _sizes(Path(entry.path))
            else:
                yield Path(entry.path), entry.stat().st_size


DISK = Files()
"""The disk."""


class Workspace(NamedTuple):
    """A folder of files that serve to go on after a fault, and where it is kept."""

    folder: Path
    files: Files = DISK
