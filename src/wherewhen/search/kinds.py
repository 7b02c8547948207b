"""Kinds of indexes: compare with all vectors, or take a short cut that misses a few.

Each kind has the vectors [N, E] and what it needs beside them. It is built by one thread, so that
equal vectors make an equal index. Exact: nothing. IVF, inverted lists: J. Sivic, A. Zisserman,
Video Google, ICCV 2003. HNSW, a graph: Yu. Malkov, D. Yashunin, Efficient and robust approximate
nearest neighbor search using Hierarchical Navigable Small World graphs, TPAMI 2020.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

import faiss
import numpy as np
from safetensors.numpy import load_file, save

from wherewhen.search.gallery import checked_vectors
from wherewhen.search.nearest import largest_norm, nearest, nearest_set, ordered, squared_distances
from wherewhen.tensor_headers import check_header

SHARE = 4
"""A short cut is only taken where at least one of so many rows is chosen."""


class Exact:
    """Every chosen vector is compared: nothing is missed.

    Parameters
    ----------
    vectors : numpy.ndarray, float32 [N, E]
        The vectors of the gallery.
    """

    name: ClassVar[str] = "exact"
    file: ClassVar[str | None] = None
    """The file of what is kept beside the vectors."""

    def __init__(self, vectors: np.ndarray):
        self.vectors = vectors
        self.largest = largest_norm(vectors)

    @classmethod
    def build(cls, vectors: np.ndarray) -> Self:
        """Make the index of some vectors."""
        return cls(vectors)

    def extended(self, vectors: np.ndarray) -> Self:
        """Return an index with more vectors behind the others; this one is used no more."""
        return type(self)(np.concatenate([self.vectors, vectors]))

    def write(self, path: Path) -> None:
        """Write what is kept beside the vectors."""

    @classmethod
    def read(cls, path: Path | None, vectors: np.ndarray) -> Self:
        """Read what was kept beside the vectors; ValueError where they do not fit together."""
        return cls(vectors)

    def nearest(
        self, queries: np.ndarray, count: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find rows near to each query; see `wherewhen.search.nearest.nearest`."""
        return nearest(self.vectors, queries, count, rows, self.largest)


class _ShortCut(Exact):
    """What IVF and HNSW share: who is found by the short cut is ordered by exact distances."""

    def nearest(
        self, queries: np.ndarray, count: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find rows near to each query, as many as asked for; most of the nearest are among them.

        Where few rows are chosen, or the short cut finds too few, all that are chosen are compared.
        """
        total = len(self.vectors)
        chosen = total if rows is None else len(rows)
        if chosen * SHARE < total or count * SHARE > chosen:
            return super().nearest(queries, count, rows)
        found = self._found(queries, count, _selector(rows, total), total / chosen)
        squared = squared_distances(self.vectors, queries, found)
        short = (found < 0).any(axis=1)
        found, squared = ordered(found, squared, count)
        if short.any():
            found[short], squared[short] = super().nearest(queries[short], count, rows)
        return found, squared

    @abstractmethod
    def _found(
        self, queries: np.ndarray, count: int, chosen: faiss.IDSelector | None, effort: float
    ) -> np.ndarray:
        """Return rows [Q, count], -1 where there is none; `effort`: how much more to search."""


class IVF(_ShortCut):
    """Inverted lists: vectors are grouped by k-means, and the nearest groups are compared.

    Parameters
    ----------
    vectors : numpy.ndarray, float32 [N, E]
        The vectors of the gallery.
    centroids : numpy.ndarray, float32 [L, E]
        The means of the groups.
    group : numpy.ndarray, int32 [N]
        Each vector's group.
    """

    name, file = "ivf", "lists.safetensors"
    probes: ClassVar[int] = 32
    """Groups that are compared."""

    def __init__(self, vectors: np.ndarray, centroids: np.ndarray, group: np.ndarray):
        super().__init__(vectors)
        self._centroids, self._group = Exact(centroids), group
        self._means = faiss.IndexFlatL2(vectors.shape[1])
        self._means.add(centroids)
        self._lists = faiss.IndexIVFFlat(self._means, vectors.shape[1], len(centroids))
        self._lists.is_trained = True
        self._append(vectors, 0, group)

    @classmethod
    def build(cls, vectors: np.ndarray) -> Self:
        """Group vectors by k-means, into 4 √N groups where there are enough."""
        total, size = vectors.shape
        groups = max(1, min(round(4 * math.sqrt(total)), total // 39))
        with _one_thread():
            means = faiss.Kmeans(size, groups, niter=10, seed=0, max_points_per_centroid=64)
            means.train(vectors)
            return cls(vectors, means.centroids, _nearest_group(vectors, means.centroids))

    def extended(self, vectors: np.ndarray) -> Self:
        """Add vectors to the groups that are there."""
        with _one_thread():
            group = _nearest_group(vectors, self._centroids.vectors)
        self._append(vectors, len(self.vectors), group)
        self._group = np.concatenate([self._group, group])
        super().__init__(np.concatenate([self.vectors, vectors]))
        return self

    def _append(self, vectors: np.ndarray, first: int, group: np.ndarray) -> None:
        ids, group = np.arange(first, first + len(vectors)), group.astype(np.int64)
        pointers = map(faiss.swig_ptr, (vectors, ids, group))
        self._lists.add_core(len(vectors), *pointers)

    def write(self, path: Path) -> None:
        """Write the groups."""
        path.write_bytes(save({"centroids": self._centroids.vectors, "group": self._group}))

    @classmethod
    def read(cls, path: Path, vectors: np.ndarray) -> Self:
        """Read the groups."""
        check_header(path)
        tensors = load_file(path)
        centroids, group = tensors["centroids"], tensors["group"]
        if centroids.ndim != 2 or centroids.shape[1] != vectors.shape[1]:
            raise ValueError("its groups are of other vectors")
        if group.shape != vectors.shape[:1] or group.dtype != np.int32:
            raise ValueError("its groups are of other vectors")
        checked_vectors(centroids, "means of groups")
        if group.min() < 0 or group.max() >= len(centroids):
            raise ValueError("a group has no mean")
        return cls(vectors, centroids, group)

    def _found(
        self, queries: np.ndarray, count: int, chosen: faiss.IDSelector | None, effort: float
    ) -> np.ndarray:
        probes = min(math.ceil(self.probes * effort), self._lists.nlist)
        groups = self._centroids
        near = nearest_set(groups.vectors, queries, probes, groups.largest)
        far = np.zeros(near.shape, dtype=np.float32)  # FAISS needs none of these distances
        squared = np.empty((len(queries), count), dtype=np.float32)
        found = np.empty(squared.shape, dtype=np.int64)
        options = faiss.SearchParametersIVF(nprobe=probes, sel=chosen)
        pointer = faiss.swig_ptr
        self._lists.search_preassigned_c(
            *(len(queries), pointer(queries), count, pointer(near), pointer(far)),
            *(pointer(squared), pointer(found), False, options),
        )
        return found


class HNSW(_ShortCut):
    """A graph of neighbours on several levels, walked along from afar towards the query.

    Parameters
    ----------
    vectors : numpy.ndarray, float32 [N, E]
        The vectors of the gallery.
    graph : faiss.IndexHNSWFlat
        Its graph, with or without the vectors.
    """

    name, file = "hnsw", "graph.faiss"
    neighbours: ClassVar[int] = 16
    """Edges of a vector on every level but the lowest, which has twice as many."""
    built_from: ClassVar[int] = 80
    """Candidates for the edges of a new vector."""
    width: ClassVar[int] = 64
    """Candidates that a search keeps."""

    def __init__(self, vectors: np.ndarray, graph: faiss.IndexHNSWFlat):
        super().__init__(vectors)
        self._graph = graph
        if graph.storage is None:
            self._storage = faiss.IndexFlatL2(vectors.shape[1])
            self._storage.add(vectors)
            graph.storage, graph.own_fields = self._storage, False

    @classmethod
    def build(cls, vectors: np.ndarray) -> Self:
        """Insert one vector after the other."""
        graph = faiss.IndexHNSWFlat(vectors.shape[1], cls.neighbours)
        graph.hnsw.efConstruction = cls.built_from
        with _one_thread():
            graph.add(vectors)
        return cls(vectors, graph)

    def extended(self, vectors: np.ndarray) -> Self:
        """Insert more vectors."""
        with _one_thread():
            self._graph.add(vectors)
        super().__init__(np.concatenate([self.vectors, vectors]))
        return self

    def write(self, path: Path) -> None:
        """Write the graph without the vectors."""
        faiss.write_index(self._graph, str(path), faiss.IO_FLAG_SKIP_STORAGE)

    @classmethod
    def read(cls, path: Path, vectors: np.ndarray) -> Self:
        """Read the graph."""
        # a number of entries in the file may be any: FAISS would take memory for them first
        faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
        try:
            graph = faiss.read_index(str(path))
        except (RuntimeError, MemoryError) as error:
            raise ValueError(f"FAISS can't read it ({error})") from error
        if not isinstance(graph, faiss.IndexHNSWFlat):
            raise ValueError(f"it is a {type(graph).__name__}")
        if (graph.ntotal, graph.d) != vectors.shape:
            raise ValueError("its graph is of other vectors")
        return cls(vectors, graph)

    def _found(
        self, queries: np.ndarray, count: int, chosen: faiss.IDSelector | None, effort: float
    ) -> np.ndarray:
        width = math.ceil(max(self.width, 2 * count) * effort)
        options = faiss.SearchParametersHNSW(efSearch=width, sel=chosen)
        return self._graph.search(queries, count, params=options)[1]


KINDS: dict[str, type[Exact]] = {kind.name: kind for kind in (Exact, IVF, HNSW)}


def _nearest_group(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    return faiss.knn(vectors, centroids, 1)[1][:, 0].astype(np.int32)


def _selector(rows: np.ndarray | None, total: int) -> faiss.IDSelector | None:
    if rows is None:
        return None
    mask = np.zeros(total, dtype=bool)
    mask[rows] = True
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let FAISS compute in one thread: several would insert and sum in any order."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
