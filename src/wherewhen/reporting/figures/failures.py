"""Reporting: failures: a probe's frames, those of the wrong answer and of the true match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    picture_figure,
    place,
    require_at_least_one,
    show_picture,
    shown_frames,
    three_digits,
    write,
)
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.looks import with_metric
from wherewhen.reporting.style import INK, MUTED, RIGHT, WRONG, describe
from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# inches
_PICTURE, _GAP, _APART = 0.6, 0.06, 0.3
_LABEL, _BELOW = 0.22, 0.25


def failed_probes(
    failures: pd.DataFrame,
    pictures: TrackletPictures,
    *,
    shown: int = 5,
    title: str,
    facts: str = "",
) -> Figure:
    """Draw failed probes: their frames, those of the wrong answer, and those of the true match.

    Parameters
    ----------
    failures : pandas.DataFrame
        Rows of :func:`wherewhen.reporting.tables.failures`, drawn from top to bottom. Without any,
        the figure says that nothing failed.
    pictures : TrackletPictures
        Reads the frames.
    shown : int
        Frames of each tracklet at most, evenly spaced.
    title, facts : str
        First and second line of the title.

    Returns
    -------
    matplotlib.figure.Figure
        A red-orange border marks the wrong answer, a green one the true match, as words do.

    Raises
    ------
    ValueError
        For ``shown`` below 1.

    Notes
    -----
    As the paper's Fig 10, with the true match, which it leaves out.
    """
    require_at_least_one(shown, "frame")
    rows = list(failures.itertuples())
    pictured = [
        [_frames(pictures, name, shown) for name in (row.probe, row.retrieved, row.gallery)]
        for row in rows
    ]
    counts = [max((len(row[part]) for row in pictured), default=1) for part in range(3)]
    strips = [max(count * (_PICTURE + _GAP) - _GAP, 2.2) for count in counts]
    lefts = [MARGIN + sum(strips[:part]) + part * _APART for part in range(3)]
    frames = [frame for row in pictured for part in row for frame in part]
    tall = _PICTURE * max((frame.shape[0] / frame.shape[1] for frame in frames), default=1)
    height = 2 * _LABEL + tall + _BELOW
    top = HEAD + MARGIN
    figure = picture_figure(
        lefts[2] + strips[2] + MARGIN, top + max(len(rows), 1) * height + MARGIN, title, facts
    )
    if not rows:
        write(figure, MARGIN, top + 0.2, "No probe failed: every true match came first.")
    for row, parts in zip(rows, pictured, strict=True):
        for left, part, words in zip(lefts, parts, _in_words(row), strict=True):
            heading, small, colour = words
            write(figure, left, top, heading, color=colour, fontweight="bold")
            write(figure, left, top + _LABEL - 0.03, small, fontsize=SMALL, color=MUTED)
            for column, frame in enumerate(part):
                at = left + column * (_PICTURE + _GAP)
                show_picture(place(figure, at, top + 2 * _LABEL, _PICTURE, tall), frame, colour)
        top += height
    return figure


def _frames(pictures: TrackletPictures, tracklet: str, shown: int) -> np.ndarray:
    frames = pictures.clip(tracklet)
    return frames[shown_frames(len(frames), shown)]


def _in_words(row: Any) -> tuple[tuple[str, str, str], ...]:
    """Return heading, second line and colour of probe, wrong answer and true match."""
    of = "" if pd.isna(row.gallery_size) else f" of {row.gallery_size}"
    retrieved, match = map(three_digits, (row.retrieved_distance, row.distance))
    return (
        ("probe", row.probe, INK),
        ("✗ retrieved first", f"{row.retrieved}, distance {retrieved}", WRONG),
        (f"✓ true match, rank {row.rank}{of}", f"{row.gallery}, distance {match}", RIGHT),
    )


def _draw(
    pictures: TrackletPictures,
    failed: pd.DataFrame,
    rankings: pd.DataFrame,
    metric: str,
    number: int,
    title: str = "",
) -> Figure:
    """Draw the worst failures of a trial."""
    judged = with_metric(rankings, metric)
    shown = failed.head(number)
    title = title or f"Failures, {describe('network', metric)}"
    return failed_probes(
        shown,
        pictures,
        title=f"{title}, {judged.trial.iloc[0]}",
        facts=f"the worst {len(shown)} of {len(failed)} failures "
        f"among {judged.probe[judged.correct].nunique()} probes",
    )


KINDS = (
    FigureKind(
        "failures",
        "analyse",
        _draw,
        "The worst failures: the probe, what was retrieved instead, and the true match "
        "(the paper’s Fig 10).",
        "Rows of frames: a probe, the wrong person that came first, and the right one.",
        ("failures", "rankings_network", "params:analyse.metric", "params:analyse.failures"),
        people=True,
    ),
)
