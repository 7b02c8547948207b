"""The index: a gallery of tracklets that grows, shrinks and is searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from wherewhen.hints import did_you_mean
from wherewhen.search import files
from wherewhen.search.gallery import (
    NAMES,
    GalleryError,
    checked_about,
    checked_table,
    checked_vectors,
    chosen_rows,
    joined,
    listed,
    named,
    refuse_other_model,
)
from wherewhen.search.kinds import KINDS

EXACT_UP_TO = 100_000
"""Tracklets up to which `auto` compares with all vectors; beyond, it takes inverted lists."""

Kind = Literal["auto", "exact", "ivf", "hnsw"]


class Index:
    """A gallery of tracklets, and a vector of each; `create` and `open` make one.

    It is in memory: what is added and removed reaches the folder by `save`.

    Parameters
    ----------
    content : wherewhen.search.files.Content
        Table, model and vectors, checked.

    Examples
    --------
    >>> tracklets = pd.DataFrame(
    ...     {
    ...         "tracklet": ["a/1", "b/1", "b/2"],
    ...         "person": ["1", "1", "2"],
    ...         "camera": ["a", "b", "b"],
    ...         "length": [20, 30, 25],
    ...     }
    ... )
    >>> vectors = np.array([[0, 0], [0, 1], [3, 4]], dtype=np.float32)
    >>> index = Index.create(tracklets, vectors, {"model": "0123"})
    >>> found = index.search(vectors[:1], {"model": "0123"}, top=2, not_cameras=["a"])
    >>> found[["rank", "tracklet", "distance"]].values.tolist()
    [[1, 'b/1', 1.0], [2, 'b/2', 5.0]]
    """

    def __init__(self, content: files.Content):
        self._tracklets, self._about, self._searcher = content
        self._origin: tuple[Path, str] | None = None

    @classmethod
    def create(
        cls,
        tracklets: pd.DataFrame,
        vectors: np.ndarray,
        about: Mapping[str, Any],
        kind: Kind = "auto",
    ) -> Self:
        """Make an index.

        Parameters
        ----------
        tracklets : pandas.DataFrame [N]
            The columns `tracklet` (unique names), `person`, `camera` (text), `length` (frames) and
            maybe `start` and `end` (seconds, both NaN where unknown). Other columns are not kept.
        vectors : numpy.ndarray, float32 [N, E]
            A vector of each, such that the Euclidean distance is the one that counts: projected by
            the metric, and of length 1 for the cosine.
        about : mapping
            What made the vectors, for JSON: `model`, the model's fingerprint, and whatever else
            must be the same for distances to mean something, such as the metric. No names of
            people.
        kind : {"auto", "exact", "ivf", "hnsw"}
            Compare with all vectors; group them and compare with the nearest groups; or walk along
            a graph of neighbours. ``auto`` is ``exact`` up to `EXACT_UP_TO` tracklets, then
            ``ivf``; it is decided here, not when tracklets are added. The last two miss some of the
            nearest tracklets, hold the vectors twice in memory, and are built by one thread so that
            equal vectors make an equal index.

        Raises
        ------
        GalleryError
            Naming what is wrong with the table, the vectors or the rest.
        """
        table = checked_table(tracklets)
        vectors = checked_vectors(vectors, "vectors", len(table)).copy()
        about = checked_about(about)
        if kind == "auto":
            kind = "exact" if len(table) <= EXACT_UP_TO else "ivf"
        if kind not in KINDS:
            meant = did_you_mean(
                str(kind), ["auto", *KINDS], f"expected auto or {', '.join(KINDS)}"
            )
            raise GalleryError(f"kind is {kind!r}: {meant}")
        return cls(files.Content(table, about, KINDS[kind].build(vectors)))

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the index that a folder holds; what a killed process left beside it is deleted.

        Raises
        ------
        FileNotFoundError
            If the folder holds none.
        GalleryError
            Naming the file that is damaged, missing or of another index.
        """
        content, state = files.read(Path(folder))
        index = cls(content)
        index._origin = Path(folder).resolve(), state
        return index

    def save(self, folder: str | Path) -> None:
        """Write the index into a folder, whole or not at all; the one that was there is deleted.

        Raises
        ------
        GalleryError
            If another process is writing, or has changed the index since it was opened from this
            folder: nobody who was removed comes back.
        OSError
            If a file can't be written; the old index stays.
        """
        place = Path(folder).resolve()
        expected = self._origin[1] if self._origin and self._origin[0] == place else None
        content = files.Content(self._tracklets, self._about, self._searcher)
        self._origin = place, files.write(place, content, expected)

    def __len__(self) -> int:
        return len(self._tracklets)

    @property
    def tracklets(self) -> pd.DataFrame:
        """A copy of the table, one row a tracklet."""
        return self._tracklets.copy()

    @property
    def about(self) -> dict[str, Any]:
        """What made the vectors."""
        return checked_about(self._about)

    @property
    def state(self) -> str | None:
        """Hash of all that was read from the folder or written to it; None before `save`."""
        return self._origin[1] if self._origin else None

    @property
    def kind(self) -> str:
        """``exact``, ``ivf`` or ``hnsw``."""
        return self._searcher.name

    @property
    def dimensions(self) -> int:
        """E, the numbers of a vector."""
        return self._vectors.shape[1]

    @property
    def _vectors(self) -> np.ndarray:
        return self._searcher.vectors

    def __contains__(self, tracklet: object) -> bool:
        return bool((self._tracklets["tracklet"] == tracklet).any())

    def select(self, **filters: Any) -> pd.DataFrame:
        """Return the rows of the table that all conditions hold for, in their order.

        Parameters
        ----------
        **filters
            ``persons``, ``cameras``, ``not_cameras``, ``after``, ``before``, ``exclude``: see
            `search`.

        Raises
        ------
        GalleryError
            As `search`.
        """
        rows = chosen_rows(self._tracklets, **filters)
        return self.tracklets if rows is None else self._tracklets.iloc[rows].reset_index(drop=True)

    def frames_of(self, tracklet: str) -> list[str]:
        """Return the paths of a tracklet's frames, in order; none where they are unknown.

        Raises
        ------
        GalleryError
            If the name is not in the gallery.
        """
        rows = named(self._tracklets, "tracklets", [tracklet])
        return list(self._tracklets["frames"][rows].iloc[0])

    def vectors_of(self, tracklets: Iterable[str]) -> np.ndarray:
        """Return the vectors of tracklets in the order of their names, float32 [n, E].

        Raises
        ------
        GalleryError
            If a name is not in the gallery.
        """
        tracklets = listed("tracklets", tracklets)
        rows = np.flatnonzero(named(self._tracklets, "tracklets", tracklets))
        row_of = dict(zip(self._tracklets["tracklet"].iloc[rows], rows, strict=True))
        return self._vectors[[row_of[name] for name in tracklets]]

    def search(
        self,
        vectors: np.ndarray,
        about: Mapping[str, Any],
        top: int = 10,
        *,
        persons: Iterable[str] | None = None,
        cameras: Iterable[str] | None = None,
        not_cameras: Iterable[str] | None = None,
        after: float | None = None,
        before: float | None = None,
        exclude: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Find the nearest tracklets of each query, among those that all conditions hold for.

        Parameters
        ----------
        vectors : numpy.ndarray, float32 [Q, E]
            The queries.
        about : mapping
            What made their vectors: equal to the gallery's.
        top : int
            How many tracklets to find for each query. There are fewer only where fewer meet the
            conditions.
        persons, cameras : iterable of str or None
            Only tracklets of these persons, of these cameras.
        not_cameras : iterable of str or None
            No tracklets of these cameras, such as the query's own.
        after, before : float or None
            Only tracklets that were seen at some time from `after` to `before`, in seconds; those
            whose time is unknown are left out.
        exclude : iterable of str or None
            No tracklet of these names, such as the query itself.

        Returns
        -------
        pandas.DataFrame
            The columns `query` (row in `vectors`, from 0), `rank` (from 1), `tracklet`, `person`,
            `camera`, `start`, `end` and `distance` (Euclidean, computed in float64). Equal
            distances are ordered by the gallery's rows. The same, whatever the number of threads
            and of queries at a time.

        Raises
        ------
        GalleryError
            If the vectors are of another model or shape, a name is not in the gallery, or `top` is
            below 1.
        """
        refuse_other_model(about, self._about, "the queries")
        queries = self._fitting(vectors, "queries")
        if isinstance(top, bool) or not isinstance(top, int | np.integer) or top < 1:
            raise GalleryError(f"top is {top!r}: expected a whole number from 1")
        rows = chosen_rows(self._tracklets, persons, cameras, not_cameras, after, before, exclude)
        count = min(int(top), len(self) if rows is None else len(rows))
        if count == 0:
            found, squared = (
                np.empty((len(queries), 0), dtype=np.int64),
                np.empty((len(queries), 0)),
            )
        else:
            found, squared = self._searcher.nearest(queries, count, rows)
        return self._table(found, np.sqrt(squared))

    def _table(self, rows: np.ndarray, distances: np.ndarray) -> pd.DataFrame:
        queries, count = rows.shape
        columns = {
            "query": np.repeat(np.arange(queries), count),
            "rank": np.tile(np.arange(1, count + 1), queries),
        }
        for name in (*NAMES, "start", "end"):
            columns[name] = self._tracklets[name].array.take(rows.ravel())
        return pd.DataFrame({**columns, "distance": distances.ravel()}, copy=False)

    def _fitting(self, vectors: np.ndarray, what: str, rows: int | None = None) -> np.ndarray:
        vectors = checked_vectors(vectors, what, rows)
        if vectors.shape[1] != self.dimensions:
            raise GalleryError(
                f"{what} have {vectors.shape[1]} dimensions, the gallery's vectors "
                f"{self.dimensions}: expected vectors of one model"
            )
        return vectors

    def add(self, tracklets: pd.DataFrame, vectors: np.ndarray, about: Mapping[str, Any]) -> None:
        """Add tracklets behind the others; `create` has the parameters.

        Inverted lists keep their groups: where a gallery has grown to several times its size, make
        the index anew.

        Raises
        ------
        GalleryError
            If the vectors are of another model or shape, or a tracklet's name is there already;
            nothing is added.
        """
        refuse_other_model(about, self._about, "the new vectors")
        table = checked_table(tracklets)
        vectors = self._fitting(vectors, "vectors", len(table))
        there = table["tracklet"][table["tracklet"].isin(self._tracklets["tracklet"])]
        if len(there):
            raise GalleryError(
                f"tracklet {there.iloc[0]!r} is in the gallery ({len(there)} of the new ones are): "
                "expected new names; remove it first to replace it"
            )
        self._searcher = self._searcher.extended(vectors)
        self._tracklets = joined(self._tracklets, table)

    def remove(
        self, persons: Iterable[str] | None = None, tracklets: Iterable[str] | None = None
    ) -> list[str]:
        """Remove all tracklets of some persons, and some tracklets.

        The index is then the one that would have been made without them: groups and graphs, which
        they have shaped, are made anew. `save` removes them from the folder.

        Parameters
        ----------
        persons, tracklets : iterable of str or None
            Names as the table has them.

        Returns
        -------
        list of str
            The tracklets that were removed.

        Raises
        ------
        GalleryError
            If a name is not in the gallery, or nobody would be left; nothing is removed.
        """
        given = {"persons": persons, "tracklets": tracklets}
        given = {argument: names for argument, names in given.items() if names is not None}
        if not given:
            raise GalleryError("nothing to remove: expected persons or tracklets")
        masks = [named(self._tracklets, argument, names) for argument, names in given.items()]
        going = np.logical_or.reduce(masks)
        if going.all():
            raise GalleryError("no tracklet would be left: delete the folder of the index instead")
        removed = self._tracklets["tracklet"][going].tolist()
        self._searcher = type(self._searcher).build(self._vectors[~going])
        self._tracklets = self._tracklets[~going].reset_index(drop=True)
        return removed

    def verify_removed(self, names: Iterable[str]) -> None:
        """Check that the folder, as it is on the disk, has nothing of some persons or tracklets.

        The folder is the one that the index was saved to or opened from. Copies elsewhere, and
        what a disk keeps of deleted files, are beyond it.

        Parameters
        ----------
        names : iterable of str
            Names of persons or tracklets.

        Raises
        ------
        GalleryError
            Naming the files that have one of the names, or that no index names.
        """
        if self._origin is None:
            raise GalleryError("this index was not saved: expected one that is in a folder")
        places = files.places_of(self._origin[0], listed("names", names))
        if places:
            raise GalleryError(f"not removed from {', '.join(map(str, places))}: save the index")
