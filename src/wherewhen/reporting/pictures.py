"""Reporting: from tables to what the picture figures draw, frames read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

if TYPE_CHECKING:
    from wherewhen.reporting.figures import AttentionStrip, RankedProbe


class TrackletPictures:
    """Gives the frames of tracklets as arrays.

    Parameters
    ----------
    root : pathlib.Path
        The data set's folder.
    frames : pandas.DataFrame
        The frames table; its paths are relative to `root`.
    """

    def __init__(self, root: Path, frames: pd.DataFrame) -> None:
        self._root = root
        self._paths = {
            tracklet: rows.sort_values("position").path.to_list()
            for tracklet, rows in frames.groupby("tracklet")
        }

    def clip(self, tracklet: str, start: int, stop: int) -> np.ndarray:
        """Return frames `start` to `stop` (excluded), uint8 [n, H, W, 3].

        Crops of unequal size are brought to the size of the first.
        """
        images = [self._open(path) for path in self._paths[tracklet][start:stop]]
        return np.stack([np.asarray(image.resize(images[0].size)) for image in images])

    def middle(self, tracklet: str) -> np.ndarray:
        """Return the frame in the middle, uint8 [H, W, 3]."""
        centre = len(self._paths[tracklet]) // 2
        return self.clip(tracklet, centre, centre + 1)[0]

    def _open(self, path: str) -> Image.Image:
        with Image.open(self._root / path) as image:
            return image.convert("RGB")


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
