"""Read a matrix of whole numbers from a MATLAB file.

MATLAB stores numbers as doubles, as integers of 8 to 64 bits, in cells and in sparse matrices.
Anything but a full matrix of whole numbers is refused with its MATLAB class: a cast would turn 1.5
into 1 without an error.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wherewhen.tracklets.files import FileError, displayed, open_file

MOST_NUMBERS = 10_000_000
"""Numbers of a matrix: compressed, a thousandth of their bytes lie in the file."""

_COMPRESSED = 15
_TYPES = {*range(1, 8), 9, *range(12, 19)}
"""Numbers of the types that parts of a file of version 5 to 7.2 may have."""
_LARGEST_PART = 16 * MOST_NUMBERS

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_PLACES = (0, 512, 1024, 2048)
"""Offsets at which HDF5 data may begin; MATLAB writes a header of 512 bytes before them."""

_CLASSES = {
    "cell": "a cell array",
    "char": "text",
    "function": "a function",
    "logical": "a logical matrix of true and false",
    "object": "an object",
    "opaque": "an object",
    "sparse": "a sparse matrix",
    "struct": "a struct",
}
"""MATLAB classes, as scipy names them, that are no full matrix of numbers."""

_LARGEST = 2**53
"""Whole numbers up to here are exact in a double, MATLAB's usual form."""


def whole_numbers(path: Path, variable: str, remedy: str) -> NDArray[np.integer]:
    """Read a matrix of whole numbers.

    Parameters
    ----------
    path : pathlib.Path
        A ``.mat`` file of version 4 to 7.2.
    variable : str
        Its name in the file.
    remedy : str
        What to do if the file is no such file, e.g. ``get the file again``.

    Returns
    -------
    numpy.ndarray
        As many dimensions as in the file. Integers keep their type, whose range says how large a
        number can have been; doubles become int64.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileError
        If it can't be read, has no such variable, or the variable is no full, real matrix of whole
        numbers up to 2^53.
    """
    values = _numbers(path, variable, remedy)
    wrong = _not_whole(values)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise FileError(
            f"{displayed(path)}: {variable} is not made of whole numbers: {values[tuple(place)]} "
            f"in {_place(place)}, expected whole numbers up to 2^53; {remedy}"
        )
    return values.astype(np.int64) if values.dtype.kind == "f" else values


def _numbers(path: Path, variable: str, remedy: str) -> NDArray:
    """Read a variable that is a full matrix of real numbers."""
    from scipy.io import loadmat, whosmat

    shown = displayed(path)
    with open_file(path, "MATLAB file", remedy) as file:
        content = file.read()
    if _is_hdf5(content):
        raise FileError(
            f"{shown}: a MATLAB 7.3 file (HDF5), expected version 7 or older. Load it in MATLAB "
            f"and save it with save('{path.name}', '{variable}', '-v7')"
        )
    try:
        _check_types(content)
        there = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(content))}
        if (size := math.prod(there.get(variable, ((), ""))[0])) > MOST_NUMBERS:
            raise ValueError(f"{variable} of {size:,} numbers, expected at most {MOST_NUMBERS:,}")
        plain = there.get(variable, ((), ""))[1] not in _CLASSES  # others are refused below, unread
        values = plain and loadmat(io.BytesIO(content), variable_names=[variable]).get(variable)
    except Exception as error:  # scipy raises what it stumbles over, by the kind of damage
        raise FileError(
            f"{shown} can't be read as a .mat file ({str(error) or type(error).__name__}), "
            f"expected a MATLAB file of version 4 to 7.2; {remedy}"
        ) from error
    if values is None:
        raise FileError(
            f"{shown} has no variable {variable} but {', '.join(there) or 'none'}; {remedy}"
        )
    kind = _CLASSES.get(there.get(variable, ((), ""))[1])
    if kind is None and np.asarray(values).dtype.kind == "c":
        kind = "a matrix of complex numbers"
    if kind is not None or np.asarray(values).dtype.kind not in "iuf":
        raise FileError(
            f"{shown}: {variable} is {kind or 'no matrix of numbers'}, expected a full matrix of "
            f"whole numbers, as double() and full() make one in MATLAB; {remedy}"
        )
    return np.asarray(values)


def _check_types(content: bytes) -> None:
    """Refuse parts of a type that there is not: scipy looks them up outside of its table.

    Of matrices in matrices (cells and structs), which are not read, the types are not looked at.
    """
    if 0 in content[:4]:  # version 4 has no such parts
        return
    order, place = "<" if content[126:128] == b"IM" else ">", 128
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        part = content[place + 8 : place + 8 + size]
        place += 8 + size
        if kind == _COMPRESSED:
            part = zlib.decompressobj().decompress(part, _LARGEST_PART)[8:]
        at = 0
        while at + 8 <= len(part):
            kind, size = struct.unpack_from(f"{order}II", part, at)
            small = kind >> 16  # its bytes then stand in the place of their number
            if kind & 0xFFFF not in _TYPES or small > 4:
                raise ValueError(f"a part of type {kind & 0xFFFF}, which there is not")
            if not small and at + 8 + size > len(part):
                raise ValueError("a part that is longer than its matrix")
            at += 8 if small else 8 + -(-size // 8) * 8


def _not_whole(values: NDArray) -> NDArray[np.bool_]:
    beyond = (values > _LARGEST) | (values < -_LARGEST)  # no abs: the least integer has none
    return beyond if values.dtype.kind in "iu" else beyond | (values != np.round(values))


def _is_hdf5(content: bytes) -> bool:
    return content.startswith(b"MATLAB 7.3") or any(
        content[place : place + len(_HDF5)] == _HDF5 for place in _HDF5_PLACES
    )


def _place(index: NDArray) -> str:
    if len(index) == 2:
        return f"row {index[0] + 1}, column {index[1] + 1}"
    return f"entry {', '.join(str(one + 1) for one in index)}"
