"""Headers of .safetensors files, bounded before a library parses them.

The library takes headers of up to 100 MB, for which it needs 1.2 GB and a quarter of a minute.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

LARGEST_HEADER = 4 * 2**20
"""Bytes of a header: enough for some 40,000 tensors, and parsed in a second."""


class HeaderError(ValueError):
    """A file that can't be .safetensors, or has too large a header; the message says why."""


def check_header(path: str | Path, largest: int = LARGEST_HEADER) -> None:
    """Look at a file's first bytes.

    Parameters
    ----------
    path : str or Path
        The file.
    largest : int
        Bytes of the header.

    Raises
    ------
    HeaderError
        If it does not begin as .safetensors do, or its header is larger than the file or `largest`.
    OSError
        If it can't be read.
    """
    with Path(path).open("rb") as file:
        fault = header_fault(file.read(9), os.fstat(file.fileno()).st_size, largest)
    if fault is not None:
        raise HeaderError(fault)


def header_fault(head: bytes, size: int, largest: int = LARGEST_HEADER) -> str | None:
    """Say what is wrong with the first nine bytes of a file of a size; None if nothing is.

    Examples
    --------
    >>> header_fault(bytes(9), 20)
    'its header does not begin with a brace'
    """
    if not head:
        return "it is empty"
    if head[8:9] != b"{":
        return "its header does not begin with a brace"
    (length,) = struct.unpack("<Q", head[:8])
    if length > size - 8:
        return f"its header says that it takes {length:,} bytes, but the file has {size:,}"
    if length > largest:
        return f"its header takes {length:,} bytes, and at most {largest:,} are read"
    return None
