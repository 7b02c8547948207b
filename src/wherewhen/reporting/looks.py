"""Reporting: what figures show: the best metric, attention and frame weights as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wherewhen.reporting.style import sort_key

_WINDOW = ["trial", "tracklet", "person", "camera", "role"]


def best_metric(scores: pd.DataFrame, rankings: pd.DataFrame) -> str:
    """Choose the metric that ranks the network's embeddings best.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of a run, of one protocol.
    rankings : pandas.DataFrame
        Rankings of the network's embeddings; their metrics are compared.

    Returns
    -------
    str
        The metric with the highest rank-1, then the highest mAP, both averaged over the trials; of
        equal ones the first in the order of the tables.
    """
    means = _means(scores, rankings["metric"].unique())
    best = means.eq(means["rank-1"].max(), axis=0)["rank-1"]
    best &= means["mAP"] == means.loc[best, "mAP"].max()
    return min(means.index[best], key=lambda metric: sort_key("network", metric))


def best_in_words(scores: pd.DataFrame, metric: str) -> str:
    """Say how good the best metric is: ``"the best of 5 metrics by rank-1, 57.5 %, ..."``."""
    count = scores.loc[scores["features"] == "network", "metric"].nunique()
    rank_1, mean_ap = 100 * _means(scores, [metric]).loc[metric]
    which = f"the best of {count} metrics, " if count > 1 else ""
    protocol = scores["protocol"].iloc[0]
    return f"{which}rank-1 {rank_1:.1f} %, mAP {mean_ap:.1f} % over all trials, {protocol}"


def with_metric(rankings: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the rankings by a metric."""
    return rankings[rankings["metric"] == metric]


def frame_weight_table(windows: pd.DataFrame, frame_weights: Sequence[np.ndarray]) -> pd.DataFrame:
    """Put the weights of frames into a table, from which Fig 6 is drawn.

    Parameters
    ----------
    windows : pandas.DataFrame
        Columns ``trial, tracklet, person, camera, role, start, stop``, a row a clip.
    frame_weights : sequence of numpy.ndarray
        Of each clip [stop - start], alpha of Eq 6.

    Returns
    -------
    pandas.DataFrame
        One row a frame: columns ``trial`` to ``role`` of `windows`, ``position`` in the tracklet,
        ``weight``, and ``relative``, the weight over the uniform one 1/T.
    """
    lengths = (windows.stop - windows.start).to_numpy()
    spans = zip(windows.start, windows.stop, strict=True)
    weights = np.concatenate([np.asarray(each, dtype=np.float64) for each in frame_weights])
    table = windows.loc[windows.index.repeat(lengths), _WINDOW].reset_index(drop=True)
    return table.assign(
        position=np.concatenate([np.arange(start, stop) for start, stop in spans]),
        weight=weights,
        relative=weights * np.repeat(lengths, lengths),
    )


def attention_table(
    windows: pd.DataFrame,
    attention: Sequence[np.ndarray],
    frame_weights: Sequence[np.ndarray],
    responses: Sequence[tuple[int, np.ndarray]],
) -> pd.DataFrame:
    """Put attention maps into a table, from which Fig 8 is drawn.

    Parameters
    ----------
    windows, frame_weights
        As for :func:`frame_weight_table`.
    attention : sequence of numpy.ndarray
        Of each clip [stop - start, H, W], m of Eq 3.
    responses : sequence of (int, numpy.ndarray)
        Of each clip, as :func:`high_response` returns it.

    Returns
    -------
    pandas.DataFrame
        One row a cell of a frame: the columns of :func:`frame_weight_table`, ``row, column`` (from
        the top left), ``attention``, ``channel`` and ``response``.
    """
    height, width = attention[0].shape[1:]
    frames = frame_weight_table(windows, frame_weights)
    cells = frames.loc[frames.index.repeat(height * width)].reset_index(drop=True)
    row, column = np.divmod(np.arange(height * width), width)
    channels = [channel for channel, _ in responses]
    return cells.assign(
        row=np.tile(row, len(frames)),
        column=np.tile(column, len(frames)),
        attention=np.concatenate([maps.ravel() for maps in attention]).astype(np.float64),
        channel=np.repeat(channels, [maps.size for maps in attention]),
        response=np.concatenate([response.ravel() for _, response in responses]),
    )


def high_response(cubes: np.ndarray) -> tuple[int, np.ndarray]:
    """Find the channel of a clip's cubes that varies the most: the feature map of Fig 8.

    Parameters
    ----------
    cubes : numpy.ndarray
        [n, H, W, D], the feature cubes of a clip.

    Returns
    -------
    channel : int
        The channel with the largest standard deviation over the clip's frames and cells; one that
        is high everywhere shows no place.
    response : numpy.ndarray
        float32 [n, H, W], its activations scaled to 0 (the clip's least) to 1 (its greatest).
    """
    cubes = np.asarray(cubes, dtype=np.float32)
    channel = int(cubes.reshape(-1, cubes.shape[-1]).std(axis=0).argmax())
    response = cubes[..., channel]
    reach = response.max() - response.min()
    return channel, (response - response.min()) / (reach if reach > 0 else 1)


def unevenness(shares: np.ndarray) -> float:
    """Root mean square of ``n * share - 1``: 0 where all shares are equal.

    Parameters
    ----------
    shares : numpy.ndarray
        [..., n], summing to 1 over the last axis: frame weights, or flattened attention maps.
    """
    shares = np.asarray(shares, dtype=np.float64)
    return float(np.sqrt(np.mean((shares * shares.shape[-1] - 1) ** 2)))


def least_even(shares: Sequence[np.ndarray], count: int) -> list[int]:
    """Return the indices of the ``count`` clips of the largest :func:`unevenness`, it first."""
    return sorted(range(len(shares)), key=lambda index: -unevenness(shares[index]))[:count]


def _means(scores: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Rank-1 and mAP of the network by metric, averaged over the trials."""
    chosen = scores[(scores["features"] == "network") & scores["metric"].isin(metrics)]
    means = chosen.pivot_table(index="metric", columns="measure", values="value", aggfunc="mean")
    return means.reindex(columns=["rank-1", "mAP"])
