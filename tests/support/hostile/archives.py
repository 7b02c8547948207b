"""Archives that want to be somewhere else, or larger than they look."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hostile import case

KIND = "archive"
SAFE = "The archive is refused"
refused = partial(case, KIND, error="ArchiveError")


def unpacked(path: Path) -> Path:
    from wherewhen.tracklets.archives import unpack

    return unpack(path, path.parent / "unpacked", progress=False)


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def tar(folder: Path, *infos: tarfile.TarInfo, mode: str = "w") -> Path:
    path = folder / "set.tar"
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as file:
        for info in infos:
            file.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def zipped(folder: Path, *names: str | zipfile.ZipInfo, content: bytes = b"x") -> Path:
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, content)
    return path


def raw_zip(folder: Path, entries: int, name: bytes = b"%07d.png") -> Path:
    """Write a zip whose directory names the same bytes again and again."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 1, 1, 5, 0) + b"a.pngx"
    central = struct.Struct("<4s4B4H3L5H2L")
    directory = b"".join(
        central.pack(
            *(b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 1, 1, len(name % place)),
            *(0, 0, 0, 0, 0, 0),
        )
        + name % place
        for place in range(entries)
    )
    wide = struct.pack(
        "<4sQ2H2L4Q",
        *(b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(directory), len(local)),
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(local) + len(directory), 1)
    few = min(entries, 2**16 - 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, few, few, len(directory), len(local), 0)
    path = folder / "set.zip"
    path.write_bytes(local + directory + wide + locator + end)
    return path


@refused("a zip with a million entries that overlap", "take at least ... they overlap")
def overlapping(folder: Path) -> Iterator[None]:
    path = raw_zip(folder, 1_000_000)
    yield
    unpacked(path)


@refused(
    "a zip whose directory begins before the file",
    "truncated or damaged ... said to begin before the file",
)
def directory_outside(folder: Path) -> Iterator[None]:
    path = zipped(folder, "a.png")
    content = bytearray(path.read_bytes())
    content[-10:-6] = b"\xff\xff\xff\x7f"  # the directory's length
    path.write_bytes(content)
    yield
    unpacked(path)


@refused("a zip of zeros that grows a thousandfold", "more than 100 times its size")
def zip_bomb(folder: Path) -> Iterator[None]:
    path = zipped(folder, "a.png", content=bytes(200 * 2**20))
    yield
    unpacked(path)


@refused("a tar.gz of zeros that grows a thousandfold", "more than 100 times its size")
def tar_bomb(folder: Path) -> Iterator[None]:
    tar(folder, entry("a.png", size=200 * 2**20), mode="w:gz").rename(folder / "set.tar.gz")
    yield
    unpacked(folder / "set.tar.gz")


@refused(
    "a tar.gz with a header of 200 MB before a file", "a header of ... bytes, expected at most"
)
def long_extension(folder: Path) -> Iterator[None]:
    header = entry("pax", tarfile.XHDTYPE, size=200 * 2**20).tobuf(tarfile.PAX_FORMAT)
    with gzip.open(folder / "set.tar.gz", "wb", 1) as file:
        file.write(header)
        for _ in range(200):
            file.write(bytes(2**20))
    yield
    unpacked(folder / "set.tar.gz")


@refused("a tar with 5,000 headers, each of which belongs to the next", "recursion")
def chained_headers(folder: Path) -> Iterator[None]:
    header = entry("pax", tarfile.XHDTYPE, size=12).tobuf() + b"12 path=a.b\n".ljust(512, b"\0")
    (folder / "set.tar").write_bytes(header * 5000 + bytes(1024))
    yield
    unpacked(folder / "set.tar")


@refused("a tar whose member has a negative size", "a member of -")
def negative_size(folder: Path) -> Iterator[None]:
    header = bytearray(entry("a.png").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (folder / "set.tar").write_bytes(bytes(header) + bytes(1024))
    yield
    unpacked(folder / "set.tar")


@refused("a tar with a sparse file", "a sparse file")
def sparse(folder: Path) -> Iterator[None]:
    path = tar(folder, entry("a.png", tarfile.GNUTYPE_SPARSE))
    yield
    unpacked(path)


@refused("a tar with a sparse file in a pax header", "a sparse file")
def sparse_in_pax(folder: Path) -> Iterator[None]:
    info = entry("a.png", size=512)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    with tarfile.open(folder / "set.tar", "w", format=tarfile.PAX_FORMAT) as file:
        file.addfile(info, io.BytesIO(b"1\n" + b"0\n" * 255))
    yield
    unpacked(folder / "set.tar")


def _member(
    given: str, said: str, name: str, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    """Add a tar with one member; the whole archive is refused."""

    def act(folder: Path) -> Iterator[None]:
        path = tar(folder, entry(name, kind, link))
        yield
        unpacked(path)

    act.__name__ = given.replace(" ", "_")
    refused(f"a tar with {given}", said)(act)


_member("an absolute name", "is an absolute path ... is refused", "/etc/a.png")
_member("a drive's letter", "is an absolute path", "C:/a.png")
_member("a name through ..", "leaves the folder through '..'", "a/../../../b.png")
_member("a backslash in a name", "has a backslash in its name", "a\\..\\b.png")
_member("a link", "is a link to '/etc/passwd'", "a.png", tarfile.SYMTYPE, "/etc/passwd")
_member("a link to a folder", "is a link to '..'", "a", tarfile.SYMTYPE, "..")
_member("a hard link", "is a link to 'set.tar'", "a.png", tarfile.LNKTYPE, "set.tar")
_member("a device", "is a device or another special file", "a.png", tarfile.CHRTYPE)
_member("a pipe", "is a device or another special file", "a.png", tarfile.FIFOTYPE)
_member("a line break in a name", "has control characters in its name", "a\n.png")
_member("a name of 300 characters", "has a name of more than 255 bytes", f"{'a' * 300}.png")


@refused("a zip with a link", "is a link; a data set consists of files and folders")
def zip_link(folder: Path) -> Iterator[None]:
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    path = zipped(folder, info, content=b"/etc/passwd")
    yield
    unpacked(path)


@refused("a zip with a name through ..", "leaves the folder through '..'")
def zip_parent(folder: Path) -> Iterator[None]:
    path = zipped(folder, "a/../../b.png")
    yield
    unpacked(path)


@refused("a zip with a NUL before a name", "has control characters in its name")
def zip_nul(folder: Path) -> Iterator[None]:
    path = raw_zip(folder, 1, b"\0%d/.p")
    path.write_bytes(path.read_bytes().replace(b"a.pngx", b"\x000/.px"))
    yield
    unpacked(path)


@refused("a zip with a name twice", "occurs twice")
def zip_twice(folder: Path) -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = zipped(folder, "a.png", "a.png")
    yield
    unpacked(path)


@refused("random bytes called .tar", "truncated or damaged")
def noise(folder: Path) -> Iterator[None]:
    import random

    (folder / "set.tar").write_bytes(random.Random(0).randbytes(100_000))
    yield
    unpacked(folder / "set.tar")
