"""File systems that are full or protected, for one process and those it starts (Linux).

A process gets a namespace of mounts of its own: nobody else sees what is mounted there, and it is
gone with the process.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BALLAST = ".ballast"
"""File that fills a disk."""

SPARE = 64 * 2**20
"""Bytes of a small disk beyond what lies on it."""

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000


def can_mount() -> bool:
    """Whether a process may have mounts of its own here."""
    words = [sys.executable, "-c", "import disks; disks.enter()"]
    return subprocess.run(words, cwd=Path(__file__).parent, check=False).returncode == 0


def enter() -> None:
    """Give this process mounts of its own."""
    user, group = os.getuid(), os.getgid()
    try:
        _unshare(_NEW_MOUNTS)
    except PermissionError:  # whoever is not root is root of its own names
        _unshare(_NEW_MOUNTS | _NEW_USERS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", Path("/"), None, _RECURSIVE | _PRIVATE)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Let a folder be a small disk; what lies there afterwards is put back into the folder.

    `fill` fills it.
    """
    outside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    place = Path(f"/proc/self/fd/{outside}")
    used = sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))
    _mount("tmpfs", folder, "tmpfs", 0, f"size={used + SPARE}")
    shutil.copytree(place, folder, dirs_exist_ok=True)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            (folder / BALLAST).unlink()
        for path in place.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(folder, place, dirs_exist_ok=True)
        os.close(outside)


def fill(folder: Path) -> None:
    """Leave no byte free on the disk of a folder."""
    with (folder / BALLAST).open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(2**16)):
            pass


def protect(folder: Path) -> None:
    """Let a folder be read-only."""
    _mount(str(folder), folder, None, _BIND | _RECURSIVE)
    _mount("none", folder, None, _REMOUNT | _BIND | _READ_ONLY)


@contextmanager
def small_files(largest: int) -> Iterator[None]:
    """Let no file of this process grow beyond a number of bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _unshare(what: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(what) != 0:
        raise OSError(ctypes.get_errno(), "no namespace of its own")


def _mount(
    source: str, target: Path, kind: str | None, flags: int, options: str | None = None
) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    words = [None if word is None else word.encode() for word in (source, str(target), kind)]
    given = None if options is None else options.encode()
    if library.mount(*words, ctypes.c_ulong(flags), given) != 0:
        raise OSError(ctypes.get_errno(), f"{target} can't be mounted")
