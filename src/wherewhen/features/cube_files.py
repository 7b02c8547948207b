"""Files of cubes: one safetensors file a tracklet, with its checksum, in float16 or 8 bits.

The tensor ``cubes`` is [variants, length, H, W, D]: variant 0 is the plain frame, the others are
augmented, one after the other, so that a window of any variant is one piece of the file. It is
float16, or 8 bits with a tensor ``scale``, float16 [variants, length, D]: the value of the highest
of the 255 (signed: 127) steps. Windows are read at their offset, straight into the caller's buffer.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from wherewhen.files import DISK, Files

DTYPE = np.dtype("<f2")
STORED = {"F16": DTYPE, "U8": np.dtype("u1"), "I8": np.dtype("i1")}
"""Types of the activations, as safetensors calls them; the two of 8 bits come with a scale."""
TENSOR, SCALE, METADATA = "cubes", "scale", "__metadata__"
HEAD, LONGEST_HEAD = 1024, 100_000
"""Bytes that are read for a header, one of ours has at most 384; bytes that one may have."""

Storage = Literal["float16", "uint8"]
"""How activations are kept; ``uint8`` takes half the room and is off by 0.2 to 0.3 %."""


class CubeFile(NamedTuple):
    """A file of a tracklet's cubes, by its header."""

    path: str
    offset: int
    """Where the activations begin."""
    dtype: str
    shape: tuple[int, int, int, int, int]
    sha256: str
    """Of all bytes after the header."""
    source: str
    """Name of the frames that the cubes were made of."""

    @classmethod
    def open(cls, path: Path, files: Files = DISK) -> Self:
        """Read a file's header; ValueError where it makes no sense."""
        (start,) = files.heads([path], HEAD)
        length = 8 + int.from_bytes(start[:8], "little")
        if HEAD < length <= LONGEST_HEAD:
            (start,) = files.heads([path], length)
        return cls.parse(path, start)

    @classmethod
    def parse(cls, path: Path, start: bytes) -> Self:
        """Read a header in the first bytes of a file; ValueError where it makes no sense."""
        length = int.from_bytes(start[:8], "little")
        if not 2 <= length <= LONGEST_HEAD - 8:
            raise ValueError(f"a header of {length} bytes")
        try:
            header = json.loads(start[8 : 8 + length])
            tensor, about = header[TENSOR], header[METADATA]
            shape = tuple(int(side) for side in tensor["shape"])
            if tensor["dtype"] not in STORED or len(shape) != 5 or min(shape) < 1:
                raise ValueError(f"expected float16 or 8 bits of five dimensions, got {tensor}")
            opened = cls(
                str(path), 8 + length, tensor["dtype"], shape, about["sha256"], about["source"]
            )
            if {name: header[name] for name in header if name != METADATA} != opened._tensors():
                raise ValueError(f"sizes that contradict each other: {header}")
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise ValueError(f"not a cube file: {error!r}") from error
        return opened

    @property
    def length(self) -> int:
        """Frames of the tracklet."""
        return self.shape[1]

    @property
    def _frame_bytes(self) -> int:
        """Bytes of one frame's activations."""
        return math.prod(self.shape[2:]) * STORED[self.dtype].itemsize

    @property
    def _scale_offset(self) -> int:
        """Where the activations end and the scales, if any, begin."""
        return self.offset + self.shape[0] * self.length * self._frame_bytes

    @property
    def _scale_shape(self) -> tuple[int, int, int]:
        return (self.shape[0], self.length, self.shape[4] if self.dtype != "F16" else 0)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._scale_offset + math.prod(self._scale_shape) * DTYPE.itemsize

    @property
    def is_whole(self) -> bool:
        """Whether the file has the size that its header says."""
        return Path(self.path).stat().st_size == self.size

    @property
    def entry(self) -> dict[str, Any]:
        """What a manifest says of the file."""
        return {"length": self.length, "bytes": self.size, "sha256": self.sha256}

    def _tensors(self) -> dict[str, Any]:
        """Return the header's entries of the tensors."""
        ends = [self._scale_offset - self.offset, self.size - self.offset]
        cubes = {"dtype": self.dtype, "shape": list(self.shape), "data_offsets": [0, ends[0]]}
        if self.dtype == "F16":
            return {TENSOR: cubes}
        scale = {"dtype": "F16", "shape": list(self._scale_shape), "data_offsets": ends}
        return {TENSOR: cubes, SCALE: scale}

    def has_checksum(self) -> bool:
        """Whether the file's bytes have its checksum."""
        with Path(self.path).open("rb") as file:
            file.seek(self.offset)
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256

    def read_into(self, variant: int, start: int, out: NDArray[np.float16]) -> None:
        """Fill a buffer with frames of a variant; EOFError where the file ends too early."""
        frame = variant * self.length + start
        at = self.offset + frame * self._frame_bytes
        if self.dtype == "F16":
            _read_into(self.path, (at, out))
            return
        steps = np.empty(out.shape, STORED[self.dtype])
        scale = np.empty((len(out), out.shape[-1]), DTYPE)
        scale_at = self._scale_offset + frame * scale.nbytes // len(scale)
        _read_into(self.path, (at, steps), (scale_at, scale))
        _scale_into(out, steps, scale)


def write_file(
    path: Path, cubes: NDArray[np.float16], storage: Storage, source: str, files: Files = DISK
) -> None:
    """Write cubes [variants, length, H, W, D] atomically.

    Parameters
    ----------
    path
        Replaced; its folder is made.
    cubes
        Finite.
    storage, source
        See `CubeStore.write`.
    files
        Where it is kept.
    """
    parts = _to_eight_bits(cubes) if storage == "uint8" else [cubes]
    # a store has thousands of files in a folder, and removes what killed writers left of them
    with files.replacing(path, delete_abandoned=False) as partial, partial.open("wb") as file:
        file.writelines([_header_bytes(parts, source), *map(_bytes_of, parts)])


def data_bytes(shape: Sequence[int], storage: Storage) -> int:
    """Return how many bytes cubes [variants, length, H, W, D] take in a file, without header."""
    if storage == "float16":
        return 2 * math.prod(shape)
    return math.prod(shape) + 2 * shape[0] * shape[1] * shape[-1]


def as_stored(cubes: NDArray, storage: Storage) -> NDArray[np.float16]:
    """Give cubes the values that they would have when read from a store.

    Parameters
    ----------
    cubes
        float16, shape [length, H, W, D].
    storage
        See `CubeStore.write`.

    Returns
    -------
    ndarray
        float16, of the same shape.
    """
    if storage == "float16":
        return cubes
    steps, scale = _to_eight_bits(cubes[None])
    out = np.empty(cubes.shape, DTYPE)
    _scale_into(out, steps[0], scale[0])
    return out


def _to_eight_bits(data: NDArray[np.float16]) -> list[NDArray]:
    """Divide every frame's and channel's largest value into the steps that 8 bits can count.

    Returns
    -------
    list of ndarray
        Steps, uint8 (int8 where a value is negative), shaped like the data; and the largest values,
        float16 [variants, length, D], which are kept exactly.
    """
    values = data.astype(np.float32)
    kind = np.int8 if values.min() < 0 else np.uint8
    largest = np.abs(values).max(axis=(2, 3))
    one = largest[:, :, None, None] / np.iinfo(kind).max
    steps = np.divide(values, one, out=np.zeros_like(values), where=one > 0)
    return [np.rint(steps).astype(kind), largest.astype(DTYPE)]


def _scale_into(out: NDArray[np.float16], steps: NDArray, scale: NDArray[np.float16]) -> None:
    """Multiply steps [length, H, W, D] with their scale [length, D].

    numpy's own conversion to float16 takes four times as long.  A float32 that is divided by 2^112
    has the bits of its float16, 13 places higher, subnormal numbers included: both formats then
    have the same smallest exponent.  Half a place more rounds.
    """
    values = steps * (scale.astype(np.float32) / np.iinfo(steps.dtype).max)[:, None, None]
    values *= np.float32(2.0**-112)
    bits = values.view(np.uint32)
    signs = None if steps.dtype == np.uint8 else (bits >> 16).astype(np.uint16) & 0x8000
    if signs is not None:
        bits &= 0x7FFFFFFF
    bits += 0x1000
    bits >>= 13
    halves = out.view(np.uint16)
    np.copyto(halves, bits, casting="unsafe")
    if signs is not None:
        halves |= signs


def _bytes_of(data: NDArray) -> memoryview:
    return memoryview(data).cast("B")


def _header_bytes(parts: Sequence[NDArray], source: str) -> bytes:
    """Write a safetensors header: its length, JSON, spaces up to a multiple of 64."""
    digest = hashlib.sha256()
    for data in parts:
        digest.update(_bytes_of(data))
    kinds = {dtype: name for name, dtype in STORED.items()}
    file = CubeFile("", 0, kinds[parts[0].dtype], parts[0].shape, digest.hexdigest(), source)
    header = {**file._tensors(), METADATA: {"sha256": file.sha256, "source": source}}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text


def _read_into(path: str, *pieces: tuple[int, NDArray]) -> None:
    """Fill buffers from their offsets in a file; EOFError where it ends too early."""
    with io.FileIO(path) as file:
        for offset, out in pieces:
            file.seek(offset)
            rest = _bytes_of(out)
            while rest:  # the system may hand over less than was asked for
                got = file.readinto(rest)
                if not got:
                    raise EOFError
                rest = rest[got:]
