"""Reporting: failures: a probe's frames, those of the wrong answer and of the true match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    picture_figure,
    place,
    require_at_least_one,
    require_picture,
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


@dataclass(frozen=True, eq=False)
class FailedProbe:
    """A probe whose true match does not come first.

    Parameters
    ----------
    probe, retrieved, match : str
        The tracklets: the probe's, the one at rank 1, and the first true match.
    probe_frames, retrieved_frames, match_frames : numpy.ndarray
        uint8 [n, H, W, 3], frames of each.
    rank : int
        The true match's rank, 2 or more.
    retrieved_distance, match_distance : float
        How far the two are from the probe.
    gallery_size : int, optional
        Tracklets in the probe's ranking.

    Raises
    ------
    ValueError
        Names the probe and what does not fit together.

    See Also
    --------
    failed_probes : Draws some.
    RankedProbe : A probe with the whole head of its ranking.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.zeros((1, 128, 64, 3), np.uint8)
    >>> failed = FailedProbe("a/1", "b/7", "b/1", frames, frames, frames, 2, 0.3, 0.4)
    >>> failed.rank
    2
    """

    probe: str
    retrieved: str
    match: str
    probe_frames: np.ndarray
    retrieved_frames: np.ndarray
    match_frames: np.ndarray
    rank: int
    retrieved_distance: float
    match_distance: float
    gallery_size: int | None = None

    def __post_init__(self) -> None:
        name = f"failed probe {self.probe!r}"
        if self.rank < 2:
            raise ValueError(
                f"{name}: rank is {self.rank}; a probe whose match comes first has not failed."
            )
        for field in ("probe_frames", "retrieved_frames", "match_frames"):
            if not len(getattr(self, field)):
                raise ValueError(f"{name}: {field} is empty; expected at least one frame.")
            for frame in getattr(self, field):
                require_picture(frame, f"{name}: {field}")


def failed_probes(
    rows: Sequence[FailedProbe], *, shown: int = 5, title: str, facts: str = ""
) -> Figure:
    """Probes that failed: their frames, those of what was retrieved instead, and of the true match.

    Parameters
    ----------
    rows : sequence of FailedProbe
        Drawn from top to bottom, the worst first. Without any, the figure says that nothing failed.
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
    pictured = [shown_pictures(row, shown) for row in rows]
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


def shown_pictures(row: FailedProbe, shown: int) -> list[np.ndarray]:
    """Choose the frames of probe, wrong answer and true match that are drawn."""
    parts = (row.probe_frames, row.retrieved_frames, row.match_frames)
    return [frames[shown_frames(len(frames), shown)] for frames in parts]


def failure_pictures(failures: pd.DataFrame, pictures: TrackletPictures) -> list[FailedProbe]:
    """Return the rows of a table that :func:`wherewhen.reporting.tables.failures` made."""
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


def _in_words(row: FailedProbe) -> tuple[tuple[str, str, str], ...]:
    of = f" of {row.gallery_size}" if row.gallery_size else ""
    retrieved, match = map(three_digits, (row.retrieved_distance, row.match_distance))
    return (
        ("probe", row.probe, INK),
        ("✗ retrieved first", f"{row.retrieved}, distance {retrieved}", WRONG),
        (f"✓ true match, rank {row.rank}{of}", f"{row.match}, distance {match}", RIGHT),
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
        failure_pictures(shown, pictures),
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
