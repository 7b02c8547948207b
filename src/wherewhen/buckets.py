"""A bucket of an object store (S3, Google Cloud Storage), with a copy on the disk.

The object of a file has the file's path below the copy's root. Writing an object is atomic: it is
there whole, or as it was. Files are written to the bucket first and appear on the disk then, so
that a file under its own name on the disk was in the bucket: if it is not there any more, somebody
has deleted it, and the copy goes, too.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wherewhen import atomic
from wherewhen.files import BucketError, Files
from wherewhen.leases import Lease

PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs")}
"""Of addresses: the package that is needed, and the extra that brings it."""

BLOCK = 256
"""Objects whose first bytes are asked for at once."""

LEASES = ".leases"
"""The folder of locks, which lie there as they do in the copy."""

EMPTIED = 0.9
"""Share of the limit that is left when files are given up, so that it isn't done at every file."""

OF_THE_BUCKET = ("put_file", "pipe_file", "cp_file", "find")
"""Methods that miss nothing but the bucket."""

PATIENCE = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}
"""Of the client of S3: a server that is gone is to be noticed in a minute."""


class Bucket(Files):
    """Files of a bucket, with a copy on the disk.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix`` or ``gs://bucket/prefix``; credentials and other addresses of servers
        come from where s3fs and gcsfs look for them.
    root : Path
        The folder of the copy, which stands for ``url``.
    limit : int, optional
        Bytes that files of `spare` may take on the disk; the least recently used go first.
    spare : str
        Which files of the copy can be given up, because `pull` brings them again when they are
        read: a pattern below the root.
    copy : str
        Name of the copy; see `wherewhen.leases.Lease`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as one, TemporaryDirectory() as other:
    ...     with Bucket("memory://example", Path(one)).replacing(Path(one, "a.txt")) as partial:
    ...         _ = partial.write_text("whole")
    ...     Bucket("memory://example", Path(other)).update(Path(other, "a.txt"))
    ...     Path(other, "a.txt").read_text()
    True
    'whole'
    """

    def __init__(
        self,
        url: str,
        root: Path,
        limit: int | None = None,
        spare: str = "**/*.safetensors",
        copy: str | None = None,
    ) -> None:
        self.url, self.root = url.rstrip("/"), root.resolve()
        self.limit, self.spare = limit, spare
        self._copy = copy or secrets.token_hex(8)
        self._start()

    def _start(self) -> None:
        self._leases: list[Lease] = []
        self._lock = threading.Lock()
        self._used: int | None = None
        self._clients: dict[int, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to a process."""
        own = {"_leases", "_lock", "_used", "_clients"}
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        return f"Bucket({self.url!r}, {str(self.root)!r})"

    def place(self, path: Path) -> str:
        """Return the address of a file."""
        return "/".join([self.url, *self._parts(path)])

    def _parts(self, path: Path) -> tuple[str, ...]:
        """Return the parts of a path below the root, links to which may have been followed."""
        inside = path.is_relative_to(self.root)
        return (path if inside else path.resolve()).relative_to(self.root).parts

    def _below(self, folder: Path, place: str) -> Path:
        """Return the path of an object that lies in a folder."""
        return folder / place[len(self._client._strip_protocol(self.place(folder))) :].lstrip("/")

    # --- writing ---------------------------------------------------------------------------------

    @contextmanager
    def replacing(self, path: Path, delete_abandoned: bool = True) -> Iterator[Path]:
        """Write an object, then the file of the copy."""
        with atomic.replacing(path, delete_abandoned) as partial:
            yield partial
            self._put(partial, path)
        self._account(path)

    def push(self, path: Path) -> None:
        """Write the objects of a file, or of all files of a folder, as they are on the disk."""
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in filter(Path.is_file, inside):
            self._put(file, file)

    def _put(self, file: Path, path: Path) -> None:
        for lease in self._leases:
            lease.require()
        self.ask("put_file", str(file), self.place(path))

    def delete(self, path: Path) -> None:
        """Delete an object, or all of a folder, and then what the copy has of it."""
        for place in {*self.ask("find", self.place(path)), self.place(path)}:
            with suppress(FileNotFoundError):
                self.ask("rm_file", place)
        super().delete(path)

    def copy(self, source: Path, target: Path) -> bool:
        """Copy an object within the bucket."""
        self.ask("cp_file", self.place(source), self.place(target))
        target.unlink(missing_ok=True)
        return True

    # --- reading ---------------------------------------------------------------------------------

    def pull(self, path: Path) -> bool:
        """Bring a file to the disk that is not there, and note that it is used."""
        with suppress(FileNotFoundError):
            os.utime(path)
            return False
        self._get(path)
        return True

    def update(self, path: Path) -> bool:
        """Make a file of the copy what the bucket has; remove it if the bucket has none."""
        try:
            self._get(path)
        except FileNotFoundError:
            path.unlink(missing_ok=True)
            return False
        return True

    def update_folder(self, folder: Path) -> None:
        """Make all files in a folder of the copy what the bucket has."""
        kept = self.sizes(folder)
        for path in set(filter(Path.is_file, folder.rglob("*"))) - set(kept):
            path.unlink(missing_ok=True)
        for path in kept:
            self.update(path)

    def _get(self, path: Path) -> None:
        with atomic.replacing(path, delete_abandoned=False) as partial:
            self.ask("get_file", self.place(path), str(partial))
        self._account(path)

    def release(self, path: Path) -> bool:
        """Give up the copy of a file."""
        path.unlink(missing_ok=True)
        return True

    def exists(self, path: Path) -> bool:
        """Whether the copy or the bucket has a file."""
        return path.exists() or self.ask("exists", self.place(path))

    def size(self, path: Path) -> int:
        """Return the bytes of an object; FileNotFoundError if there is none."""
        return self.ask("size", self.place(path))

    def sizes(self, folder: Path) -> dict[Path, int]:
        """Return the bytes of all objects below a folder."""
        found = self.ask("find", self.place(folder), detail=True)
        return {self._below(folder, place): found[place]["size"] for place in sorted(found)}

    def heads(self, paths: Iterable[Path], count: int) -> Iterator[bytes]:
        """Read the first bytes of objects, more and more at once."""
        places, block = [self.place(path) for path in paths], 1
        while places:
            some, places = places[:block], places[block:]
            for start in self.ask("cat_ranges", some, 0, count, on_error="return"):
                if isinstance(start, FileNotFoundError):
                    yield b""
                elif isinstance(start, Exception):
                    raise self._understood(start) from start
                else:
                    yield start
            block = min(2 * block, BLOCK)

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder of the bucket."""
        try:
            found = self.ask("ls", self.place(folder), detail=True)
        except FileNotFoundError:
            return []
        inside = (each["name"] for each in found if each["type"] == "directory")
        return sorted(self._below(folder, place) for place in inside)

    def gone(self, folder: Path) -> list[Path]:
        """Return the files of the copy below a folder that the bucket does not have."""
        kept = self.sizes(folder)
        inside = filter(Path.is_file, sorted(folder.rglob("[!.]*")))
        return [path for path in inside if path not in kept]

    def room(self, folder: Path) -> int | None:
        """Return None: a bucket has no bound."""
        return None

    # --- locks -----------------------------------------------------------------------------------

    @contextmanager
    def held(self, path: Path, waits: Callable[[str], object]) -> Iterator[None]:
        """Hold a lock among the processes of all machines; see `wherewhen.leases`."""
        with super().held(path, waits), self.leased(path, waits):
            yield

    @contextmanager
    def leased(self, path: Path, waits: Callable[[str], object]) -> Iterator[None]:
        """Hold a lock among the copies of the bucket, which is held in this copy already."""
        lease = Lease(self.ask, self._lease_place(path), self._copy)
        lease.acquire(waits)
        self._leases.append(lease)
        try:
            yield
        finally:
            self._leases.remove(lease)
            with suppress(OSError):  # it ends by itself
                lease.release()

    def locks(self, folder: Path) -> list[Path]:
        """Return the locks in a folder that were ever held."""
        held = sorted(self.ask("find", self._lease_place(folder)))
        names = dict.fromkeys(place.split("/")[-2] for place in held)
        return [folder / name for name in names]

    def _lease_place(self, path: Path) -> str:
        return "/".join([self.url, LEASES, *self._parts(path)])

    # --- the copy's size -------------------------------------------------------------------------

    def _account(self, new: Path) -> None:
        """Note that a file came to the disk, and remove others if they are too many."""
        if self.limit is None:
            return
        with self._lock:
            if self._used is not None:
                self._used += new.stat().st_size
            if self._used is None or self._used > self.limit:
                self._used = self._make_room(new)

    def _make_room(self, new: Path) -> int:
        """Remove the least recently used files of the copy; return the bytes of the others."""
        files = [(path, path.stat()) for path in self.root.glob(self.spare)]
        used = sum(state.st_size for _, state in files)
        if used > self.limit:
            for path, state in sorted(files, key=lambda each: each[1].st_mtime_ns):
                if used > EMPTIED * self.limit and path != new:
                    path.unlink(missing_ok=True)
                    used -= state.st_size
        return used

    # --- the client ------------------------------------------------------------------------------

    @property
    def _client(self) -> Any:
        """The client; a forked process needs its own."""
        process = os.getpid()
        if process not in self._clients:
            self._clients[process] = _connect(self.url)
        return self._clients[process]

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of fsspec's file system of this bucket.

        Raises
        ------
        FileNotFoundError, FileExistsError
            If what is read is not there; if what is created is.
        BucketError
            If the bucket can't be reached, is not there, or refuses.
        """
        try:
            return getattr(self._client, method)(*arguments, **options)
        except (BucketError, FileExistsError):
            raise
        except FileNotFoundError as error:
            if method not in OF_THE_BUCKET:
                raise
            raise BucketError(
                f"{self.url} can't be used: {error}; make the bucket, or correct `data` in "
                "conf/base/globals.yml"
            ) from error
        except Exception as error:
            raise self._understood(error) from error

    def _understood(self, error: Exception) -> BucketError:
        return BucketError(f"{self.url} can't be used: {_cure(error)}")


def _connect(url: str) -> Any:
    """Return fsspec's file system of an address.

    Raises
    ------
    BucketError
        If its package is not installed.
    """
    import fsspec

    scheme = url.partition("://")[0]
    options = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        options["config_kwargs"] = PATIENCE
    try:
        return fsspec.filesystem(scheme, **options)
    except ImportError as error:
        package, extra = PACKAGES[scheme]
        raise BucketError(
            f"{url} needs the package {package}: uv sync --extra {extra}, or pip install "
            f"'wherewhen[{extra}]'"
        ) from error


def _cure(error: Exception) -> str:
    """Say what a client's error means, and what helps."""
    text = str(error).rstrip(".") or type(error).__name__
    if "Credential" in type(error).__name__:
        return f"{text}; docs/how-to/object-storage.md says where credentials are looked for"
    if isinstance(error, PermissionError):
        return f"the server refuses ({text}); see what the credentials may do"
    return (
        f"{text}. What is finished is kept: see to network and address, and run again; it goes on "
        "from there"
    )
