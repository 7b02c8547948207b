"""Reporting: from tables to what the picture figures draw, frames read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from wherewhen.reporting.figures import (
        AttentionStrip,
        FailedProbe,
        RankedProbe,
        WeightedClip,
    )


def rank_pictures(
    matches: pd.DataFrame, rankings: pd.DataFrame, pictures: TrackletPictures, shown: int = 8
) -> list[RankedProbe]:
    """Gather the rows of :func:`wherewhen.reporting.figures.ranked_probes`.

    Parameters
    ----------
    matches : pandas.DataFrame
        The probes to draw: rows of :func:`wherewhen.reporting.tables.first_matches`.
    rankings : pandas.DataFrame
        Whole rankings of one trial, one kind of features and one metric.
    pictures : TrackletPictures
        Where frames come from; a tracklet's middle frame stands for it.
    shown : int
        Gallery pictures beside a probe.

    Returns
    -------
    list of RankedProbe
        In the order of `matches`.
    """
    from wherewhen.reporting.figures import RankedProbe

    rows = []
    for match in matches.itertuples():
        ranking = rankings[rankings.probe == match.probe].sort_values("rank")
        nearest = ranking.head(shown)
        rows.append(
            RankedProbe(
                label=match.probe,
                picture=pictures.middle(match.probe),
                gallery=[pictures.middle(tracklet) for tracklet in nearest.gallery],
                correct=nearest.correct.to_list(),
                distances=nearest.distance.to_list(),
                match_rank=match.rank,
                match_distance=match.distance,
                gallery_size=len(ranking),
                match_picture=pictures.middle(match.gallery),
            )
        )
    return rows


def attention_strips(
    windows: pd.DataFrame,
    attention: Sequence[np.ndarray],
    frame_weights: Sequence[np.ndarray],
    pictures: TrackletPictures,
    responses: Sequence[tuple[int, np.ndarray]] | None = None,
) -> list[AttentionStrip]:
    """Gather the strips of :func:`wherewhen.reporting.figures.attention_over_time`.

    Parameters
    ----------
    windows : pandas.DataFrame
        Columns ``tracklet, role, start, stop``, a row a strip.
    attention : sequence of numpy.ndarray
        Of each window [n, K, K].
    frame_weights : sequence of numpy.ndarray
        Of each window [n].
    pictures : TrackletPictures
        Where frames come from.
    responses : sequence of (int, numpy.ndarray), optional
        Of each window what :func:`wherewhen.reporting.looks.high_response` found.

    Returns
    -------
    list of AttentionStrip
        In the order of `windows`.
    """
    from wherewhen.reporting.figures import AttentionStrip

    strips = []
    for index, row in enumerate(windows.itertuples()):
        channel, response = (None, None) if responses is None else responses[index]
        strips.append(
            AttentionStrip(
                label=f"{row.tracklet} ({row.role})",
                frames=pictures.clip(row.tracklet, row.start, row.stop),
                attention=attention[index],
                frame_weights=frame_weights[index],
                positions=np.arange(row.start, row.stop),
                response=response,
                response_name="response" if channel is None else f"channel\n{channel}",
            )
        )
    return strips


def strips_of_table(attention: pd.DataFrame, pictures: TrackletPictures) -> list[AttentionStrip]:
    """Gather the strips of a table of attention.

    Parameters
    ----------
    attention : pandas.DataFrame
        As :func:`wherewhen.reporting.looks.attention_table` returns it.
    pictures : TrackletPictures
        Where frames come from.

    Returns
    -------
    list of AttentionStrip
        In the order in which the tracklets first appear.
    """
    side = int(attention["row"].max()) + 1
    windows, maps, weights, responses = [], [], [], []
    for (tracklet, role), rows in attention.groupby(["tracklet", "role"], sort=False):
        rows = rows.sort_values(["position", "row", "column"])
        frames = rows.drop_duplicates("position")
        start, stop = frames.position.iloc[0], frames.position.iloc[-1] + 1
        windows.append((tracklet, role, int(start), int(stop)))
        maps.append(rows.attention.to_numpy().reshape(-1, side, side))
        weights.append(frames.weight.to_numpy())
        responses.append(
            (int(rows.channel.iloc[0]), rows.response.to_numpy().reshape(maps[-1].shape))
        )
    table = pd.DataFrame(windows, columns=["tracklet", "role", "start", "stop"])
    return attention_strips(table, maps, weights, pictures, responses)


def weighted_clips(weights: pd.DataFrame, pictures: TrackletPictures) -> list[WeightedClip]:
    """Gather the clips of :func:`wherewhen.reporting.figures.frame_weights_over_time`.

    Parameters
    ----------
    weights : pandas.DataFrame
        Columns ``tracklet, role, position, weight``, a row a frame; positions of a tracklet follow
        one another.
    pictures : TrackletPictures
        Where frames come from.

    Returns
    -------
    list of WeightedClip
        In the order in which the tracklets first appear.
    """
    from wherewhen.reporting.figures import WeightedClip

    clips = []
    for (tracklet, role), rows in weights.groupby(["tracklet", "role"], sort=False):
        positions = rows.position.to_numpy()
        clips.append(
            WeightedClip(
                label=f"{tracklet} ({role})",
                frames=pictures.clip(tracklet, positions[0], positions[-1] + 1),
                frame_weights=rows.weight.to_numpy(),
                positions=positions,
            )
        )
    return clips


def failure_pictures(failures: pd.DataFrame, pictures: TrackletPictures) -> list[FailedProbe]:
    """Gather the rows of :func:`wherewhen.reporting.figures.failed_probes`.

    Parameters
    ----------
    failures : pandas.DataFrame
        As :func:`wherewhen.reporting.tables.failures` returns it.
    pictures : TrackletPictures
        Where frames come from.

    Returns
    -------
    list of FailedProbe
        In the order of `failures`.
    """
    from wherewhen.reporting.figures import FailedProbe

    return [
        FailedProbe(
            probe=row.probe,
            retrieved=row.retrieved,
            match=row.gallery,
            probe_frames=pictures.clip(row.probe),
            retrieved_frames=pictures.clip(row.retrieved),
            match_frames=pictures.clip(row.gallery),
            rank=row.rank,
            retrieved_distance=row.retrieved_distance,
            match_distance=row.distance,
            gallery_size=None if pd.isna(row.gallery_size) else int(row.gallery_size),
        )
        for row in failures.itertuples()
    ]
