"""Linking: which tracklets of a site show the same person, by the distances between them.

Groups of tracklets are merged one after the other, the two that are nearest first (agglomerative
clustering). Some pairs are known to be of two persons: two tracklets of one camera at one time.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Linkage = Literal["complete", "average"]


def seen_together(cameras: ArrayLike, start: ArrayLike, end: ArrayLike) -> NDArray[np.bool_]:
    """Find the pairs of tracklets of one camera at one time: they show two persons.

    Parameters
    ----------
    cameras : array_like [N]
        The camera of each tracklet.
    start, end : array_like of float [N]
        Seconds; `end` is when the last frame ends, so a tracklet that starts then is a later one.
        NaN where the time is unknown: such a tracklet is in no pair.

    Returns
    -------
    numpy.ndarray, bool [N, N]
        Symmetric, false on the diagonal.

    Examples
    --------
    >>> seen_together(["a", "a", "a", "b"], [0, 2, 1, 0], [2, 3, 3, 9]).sum(axis=1).tolist()
    [1, 1, 2, 0]
    """
    cameras = np.unique(np.asarray(cameras), return_inverse=True)[1]
    start, end = (np.asarray(each, dtype=np.float64) for each in (start, end))
    together = cameras[:, None] == cameras
    together &= start[:, None] < end
    together &= together.T
    np.fill_diagonal(together, False)
    return together


def link_tracklets(
    distances: ArrayLike,
    threshold: float,
    apart: ArrayLike | None = None,
    linkage: Linkage = "complete",
) -> NDArray[np.int64]:
    """Group tracklets into persons.

    Parameters
    ----------
    distances : array_like [N, N]
        Symmetric, finite, not negative.
    threshold : float
        Above 0: groups are merged whose distance is below it.
    apart : array_like of bool [N, N], optional
        Symmetric: pairs that can't be one person. No group holds such a pair.
    linkage : {"complete", "average"}
        The distance of two groups: the greatest or the mean between a tracklet of one and one of
        the other. By the first, all pairs of a group are below the threshold.

    Returns
    -------
    numpy.ndarray, int64 [N]
        The group of each tracklet, from 1: the largest first, then the one whose first tracklet
        comes first.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or a distance or the threshold can't be one.

    See Also
    --------
    seen_together : Makes `apart`.
    wherewhen.retrieval.link_scores.link_scores : How good the groups are.

    Notes
    -----
    Pairs of `apart` get a distance that no mean over N tracklets can bring below the threshold,
    N² times it: any two groups with such a pair between them are then farther apart than it, by
    either linkage. Merges come in the order of their distances (neither linkage has inversions),
    so the cut at the threshold has none of these. The clustering is scipy's, which scikit-learn's
    ``AgglomerativeClustering`` calls, too; it takes half of the matrix, and so a quarter of the
    memory. F. Murtagh, P. Contreras: Algorithms for hierarchical clustering: an overview. WIREs
    Data Mining and Knowledge Discovery, 2012.

    Examples
    --------
    >>> distances = np.abs(np.subtract.outer([0.0, 1.0, 1.2, 9.0], [0.0, 1.0, 1.2, 9.0]))
    >>> link_tracklets(distances, 2.0).tolist()
    [1, 1, 1, 2]
    >>> apart = np.zeros((4, 4), dtype=bool)
    >>> apart[0, 2] = apart[2, 0] = True
    >>> link_tracklets(distances, 2.0, apart).tolist()
    [2, 1, 1, 3]
    """
    from scipy.cluster.hierarchy import fcluster
    from scipy.cluster.hierarchy import linkage as merge
    from scipy.spatial.distance import squareform

    distances = _checked(distances, threshold)
    count = len(distances)
    if apart is not None:
        apart = np.asarray(apart, dtype=bool)
        if apart.shape != distances.shape:
            raise ValueError(f"apart has shape {apart.shape}: expected {distances.shape}")
        distances = np.where(apart, threshold * count**2, distances)
    if count == 1:  # nothing to merge
        return np.ones(1, dtype=np.int64)
    merges = merge(squareform(distances, checks=False), linkage)
    below = np.nextafter(threshold, 0)  # scipy also cuts at the threshold itself
    return _by_size(fcluster(merges, below, "distance"))


def _checked(distances: ArrayLike, threshold: float) -> NDArray[np.float64]:
    distances = np.asarray(distances, dtype=np.float64)
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or not distances.size:
        raise ValueError(f"distances have shape {distances.shape}: expected [tracklets, tracklets]")
    if not (np.isfinite(distances).all() and distances.min() >= 0):
        raise ValueError("distances: expected finite numbers from 0")
    if not np.allclose(distances, distances.T):
        raise ValueError("distances: expected a symmetric matrix")
    if not (np.isfinite(threshold) and threshold > 0):
        raise ValueError(f"threshold is {threshold}: expected a number above 0")
    return distances


def _by_size(groups: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return groups numbered from 1, the largest first, ties by their first member."""
    _, first, group, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    place = np.empty(len(sizes), dtype=np.int64)
    place[np.lexsort((first, -sizes))] = np.arange(1, len(sizes) + 1)
    return place[group]
