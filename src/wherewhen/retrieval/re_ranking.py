"""k-reciprocal re-ranking: distances revised by the neighbours that two tracklets share.

Z. Zhong, L. Zheng, D. Cao, S. Li: Re-ranking Person Re-identification with k-reciprocal Encoding.
CVPR 2017. Where the text and the code of its authors differ, this follows the code, since published
numbers come from it: distances are squared and divided by the largest from the same tracklet, and a
neighbour's neighbours join when *more* than two thirds of them are shared.

Re-ranking uses all probes at once, which a single search does not have: a table must say so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from wherewhen.retrieval.distances import euclidean
from wherewhen.retrieval.nearest import nearest

SUFFIX = "-re-ranked"
"""Ends a metric's name in tables where its distances are re-ranked."""

_BLOCK = 256
"""Rows of the matrix of all distances that are held at once."""


def re_rank(
    probes: ArrayLike,
    gallery: ArrayLike,
    distance: Callable[[ArrayLike, ArrayLike], np.ndarray] = euclidean,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
) -> np.ndarray:
    """Compute re-ranked distances.

    Parameters
    ----------
    probes, gallery : array_like [P, D], [G, D]
        The vectors.
    distance : callable
        Symmetric distances of two sets of vectors, as those in `distances`, none below 0.
    k1 : int
        Two tracklets are k-reciprocal neighbours if each is among the other's k1 nearest.
    k2 : int
        Local query expansion: encodings are averaged over so many nearest, the tracklet itself
        among them; 1 switches that off.
    weight : float
        lambda: the share of the original distance, in [0, 1].

    Returns
    -------
    numpy.ndarray, float64 [P, G]
        (1 - lambda) times the Jaccard distance of the neighbourhoods plus lambda times the
        original one, squared and scaled as above. A tracklet is its own nearest neighbour; other
        ties go by the order of probes and gallery. Memory is needed for the neighbours and the
        result, not for all distances.

    Raises
    ------
    ValueError
        If a parameter is out of range, the vectors do not fit the distance, or a distance is
        negative, as RankSVM's score may be: squares would then have another order.

    Examples
    --------
    >>> re_rank([[0.0]], [[0.1], [0.2], [5.0]], k1=2, k2=1)[0].argsort().tolist()
    [0, 1, 2]
    """
    for name, k in (("k1", k1), ("k2", k2)):
        if k < 1:
            raise ValueError(f"{name} is {k}: expected at least 1")
    if not 0 <= weight <= 1:
        raise ValueError(f"lambda is {weight}: expected between 0 and 1")
    original = distance(probes, gallery)
    if original.min() < 0:
        raise ValueError(
            f"the distance is {original.min():.3g} somewhere: expected none below 0. Leave "
            "re-ranking out for this metric"
        )
    original = original**2
    everyone = np.concatenate([np.asarray(probes), np.asarray(gallery)])
    neighbours, largest = _nearest(everyone, distance, max(k1 + 1, k2))
    original /= largest[: len(original), None]
    encoded = _encode(everyone, distance, neighbours[:, : k1 + 1], largest)
    if k2 > 1:
        encoded = _mean_of(neighbours[:, :k2]) @ encoded
    return (1 - weight) * _jaccard(encoded, len(original)) + weight * original


def _nearest(everyone: np.ndarray, distance: Callable, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest of each, itself first, and its largest squared distance."""
    count = min(count, len(everyone))
    neighbours = np.empty((len(everyone), count), dtype=np.int64)
    largest = np.empty(len(everyone))
    for start in range(0, len(everyone), _BLOCK):
        for item, row in enumerate(distance(everyone[start : start + _BLOCK], everyone), start):
            largest[item] = row.max() ** 2
            row[item] = -1  # before all vectors equal to it, which would displace it
            neighbours[item] = nearest(row, count)
    return neighbours, np.where(largest > 0, largest, 1.0)


def _encode(
    everyone: np.ndarray, distance: Callable, neighbours: np.ndarray, largest: np.ndarray
) -> csr_array:
    """Encode each by its k-reciprocal neighbours, with weights that fall with distance, sum 1."""
    k1 = neighbours.shape[1] - 1
    half = [_reciprocal(neighbours, item, round(k1 / 2)) for item in range(len(everyone))]
    rows, weights = [], []
    marked = np.zeros(len(everyone), dtype=bool)
    for item, vector in enumerate(everyone):
        base = _reciprocal(neighbours, item, k1)
        marked[base] = True
        joining = [half[other] for other in base]
        joining = [found for found in joining if 3 * marked[found].sum() > 2 * len(found)]
        marked[base] = False
        described = np.unique(np.concatenate([base, *joining]))
        squared = distance(vector[None], everyone[described])[0] ** 2 / largest[item]
        rows.append(described)
        weights.append(np.exp(-squared) / np.exp(-squared).sum())
    ends = np.cumsum([0, *map(len, rows)])
    size = (len(everyone), len(everyone))
    return csr_array((np.concatenate(weights), np.concatenate(rows), ends), shape=size)


def _reciprocal(neighbours: np.ndarray, item: int, k: int) -> np.ndarray:
    """Return the item and those of its k nearest that have it among their k nearest."""
    forward = neighbours[item, : k + 1]
    return forward[(neighbours[forward, : k + 1] == item).any(axis=1)]


def _mean_of(neighbours: np.ndarray) -> csr_array:
    """Build the matrix that averages over the neighbours of each."""
    items, count = neighbours.shape
    weights = np.full(items * count, 1 / count)
    ends = np.arange(items + 1) * count
    return csr_array((weights, neighbours.ravel(), ends), shape=(items, items))


def _jaccard(encoded: csr_array, probes: int) -> np.ndarray:
    """Compute 1 - sum(min) / sum(max) of the encodings of probes and gallery."""
    gallery = encoded[probes:].tocsc()
    distances = np.empty((probes, gallery.shape[0]))
    for probe in range(probes):
        described = slice(encoded.indptr[probe], encoded.indptr[probe + 1])
        common = np.zeros(gallery.shape[0])
        for column, weight in zip(encoded.indices[described], encoded.data[described], strict=True):
            who = slice(gallery.indptr[column], gallery.indptr[column + 1])
            common[gallery.indices[who]] += np.minimum(weight, gallery.data[who])
        distances[probe] = 1 - common / (2 - common)
    return distances
