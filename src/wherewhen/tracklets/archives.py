"""Unpack archives in which data sets are published: tar (plain, gzip, bzip2, xz) and zip.

An archive is unpacked once, beside itself or where the caller says, because frames are read many
times and in any order. Archives are not trusted: every member is checked before it is written, only
types of files that data sets consist of are written, and their number, size and compression ratio
are bounded.

Members are written to a hidden folder that is renamed when it is complete. An interrupted run keeps
what it has written; the next one goes on from there.
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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NoReturn, Self

from tqdm import tqdm

from wherewhen.locks import held
from wherewhen.tracklets.files import entries, is_dir, is_file, is_leaving
from wherewhen.tracklets.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from wherewhen.tracklets.zip_directory import check_directory

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""File name endings of archives, in lower case; files may have them in any case."""

WANTED = frozenset((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, ".mat", ".txt", ".csv", ".md", ".ini"))
"""Suffixes of the members that are written: images, videos, and lists of them."""

SEAL = ".unpacked.json"
"""The file in an unpacked folder that names its archive; written last."""

UNPACKED = "unpacked"
"""The folder beside footage for unpacked archives and for crops that are cut."""

CROPS = "crops-"
"""The first letters of the names of crops' folders in it."""

MOST_BYTES, MOST_MEMBERS, HIGHEST_RATIO = 100 * 2**30, 5_000_000, 100.0
"""Limits of what an archive may unpack to: bytes, files and folders, and bytes unpacked for a byte
of the archive. MARS, the largest data set read here, has 7 GB in 1.2 million files; images hardly
compress, and a decompression bomb grows a thousandfold."""

_RATIO_MATTERS_FROM = 16 * 2**20
"""Bytes below which the ratio is not checked: a text file easily reaches 100."""

_LONGEST_EXTENSION = 2**17
"""The most bytes of a tar's header that belongs to the one behind it: long names and attributes."""

_EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)

_CHUNK = 2**20
_TRAILER = 64 * 2**20
"""The most padding that is read after the last member of a compressed tar."""

_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    *(ValueError, OverflowError, struct.error),  # a name that is not UTF-8, a number out of range
    RecursionError,  # thousands of a tar's headers, each of which belongs to the next
)

_log = logging.getLogger(__name__)


class ArchiveError(ValueError):
    """An archive is damaged, or has members that must not be unpacked."""


class DiskFullError(ArchiveError):
    """The disk can't hold the members of an archive; what is written is kept for the next call."""


@dataclass(frozen=True)
class _Member:
    """A file or folder in an archive."""

    name: str
    size: int
    is_folder: bool
    fault: str | None
    """Why it must not be unpacked, as far as its type says."""
    open: Callable[[], IO[bytes]]
    position: int
    """Bytes of the archive that have been read."""


def is_archive(path: Path) -> bool:
    """Whether a file's name has the ending of an archive (`SUFFIXES`)."""
    return path.name.lower().endswith(SUFFIXES) and is_file(path)


def opened(
    root: Path,
    unpack_to: Path | None = None,
    holds_data: Callable[[Path], bool] = lambda folder: True,
    progress: bool = True,
) -> Path:
    """Return the folder of a data set, after unpacking its archives if necessary.

    Parameters
    ----------
    root : pathlib.Path
        A folder with the data set, an archive of it, or a folder with its archives.
    unpack_to : pathlib.Path, optional
        Where archives are unpacked, each to a folder of its own; ``unpacked`` beside them by
        default.
    holds_data : callable, optional
        Whether a folder holds the data set already; its archives are then left alone.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        `root` itself, or the folder of the unpacked archive or archives. A path that does not exist
        is returned unchanged.

    Raises
    ------
    ArchiveError
        As from `unpack`.
    """
    if is_archive(root):
        return unpack(root, unpack_to or root.parent / UNPACKED, progress)
    if not is_dir(root):
        return root
    archives = sorted(root / entry.name for entry in entries(root) if is_archive(Path(entry.path)))
    folder = unpack_to or root / UNPACKED
    # what was unpacked here before may be of other archives, and is no data set of the user's
    unpacked = any((folder / _stem(archive)).is_dir() for archive in archives)
    if not archives or (not unpacked and holds_data(root)):
        return root
    for archive in archives:
        unpack(archive, folder, progress)
    return folder


def is_made_of_the_rest(folder: Path) -> bool:
    """Whether a folder is called `UNPACKED`, and readers have made everything in it."""
    return folder.name == UNPACKED and all(
        entry.name.startswith(CROPS) or (folder / entry.name / SEAL).is_file()
        for entry in entries(folder)
    )


def unpack(archive: Path, folder: Path, progress: bool = True) -> Path:
    """Unpack an archive, unless it has been unpacked before.

    Parameters
    ----------
    archive : pathlib.Path
        A tar or a zip.
    folder : pathlib.Path
        Where the archive's own folder is made.
    progress : bool
        Show a progress bar over the archive's bytes.

    Returns
    -------
    pathlib.Path
        ``folder/<the archive's name without suffix>``, with a file `SEAL` in it.

    Raises
    ------
    ArchiveError
        If the archive is damaged or truncated; if a member would be written outside the folder, is
        a link or a device, is encrypted or occurs twice; if the archive unpacks to more than the
        limits or the disk allow; if the folder was unpacked from another archive; or if another
        process is unpacking it. Nothing is then under the folder's name.
    """
    target, identity = folder / _stem(archive), _identity(archive)
    if target.exists():
        return _sealed(target, archive, identity)
    folder.mkdir(parents=True, exist_ok=True)

    def busy(who: str) -> NoReturn:
        raise ArchiveError(f"{who} unpacks {archive} to {target}; wait for it and call again")

    # beside the folder, not in it: Windows neither renames nor removes a folder with an open file
    with held(folder / f".{target.name}.lock", busy):
        if target.exists():  # another process has just finished
            return _sealed(target, archive, identity)
        unfinished = folder / f".{target.name}.{identity['sha256_of_ends'][:16]}.partial"
        for other in folder.glob(f".{target.name}.*.partial"):
            if other != unfinished:  # of another version of the archive
                shutil.rmtree(other)
        unfinished.mkdir(exist_ok=True)
        try:
            counts = _write_members(archive, unfinished, progress)
        except DiskFullError:
            raise
        except ArchiveError:
            shutil.rmtree(unfinished)
            raise
        (unfinished / SEAL).write_text(json.dumps({"archive": identity, **counts}))
        if hasattr(os, "sync"):  # Windows flushes one file at a time
            os.sync()
        unfinished.rename(target)
    return target


def _stem(archive: Path) -> str:
    suffix = next(each for each in SUFFIXES if archive.name.lower().endswith(each))
    return archive.name[: -len(suffix)] or archive.name


def _identity(archive: Path) -> dict[str, Any]:
    """Name the content of an archive by its size and its first and last MiB.

    The end of a zip has the checksums of all its members.
    """
    size = archive.stat().st_size
    with archive.open("rb") as file:
        digest = hashlib.sha256(file.read(_CHUNK))
        file.seek(max(size - _CHUNK, 0))
        digest.update(file.read(_CHUNK))
    return {"name": archive.name, "bytes": size, "sha256_of_ends": digest.hexdigest()}


def _sealed(target: Path, archive: Path, identity: dict[str, Any]) -> Path:
    """Return an unpacked folder if its seal names this archive."""
    try:
        found = json.loads((target / SEAL).read_text())["archive"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise ArchiveError(
            f"{target} exists, but was not unpacked from {archive} by this project, so it may be "
            "incomplete. Set the root to that folder to use it as it is, or move it away to have "
            "the archive unpacked"
        ) from None
    if found != identity:
        raise ArchiveError(
            f"{target} holds what was unpacked from another version of {archive.name}. Remove that "
            "folder to have this one unpacked, or set another folder to unpack to"
        )
    return target


def _write_members(archive: Path, folder: Path, progress: bool) -> dict[str, int]:
    """Write the wanted members that are missing in the folder, and count all of them."""
    size = archive.stat().st_size
    counts = {"files": 0, "bytes": 0, "passed_over": 0}
    total, seen, others = 0, set(), Counter()
    bar = tqdm(
        total=size, desc=f"unpack {archive.name}", unit="B", unit_scale=True, disable=not progress
    )
    with bar, _explained(archive):
        for number, member in enumerate(_members(archive), start=1):
            path = _path(archive, member)
            total += member.size
            _check_limits(archive, member, number, total, size)
            bar.update(max(member.position - bar.n, 0))
            if member.is_folder:
                continue
            if any(map(is_leaving, path.parts)) or path.suffix.lower() not in WANTED:
                others[path.suffix.lower() if not is_leaving(path.name) else "hidden"] += 1
                continue
            if (key := hash(path.as_posix())) in seen:
                _refuse(archive, member, "occurs twice, and it is not known which one counts")
            seen.add(key)
            _write(member, folder / path, archive)
            counts["files"] += 1
            counts["bytes"] += member.size
        bar.update(max(size - bar.n, 0))
    counts["passed_over"] = others.total()
    if others:
        kinds = ", ".join(f"{count} {kind or 'without suffix'}" for kind, count in others.items())
        _log.warning("archive %s: members passed over: %s", archive, kinds)
    return counts


def _path(archive: Path, member: _Member) -> PurePosixPath:
    """Return the path of a member in the folder, or refuse the archive."""
    name, path = member.name, PurePosixPath(member.name)
    for wrong, fault in (
        (not name, "has no name"),
        (member.fault is not None, member.fault),
        (re.match(r"[/\\]|[A-Za-z]:", name), "is an absolute path"),
        (".." in path.parts, "leaves the folder through '..'"),
        ("\\" in name, "has a backslash in its name, which some systems take for a folder"),
        (re.search(r"[\x00-\x1f]", name), "has control characters in its name"),
        (
            any(len(part.encode(errors="surrogateescape")) > 255 for part in path.parts),
            "has a name of more than 255 bytes",
        ),
    ):
        if wrong:
            _refuse(archive, member, fault)
    return path


def _refuse(archive: Path, member: _Member, fault: str) -> NoReturn:
    raise ArchiveError(
        f"archive {archive}: member {member.name[:200]!r} {fault}. The archive is refused: get it "
        "from the data set's owners, or pack it again without that member"
    )


def _check_limits(archive: Path, member: _Member, number: int, total: int, size: int) -> None:
    for wrong, what in (
        (number > MOST_MEMBERS, f"{MOST_MEMBERS} members, the most that is allowed"),
        (total > MOST_BYTES, f"{MOST_BYTES} bytes, the most that is allowed"),
        (
            total > max(size * HIGHEST_RATIO, _RATIO_MATTERS_FROM),
            f"{HIGHEST_RATIO:g} times its size ({total} bytes at {member.name!r}), as a "
            "decompression bomb does; images hardly compress",
        ),
    ):
        if wrong:
            raise ArchiveError(
                f"archive {archive}: unpacks to more than {what}. If you trust the archive, unpack "
                "it yourself and set the root to the folder"
            )


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as raw:
        is_zip = raw.read(2) == b"PK"
        raw.seek(0)
        yield from _zip_members(raw) if is_zip else _tar_members(raw)


class _Header(tarfile.TarInfo):
    """A tar's header; those that take memory or time before a member is known are refused."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> Self:
        """Read 512 bytes."""
        info = super().frombuf(buf, encoding, errors)
        if info.type == tarfile.GNUTYPE_SPARSE:
            info._refuse_sparse()
        if info.type in _EXTENSIONS and info.size > _LONGEST_EXTENSION:
            raise ValueError(  # tarfile would replace an error of its own
                f"a header of {info.size:,} bytes, expected at most {_LONGEST_EXTENSION:,}"
            )
        return info

    def _refuse_sparse(self, *_: object) -> NoReturn:
        # tarfile reads the list of holes to its end, however long it is
        raise ValueError("a sparse file: pack it again without --sparse")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


def _tar_members(raw: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=raw, mode="r:*", tarinfo=_Header) as tar:
        while (info := tar.next()) is not None:
            if info.size < 0:  # the next header would be looked for before this one, for ever
                raise ValueError(f"a member of {info.size} bytes")
            tar.members.clear()  # or a million headers stay in memory
            content = partial(tar.extractfile, info)
            fault = _tar_fault(info)
            yield _Member(info.name, info.size, info.isdir(), fault, content, raw.tell())
        # tarfile takes a truncated or broken header for the end, which is a block of zeros
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end mark where one was expected")
        for _ in range(_TRAILER // _CHUNK):  # to the end, where a compressed tar has its checksum
            if not tar.fileobj.read(_CHUNK):
                return


def _tar_fault(info: tarfile.TarInfo) -> str | None:
    """Say why the standard library's filter for data refuses a member; links are always refused."""
    if info.issym() or info.islnk():
        return f"is a link to {info.linkname!r}; a data set consists of files and folders"
    try:
        tarfile.data_filter(info.replace(name="member", deep=False), "/unpacked")
    except tarfile.SpecialFileError:
        return "is a device or another special file; a data set consists of files and folders"
    return None


def _zip_members(raw: IO[bytes]) -> Iterator[_Member]:
    check_directory(raw)  # zipfile takes 25 us and 400 bytes for an entry, before it checks any
    with zipfile.ZipFile(raw) as file:
        position = 0
        for info in file.infolist():
            position += info.compress_size
            content = partial(file.open, info)
            name, size, fault = info.orig_filename, info.file_size, _zip_fault(info)
            # zipfile's own question fails where there is no name
            yield _Member(name, size, name.endswith("/"), fault, content, position)


def _zip_fault(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link; a data set consists of files and folders"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or another special file; a data set consists of files and folders"
    return "is encrypted" if info.flag_bits & 1 else None


def _write(member: _Member, destination: Path, archive: Path) -> None:
    """Write a file, unless an interrupted run has: its size tells whether it is complete."""
    with contextlib.suppress(OSError):
        if destination.stat().st_size == member.size:
            return
    destination.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(destination.parent).free
    if member.size > free:
        raise DiskFullError(
            f"archive {archive}: needs {member.size} bytes for {member.name}, but the disk has "
            f"{free} left. Free some space, or set another folder to unpack to, and call again: "
            "what is unpacked stays"
        )
    with member.open() as source, destination.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
        written = file.tell()
        if not hasattr(os, "sync"):
            file.flush()
            os.fsync(file.fileno())
    if written != member.size:
        raise EOFError(f"{member.name} has {written} of {member.size} bytes")


@contextlib.contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """Turn the errors of broken archives and full disks into ones that say what to do."""
    try:
        yield
    except ArchiveError:
        raise
    except NotImplementedError as error:  # a zip's compression method
        raise ArchiveError(
            f"archive {archive}: can't be unpacked ({error}). Unpack it with another program and "
            "set the root to the folder"
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(
            f"archive {archive}: a file and a folder in it bear the same name "
            f"({Path(error.filename or '').name}). The archive is refused: get it from the data "
            "set's owners"
        ) from error
    except (*_BROKEN, OSError) as error:
        number = getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"archive {archive}: the disk is full. Free some space, or set another folder to "
                "unpack to, and call again: what is unpacked stays"
            ) from error
        # gzip and bz2 raise a bare OSError for broken data; a zip may point before its beginning
        if isinstance(error, OSError) and number not in (None, errno.EINVAL):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(" :")
        raise ArchiveError(
            f"archive {archive}: truncated or damaged after {archive.stat().st_size} bytes "
            f"({reason}). Download or copy it again, and compare its size with that of its source; "
            "nothing of it is used"
        ) from error
