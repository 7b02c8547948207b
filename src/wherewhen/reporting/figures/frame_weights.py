"""Reporting: when the network looks: the weights of a clip's frames above pictures (Fig 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    picture_figure,
    place,
    show_picture,
    shown_frames,
    write,
)
from wherewhen.reporting.figures.clips import WeightedClip, draw_weights
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.looks import least_even
from wherewhen.reporting.style import BLUE, MUTED, ORANGE
from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# inches
_COLUMN, _GAP, _APART = 0.62, 0.05, 0.75
_LEFT, _LABEL = 1.0, 0.24
_BARS, _AXIS, _BELOW = 0.95, 0.36, 0.42


def frame_weights_over_time(
    clips: Sequence[WeightedClip],
    *,
    shown: int = 10,
    extremes: int = 2,
    title: str | None = None,
    facts: str = "",
) -> Figure:
    """Weights of a clip's frames above pictures of it; beside them the heaviest and the lightest.

    Parameters
    ----------
    clips : sequence of WeightedClip
        Drawn from top to bottom, on one scale.
    shown : int
        Frames pictured of each clip at most, evenly spaced; each stands under its dark bar.
    extremes : int
        Heaviest and lightest frames pictured besides, with their weights; a short clip has fewer.
    title : str, optional
        Title of the figure.
    facts : str
        Second line of the title: how the clips were chosen.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without clips, for ``shown`` below 1 or ``extremes`` below 0.

    Notes
    -----
    As the paper's Fig 6. Bars are weights over the uniform weight 1/T, so that clips of different
    lengths compare.
    """
    if not clips:
        raise ValueError("clips: expected at least one WeightedClip, got none.")
    if shown < 1 or extremes < 0:
        raise ValueError(
            f"shown is {shown} and extremes {extremes}: expected at least 1 and at least 0 frames."
        )
    columns = max(min(shown, len(clip.frames)) for clip in clips)
    tall = max(clip.frames.shape[1] / clip.frames.shape[2] for clip in clips) * _COLUMN
    highest = max(1.0, *(float(clip.relative.max()) for clip in clips))
    beside = _LEFT + columns * (_COLUMN + _GAP) + _APART
    width = beside + 2 * extremes * (_COLUMN + _GAP) + 2 * _GAP + MARGIN
    top = HEAD + MARGIN if title else MARGIN
    height = _LABEL + _BARS + _AXIS + tall + _BELOW
    figure = picture_figure(width, top + len(clips) * height, title, facts)
    for clip in clips:
        _draw_clip(figure, clip, shown, top, tall, highest)
        _draw_extremes(figure, clip, extremes, beside, top + _LABEL + _BARS + _AXIS, tall)
        top += height
    return figure


def weighted_clips(weights: pd.DataFrame, pictures: TrackletPictures) -> list[WeightedClip]:
    """Return clips of a table of frame weights.

    Parameters
    ----------
    weights : pandas.DataFrame
        Columns ``tracklet, role, position, weight``, a row a frame; positions of a tracklet follow
        one another.
    pictures : TrackletPictures
        Reads the frames.

    Returns
    -------
    list of WeightedClip
        In the order in which the tracklets first appear.
    """
    clips = []
    for (tracklet, role), rows in weights.groupby(["tracklet", "role"], sort=False):
        positions = rows.position.to_numpy()
        frames = pictures.clip(tracklet, positions[0], positions[-1] + 1)
        label = f"{tracklet} ({role})"
        clips.append(WeightedClip(label, frames, rows.weight.to_numpy(), positions))
    return clips


def _draw_clip(
    figure: Figure, clip: WeightedClip, shown: int, top: float, tall: float, highest: float
) -> None:
    indices = shown_frames(len(clip.frames), shown)
    write(figure, _LEFT, top, clip.label, fontweight="bold")
    top += _LABEL
    bars = place(figure, _LEFT, top, len(indices) * (_COLUMN + _GAP) - _GAP, _BARS)
    draw_weights(bars, clip, indices, highest)
    middle = top + _BARS / 2
    write(figure, _LEFT - 0.3, middle, "weight ×\nframes", color=MUTED, ha="right", va="center")
    top += _BARS + _AXIS
    for column, index in enumerate(indices):
        left = _LEFT + column * (_COLUMN + _GAP)
        show_picture(place(figure, left, top, _COLUMN, tall), clip.frames[index])


def _draw_extremes(
    figure: Figure, clip: WeightedClip, extremes: int, left: float, top: float, tall: float
) -> None:
    count = min(extremes, len(clip.frames) // 2)
    if not count:
        return
    order = np.argsort(-clip.relative, kind="stable")
    for name, chosen, colour in (
        ("heaviest", order[:count], BLUE),
        ("lightest", order[-count:][::-1], ORANGE),
    ):
        middle = left + (count * (_COLUMN + _GAP) - _GAP) / 2
        write(figure, middle, top - 0.06, name, color=MUTED, va="bottom", ha="center")
        for index in chosen:
            axes = place(figure, left, top, _COLUMN, tall)
            show_picture(axes, clip.frames[index], colour)
            words = f"{clip.positions[index]}: {clip.relative[index]:.2f}×"
            axes.set_xlabel(words, fontsize=SMALL, color=MUTED, labelpad=2)
            left += _COLUMN + _GAP
        left += 2 * _GAP


def _draw(
    pictures: TrackletPictures, weights: pd.DataFrame, tracklets: int, title: str = ""
) -> Figure:
    """Draw the probes of a trial that have the least even weights."""
    clips = [rows for _, rows in weights.groupby("tracklet", sort=False)]
    chosen = least_even([rows.weight.to_numpy() for rows in clips], tracklets)
    return frame_weights_over_time(
        weighted_clips(pd.concat([clips[place] for place in chosen]), pictures),
        title=f"{title or 'When the network looks'}, {weights.trial.iloc[0]}",
        facts=f"the {len(chosen)} of {len(clips)} probes whose frames are weighted least evenly",
    )


KINDS = (
    FigureKind(
        "frame_weights",
        "analyse",
        _draw,
        "When the network looks: the weights of frames over time (the paper’s Fig 6).",
        "Frames of several tracklets with a bar each, as high as the frame’s weight.",
        ("frame_weights", "params:analyse.tracklets"),
        people=True,
    ),
)
