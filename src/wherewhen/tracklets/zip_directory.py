"""A look at a zip archive's directory before a library reads it.

Python's zipfile makes an object of every entry before it returns any. A directory that names the
same few bytes a million times would so cost half a minute and half a gigabyte.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MOST_ENTRIES = 5_000_000
"""Entries of an archive. MARS, the largest data set read here, has 1.2 million files."""

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s16xL4xHHH12x")
"""Of an entry: signature, compressed size, and the lengths of name, extra field and comment."""
_LOCAL = 30
"""Bytes of the header before an entry's data, without its name."""
_LONGEST_COMMENT = 2**16
_CHUNK = 2**20


class _Directory(NamedTuple):
    """Where an archive's directory lies."""

    start: int
    size: int
    before: int
    """Bytes before the first entry's data: of a program that unpacks itself, for instance."""


def check_directory(file: BinaryIO) -> None:
    """Raise if an archive's entries can't all lie in it, each for itself, or are too many.

    Parameters
    ----------
    file : binary file
        The archive; it may be at any position, and is afterwards.

    Raises
    ------
    zipfile.BadZipFile
        If there is no directory, it ends too early, its entries overlap, or there are more than
        `MOST_ENTRIES`.
    """
    directory = _find(file)
    room = directory.start - directory.before
    taken = 0
    for number, least in enumerate(_least_sizes(file, directory), start=1):
        taken += least
        if taken > room:
            raise zipfile.BadZipFile(
                f"its first {number:,} entries take at least {taken:,} bytes, but lie in {room:,}: "
                "they overlap"
            )
        if number > MOST_ENTRIES:
            raise zipfile.BadZipFile(f"more than {MOST_ENTRIES:,} entries")


def _find(file: BinaryIO) -> _Directory:
    size = file.seek(0, 2)
    start = file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) < place + _END.size:
        raise zipfile.BadZipFile("File is not a zip file: it has no directory at its end")
    *_, length, offset, _ = _END.unpack_from(tail, place)
    end = start + place
    if end >= _LOCATOR.size + _END_64.size:
        file.seek(end - _LOCATOR.size)
        if file.read(4) == b"PK\6\7":  # sizes of 64 bits stand before
            end -= _LOCATOR.size + _END_64.size
            file.seek(end)
            signature, *_, length, offset = _END_64.unpack(file.read(_END_64.size))
            if signature != b"PK\6\6":
                raise zipfile.BadZipFile("its directory's end is damaged")
    begin = end - length
    if begin < 0 or begin < offset:
        raise zipfile.BadZipFile("its directory is said to begin before the file")
    return _Directory(begin, length, begin - offset)


def _least_sizes(file: BinaryIO, directory: _Directory) -> Iterator[int]:
    """Yield the bytes that each entry takes at least: header, name and data."""
    file.seek(directory.start)
    left, content, place = directory.size, b"", 0
    while True:
        if len(content) - place < _ENTRY.size + 3 * 2**16 and left:
            more = file.read(min(_CHUNK, left))
            left = left - len(more) if more else 0
            content, place = content[place:] + more, 0
        if place + _ENTRY.size > len(content):
            return
        signature, compressed, name, extra, comment = _ENTRY.unpack_from(content, place)
        if signature != b"PK\1\2":
            raise zipfile.BadZipFile("Bad magic number for central directory")
        place += _ENTRY.size + name + extra + comment
        # where 64 bits are needed, 2^32 - 1 stands for them
        yield _LOCAL + name + (0 if compressed == 2**32 - 1 else compressed)
