"""The nearest rows of a gallery, exactly: the same to the last bit whatever the batch.

FAISS proposes a few more candidates than asked for, in float32 and fast. Their distances are
computed anew in float64, from differences, and ordered by distance and row. A bound on the rounding
of float32 (N. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1) says
whether a row that was not proposed might belong to them; where it might, as with many equal
vectors, that query is compared with all rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np

SPARE = 16
"""Candidates beyond those asked for."""

_BATCH = 8
"""Queries from which on a product of matrices is faster than one comparison after the other."""

_BLOCK = 2**22
"""Numbers of chosen vectors, and a quarter of those of differences, that are copied at a time."""


def nearest(
    vectors: np.ndarray,
    queries: np.ndarray,
    count: int,
    rows: np.ndarray | None = None,
    largest: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows nearest to each query.

    Parameters
    ----------
    vectors, queries : numpy.ndarray, float32 [N, E], [Q, E]
        Finite.
    count : int
        How many, at most as many as there are to choose from.
    rows : numpy.ndarray, int64 [M], or None
        The rows to choose from, ascending; None for all.
    largest : float or None
        `largest_norm` of the vectors, if it is known.

    Returns
    -------
    rows : numpy.ndarray, int64 [Q, count]
        By distance, ties by row.
    squared : numpy.ndarray, float64 [Q, count]
        Squared Euclidean distances.

    Examples
    --------
    >>> gallery = np.array([[0, 0], [3, 4], [0, 0]], dtype=np.float32)
    >>> rows, squared = nearest(gallery, gallery[:1], 3)
    >>> rows.tolist(), squared.tolist()
    ([[0, 2, 1]], [[0.0, 0.0, 25.0]])
    """
    everything = np.arange(len(vectors)) if rows is None else rows
    proposed = count + SPARE
    if proposed >= len(everything):
        return _among(vectors, queries, np.tile(everything, (len(queries), 1)), count)
    proposals, rough = _proposed(vectors, queries, proposed, rows)
    found, squared = _among(vectors, queries, proposals, count)
    largest = largest_norm(vectors) if largest is None else largest
    sure = squared[:, -1] < rough.max(axis=1) - _rounding(queries, largest)
    for query in np.flatnonzero(~sure):  # also where a bound is not a number
        one = slice(query, query + 1)
        found[one], squared[one] = _among(vectors, queries[one], everything[None], count)
    return found, squared


def nearest_set(vectors: np.ndarray, queries: np.ndarray, count: int, largest: float) -> np.ndarray:
    """Find the rows nearest to each query, int64 [Q, count], in the order of the rows.

    Their distances are computed anew only where rounding might have decided which they are.
    """
    if count >= len(vectors):
        return np.tile(np.arange(len(vectors)), (len(queries), 1))
    found, rough = _proposed(vectors, queries, count + 1, None)
    sure = rough[:, -1] - rough[:, -2] > 2 * _rounding(queries, largest)
    found = found[:, :count]
    if not sure.all():
        found[~sure] = nearest(vectors, queries[~sure], count, None, largest)[0]
    return np.sort(found, axis=1)


def _among(
    vectors: np.ndarray, queries: np.ndarray, rows: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest among the rows [Q, K] that each query is given."""
    return ordered(rows, squared_distances(vectors, queries, rows), count)


def squared_distances(vectors: np.ndarray, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compute the squared distances of each query to some rows [Q, K], float64 [Q, K]."""
    squared = np.empty(rows.size)
    places, of = rows.ravel(), np.repeat(np.arange(len(queries)), rows.shape[1])
    step = max(1, _BLOCK // 4 // vectors.shape[1])
    for start in range(0, rows.size, step):
        part = slice(start, start + step)
        difference = np.subtract(vectors[places[part]], queries[of[part]], dtype=np.float64)
        np.einsum("ij,ij->i", difference, difference, out=squared[part])
    return squared.reshape(rows.shape)


def ordered(rows: np.ndarray, squared: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Order rows [Q, K] by their distances, ties by row, and cut them to a count."""
    order = np.lexsort((rows, squared), axis=1)[:, :count]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(squared, order, 1)


def largest_norm(vectors: np.ndarray) -> float:
    """Return the largest Euclidean norm of some vectors."""
    return float(np.sqrt(np.einsum("ij,ij->i", vectors, vectors).max(initial=0)))


def _proposed(
    vectors: np.ndarray, queries: np.ndarray, count: int, rows: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows [Q, count] and their squared distances as FAISS rounds them."""
    with _products_of_matrices(len(queries) >= _BATCH):
        if rows is None:
            rough, found = faiss.knn(queries, vectors, count)
        else:
            found, rough = _proposed_of(vectors, queries, count, rows)
    lacking = found < 0  # float32 has overflowed
    return np.where(lacking, 0, found), np.where(lacking, np.nan, rough)


def _proposed_of(
    vectors: np.ndarray, queries: np.ndarray, count: int, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Copy the chosen vectors block by block, and keep the nearest of all blocks."""
    step = max(1, _BLOCK // vectors.shape[1])
    block = np.empty((min(step, len(rows)), vectors.shape[1]), dtype=np.float32)
    parts = []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        copied = np.take(vectors, part, axis=0, out=block[: len(part)], mode="clip")
        rough, found = faiss.knn(queries, copied, min(count, len(part)))
        parts.append((rough, np.where(found < 0, -1, part[found])))
    rough, found = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    order = np.argpartition(rough, count - 1, axis=1)[:, :count]
    return np.take_along_axis(found, order, 1), np.take_along_axis(rough, order, 1)


@contextmanager
def _products_of_matrices(wanted: bool) -> Iterator[None]:
    """Let FAISS multiply matrices for small batches, too; results do not depend on it.

    Its own threshold is a thousand queries of 128 numbers; the setting is the process's.
    """
    before = faiss.cvar.distance_compute_blas_threshold
    if wanted:
        faiss.cvar.distance_compute_blas_threshold = 1
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


def _rounding(queries: np.ndarray, largest: float) -> np.ndarray:
    """Bound the error of a squared distance in float32, for every query [Q].

    |x|² + |y|² - 2 x·y, each a sum of E products, is off by at most (E + 3) u (|x| + |y|)² to first
    order, u = 2^-24; a sum of squared differences by less. The last term is for underflow.
    """
    norms = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))
    size = queries.shape[1]
    return 2.0**-24 * (size + 8) * (norms + largest) ** 2 + 2.0**-120 * size
