"""Reporting: where and when the network looked, as tables, and which tracklets are worth a look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

_WHOSE = ["trial", "tracklet", "person", "camera", "role"]


def frame_weight_table(windows: pd.DataFrame, frame_weights: Sequence[np.ndarray]) -> pd.DataFrame:
    """Put the weights of frames into a table: what Fig 6 draws.

    Parameters
    ----------
    windows : pandas.DataFrame
        Columns ``trial, tracklet, person, camera, role, start, stop``, a row a clip.
    frame_weights : sequence of numpy.ndarray
        Of each clip [stop - start], alpha of Eq 6.

    Returns
    -------
    pandas.DataFrame
        One row a frame: whose it is, ``position`` in the tracklet, ``weight``, and ``relative``,
        the weight over the uniform one 1/T.
    """
    lengths = (windows.stop - windows.start).to_numpy()
    table = windows.loc[windows.index.repeat(lengths), _WHOSE].reset_index(drop=True)
    weights = np.concatenate([np.asarray(each, dtype=np.float64) for each in frame_weights])
    return table.assign(
        position=_positions(windows),
        weight=weights,
        relative=weights * np.repeat(lengths, lengths),
    )


def attention_table(
    windows: pd.DataFrame,
    attention: Sequence[np.ndarray],
    frame_weights: Sequence[np.ndarray],
    responses: Sequence[tuple[int, np.ndarray]],
) -> pd.DataFrame:
    """Put attention maps into a table: what Fig 8 draws.

    Parameters
    ----------
    windows, frame_weights
        As for :func:`frame_weight_table`.
    attention : sequence of numpy.ndarray
        Of each clip [stop - start, K, K], m of Eq 3.
    responses : sequence of (int, numpy.ndarray)
        Of each clip what :func:`high_response` found.

    Returns
    -------
    pandas.DataFrame
        One row a cell of a frame: the columns of :func:`frame_weight_table`, ``row, column`` (from
        the top left), ``attention``, ``channel`` and ``response``.
    """
    side = attention[0].shape[1]
    frames = frame_weight_table(windows, frame_weights)
    cells = frames.loc[frames.index.repeat(side * side)].reset_index(drop=True)
    row, column = np.divmod(np.arange(side * side), side)
    channels = [channel for channel, _ in responses]
    per_clip = [maps.size for maps in attention]
    return cells.assign(
        row=np.tile(row, len(frames)),
        column=np.tile(column, len(frames)),
        attention=np.concatenate([maps.ravel() for maps in attention]).astype(np.float64),
        channel=np.repeat(channels, per_clip),
        response=np.concatenate([response.ravel() for _, response in responses]),
    )


def high_response(cubes: np.ndarray) -> tuple[int, np.ndarray]:
    """Find the channel that answers the most to a clip: the feature map of Fig 8.

    Parameters
    ----------
    cubes : numpy.ndarray
        [n, K, K, D], the feature cubes of a clip.

    Returns
    -------
    channel : int
        The channel whose activations deviate the most over the clip's frames and places: one that
        is high everywhere says nothing about where.
    response : numpy.ndarray
        float32 [n, K, K], its activations, from 0 (the clip's least) to 1 (its greatest).
    """
    cubes = np.asarray(cubes, dtype=np.float32)
    channel = int(cubes.reshape(-1, cubes.shape[-1]).std(axis=0).argmax())
    response = cubes[..., channel]
    reach = response.max() - response.min()
    return channel, (response - response.min()) / (reach if reach > 0 else 1)


def unevenness(shares: np.ndarray) -> float:
    """Measure how far shares are from being equal.

    Parameters
    ----------
    shares : numpy.ndarray
        [..., n], summing to 1 over the last axis: frame weights, or flattened attention maps.

    Returns
    -------
    float
        Root mean square of ``n * share - 1``: 0 where all are equal.
    """
    shares = np.asarray(shares, dtype=np.float64)
    return float(np.sqrt(np.mean((shares * shares.shape[-1] - 1) ** 2)))


def least_even(shares: Sequence[np.ndarray], count: int) -> list[int]:
    """Choose whose shares are the least even.

    Parameters
    ----------
    shares : sequence of numpy.ndarray
        As for :func:`unevenness`, one a clip.
    count : int
        How many; fewer where there are fewer.

    Returns
    -------
    list of int
        Their places in `shares`, the least even first; of equals the first.
    """
    return sorted(range(len(shares)), key=lambda place: -unevenness(shares[place]))[:count]


def _positions(windows: pd.DataFrame) -> np.ndarray:
    spans = zip(windows.start, windows.stop, strict=True)
    return np.concatenate([np.arange(start, stop) for start, stop in spans])
