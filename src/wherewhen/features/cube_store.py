"""The cube store of the features room: feature cubes on disk, whole or not there.

A store is a folder named by the fingerprint of what its cubes depend on (backbone, weights,
preprocessing, data set).  Inside, one safetensors file a tracklet, float16 [length, K, K, D]::

    <root>/<key>/identity.json                   what the key stands for
    <root>/<key>/cubes/<tracklet>.safetensors    written under a temporary name, synced, renamed
    <root>/<key>/manifest.json                   written last: lengths and checksums

A killed writer leaves whole files and perhaps one temporary file, which the next writer removes.
Windows of frames are read with ``preadv`` at the header's offset, straight into the caller's
buffer.  Nothing here needs torch.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from wherewhen.tracklets.fingerprint import fingerprint

FORMAT = 1
"""Version of the layout; a store of another version is refused."""
DTYPE = np.dtype("<f2")
SUFFIX = ".safetensors"
TENSOR = "cubes"
LONGEST_NAME = 200
"""Characters of one part of a file's name; file systems stop at 255 bytes."""
_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_FULL[errno.EFBIG] = "the largest allowed file size is reached"


class CubeStoreError(OSError):
    """A store that is damaged, incomplete, in use or out of space."""


class _Header(NamedTuple):
    """What a cube file says about itself."""

    offset: int
    shape: tuple[int, int, int, int]
    sha256: str

    @property
    def file_bytes(self) -> int:
        return self.offset + math.prod(self.shape) * DTYPE.itemsize


class CubeStore:
    """Feature cubes by tracklet; every method but `write`, `discard` and `seal` only reads.

    Parameters
    ----------
    folder
        The store's own folder, as `create` made it.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    CubeStoreError
        If its identity or manifest is damaged.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._headers: dict[str, _Header] = {}
        self._sealed: dict[str, dict[str, Any]] | None = None
        self._lengths: dict[str, int] = {}
        self._shape: tuple[int, int, int] | None = None
        if not (self.folder / "identity.json").is_file():
            raise FileNotFoundError(
                f"{self.folder} is no cube store: identity.json is missing; run the extraction"
            )
        self.identity: dict[str, Any] = self._load_json("identity.json")
        if fingerprint(self.identity) != self.key:
            raise CubeStoreError(
                f"{self.folder / 'identity.json'}: its fingerprint is not the folder's name; it "
                "was changed or damaged. Delete the folder and run the extraction again"
            )

    @classmethod
    def create(cls, root: str | Path, identity: Mapping[str, Any]) -> Self:
        """Open the store of an identity; make it if there is none.

        Parameters
        ----------
        root
            The folder of all stores.
        identity
            Everything that the cubes depend on; JSON can hold it.

        Returns
        -------
        CubeStore
            In ``<root>/<fingerprint of the identity>``, filled or not.
        """
        folder = Path(root) / fingerprint(identity)
        (folder / "cubes").mkdir(parents=True, exist_ok=True)
        if not (folder / "identity.json").exists():
            _write_whole(folder / "identity.json", [_json_bytes(identity)])
        return cls(folder)

    @property
    def key(self) -> str:
        """The fingerprint that names the store."""
        return self.folder.name

    # --- reading ---------------------------------------------------------------------------------

    def __contains__(self, tracklet: str) -> bool:
        """Whether a tracklet's file is there, whole by its size (`verify` looks at the bytes)."""
        try:
            header = _read_header(self._path(tracklet))
            return self._path(tracklet).stat().st_size == header.file_bytes
        except (OSError, ValueError):
            return False

    @property
    def lengths(self) -> Mapping[str, int]:
        """Frames of every tracklet in the store: those sealed, else those whole so far."""
        sealed = self._manifest()
        if sealed is None:
            return {tracklet: self._header(tracklet).shape[0] for tracklet in self._whole_files()}
        if not self._lengths:  # asked for at every clip: kept
            self._lengths = {tracklet: entry["length"] for tracklet, entry in sealed.items()}
        return self._lengths

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(K, K, D) of every cube; None while the store is empty."""
        if self._shape is None:
            whole = next(self._whole_files(), None)
            self._shape = None if whole is None else self._header(whole).shape[1:]
        return self._shape

    @property
    def grid(self) -> int:
        """K, cells along a side."""
        return self._some_shape()[0]

    @property
    def channels(self) -> int:
        """D, activations a cell."""
        return self._some_shape()[2]

    def _some_shape(self) -> tuple[int, int, int]:
        if self.shape is None:
            raise CubeStoreError(f"{self.folder} holds no cubes yet; run the extraction")
        return self.shape

    @property
    def complete(self) -> bool:
        """Whether the store was sealed and every sealed file still has its size."""
        sealed = self._manifest()
        return sealed is not None and all(
            _size(self._path(tracklet)) == entry["bytes"] for tracklet, entry in sealed.items()
        )

    def read(
        self,
        tracklet: str,
        start: int = 0,
        stop: int | None = None,
        out: NDArray[np.float16] | None = None,
    ) -> NDArray[np.float16]:
        """Read a window of frames, and no byte beside it.

        Parameters
        ----------
        tracklet
            Its name.
        start, stop
            First frame and the one after the last; None reads to the end.
        out
            Buffer to fill, float16 [stop - start, K, K, D], C-contiguous (a pinned tensor's
            ``.numpy()`` serves); None makes one.

        Returns
        -------
        ndarray
            float16, shape [stop - start, K, K, D]; ``out`` where it was given.

        Raises
        ------
        KeyError
            If the store has no such tracklet.
        IndexError
            If the window leaves the tracklet.
        ValueError
            If ``out`` does not fit.
        CubeStoreError
            If the file is shorter than its header says.
        """
        header = self._header(tracklet)
        length, *cube = header.shape
        stop = length if stop is None else stop
        if not 0 <= start <= stop <= length:
            raise IndexError(
                f"tracklet {tracklet}: frames {start} to {stop} were asked for, it has {length}"
            )
        shape = (stop - start, *cube)
        if out is None:
            out = np.empty(shape, DTYPE)
        elif out.shape != shape or out.dtype != DTYPE or not out.flags.c_contiguous:
            raise ValueError(
                f"out: expected C-contiguous float16 {list(shape)}, got {out.dtype} "
                f"{list(out.shape)}"
            )
        if out.size:
            first = header.offset + start * math.prod(cube) * DTYPE.itemsize
            self._read_exactly(tracklet, first, out)
        return out

    def _read_exactly(self, tracklet: str, offset: int, out: NDArray) -> None:
        buffer = memoryview(out).cast("B")
        try:
            descriptor = os.open(self._path(tracklet), os.O_RDONLY)
        except FileNotFoundError as error:
            raise self._damaged(tracklet, "is gone") from error
        try:
            while buffer:  # the system may hand over less than was asked for
                got = os.preadv(descriptor, [buffer], offset)
                if not got:
                    raise self._damaged(tracklet, "is shorter than its header says")
                buffer, offset = buffer[got:], offset + got
        finally:
            os.close(descriptor)

    def verify(self) -> list[str]:
        """Read every byte and compare with the checksums.

        Returns
        -------
        list of str
            Tracklets that are damaged or missing, sorted; `discard` them and extract again.
        """
        sealed = self._manifest()
        tracklets = self._names() if sealed is None else sealed
        return sorted(t for t in tracklets if not self._intact(t, sealed))

    def _intact(self, tracklet: str, sealed: Mapping[str, Mapping[str, Any]] | None) -> bool:
        try:
            path = self._path(tracklet)
            header = _read_header(path)
            if path.stat().st_size != header.file_bytes or _data_sha256(path, header) != (
                header.sha256
            ):
                return False
        except (OSError, ValueError):
            return False
        return sealed is None or dict(sealed[tracklet]) == _entry(header)

    # --- writing ---------------------------------------------------------------------------------

    def write(self, tracklet: str, cubes: NDArray) -> None:
        """Write a tracklet's cubes, wholly or not at all.

        Parameters
        ----------
        tracklet
            Its name; ``/`` makes subfolders.
        cubes
            Shape [length, K, K, D]; stored as float16.

        Raises
        ------
        ValueError
            If the name can't be a file's, or the cubes are of another shape than the store's, empty
            or not finite in float16.
        CubeStoreError
            If the disk is full.  What was finished stays; nothing half-written does.
        """
        path = self._path(tracklet)
        data = self._checked(tracklet, cubes)
        self._unseal()
        self._headers.pop(tracklet, None)
        with self._out_of_space(f"tracklet {tracklet}", data.nbytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, [_header_bytes(data), memoryview(data).cast("B")])
        self._shape = data.shape[1:]

    @contextmanager
    def _out_of_space(self, what: str, needed: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            free = shutil.disk_usage(self.folder).free
            raise CubeStoreError(
                f"{_FULL[error.errno]}: {what} needs {_readable(needed)}, {_readable(free)} are "
                f"free under {self.folder}. {sum(1 for _ in self._names())} finished tracklets "
                "are kept; free some space and run again: it continues from there"
            ) from error

    def _checked(self, tracklet: str, cubes: NDArray) -> NDArray[np.float16]:
        with np.errstate(over="ignore"):
            data = np.ascontiguousarray(cubes, dtype=DTYPE)
        shape = self.shape
        if data.ndim != 4 or not len(data) or (shape is not None and data.shape[1:] != shape):
            expected = "K, K, D" if shape is None else ", ".join(map(str, shape))
            raise ValueError(
                f"tracklet {tracklet}: expected cubes [length >= 1, {expected}], "
                f"got {list(data.shape)}"
            )
        if not np.isfinite(data).all():
            raise ValueError(
                f"tracklet {tracklet}: its cubes hold values that float16 can't (NaN, or beyond "
                "65504); check the backbone's weights and preprocessing"
            )
        return data

    def discard(self, tracklet: str) -> None:
        """Remove a tracklet's cubes; the store is not complete any more."""
        self._unseal()
        self._headers.pop(tracklet, None)
        self._path(tracklet).unlink(missing_ok=True)

    def seal(self) -> None:
        """Declare the store complete: write the manifest, which names every whole tracklet."""
        tracklets = {t: _entry(_read_header(self._path(t))) for t in sorted(self._whole_files())}
        manifest = {"format": FORMAT, "identity": fingerprint(self.identity), "cubes": tracklets}
        text = _json_bytes(manifest)
        with self._out_of_space("the manifest", len(text)):
            _write_whole(self.folder / "manifest.json", [text])
        self._sealed, self._lengths = None, {}

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """Be the only writer, and clear away what killed writers left.

        Raises
        ------
        CubeStoreError
            If another process writes into this store.
        """
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
            except BlockingIOError as error:
                raise CubeStoreError(
                    f"{self.folder}: another process is extracting into it; wait for it to finish"
                ) from error
            for partial in self.folder.rglob(".*.tmp"):
                partial.unlink(missing_ok=True)
            yield self

    def require_space(self, needed: int) -> None:
        """Refuse before anything is written when the disk can't hold it.

        Parameters
        ----------
        needed
            Bytes, e.g. from `bytes_needed`.

        Raises
        ------
        CubeStoreError
            If less is free.
        """
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise CubeStoreError(
                f"the cubes still to be made need {_readable(needed)}, {_readable(free)} are free "
                f"under {self.folder}; free some space, or let the store lie on another disk. "
                "Nothing was written"
            )

    @staticmethod
    def bytes_needed(lengths: Iterable[int], shape: Sequence[int]) -> int:
        """Disk space for tracklets.

        Parameters
        ----------
        lengths
            Frames of each tracklet.
        shape
            (K, K, D).

        Returns
        -------
        int
            Bytes: the activations, and a file system block a tracklet for header and rounding.
        """
        block, a_frame = 4096, math.prod(shape) * DTYPE.itemsize
        return sum(length * a_frame + block for length in lengths)

    # --- files -----------------------------------------------------------------------------------

    def _path(self, tracklet: str) -> Path:
        parts = tracklet.split("/")
        for part in parts:
            if part in {"", ".", ".."} or len(_safe(part)) > LONGEST_NAME:
                raise ValueError(
                    f"tracklet `{tracklet}` can't name a file: expected parts between single "
                    f"slashes, none of them empty, `.`, `..` or longer than {LONGEST_NAME}"
                )
        return self.folder.joinpath("cubes", *map(_safe, parts[:-1]), _safe(parts[-1]) + SUFFIX)

    def _names(self) -> Iterator[str]:
        cubes = self.folder / "cubes"
        for path in sorted(cubes.rglob("*" + SUFFIX)):
            yield unquote(path.relative_to(cubes).as_posix().removesuffix(SUFFIX))

    def _whole_files(self) -> Iterator[str]:
        return (tracklet for tracklet in self._names() if tracklet in self)

    def _header(self, tracklet: str) -> _Header:
        if tracklet not in self._headers:
            path = self._path(tracklet)
            if not path.is_file():
                if tracklet in (self._manifest() or {}):
                    raise self._damaged(tracklet, "is gone")
                raise KeyError(f"{self.folder} has no cubes of tracklet {tracklet}")
            try:
                self._headers[tracklet] = _read_header(path)
            except ValueError as error:
                raise self._damaged(tracklet, f"has a damaged header ({error})") from error
        return self._headers[tracklet]

    def _damaged(self, tracklet: str, fault: str) -> CubeStoreError:
        return CubeStoreError(
            f"tracklet {tracklet}: {self._path(tracklet)} {fault}; run the extraction again, it "
            "makes this tracklet anew"
        )

    def _manifest(self) -> dict[str, dict[str, Any]] | None:
        if self._sealed is None and (self.folder / "manifest.json").exists():
            manifest = self._load_json("manifest.json")
            expected = {"format": FORMAT, "identity": fingerprint(self.identity)}
            if any(manifest.get(field) != value for field, value in expected.items()):
                raise self._bad_json("manifest.json", f"expected {expected}")
            try:
                self._sealed = {
                    tracklet: {
                        "length": int(entry["length"]),
                        "bytes": int(entry["bytes"]),
                        "sha256": str(entry["sha256"]),
                    }
                    for tracklet, entry in manifest["cubes"].items()
                }
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise self._bad_json("manifest.json", repr(error)) from error
        return self._sealed

    def _unseal(self) -> None:
        self._sealed, self._lengths = None, {}
        (self.folder / "manifest.json").unlink(missing_ok=True)

    def _load_json(self, name: str) -> dict[str, Any]:
        try:
            loaded = json.loads((self.folder / name).read_bytes())
        except ValueError as error:  # no JSON, or no UTF-8
            raise self._bad_json(name, error) from error
        if not isinstance(loaded, dict):
            raise self._bad_json(name, "expected an object")
        return loaded

    def _bad_json(self, name: str, fault: object) -> CubeStoreError:
        what = "this file" if name == "manifest.json" else "the store's folder"
        return CubeStoreError(
            f"{self.folder / name} is damaged ({fault}); delete {what} and run the extraction "
            "again: it keeps the cubes that are whole"
        )


def _safe(part: str) -> str:
    """Make a file name of a part of a tracklet's; `unquote` is the way back."""
    return quote(part, safe="").replace(".", "%2E")  # no dots: no clash with suffix or `.tmp`


def _header_bytes(data: NDArray[np.float16]) -> bytes:
    """Write a safetensors header: its length, JSON, spaces up to a multiple of 64."""
    header = {
        "__metadata__": {"sha256": hashlib.sha256(memoryview(data).cast("B")).hexdigest()},
        TENSOR: {"dtype": "F16", "shape": list(data.shape), "data_offsets": [0, data.nbytes]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text


def _read_header(path: Path) -> _Header:
    """Read what a cube file says about itself; ValueError where it makes no sense."""
    with path.open("rb", buffering=0) as file:
        start = file.read(1024)  # a header of ours is 256 bytes: one read
        length = int.from_bytes(start[:8], "little")
        if not 2 <= length <= 100_000:
            raise ValueError(f"a header of {length} bytes")
        text = start[8 : 8 + length] + file.read(max(0, length + 8 - len(start)))
    try:
        header = json.loads(text)
        tensor = header[TENSOR]
        shape = tuple(int(side) for side in tensor["shape"])
        sha256 = header["__metadata__"]["sha256"]
        fits = tensor["data_offsets"] == [0, math.prod(shape) * DTYPE.itemsize]
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a cube file: {error!r}") from error
    if tensor["dtype"] != "F16" or len(shape) != 4 or min(shape) < 1 or not fits:
        raise ValueError(f"expected float16 of four dimensions, got {tensor}")
    return _Header(8 + length, shape, sha256)


def _data_sha256(path: Path, header: _Header) -> str:
    with path.open("rb") as file:
        file.seek(header.offset)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(header: _Header) -> dict[str, Any]:
    return {"length": header.shape[0], "bytes": header.file_bytes, "sha256": header.sha256}


def _json_bytes(obj: Any) -> bytes:
    return (json.dumps(obj, indent=1, sort_keys=True) + "\n").encode()


def _write_whole(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file under a temporary name, sync it, and only then give it its name."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        with partial.open("wb", buffering=0) as file:
            for part in parts:
                _write_all(file.write, memoryview(part))
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_all(write: Callable[[memoryview], int], rest: memoryview) -> None:
    while rest:
        rest = rest[write(rest) :]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _readable(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**29 else f"{size / 2**20:.1f} MiB"
