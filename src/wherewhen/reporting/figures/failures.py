"""Reporting: failures, a probe's frames beside those of the wrong answer and of the true match."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from wherewhen.reporting.figures.attention import shown_frames
from wherewhen.reporting.figures.canvas import (
    SMALL,
    TEXT,
    TITLE,
    new_figure,
    place,
    require_picture,
    room_for,
    show_picture,
    three_digits,
    write,
)
from wherewhen.reporting.style import INK, MUTED, RIGHT, WRONG

# inches
_PICTURE, _GAP, _APART = 0.6, 0.06, 0.3
_MARGIN, _TITLE, _LABEL, _BELOW = 0.15, 0.58, 0.22, 0.25


@dataclass(frozen=True, eq=False)
class FailedProbe:
    """A probe that found somebody else first.

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
    title : str
        Title of the figure.
    facts : str
        What stands under the title.

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
    if shown < 1:
        raise ValueError(f"shown: expected at least 1 frame, got {shown}.")
    pictured = [shown_pictures(row, shown) for row in rows]
    counts = [max(len(row[part]) for row in pictured) if rows else 1 for part in range(3)]
    strips = [max(count * (_PICTURE + _GAP) - _GAP, 2.2) for count in counts]
    lefts = [_MARGIN + sum(strips[:part]) + part * _APART for part in range(3)]
    frames = [frame for row in pictured for part in row for frame in part]
    tall = _PICTURE * max((frame.shape[0] / frame.shape[1] for frame in frames), default=1)
    width = max(
        lefts[2] + strips[2] + _MARGIN,
        room_for(title) + 2 * _MARGIN,
        room_for(facts, TEXT) + 2 * _MARGIN,
    )
    row_height = 2 * _LABEL + tall + _BELOW
    top = _TITLE + _MARGIN
    figure = new_figure(width, top + max(len(rows), 1) * row_height + _MARGIN, layout=None)
    write(figure, _MARGIN, _MARGIN, title, fontsize=TITLE, fontweight="bold")
    write(figure, _MARGIN, _MARGIN + 0.25, facts, color=MUTED)
    if not rows:
        write(figure, _MARGIN, top + 0.2, "No probe failed: every true match came first.")
    for row, strips_of in zip(rows, pictured, strict=True):
        words = _in_words(row)
        for left, part, (head, small), colour in zip(
            lefts, strips_of, words, (INK, WRONG, RIGHT), strict=True
        ):
            write(figure, left, top, head, color=colour, fontweight="bold")
            write(figure, left, top + _LABEL - 0.03, small, fontsize=SMALL, color=MUTED)
            for column, frame in enumerate(part):
                at = left + column * (_PICTURE + _GAP)
                show_picture(place(figure, at, top + 2 * _LABEL, _PICTURE, tall), frame, colour)
        top += row_height
    return figure


def shown_pictures(row: FailedProbe, shown: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the frames of probe, wrong answer and true match that are drawn."""
    probe, retrieved, match = (
        frames[shown_frames(len(frames), shown)]
        for frames in (row.probe_frames, row.retrieved_frames, row.match_frames)
    )
    return probe, retrieved, match


def _in_words(row: FailedProbe) -> tuple[tuple[str, str], ...]:
    of = f" of {row.gallery_size}" if row.gallery_size else ""
    return (
        ("probe", row.probe),
        ("✗ retrieved first", f"{row.retrieved}, distance {three_digits(row.retrieved_distance)}"),
        (
            f"✓ true match, rank {row.rank}{of}",
            f"{row.match}, distance {three_digits(row.match_distance)}",
        ),
    )
