"""The cube store of the features room: feature cubes on disk, whole or not there.

A store is a folder named by the fingerprint of what its cubes depend on (backbone, weights,
preprocessing, augmentation, data set).  Inside, one safetensors file a tracklet::

    <root>/<key>/identity.json                   what the key stands for
    <root>/<key>/cubes/<tracklet>.safetensors    written under a temporary name, synced, renamed
    <root>/<key>/manifest.json                   written last: lengths and checksums

A file's tensor ``cubes`` is [variants, length, K, K, D]: variant 0 is the plain frame, the others
are augmented ones, one after the other, so that a window of any variant is one piece of the file.
It is float16, or 8 bits with a tensor ``scale``, float16 [variants, length, D]: what the highest
of the 255 (signed: 127) steps stands for.

A killed writer leaves whole files and perhaps one temporary file, which the next writer removes.
Windows of frames are read at their offset in the file, straight into the caller's buffer.  Before
a store object reads a tracklet for the first time, it compares the file with its checksum.  Nothing
here needs torch.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, Self
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from wherewhen.locks import alone
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.windows import Window

FORMAT = 2
"""Version of the layout; a store of another version is refused."""
DTYPE = np.dtype("<f2")
STORED = {"F16": DTYPE, "U8": np.dtype("u1"), "I8": np.dtype("i1")}
"""What a file may hold, as safetensors calls it; the two of 8 bits come with a scale."""
SUFFIX = ".safetensors"
TENSOR, SCALE = "cubes", "scale"
BLOCK = 4096
"""Bytes that a file system hands out at once."""
LONGEST_NAME = 200
"""Characters of one part of a file's name; file systems stop at 255 bytes."""
_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_FULL[errno.EFBIG] = "the largest allowed file size is reached"


Storage = Literal["float16", "uint8"]
"""How activations are kept; ``uint8`` takes half the room and is off by 0.2 to 0.3 %."""


class CubeStoreError(OSError):
    """A store that is damaged, incomplete, in use or out of space."""


class _Header(NamedTuple):
    """What a cube file says about itself."""

    offset: int
    dtype: str
    shape: tuple[int, int, int, int, int]
    sha256: str
    source: str

    @property
    def length(self) -> int:
        return self.shape[1]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame's activations."""
        return math.prod(self.shape[2:]) * STORED[self.dtype].itemsize

    @property
    def scale_offset(self) -> int:
        """Where the activations end and the scales, if any, begin."""
        return self.offset + self.shape[0] * self.length * self.frame_bytes

    @property
    def scale_shape(self) -> tuple[int, int, int]:
        return (self.shape[0], self.length, self.shape[4] if self.dtype != "F16" else 0)

    @property
    def file_bytes(self) -> int:
        return self.scale_offset + math.prod(self.scale_shape) * DTYPE.itemsize


class CubeStore(CubeReader):
    """Feature cubes on a disk.

    `write`, `adopt`, `discard`, `remove` and `seal` change the store, every other method reads, and
    several threads may read at once.

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
        self._intact: set[str] = set()  # tracklets whose files were compared with their checksums
        self._removed: dict[str, str] = {}  # damaged tracklets, and what was said of them
        self._files: dict[str, str] = {}  # building a path takes as long as reading a frame
        self._sealed: dict[str, dict[str, Any]] | None = None
        self._lengths: dict[str, int] = {}
        self._form: tuple[int, int, int, int] | None = None
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

    def has_file(self, tracklet: str) -> bool:
        """Whether a tracklet has a file, whole or damaged."""
        return self._path(tracklet).exists()

    @property
    def lengths(self) -> Mapping[str, int]:
        """Frames of every tracklet in the store: those sealed, else those whole so far."""
        sealed = self._manifest()
        if sealed is None:
            return {tracklet: self._header(tracklet).length for tracklet in self._whole_files()}
        lengths = self._lengths or {t: entry["length"] for t, entry in sealed.items()}
        self._lengths = lengths  # asked for at every clip: kept
        return lengths

    def length(self, tracklet: str) -> int:
        """Frames of a tracklet, by its file."""
        return self._header(tracklet).length

    def _variants_and_shape(self) -> tuple[int, int, int, int] | None:
        if self._form is None:
            whole = next(self._whole_files(), None)
            if whole is not None:
                variants, _, *shape = self._header(whole).shape
                self._form = (variants, *shape)
        return self._form

    def _some_form(self) -> tuple[int, int, int, int]:
        form = self._variants_and_shape()
        if form is None:
            self._manifest()  # of another format, it says so itself
            raise CubeStoreError(f"{self.folder} holds no cubes yet; run the extraction")
        return form

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, K, D) of every cube."""
        return self._some_form()[1:]

    @property
    def variants(self) -> int:
        """Variants of every frame; the first is the plain one."""
        return self._some_form()[0]

    @property
    def complete(self) -> bool:
        """Whether the store was sealed and every sealed file still has its size."""
        sealed = self._manifest()
        return sealed is not None and all(
            _size(self._path(tracklet)) == entry["bytes"] for tracklet, entry in sealed.items()
        )

    def _fill(self, window: Window, out: NDArray[np.float16]) -> None:
        """Read a window of frames, and no byte beside it.

        Raises
        ------
        CubeStoreError
            If the file is damaged.  Its checksum is compared when this object first reads the
            tracklet.  A damaged file is removed, so that the next extraction makes it anew.
        """
        header = self._intact_header(window.tracklet)
        frame = window.variant * header.length + window.start
        if header.dtype == "F16":
            self._read_pieces(window.tracklet, (header.offset + frame * header.frame_bytes, out))
        else:
            self._read_scaled(window.tracklet, header, frame, out)

    def _intact_header(self, tracklet: str) -> _Header:
        """Compare a tracklet's file with its checksum, once, and return its header.

        Threads that ask for the same tracklet at once each compare it.
        """
        header = self._header(tracklet)
        if tracklet not in self._intact:
            sealed = self._manifest()
            try:
                compared = self._path(tracklet).stat()
                intact = self._has_checksum(tracklet, sealed)
            except FileNotFoundError:
                raise self._absent(tracklet) from None
            except ValueError:  # the header was whole before
                intact = False
            if not intact:
                fault = "does not match its checksum"
                raise self._remove_damaged(tracklet, compared, fault)
            self._intact.add(tracklet)
        return header

    def _remove_damaged(self, tracklet: str, damaged: os.stat_result, fault: str) -> CubeStoreError:
        """Remove a damaged file from this store, and return the error to raise.

        A file that has replaced the damaged one meanwhile stays.  Second names of the file in other
        stores (see `adopt`) stay, too: whoever reads them finds the same damage.
        """
        path = self._path(tracklet)
        error = self._damaged(tracklet, f"{fault} and was removed")
        try:
            if os.path.samestat(damaged, path.stat()):
                self._removed[tracklet] = str(error)
                self.discard(tracklet)
        except FileNotFoundError:  # another thread removed it
            pass
        except OSError as reason:  # a read-only disk, or Windows while another process reads it
            return self._damaged(tracklet, f"{fault}. Remove it ({reason})")
        return error

    def _read_pieces(self, tracklet: str, *pieces: tuple[int, NDArray]) -> None:
        try:
            _read_into(self._file(tracklet), pieces)
        except FileNotFoundError:
            raise self._absent(tracklet) from None
        except EOFError as error:
            raise self._damaged(tracklet, "is shorter than its header says") from error

    def _read_scaled(self, tracklet: str, header: _Header, frame: int, out: NDArray) -> None:
        steps = np.empty(out.shape, STORED[header.dtype])
        scale = np.empty((len(out), out.shape[-1]), DTYPE)
        self._read_pieces(
            tracklet,
            (header.offset + frame * header.frame_bytes, steps),
            (header.scale_offset + frame * scale.nbytes // len(scale), scale),
        )
        _scale_into(out, steps, scale)

    def verify(self, progress: bool = False) -> list[str]:
        """Read every byte and compare with the checksums, whether that was done before or not.

        Parameters
        ----------
        progress
            Whether to show a bar, in tracklets.

        Returns
        -------
        list of str
            Tracklets that are damaged or missing, sorted; `discard` them and extract again.
        """
        from tqdm import tqdm

        sealed = self._manifest()
        tracklets = list(self._names()) if sealed is None else list(sealed)
        bar = tqdm(tracklets, desc="verify", unit=" tracklets", disable=not progress)
        return sorted(t for t in bar if not self._is_intact(t, sealed))

    def _is_intact(self, tracklet: str, sealed: dict[str, dict[str, Any]] | None) -> bool:
        try:
            return self._has_checksum(tracklet, sealed)
        except (OSError, ValueError):
            return False

    def _has_checksum(self, tracklet: str, sealed: dict[str, dict[str, Any]] | None) -> bool:
        """Compare a file with its header's checksum, and the header with the manifest."""
        path = self._path(tracklet)
        header = _read_header(path)
        expected = (sealed or {}).get(tracklet, _entry(header))
        return (
            expected == _entry(header)
            and path.stat().st_size == header.file_bytes
            and _data_sha256(path, header) == header.sha256
        )

    # --- writing ---------------------------------------------------------------------------------

    def write(
        self, tracklet: str, cubes: NDArray, storage: Storage = "float16", source: str = ""
    ) -> None:
        """Write a tracklet's cubes, wholly or not at all.

        Parameters
        ----------
        tracklet
            Its name; ``/`` makes subfolders.
        cubes
            Shape [length, K, K, D], or [variants, length, K, K, D] with the plain frames first.
        storage
            ``float16``; or ``uint8``: every frame and channel is divided by a scale of its own and
            rounded to 8 bits.
        source
            A name for the frames that the cubes were made of; see `adopt`.

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
        parts = _to_eight_bits(data) if storage == "uint8" else [data]
        self._unseal()
        self._forget(tracklet)
        with self._out_of_space(f"tracklet {tracklet}", sum(part.nbytes for part in parts)):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, [_header_bytes(parts, source), *map(_bytes_of, parts)])
        self._removed.pop(tracklet, None)
        self._form = (data.shape[0], *data.shape[2:])

    def adopt(self, other: CubeStore, tracklet: str, source: str) -> bool:
        """Take a tracklet over from another store, as a second name for the same file.

        Parameters
        ----------
        other
            A store of the same backbone, preprocessing and augmentation.
        tracklet
            Its name.
        source
            The name of the frames, which has to be the one that `write` was given.

        Returns
        -------
        bool
            Whether it could be: it is there, whole, and of these frames, and the file system knows
            second names.

        Raises
        ------
        CubeStoreError
            If the other store's file is damaged; see `read`.
        """
        if not source or tracklet not in other or other._header(tracklet).source != source:
            return False
        other._intact_header(tracklet)
        path = self._path(tracklet)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._unseal()
        self._forget(tracklet)
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(other._path(tracklet))
        except OSError:
            return False
        self._removed.pop(tracklet, None)
        return True

    @classmethod
    def stores_under(cls, root: str | Path) -> list[Self]:
        """Open every store in a folder; what can't be opened is passed over."""
        found = []
        for path in sorted(Path(root).glob("*/identity.json")):
            try:
                found.append(cls(path.parent))
            except CubeStoreError:
                continue
        return found

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
        data = data[None] if data.ndim == 4 else data
        form = self._variants_and_shape()
        if data.ndim != 5 or not data.size or (form and (len(data), *data.shape[2:]) != form):
            variants, *shape = form or ("variants", "K", "K", "D")
            raise ValueError(
                f"tracklet {tracklet}: expected cubes [{variants}, length >= 1, "
                f"{', '.join(map(str, shape))}], got {list(np.shape(cubes))}"
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
        self._forget(tracklet)
        self._path(tracklet).unlink(missing_ok=True)

    def _forget(self, tracklet: str) -> None:
        self._headers.pop(tracklet, None)
        self._intact.discard(tracklet)

    def remove(self, tracklets: Iterable[str]) -> list[str]:
        """Remove tracklets for good: a complete store stays complete without them.

        They go even if the manifest is damaged or of another version; it then goes with them.

        Parameters
        ----------
        tracklets
            Their names; those that are not there are passed over.

        Returns
        -------
        list of str
            What was removed.
        """
        try:
            sealed = self._manifest() is not None
        except CubeStoreError:
            sealed = False
        gone = [tracklet for tracklet in tracklets if self.has_file(tracklet)]
        for tracklet in gone:
            self.discard(tracklet)
        if gone and sealed:
            self.seal()
        return gone

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

        def busy(who: str) -> NoReturn:
            raise CubeStoreError(f"{self.folder}: {who} writes into it; wait for it to finish")

        with alone(self.folder, busy):
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
    def bytes_needed(
        lengths: Iterable[int],
        shape: Sequence[int],
        variants: int = 1,
        storage: Storage = "float16",
    ) -> int:
        """Disk space for tracklets.

        Parameters
        ----------
        lengths
            Frames of each tracklet.
        shape
            (K, K, D).
        variants, storage
            See `write`.

        Returns
        -------
        int
            Bytes: the activations, and a file system block a tracklet for header and rounding.
        """
        activations = math.prod(shape)
        a_frame = activations * 2 if storage == "float16" else activations + 2 * shape[-1]
        return sum(length * variants * a_frame + BLOCK for length in lengths)

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

    def _file(self, tracklet: str) -> str:
        if tracklet not in self._files:
            self._files[tracklet] = str(self._path(tracklet))
        return self._files[tracklet]

    def _names(self) -> Iterator[str]:
        cubes = self.folder / "cubes"
        for path in sorted(cubes.rglob("*" + SUFFIX)):
            yield unquote(path.relative_to(cubes).as_posix().removesuffix(SUFFIX))

    def _whole_files(self) -> Iterator[str]:
        return (tracklet for tracklet in self._names() if tracklet in self)

    def _header(self, tracklet: str) -> _Header:
        header = self._headers.get(tracklet)
        if header is None:
            path = self._path(tracklet)
            try:
                looked_at = path.stat()
                header = _read_header(path)
            except FileNotFoundError:
                raise self._absent(tracklet) from None
            except ValueError as error:
                fault = f"has a damaged header ({error})"
                raise self._remove_damaged(tracklet, looked_at, fault) from error
            self._headers[tracklet] = header
        return header

    def _absent(self, tracklet: str) -> Exception:
        """Return the error to raise of a tracklet that has no file."""
        if tracklet in self._removed:
            return CubeStoreError(self._removed[tracklet])
        if tracklet in (self._manifest() or {}):
            return self._damaged(tracklet, "is gone")
        return KeyError(f"{self.folder} has no cubes of tracklet {tracklet}")

    def _damaged(self, tracklet: str, fault: str) -> CubeStoreError:
        return CubeStoreError(
            f"tracklet {tracklet}: {self._path(tracklet)} {fault}; the next `kedro run` makes it "
            "anew, and all others that are damaged"
        )

    def _manifest(self) -> dict[str, dict[str, Any]] | None:
        sealed = self._sealed
        if sealed is None:
            try:
                manifest = self._load_json("manifest.json")
            except FileNotFoundError:
                return None
            sealed = self._sealed = self._entries(manifest)
        return sealed

    def _entries(self, manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        version = manifest.get("format")
        if isinstance(version, int) and version != FORMAT:
            raise CubeStoreError(
                f"{self.folder} is a cube store of format {version}, written by another "
                f"version of wherewhen; this one reads format {FORMAT}. Nothing in it is "
                "damaged, but its cubes can't be used: delete the folder and run the stage "
                "extract again, which makes them anew"
            )
        expected = {"format": FORMAT, "identity": fingerprint(self.identity)}
        if any(manifest.get(field) != value for field, value in expected.items()):
            raise self._bad_json("manifest.json", f"expected {expected}")
        try:
            return {
                tracklet: {
                    "length": int(entry["length"]),
                    "bytes": int(entry["bytes"]),
                    "sha256": str(entry["sha256"]),
                }
                for tracklet, entry in manifest["cubes"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._bad_json("manifest.json", repr(error)) from error

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


def _to_eight_bits(data: NDArray[np.float16]) -> list[NDArray]:
    """Share every frame's and channel's largest value out into the steps that 8 bits can count.

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


def as_stored(cubes: NDArray, storage: Storage) -> NDArray[np.float16]:
    """Give cubes the values that they would have when read from a store.

    Parameters
    ----------
    cubes
        float16, shape [length, K, K, D].
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


def _scale_into(out: NDArray[np.float16], steps: NDArray, scale: NDArray[np.float16]) -> None:
    """Multiply steps [length, K, K, D] with their scale [length, D].

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
    digest, header, first = hashlib.sha256(), {}, 0
    kinds = {dtype: name for name, dtype in STORED.items()}
    for name, data in zip((TENSOR, SCALE), parts, strict=False):
        digest.update(_bytes_of(data))
        header[name] = {
            "dtype": kinds[data.dtype],
            "shape": list(data.shape),
            "data_offsets": [first, first + data.nbytes],
        }
        first += data.nbytes
    header["__metadata__"] = {"sha256": digest.hexdigest(), "source": source}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text


def _read_header(path: Path) -> _Header:
    """Read what a cube file says about itself; ValueError where it makes no sense."""
    with path.open("rb", buffering=0) as file:
        start = file.read(1024)  # a header of ours is at most 384 bytes: one read
        length = int.from_bytes(start[:8], "little")
        if not 2 <= length <= 100_000:
            raise ValueError(f"a header of {length} bytes")
        text = start[8 : 8 + length] + file.read(max(0, length + 8 - len(start)))
    try:
        header = json.loads(text)
        tensor, scale = header[TENSOR], header.get(SCALE)
        about = header["__metadata__"]
        shape = tuple(int(side) for side in tensor["shape"])
        read = _Header(8 + length, str(tensor["dtype"]), shape, about["sha256"], about["source"])
        if read.dtype not in STORED or len(shape) != 5 or min(shape) < 1:
            raise ValueError(f"expected float16 or 8 bits of five dimensions, got {tensor}")
        ends = [read.scale_offset - read.offset, read.file_bytes - read.offset]
        fits = tensor["data_offsets"] == [0, ends[0]] and (scale is None) == (ends[0] == ends[1])
        if scale is not None:
            fits &= scale["data_offsets"] == ends and scale["shape"] == list(read.scale_shape)
            fits &= scale["dtype"] == "F16"
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a cube file: {error!r}") from error
    if not fits:
        raise ValueError(f"sizes that contradict each other: {tensor}, {scale}")
    return read


def _read_into(path: str, pieces: Iterable[tuple[int, NDArray]]) -> None:
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


def _data_sha256(path: Path, header: _Header) -> str:
    with path.open("rb") as file:
        file.seek(header.offset)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(header: _Header) -> dict[str, Any]:
    return {"length": header.length, "bytes": header.file_bytes, "sha256": header.sha256}


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
