"""Reporting: from tables to what the picture figures draw, frames read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from wherewhen.reporting.figures import AttentionStrip, RankedProbe


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

    Returns
    -------
    list of AttentionStrip
        In the order of `windows`.
    """
    from wherewhen.reporting.figures import AttentionStrip

    return [
        AttentionStrip(
            label=f"{row.tracklet} ({row.role})",
            frames=pictures.clip(row.tracklet, row.start, row.stop),
            attention=maps,
            frame_weights=weights,
            positions=np.arange(row.start, row.stop),
        )
        for row, maps, weights in zip(windows.itertuples(), attention, frame_weights, strict=True)
    ]
