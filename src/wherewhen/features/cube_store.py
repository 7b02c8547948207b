"""The cube store: feature cubes on a disk or in a bucket, each tracklet's whole or not there.

A store is a folder named by the fingerprint of what its cubes depend on (backbone, weights,
preprocessing, augmentation, data set)::

    <root>/<key>/identity.json                   what the key stands for
    <root>/<key>/cubes/<tracklet>.safetensors    see `wherewhen.features.cube_files`
    <root>/<key>/manifest.json                   written last: lengths and checksums

Every file is written atomically. What a killed writer left, the next one removes. Before a store
object reads a tracklet for the first time, it compares the file with its checksum. In a bucket
(`wherewhen.buckets`), the same files are objects, and what is read comes to the disk first. Nothing
here needs torch.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, Self
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from wherewhen.features.cube_files import DTYPE, HEAD, CubeFile, Storage, data_bytes, write_file
from wherewhen.files import DISK, Files
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.names import LONGEST_NAME, file_name
from wherewhen.tracklets.windows import Window

log = logging.getLogger(__name__)

FORMAT = 2
"""Version of the layout; a store of another version is refused."""
SUFFIX = ".safetensors"
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the largest allowed file size is reached",
}


class CubeStoreError(OSError):
    """A store that is damaged, incomplete, in use or out of space."""


class _DamagedJSON(CubeStoreError):
    """A file beside the cubes that can't be read, and follows from the rest."""


class _Damage(Exception):
    """A file that is damaged, and its state when that was found."""

    def __init__(self, fault: str, state: os.stat_result):
        super().__init__(fault)
        self.state = state


class CubeStore(CubeReader):
    """Feature cubes on a disk or in a bucket.

    `write`, `adopt`, `discard`, `remove` and `seal` change the store, every other method reads, and
    several threads may read at once.

    Parameters
    ----------
    folder
        The store's own folder, as `create` made it.
    files
        Where they are kept: on the disk; or in a bucket, of which the disk has a copy.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    CubeStoreError
        If its identity or manifest is damaged.
    """

    def __init__(self, folder: str | Path, files: Files = DISK):
        self.folder, self.files = Path(folder), files
        self._opened: dict[str, CubeFile] = {}
        self._intact: set[str] = set()  # tracklets whose files were compared with their checksums
        self._removed: dict[str, str] = {}  # damaged tracklets, and what was said of them
        self._sealed: dict[str, dict[str, Any]] | None = None
        self._form: tuple[int, int, int, int] | None = None
        if not self.files.update(self.folder / "identity.json"):
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
    def create(cls, root: str | Path, identity: Mapping[str, Any], files: Files = DISK) -> Self:
        """Open the store of an identity; make it if there is none.

        An identity or a manifest that can't be read is named in the log and made anew.

        Parameters
        ----------
        root
            The folder of all stores.
        identity
            Everything that the cubes depend on; JSON can hold it.
        files
            Where they are kept.

        Returns
        -------
        CubeStore
            In ``<root>/<fingerprint of the identity>``, filled or not.
        """
        folder = Path(root) / fingerprint(identity)
        (folder / "cubes").mkdir(parents=True, exist_ok=True)
        if not files.update(folder / "identity.json"):
            _write_json(folder / "identity.json", identity, files)
        try:
            store = cls(folder, files)
        except _DamagedJSON as error:
            log.warning("%s", error)
            _write_json(folder / "identity.json", identity, files)
            store = cls(folder, files)
        try:
            store._manifest()
        except _DamagedJSON as error:
            log.warning("%s", error)
            store._unseal()
        return store

    @property
    def key(self) -> str:
        """The fingerprint that names the store."""
        return self.folder.name

    # --- reading ---------------------------------------------------------------------------------

    def __contains__(self, tracklet: str) -> bool:
        """Whether a tracklet's file is there, whole by its size (`verify` looks at the bytes)."""
        path = self._path(tracklet)
        try:
            return CubeFile.open(path, self.files).size == self.files.size(path)
        except (OSError, ValueError):
            return False

    def has_file(self, tracklet: str) -> bool:
        """Whether a tracklet has a file, whole or damaged."""
        return tracklet in self._opened or self.files.exists(self._path(tracklet))

    def missing(self, tracklets: Iterable[str]) -> list[str]:
        """Return those of some tracklets whose files are not whole by their size, or not there."""
        whole = {tracklet for tracklet, _ in self._whole_files()}
        return [tracklet for tracklet in tracklets if tracklet not in whole]

    @property
    def lengths(self) -> Mapping[str, int]:
        """Frames of every tracklet in the store: those sealed, else those whole so far."""
        sealed = self._manifest()
        if sealed is None:
            return {tracklet: file.length for tracklet, file in self._whole_files()}
        return {tracklet: entry["length"] for tracklet, entry in sealed.items()}

    def length(self, tracklet: str) -> int:
        """Frames of a tracklet, by its file."""
        return self._file(tracklet).length

    def _variants_and_shape(self) -> tuple[int, int, int, int] | None:
        if self._form is None:
            _, whole = next(self._whole_files(), (None, None))
            if whole is not None:
                variants, _, *shape = whole.shape
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
        """(H, W, D) of every cube."""
        return self._some_form()[1:]

    @property
    def variants(self) -> int:
        """Variants of every frame; the first is the plain one."""
        return self._some_form()[0]

    @property
    def complete(self) -> bool:
        """Whether the store was sealed and every sealed file still has its size."""
        sealed = self._manifest()
        if sealed is None:
            return False
        sizes = self.files.sizes(self._cubes)
        return all(sizes.get(self._path(t)) == entry["bytes"] for t, entry in sealed.items())

    def _fill(self, window: Window, out: NDArray[np.float16]) -> None:
        """Read a window of frames, and no byte beside it.

        Raises
        ------
        CubeStoreError
            If the file is damaged.  Its checksum is compared when this object first reads the
            tracklet.  A damaged file is removed, so that the next extraction makes it anew.
        """
        file = self._intact_file(window.tracklet)
        try:
            file.read_into(window.variant, window.start, out)
        except FileNotFoundError:
            raise self._absent(window.tracklet) from None
        except EOFError as error:
            raise self._damaged(window.tracklet, "is shorter than its header says") from error

    def _intact_file(self, tracklet: str) -> CubeFile:
        """Compare a tracklet's file with its checksum, once, and return it.

        Threads that ask for the same tracklet at once each compare it.
        """
        return self._undamaged(tracklet, self._compared)

    def _compared(self, tracklet: str) -> CubeFile:
        path, file = self._path(tracklet), self._open(tracklet)
        if self.files.pull(path):
            self._intact.discard(tracklet)
        if tracklet not in self._intact:
            sealed = self._manifest()
            compared = path.stat()
            try:
                intact = self._has_checksum(tracklet, sealed)
            except ValueError:  # the header was whole before
                intact = False
            if not intact:
                raise _Damage("does not match its checksum", compared)
            self._intact.add(tracklet)
        return file

    def _undamaged(self, tracklet: str, read: Callable[[str], CubeFile]) -> CubeFile:
        """Read a file; bring it anew if a copy is damaged, and remove it if it is damaged itself.

        Raises
        ------
        CubeStoreError, KeyError
            If it is damaged, or not there.
        """
        path = self._path(tracklet)
        try:
            try:
                return read(tracklet)
            except _Damage:
                if not self.files.release(path):
                    raise
                self._forget(tracklet)
                return read(tracklet)
        except FileNotFoundError:
            raise self._absent(tracklet) from None
        except _Damage as damage:
            raise self._remove_damaged(tracklet, damage.state, str(damage)) from damage.__cause__

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
        tracklets = self._names() if sealed is None else list(sealed)
        bar = tqdm(tracklets, desc="verify", unit=" tracklets", disable=not progress)
        return sorted(t for t in bar if not self._is_intact(t, sealed))

    def _is_intact(self, tracklet: str, sealed: dict[str, dict[str, Any]] | None) -> bool:
        try:
            return self._has_checksum(tracklet, sealed)
        except (OSError, ValueError):
            return False

    def _has_checksum(self, tracklet: str, sealed: dict[str, dict[str, Any]] | None) -> bool:
        """Compare a file with its header's checksum, and the header with the manifest."""
        self.files.pull(self._path(tracklet))
        file = CubeFile.open(self._path(tracklet))
        said = (sealed or {}).get(tracklet, file.entry)
        return said == file.entry and file.is_whole and file.has_checksum()

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
            Shape [length, H, W, D], or [variants, length, H, W, D] with the plain frames first.
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
        self._unseal()
        self._forget(tracklet)
        with self._out_of_space(f"tracklet {tracklet}", data_bytes(data.shape, storage)):
            write_file(path, data, storage, source, self.files)
        self._removed.pop(tracklet, None)
        self._form = (data.shape[0], *data.shape[2:])

    def adopt(self, other: CubeStore, tracklet: str, source: str) -> bool:
        """Take a tracklet over from another store, as a second name for the same file.

        Parameters
        ----------
        other
            A store of the same backbone, preprocessing and augmentation, kept in the same place.
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
        theirs, path = other._path(tracklet), self._path(tracklet)
        if (
            not source
            or tracklet not in other
            or CubeFile.open(theirs, self.files).source != source
        ):
            return False
        other._intact_file(tracklet)
        self._unseal()
        self._forget(tracklet)
        if not self.files.copy(theirs, path):
            return False
        self._removed.pop(tracklet, None)
        return True

    @classmethod
    def stores_under(cls, root: str | Path, files: Files = DISK) -> list[Self]:
        """Open every store in a folder; what can't be opened is passed over."""
        found = []
        for folder in files.folders(Path(root)):
            with suppress(CubeStoreError, FileNotFoundError):
                found.append(cls(folder, files))
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
                f"{_FULL[error.errno]}: {what} needs {readable(needed)}, {readable(free)} are "
                f"free under {self.folder}. {len(self._names())} finished tracklets "
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
        require_finite(tracklet, data)
        return data

    def discard(self, tracklet: str) -> None:
        """Remove a tracklet's cubes; the store is not complete any more."""
        self._unseal()
        self._forget(tracklet)
        self.files.delete(self._path(tracklet))

    def _forget(self, tracklet: str) -> None:
        self._opened.pop(tracklet, None)
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
        cubes = {tracklet: file.entry for tracklet, file in sorted(self._whole_files())}
        manifest = {"format": FORMAT, "identity": fingerprint(self.identity), "cubes": cubes}
        with self._out_of_space("the manifest", 200 * len(cubes)):
            _write_json(self.folder / "manifest.json", manifest, self.files)
        self._sealed = None

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

        with self.files.held(self.folder / ".lock", busy):
            for partial in self.folder.rglob(".*.tmp"):
                partial.unlink(missing_ok=True)
            yield self

    # --- files -----------------------------------------------------------------------------------

    def _path(self, tracklet: str) -> Path:
        parts = tracklet.split("/")
        for part in parts:
            if part in {"", ".", ".."} or len(file_name(part)) > LONGEST_NAME:
                raise ValueError(
                    f"tracklet `{tracklet}` can't name a file: expected parts between single "
                    f"slashes, none of them empty, `.`, `..` or longer than {LONGEST_NAME}"
                )
        return self.folder.joinpath(
            "cubes", *map(file_name, parts[:-1]), file_name(parts[-1]) + SUFFIX
        )

    @property
    def _cubes(self) -> Path:
        return self.folder / "cubes"

    def _name(self, path: Path) -> str:
        return unquote(path.relative_to(self._cubes).as_posix().removesuffix(SUFFIX))

    def _paths(self) -> dict[Path, int]:
        """Return the bytes of all files of cubes."""
        sizes = self.files.sizes(self._cubes)
        return {path: size for path, size in sizes.items() if path.name.endswith(SUFFIX)}

    def _names(self) -> list[str]:
        return [self._name(path) for path in self._paths()]

    def _whole_files(self) -> Iterator[tuple[str, CubeFile]]:
        """Give the tracklets whose files are whole by their size, and their headers."""
        sizes = self._paths()
        for path, start in zip(sizes, self.files.heads(sizes, HEAD), strict=True):
            try:
                file = self._parsed(path, start)
            except (OSError, ValueError):
                continue
            if file.size == sizes[path]:
                yield self._name(path), file

    def _parsed(self, path: Path, start: bytes) -> CubeFile:
        try:
            return CubeFile.parse(path, start)
        except ValueError:  # it may be longer
            return CubeFile.open(path, self.files)

    def _file(self, tracklet: str) -> CubeFile:
        """Open a tracklet's file, once."""
        return self._opened.get(tracklet) or self._undamaged(tracklet, self._open)

    def _open(self, tracklet: str) -> CubeFile:
        file = self._opened.get(tracklet)
        if file is None:
            path = self._path(tracklet)
            self.files.pull(path)
            looked_at = path.stat()
            try:
                file = self._opened[tracklet] = CubeFile.open(path)
            except ValueError as error:
                raise _Damage(f"has a damaged header ({error})", looked_at) from error
        return file

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
            if not self.files.update(self.folder / "manifest.json"):
                return None
            manifest = self._load_json("manifest.json")
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
        self._sealed = None
        self.files.delete(self.folder / "manifest.json")

    def _load_json(self, name: str) -> dict[str, Any]:
        try:
            loaded = json.loads((self.folder / name).read_bytes())
        except (ValueError, RecursionError) as error:  # no JSON, or no UTF-8
            raise self._bad_json(name, error) from error
        if not isinstance(loaded, dict):
            raise self._bad_json(name, "expected an object")
        return loaded

    def _bad_json(self, name: str, fault: object) -> CubeStoreError:
        return _DamagedJSON(
            f"{self.folder / name} is damaged ({fault}); the next extraction makes it anew, and "
            "keeps the cubes that are whole"
        )


def _write_json(path: Path, content: Any, files: Files) -> None:
    with files.replacing(path) as partial:
        partial.write_bytes((json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def readable(size: int) -> str:
    """Say a number of bytes in MiB or GiB."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**29 else f"{size / 2**20:.1f} MiB"


def require_finite(tracklet: str, cubes: NDArray[np.float16]) -> None:
    """Raise a ValueError if cubes hold NaN or infinite values."""
    if not np.isfinite(cubes).all():
        raise ValueError(
            f"tracklet {tracklet}: its cubes hold values that float16 can't (NaN, or beyond "
            "65504); check the backbone's weights and preprocessing"
        )
