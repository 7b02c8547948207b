"""Means of cameras removed from vectors, so that a camera's light and view no longer count.

The means are those of training persons and need no labels of persons. What is removed is the same
for every vector of a camera; what a camera does differently to different people is left to metrics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def without_camera_means(
    vectors: np.ndarray, cameras: ArrayLike, training: ArrayLike
) -> np.ndarray:
    """Subtract from each vector the mean of its camera's training vectors.

    Parameters
    ----------
    vectors : numpy.ndarray [N, D]
        The vectors.
    cameras : array_like [N]
        The camera of each.
    training : array_like of bool [N]
        The vectors that the means are of.

    Returns
    -------
    numpy.ndarray, float64 [N, D]
        The differences.

    Raises
    ------
    ValueError
        If a camera has no training vector, naming it.

    Examples
    --------
    >>> vectors = np.array([[1.0], [3.0], [10.0], [12.0]])
    >>> without_camera_means(vectors, ["a", "a", "b", "b"], [True, True, True, False]).tolist()
    [[-1.0], [1.0], [0.0], [2.0]]
    """
    cameras, training = np.asarray(cameras), np.asarray(training, dtype=bool)
    unseen = np.setdiff1d(cameras, cameras[training])
    if unseen.size:
        raise ValueError(
            f"no training person was seen by the camera {', '.join(map(str, unseen))}, so its mean "
            "is not known: set learn_metric.centre to none, or choose a split (split.source, "
            "split.seed) with training persons in every camera"
        )
    centred = np.array(vectors, dtype=np.float64)
    for camera in np.unique(cameras):
        own = cameras == camera
        centred[own] -= centred[own & training].mean(axis=0)
    return centred
