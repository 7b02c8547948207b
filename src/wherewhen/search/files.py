"""The folder of an index: one generation at a time, and a head that names it.

::

    <folder>/index.json                         layout, kind, about; the generation's files, hashed
    <folder>/generation-<number>/vectors.npy
    <folder>/generation-<number>/tracklets.parquet
    <folder>/generation-<number>/<file of the kind>, if it has one

A new generation is written beside the old one, then the head is replaced, then the old one is
deleted. Who is killed in between leaves the old or the new index whole, and maybe files that no
head names: the next one to save or open the index deletes them. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.locks import alone
from wherewhen.search.gallery import GalleryError, checked_about, checked_table, checked_vectors
from wherewhen.search.kinds import KINDS, Exact
from wherewhen.tracklets.fingerprint import canonical_json, file_sha256
from wherewhen.tracklets.parquet_files import read_parquet

HEAD = "index.json"
LAYOUT = 1
"""Version of the layout; a folder of another version is refused."""
VECTORS, TABLE = "vectors.npy", "tracklets.parquet"
_GENERATION = re.compile(r"generation-(\d+)")
_ATTEMPTS = 5
"""How often a folder is read that others replace meanwhile."""


class Content(NamedTuple):
    """What a folder holds."""

    tracklets: pd.DataFrame
    about: dict[str, Any]
    searcher: Exact


def write(folder: Path, content: Content, expected: str | None) -> str:
    """Write an index into a folder, whole or not at all, and delete what it held before.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    content : Content
        The index.
    expected : str or None
        What `write` or `read` returned of the folder's index, if it is this one's origin.

    Returns
    -------
    str
        The hash of the head.

    Raises
    ------
    GalleryError
        If another process is writing, or has changed the index since.
    """
    with alone(folder, _busy(folder)):
        if expected is not None and _state(folder) != expected:
            raise GalleryError(
                f"{folder} was changed since this index was read from it: open it again, and "
                "repeat what was added or removed"
            )
        numbers = [int(_GENERATION.fullmatch(home.name)[1]) for home in _generations(folder)]
        home = folder / f"generation-{max(numbers, default=0) + 1}"
        files = _write_files(home, content)
        head = {"layout": LAYOUT, "generation": home.name, "kind": content.searcher.name}
        head |= {"about": content.about, "files": files}
        head["sha256"] = _hash(head)
        with replacing(folder / HEAD) as partial:
            partial.write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
        _delete_others(folder, home.name)
        return head["sha256"]


def read(folder: Path) -> tuple[Content, str]:
    """Read an index, and delete what a killed process left beside it.

    Returns
    -------
    content : Content
        The index.
    state : str
        The hash of the head, for `write`.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    GalleryError
        Naming the file that is damaged, missing or of another index or layout.
    """
    for _ in range(_ATTEMPTS):
        head = read_head(folder)
        try:
            content = _read_content(folder, head)
            break
        except GalleryError:
            if _state(folder) == head["sha256"]:
                raise  # else the index was replaced while it was read
    else:
        _busy(folder)("another process")
    _delete_leftovers(folder)
    return content, head["sha256"]


def read_head(folder: Path) -> dict[str, Any]:
    """Read what a folder says of itself.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    GalleryError
        If the head is damaged or of another layout.
    """
    path = folder / HEAD
    try:
        head = json.loads(path.read_bytes())
        layout, whole = head["layout"], _hash(head) == head["sha256"]
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} is no index of tracklets: it has no {HEAD}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"it can't be read ({error!r})") from error
    if not whole:
        raise _damaged(path, "it does not match its checksum")
    if layout != LAYOUT:
        raise GalleryError(f"{path} has layout {layout}, expected {LAYOUT}: make the index anew")
    if wrong := _head_fault(head):
        raise _damaged(path, wrong)
    return head


def _head_fault(head: dict[str, Any]) -> str | None:
    """Say what a head of this layout can't have said; its names are joined to paths."""
    kind = KINDS.get(head.get("kind", ""))
    if kind is None:
        return f"it names the kind {head.get('kind')!r}, expected one of {', '.join(KINDS)}"
    if not isinstance(name := head.get("generation"), str) or not _GENERATION.fullmatch(name):
        return f"it names the generation {name!r}"
    expected = {VECTORS, TABLE} | ({kind.file} if kind.file else set())
    files = head.get("files")
    if not isinstance(files, dict) or files.keys() != expected:
        return f"it does not name the files {', '.join(sorted(expected))}"
    if not isinstance(head.get("about"), dict):
        return "it does not say which model made the vectors"
    entries = files.values()
    if not all(isinstance(each, dict) and {"bytes", "sha256"} <= each.keys() for each in entries):
        return "it lacks sizes or hashes of files"
    return None


def files_of(folder: Path, head: dict[str, Any]) -> dict[Path, dict[str, Any]]:
    """Return the files that a head names, and what it says of each."""
    return {folder / head["generation"] / name: entry for name, entry in head["files"].items()}


def _write_files(home: Path, content: Content) -> dict[str, dict[str, Any]]:
    searcher, tracklets = content.searcher, content.tracklets
    # nothing is compressed, so that a name that is there is found by its bytes
    written: dict[str, Callable[[Path], object]] = {
        VECTORS: lambda path: _save_array(path, searcher.vectors),
        TABLE: lambda path: tracklets.to_parquet(path, index=False, compression=None),
    }
    if searcher.file is not None:
        written[searcher.file] = searcher.write
    try:
        return {name: _written(home / name, write) for name, write in written.items()}
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _written(path: Path, write: Callable[[Path], object]) -> dict[str, Any]:
    with replacing(path, delete_abandoned=False) as partial:
        write(partial)
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # numpy would add a suffix to a path
        np.save(file, array, allow_pickle=False)


def _read_content(folder: Path, head: dict[str, Any]) -> Content:
    for path, entry in files_of(folder, head).items():
        _compare(path, entry)
    home = folder / head["generation"]
    vectors = _understood(home / VECTORS, _load_vectors)
    tracklets = _understood(home / TABLE, partial(_load_table, most_rows=len(vectors)))
    if len(tracklets) != len(vectors):
        raise _damaged(home / TABLE, f"it has {len(tracklets)} rows for {len(vectors)} vectors")
    kind = KINDS[head["kind"]]
    searcher = _understood(home / (kind.file or VECTORS), lambda path: kind.read(path, vectors))
    return Content(tracklets, checked_about(head["about"]), searcher)


def _compare(path: Path, entry: dict[str, Any]) -> None:
    """Raise if a file is not the one that the head names."""
    try:
        same = path.stat().st_size == entry["bytes"] and file_sha256(path) == entry["sha256"]
    except FileNotFoundError:
        raise _damaged(path, "it is missing") from None
    if not same:
        raise _damaged(path, "it does not match its checksum")


def _understood(path: Path, load: Callable[[Path], Any]) -> Any:
    try:
        return load(path)
    except (ValueError, KeyError, OSError) as error:  # of numpy, pyarrow, safetensors and ours
        raise _damaged(path, f"it can't be used ({error})") from error


def _load_table(path: Path, most_rows: int) -> pd.DataFrame:
    with path.open("rb") as file:
        return checked_table(read_parquet(file, most_rows))


def _load_vectors(path: Path) -> np.ndarray:
    return checked_vectors(np.load(path, allow_pickle=False), "vectors")


def _damaged(path: Path, fault: str) -> GalleryError:
    return GalleryError(
        f"{path}: {fault}. The index is damaged, or its files are of several: take a copy of the "
        "whole folder, or make the index anew"
    )


def _hash(head: dict[str, Any]) -> str:
    rest = {name: value for name, value in head.items() if name != "sha256"}
    return hashlib.sha256(canonical_json(rest).encode()).hexdigest()


def _state(folder: Path) -> str | None:
    with suppress(FileNotFoundError):
        return read_head(folder)["sha256"]
    return None


def _busy(folder: Path) -> Callable[[str], NoReturn]:
    def refuse(who: str) -> NoReturn:
        raise GalleryError(f"{folder} is being written by {who}: try again when it has ended")

    return refuse


def _generations(folder: Path) -> Iterator[Path]:
    return (home for home in folder.glob("generation-*") if _GENERATION.fullmatch(home.name))


def _delete_others(folder: Path, generation: str) -> None:
    for home in _generations(folder):
        if home.name != generation:
            shutil.rmtree(home)


def _delete_leftovers(folder: Path) -> None:
    """Delete generations that no head names, unless somebody is writing or they can't be."""
    if len(list(_generations(folder))) > 1:
        with suppress(GalleryError, OSError), alone(folder, _busy(folder)):
            _delete_others(folder, read_head(folder)["generation"])


def places_of(folder: Path, names: list[str]) -> list[Path]:
    """Find the files that have something of a person or tracklet, or are not the index's own.

    Parameters
    ----------
    folder : Path
        A folder with an index.
    names : list of str
        Names of persons or tracklets.

    Raises
    ------
    FileNotFoundError, GalleryError
        If the folder holds no index that can be read.
    """
    head = read_head(folder)
    tracklets = _read_content(folder, head).tracklets
    own = {*files_of(folder, head), *(folder / name for name in (HEAD, ".lock", ".lock.json"))}
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in own]
    if tracklets[["tracklet", "person"]].isin(names).to_numpy().any():
        found.append(folder / head["generation"] / TABLE)
    return found
