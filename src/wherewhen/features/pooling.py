"""Pooling of cubes over time and space: the baselines without a recurrent network.

Averages over time are what the recurrent network has to beat.  ``mean_pooled`` forgets time and
place; ``row_pooled`` keeps the height (head, coat, trousers, shoes), which is where a pedestrian's
appearance changes, and is the stronger of the two by far.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.windows import Window

_LEAST = 1e-12
"""Weight of a cell without attention."""


def mean_pooled(cubes: ArrayLike) -> NDArray[np.float32]:
    """Average cubes over time and space.

    Parameters
    ----------
    cubes
        Activations of a clip, shape [T, H, W, D].

    Returns
    -------
    ndarray
        float32, shape [D].

    Raises
    ------
    ValueError
        If the shape is another, or there is no frame.
    """
    return _checked(cubes).mean(axis=(0, 1, 2), dtype=np.float32)


def row_pooled(cubes: ArrayLike, attention: ArrayLike | None = None) -> NDArray[np.float32]:
    """Average cubes over time and width; the rows stay apart.

    Parameters
    ----------
    cubes
        Activations of a clip, shape [T, H, W, D]; the height first.
    attention
        Not negative, shape [T, H, W] (Eq 3): each row is averaged with these weights. None: evenly.

    Returns
    -------
    ndarray
        float32, shape [H * D]: the top row's D channels first.

    Raises
    ------
    ValueError
        If a shape is another, or there is no frame.

    Examples
    --------
    >>> cubes = np.float32([1, 3]).reshape(1, 1, 2, 1).repeat(2, axis=1)
    >>> row_pooled(cubes).tolist(), row_pooled(cubes, [[[0.1, 0.3], [0.6, 0.0]]]).tolist()
    ([2.0, 2.0], [2.5, 1.0])
    """
    cubes = _checked(cubes)
    if attention is None:
        return cubes.mean(axis=(0, 2), dtype=np.float32).reshape(-1)
    weights = np.asarray(attention, dtype=np.float32)
    if weights.shape != cubes.shape[:3]:
        raise ValueError(
            f"attention: expected shape {list(cubes.shape[:3])}, got {list(weights.shape)}"
        )
    weights = np.maximum(weights, _LEAST)  # a row at which nothing looks is averaged evenly
    weights = weights / weights.sum(axis=(0, 2), keepdims=True)
    return np.einsum("trc,trcd->rd", weights, cubes.astype(np.float32)).reshape(-1)


def _checked(cubes: ArrayLike) -> NDArray:
    cubes = np.asarray(cubes)
    if cubes.ndim != 4 or not len(cubes):
        raise ValueError(f"cubes: expected shape [T, H, W, D], T > 0, got {list(cubes.shape)}")
    return cubes


def pool_by_attention(
    cubes: CubeReader, windows: Sequence[Window], attention: Sequence[NDArray]
) -> list[NDArray[np.float32]]:
    """Pool many windows by rows, each with its attention.

    Parameters
    ----------
    cubes
        Where they are read from.
    windows
        N windows of T_n frames.
    attention
        Of each [T_n, H, W].

    Returns
    -------
    list of ndarray
        `row_pooled` [H * D] of each window.
    """
    return [
        row_pooled(cubes.read(window), weights)
        for window, weights in zip(windows, attention, strict=True)
    ]


def pool_windows(
    cubes: CubeReader, windows: Iterable[Window]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Pool many windows, reading each once.

    Parameters
    ----------
    cubes
        Where they are read from.
    windows
        Which are read.

    Returns
    -------
    means, rows : list of ndarray
        `mean_pooled` [D] and `row_pooled` [H * D] of each window, in the windows' order.
    """
    means, rows = [], []
    for window in windows:
        read = cubes.read(window)
        means.append(mean_pooled(read))
        rows.append(row_pooled(read))
    return means, rows
