"""Archives: a data set straight from the file in which its owners hand it out.

An archive is unpacked once, beside itself or where the caller says, and read from there: frames are
read many times and in any order, which a compressed archive does not give. What comes from outside
is not trusted: every member is checked before a byte of it is written, only files that a data set
is made of are written, and their number, size and ratio of compression are bounded.

Files go into a hidden folder that gets its name when it is whole, so that what is half unpacked is
never taken for a data set; a broken-off run goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NoReturn

from tqdm import tqdm

from wherewhen.locks import held
from wherewhen.tracklets.files import FileError, entries, is_dir, is_file, is_folder, is_there

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Files that count as archives, in any case of letters."""

WANTED = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".mat", ".txt", ".csv", ".md"}
    | {".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v"}
)
"""Members that are written: images, videos and what is said about them. Others are passed over."""

SEAL = ".unpacked.json"
"""The file in an unpacked folder that says from which archive it comes; written last."""

UNPACKED = "unpacked"
"""The folder beside footage in which archives are unpacked, and crops are cut to."""

CROPS = "crops-"
"""How the folders of crops in there begin."""

_JOURNAL = ".progress.json"
_CHECKPOINT_FILES, _CHECKPOINT_BYTES = 20_000, 2**30
"""After so much the files are flushed to the disk and counted as done."""

_CHUNK = 2**20
_SYNCS_ALL = hasattr(os, "sync")
"""Whether all files can be flushed at once; Windows flushes one file at a time."""

_RATIO_MATTERS_FROM = 16 * 2**20
"""Bytes below which no ratio of compression is suspicious: a text file easily reaches 100."""

_TRAILER = 64 * 2**20
"""The most padding that is read behind the last member of a compressed tar."""

_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    *(ValueError, OverflowError, struct.error),  # a name that is not UTF-8, a number out of range
)


_log = logging.getLogger(__name__)


class ArchiveError(ValueError):
    """An archive is damaged, or holds what must not be unpacked."""


class DiskFullError(ArchiveError):
    """The disk can't hold what an archive unpacks to; what is unpacked stays for the next call."""


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to; MARS, the largest set read here, has 1.2 million files, 7 GB.

    Attributes
    ----------
    size : int
        Bytes of all files together.
    members : int
        Files and folders.
    ratio : float
        Bytes unpacked for a byte of the archive; images hardly shrink, a bomb grows a thousandfold.
    """

    size: int = 100 * 2**30
    members: int = 5_000_000
    ratio: float = 100.0


@dataclass(frozen=True)
class _Member:
    """An entry of an archive: `kind` is ``file``, ``folder`` or what is refused, in words."""

    name: str
    kind: str
    size: int
    open: Callable[[], IO[bytes]]
    position: int
    """Bytes of the archive that lie behind the reader."""


def is_archive(path: Path) -> bool:
    """Say by its name whether a file is an archive that can be unpacked.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    bool
        True for `SUFFIXES`.
    """
    return path.name.lower().endswith(SUFFIXES) and is_file(path)


def opened(
    root: Path,
    unpack_to: Path | None = None,
    holds_data: Callable[[Path], bool] = lambda folder: True,
    progress: bool = True,
) -> Path:
    """Give the folder of a data set, unpacking its archives first where that is needed.

    Parameters
    ----------
    root : pathlib.Path
        A folder with the data set, an archive of it, or a folder with its archives.
    unpack_to : pathlib.Path, optional
        Where archives are unpacked, each into a folder of its own; ``unpacked`` beside them by
        default.
    holds_data : callable, optional
        Whether a folder holds the data set already; its archives are then left alone.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        `root` itself, or the folder of the unpacked archive or archives. What does not exist is
        returned as it is, for the reader to say what it expected there.

    Raises
    ------
    ArchiveError
        If an archive is damaged or holds what must not be unpacked.
    """
    if is_archive(root):
        return unpack(root, unpack_to or root.parent / UNPACKED, progress=progress)
    if not is_dir(root):
        return root
    archives = sorted(root / entry.name for entry in entries(root) if is_archive(Path(entry.path)))
    folder = unpack_to or root / UNPACKED
    # what was unpacked here before is not taken for the user's own tree: its archive may be another
    unpacked = any((folder / _stem(archive)).is_dir() for archive in archives)
    if not archives or (not unpacked and holds_data(root)):
        return root
    for archive in archives:
        unpack(archive, folder, progress=progress)
    return folder


def is_made_of_the_rest(folder: Path) -> bool:
    """Whether a folder holds nothing but what readers have unpacked and cut there.

    A folder of that name with anything else in it is somebody's own.
    """
    return folder.name == UNPACKED and all(
        entry.name.startswith(CROPS) or (folder / entry.name / SEAL).is_file()
        for entry in entries(folder)
    )


def unpack(
    archive: Path, folder: Path, limits: Limits | None = None, progress: bool = True
) -> Path:
    """Unpack an archive, or go on with it, or find that it is done.

    Parameters
    ----------
    archive : pathlib.Path
        A tar (plain, gzip, bzip2, xz) or a zip.
    folder : pathlib.Path
        Where the archive's own folder is made.
    limits : Limits, optional
        What is taken for a bomb.
    progress : bool
        Show a progress bar over the archive's bytes.

    Returns
    -------
    pathlib.Path
        ``folder/<the archive's name without suffix>``, with a seal `SEAL` in it.

    Raises
    ------
    ArchiveError
        If the archive is damaged or truncated; if a member would leave the folder, is a link or a
        device, is encrypted or occurs twice; if it is larger than the limits or the disk; if the
        folder holds what was unpacked from another archive; or if another process is unpacking it.
        Nothing is then under the folder's name.
    """
    target = folder / _stem(archive)
    identity = _identity(archive)
    if target.exists():
        return _sealed(target, archive, identity)
    partial = folder / f".{target.name}.partial"
    folder.mkdir(parents=True, exist_ok=True)

    def busy(who: str) -> NoReturn:
        raise ArchiveError(f"{who} unpacks {archive} to {target}; wait for it and call again")

    # beside the folder, not in it: Windows neither renames nor removes a folder with an open file
    with held(folder / f".{target.name}.lock", busy):
        if target.exists():  # another process has just finished
            return _sealed(target, archive, identity)
        partial.mkdir(exist_ok=True)
        done = _read_json(partial / _JOURNAL)
        if done.get("archive") != identity:
            _empty(partial)
            done = {}
        try:
            counts = _write_members(
                archive, partial, limits or Limits(), identity, done.get("members", 0), progress
            )
        except DiskFullError:
            raise
        except ArchiveError:
            shutil.rmtree(partial)  # of no use to a better archive, and perhaps a bomb's
            raise
        _flush_to_disk()
        _write_json(partial / SEAL, {"archive": identity, **counts})
        (partial / _JOURNAL).unlink(missing_ok=True)
        partial.rename(target)
    return target


def _stem(archive: Path) -> str:
    suffix = next(s for s in sorted(SUFFIXES, key=len)[::-1] if archive.name.lower().endswith(s))
    return archive.name[: -len(suffix)] or archive.name


def _identity(archive: Path) -> dict[str, Any]:
    """Name the content of an archive without reading gigabytes: its size, its first and last MiB.

    The end of a zip lists the checksums of all its members.
    """
    size = archive.stat().st_size
    with archive.open("rb") as file:
        digest = hashlib.sha256(file.read(_CHUNK))
        file.seek(max(size - _CHUNK, 0))
        digest.update(file.read(_CHUNK))
    return {"name": archive.name, "bytes": size, "sha256_of_ends": digest.hexdigest()}


def _sealed(target: Path, archive: Path, identity: dict[str, Any]) -> Path:
    seal = _read_json(target / SEAL)
    if not seal:
        raise ArchiveError(
            f"{target} exists, but was not unpacked from {archive} by this project, so nobody "
            "knows whether it is whole. Set the root to that folder to use it as it is, or move it "
            "away to have the archive unpacked"
        )
    if seal.get("archive") != identity:
        raise ArchiveError(
            f"{target} holds what was unpacked from another version of {archive.name} "
            f"({seal.get('archive', {}).get('bytes')} bytes, not {identity['bytes']}). Remove that "
            "folder to have this one unpacked, or set another folder to unpack to"
        )
    return target


def _write_members(
    archive: Path,
    partial: Path,
    limits: Limits,
    identity: dict[str, Any],
    done: int,
    progress: bool,
) -> dict[str, int]:
    """Write what is missing; the first `done` members are on the disk since an earlier run."""
    counts = {"files": 0, "bytes": 0, "passed_over": 0}
    total, since_files, since_bytes = 0, 0, 0
    seen: set[int] = set()
    guard = _Guard(archive, limits, _free_space(partial))
    bar = tqdm(
        total=identity["bytes"],
        desc=f"unpack {archive.name}",
        unit="B",
        unit_scale=True,
        disable=not progress,
    )
    with bar, _explained(archive):
        for index, member in enumerate(_members(archive)):
            path = guard.admit(member, index)
            total += member.size
            bar.update(max(member.position - bar.n, 0))
            if member.kind == "folder":
                continue
            hidden = any(part.startswith(".") for part in path.parts)
            if hidden or path.suffix.lower() not in WANTED:
                counts["passed_over"] += 1
                continue
            if (key := hash(path.as_posix())) in seen:
                guard.refuse(member, "occurs twice, and nobody knows which one counts")
            seen.add(key)
            destination = partial / path
            if not (index < done and _has_size(destination, member.size)):
                _write(member, destination)
                since_files, since_bytes = since_files + 1, since_bytes + member.size
            counts["files"] += 1
            counts["bytes"] += member.size
            if since_files >= _CHECKPOINT_FILES or since_bytes >= _CHECKPOINT_BYTES:
                _flush_to_disk()
                _write_json(partial / _JOURNAL, {"archive": identity, "members": index + 1})
                since_files = since_bytes = 0
        bar.update(max(identity["bytes"] - bar.n, 0))
    return counts


class _Guard:
    """Lets a member pass or refuses the archive; nothing of a member is written before."""

    def __init__(self, archive: Path, limits: Limits, free: int):
        self.archive, self.limits, self.free = archive, limits, free
        self.allowed = max(archive.stat().st_size * limits.ratio, _RATIO_MATTERS_FROM)
        self.total = 0

    def admit(self, member: _Member, index: int) -> PurePosixPath:
        """Return the path of a member inside the folder."""
        path = self._inside(member)
        if member.kind not in ("file", "folder"):
            self.refuse(member, f"is {member.kind}; a data set is made of files and folders")
        self.total += member.size
        for what, value, most in (
            ("members", index + 1, self.limits.members),
            ("bytes", self.total, self.limits.size),
        ):
            if value > most:
                raise ArchiveError(
                    f"archive {self.archive}: unpacks to more than {most} {what}, the most that is "
                    "trusted. If you know the archive, unpack it yourself and set the root to the "
                    "folder"
                )
        if self.total > self.allowed:
            raise ArchiveError(
                f"archive {self.archive}: unpacks to more than {self.limits.ratio:g} times its "
                f"size ({self.total} bytes at {member.name!r}): a bomb, since images hardly "
                "shrink. If you know the archive, unpack it yourself and set the root to the folder"
            )
        if self.total > self.free:
            raise DiskFullError(
                f"archive {self.archive}: needs more than {self.total} bytes, but the disk has "
                f"{self.free} left. Free some, or set another folder to unpack to"
            )
        return path

    def _inside(self, member: _Member) -> PurePosixPath:
        name = member.name
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
            self.refuse(member, "is an absolute path")
        if "\\" in name:
            self.refuse(member, "has a backslash in its name, which some systems take for a folder")
        path = PurePosixPath(name)
        if ".." in path.parts:
            self.refuse(member, "leaves the folder through '..'")
        if any(ord(letter) < 32 for letter in name):
            self.refuse(member, "has control characters in its name")
        if any(len(part.encode(errors="surrogateescape")) > 255 for part in path.parts):
            self.refuse(member, "has a name of more than 255 bytes")
        return path

    def refuse(self, member: _Member, fault: str) -> None:
        """Raise, naming the member."""
        raise ArchiveError(
            f"archive {self.archive}: member {member.name[:200]!r} {fault}. The archive is "
            "refused: get it from the data set's owners, or pack it again without that member"
        )


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as raw:
        is_zip = raw.read(2) == b"PK"
        raw.seek(0)
        yield from _zip_members(raw) if is_zip else _tar_members(raw, archive)


def _tar_members(raw: IO[bytes], archive: Path) -> Iterator[_Member]:
    with tarfile.open(fileobj=raw, mode="r:*") as tar:
        while (info := tar.next()) is not None:
            tar.members.clear()  # or a million headers stay in memory
            yield _Member(
                info.name, _tar_kind(info), info.size, _opener(tar.extractfile, info), raw.tell()
            )
        # tarfile takes a cut or broken header for the end; the real end is a block of zeros
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end mark where one was expected")
        for _ in range(_TRAILER // _CHUNK):  # to the end, where a compressed tar has its checksum
            if not tar.fileobj.read(_CHUNK):
                return


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return f"a link to {info.linkname!r}"
    if info.isdir():
        return "folder"
    if not info.isreg():
        return "a device or another special file"
    try:  # the standard library's own opinion; the guard has refused more by now
        tarfile.data_filter(info.replace(name=info.name.lstrip("/"), deep=False), "/unpacked")
    except tarfile.FilterError as error:
        return f"refused by the tar filter ({error})"
    return "file"


def _zip_members(raw: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(raw) as file:
        position = 0
        for info in file.infolist():
            position += info.compress_size
            yield _Member(
                info.orig_filename,
                _zip_kind(info),
                info.file_size,
                _opener(file.open, info),
                position,
            )


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a device or another special file"
    if info.flag_bits & 1:
        return "encrypted"
    return "folder" if info.is_dir() else "file"


def _opener(open_member: Callable[[Any], Any], info: Any) -> Callable[[], IO[bytes]]:
    return lambda: open_member(info)


def _write(member: _Member, destination: Path) -> None:
    """Write a file under a temporary name; a killed process leaves no half of it."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".{destination.name}"[:250])
    written = 0
    with member.open() as source, temporary.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            file.write(chunk)
        if not _SYNCS_ALL:
            file.flush()
            os.fsync(file.fileno())
    if written != member.size:
        raise EOFError(f"{member.name} has {written} of {member.size} bytes")
    temporary.replace(destination)


@contextlib.contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """Turn what broken archives and full disks raise into what to do."""
    try:
        yield
    except ArchiveError:
        raise
    except _BROKEN as error:
        raise _damaged(archive, error) from error
    except NotImplementedError as error:  # a zip's compression method
        raise ArchiveError(
            f"archive {archive}: can't be unpacked ({error}). Unpack it with another program and "
            "set the root to the folder"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"archive {archive}: the disk is full. Free some space, or set another folder to "
                "unpack to, and call again: what is unpacked stays"
            ) from error
        # gzip and bz2 raise a bare OSError for broken data; a zip may point before its beginning
        if error.errno in (None, errno.EINVAL):
            raise _damaged(archive, error) from error
        if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
            raise ArchiveError(
                f"archive {archive}: a file and a folder in it bear the same name "
                f"({Path(error.filename or '').name}). The archive is refused: get it from the "
                "data set's owners"
            ) from error
        raise


def _damaged(archive: Path, error: Exception) -> ArchiveError:
    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(" :")
    return ArchiveError(
        f"archive {archive}: truncated or damaged after {archive.stat().st_size} bytes "
        f"({reason}). Download or copy it again, and compare its size "
        "with that of its source; nothing of it is used"
    )


def _flush_to_disk() -> None:
    """Make everything written so far durable; `_write` did where the system has no `os.sync`."""
    if _SYNCS_ALL:
        os.sync()


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _free_space(folder: Path) -> int:
    """Return the bytes an unpacked set may take, counting those of it that are there already."""
    held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return shutil.disk_usage(folder).free + held


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def find_folder(
    base: Path, children: Sequence[str], depth: int = 4, passing: Sequence[str] = ()
) -> Path | None:
    """Find the folder that holds some folders or files, however deep the archive put it.

    Parameters
    ----------
    base : pathlib.Path
        Where to start.
    children : sequence of str
        Names, all of which it must hold; ``sequences/cam1`` is one, too.
    depth : int
        Levels to go down at most.
    passing : sequence of str
        Beginnings of the names of folders that are not looked into; hidden ones never are.

    Returns
    -------
    pathlib.Path or None
        The first one, level by level and by name.
    """
    level, passing = [base], ("__", *passing)
    for _ in range(depth + 1):
        for folder in level:
            if all(is_there(folder / child) for child in children):
                return folder
        level = [
            Path(entry.path)
            for folder in level
            for entry in _entries_of(folder)
            if is_folder(entry) and not entry.name.startswith(passing)
        ]
    return None


def _entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder on the way; one that can't be listed may be no part of the data set."""
    try:
        return entries(folder)
    except FileError as error:
        _log.warning("passed over: %s", error)
        return []
