"""Reporting: probes as picture rows, with what the gallery answered."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wherewhen.reporting.figures.canvas import (
    SMALL,
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
_PICTURE, _GAP, _APART = 0.8, 0.1, 0.35
_MARGIN, _TITLE, _LETTER, _BELOW = 0.15, 0.62, 0.076, 0.36


@dataclass(frozen=True, eq=False)
class RankedProbe:
    """A probe, the gallery tracklets nearest to it, and where its true match stands.

    Parameters
    ----------
    label : str
        Name of the probe, as ``"cam_a/person_0007"``.
    picture : numpy.ndarray
        uint8 [H, W, 3], a frame of the probe.
    gallery : sequence of numpy.ndarray
        Pictures of the nearest gallery tracklets, nearest first; as many as there are.
    correct : sequence of bool
        Whether each of them shows the probe's person.
    distances : sequence of float
        Distance of each of them, not decreasing.
    match_rank : int, optional
        Rank (from 1) of the first true match in the whole gallery; none when there is no match.
    match_distance : float, optional
        Its distance.
    gallery_size : int, optional
        Number of tracklets in the gallery, for the words.
    match_picture : numpy.ndarray, optional
        A picture of the true match, drawn apart when it does not stand among the pictures shown.

    Raises
    ------
    ValueError
        Names the probe and what does not fit together.
    """

    label: str
    picture: np.ndarray
    gallery: Sequence[np.ndarray]
    correct: Sequence[bool]
    distances: Sequence[float]
    match_rank: int | None = None
    match_distance: float | None = None
    gallery_size: int | None = None
    match_picture: np.ndarray | None = None

    def __post_init__(self) -> None:
        name = f"ranked probe {self.label!r}"
        if not len(self.gallery):
            raise ValueError(f"{name}: expected at least one gallery picture, got none.")
        for field in ("correct", "distances"):
            if len(getattr(self, field)) != len(self.gallery):
                raise ValueError(
                    f"{name}: {field} has {len(getattr(self, field))} entries "
                    f"for {len(self.gallery)} gallery pictures; expected one each."
                )
        if (self.match_rank is None) != (self.match_distance is None):
            raise ValueError(f"{name}: match_rank and match_distance go together; one is missing.")
        if self.match_rank is not None and self.match_rank < 1:
            raise ValueError(f"{name}: match_rank counts from 1, got {self.match_rank}.")
        first = next((i + 1 for i, right in enumerate(self.correct) if right), None)
        if first is not None and first != self.match_rank:
            raise ValueError(
                f"{name}: the first correct gallery picture stands at rank {first}, "
                f"but match_rank is {self.match_rank}."
            )
        pictures = {"picture": self.picture, "match_picture": self.match_picture}
        pictures |= {f"gallery[{i}]": picture for i, picture in enumerate(self.gallery)}
        for field, picture in pictures.items():
            if picture is not None:
                require_picture(picture, f"{name}: {field}")


def ranked_probes(
    rows: Sequence[RankedProbe], *, shown: int = 8, title: str | None = None
) -> Figure:
    """Probes as picture rows: the probe left, then the nearest gallery tracklets.

    A green border and a tick mark the probe's person, a red-orange border and a cross anybody else.
    Under each picture stands its distance; right of the row, in words, where the true match is.

    Parameters
    ----------
    rows : sequence of RankedProbe
        Drawn from top to bottom; for a figure of failures put the worst first.
    shown : int
        Gallery pictures of a row at most; a smaller gallery gives a shorter row.
    title : str, optional
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without rows, or for ``shown`` below 1.

    Notes
    -----
    As the paper's Fig 10, with the ranked gallery in place of the one wrong answer.
    """
    if not rows:
        raise ValueError("rows: expected at least one RankedProbe, got none.")
    if shown < 1:
        raise ValueError(f"shown: expected at least 1 gallery picture, got {shown}.")
    columns = max(min(shown, len(row.gallery)) for row in rows)
    apart = any(_match_apart(row, shown) for row in rows)
    tall = _PICTURE * max(row.picture.shape[0] / row.picture.shape[1] for row in rows)
    row_height = tall + _BELOW
    top = (_TITLE if title else _TITLE - 0.36) + _MARGIN
    words = _MARGIN + _PICTURE + _APART + columns * (_PICTURE + _GAP)
    words += _APART - _GAP + _PICTURE + _GAP if apart else 0
    longest = max(len(line) for row in rows for line in match_in_words(row).split("\n"))
    width = max(words + _GAP + longest * _LETTER, room_for(title) + _MARGIN) + _MARGIN
    figure = new_figure(width, top + len(rows) * row_height, layout=None)
    if title:
        write(figure, _MARGIN, _MARGIN, title, fontsize=TITLE, fontweight="bold")
    _write_heads(figure, top, columns, apart)
    for row in rows:
        _draw_row(figure, row, top, tall, shown, columns)
        write(
            figure, words + _GAP, top + tall / 2, match_in_words(row), va="center", linespacing=1.5
        )
        top += row_height
    return figure


def match_in_words(row: RankedProbe) -> str:
    """Where the true match stands, in three short lines."""
    if row.match_rank is None:
        return f"{row.label}\nno match in the gallery"
    of = f" of {row.gallery_size}" if row.gallery_size else ""
    lines = [row.label, f"match at rank {row.match_rank}{of}"]
    distance = f"distance {three_digits(row.match_distance)}"
    nearest = f"\n(nearest {three_digits(row.distances[0])})" if row.match_rank > 1 else ""
    return "\n".join([*lines, distance + nearest])


def _match_apart(row: RankedProbe, shown: int) -> bool:
    among = row.match_rank is not None and row.match_rank <= min(shown, len(row.gallery))
    return row.match_picture is not None and not among


def _left_of(column: int) -> float:
    return _MARGIN + _PICTURE + _APART + column * (_PICTURE + _GAP)


def _write_heads(figure: Figure, top: float, columns: int, apart: bool) -> None:
    style = {"va": "bottom", "ha": "center", "color": MUTED}
    write(figure, _MARGIN + _PICTURE / 2, top - 0.06, "probe", **style)
    for column in range(columns):
        head = "rank 1" if column == 0 else str(column + 1)
        write(figure, _left_of(column) + _PICTURE / 2, top - 0.06, head, **style)
    if apart:
        left = _left_of(columns) + _APART - _GAP
        write(figure, left + _PICTURE / 2, top - 0.06, "true match", **style)


def _draw_row(
    figure: Figure, row: RankedProbe, top: float, tall: float, shown: int, columns: int
) -> None:
    show_picture(place(figure, _MARGIN, top, _PICTURE, tall), row.picture, INK)
    answers = list(zip(row.gallery, row.correct, row.distances, strict=True))[:shown]
    for column, (picture, right, distance) in enumerate(answers):
        axes = place(figure, _left_of(column), top, _PICTURE, tall)
        _draw_answer(axes, picture, bool(right), three_digits(distance))
    if _match_apart(row, shown):
        left = _left_of(columns) + _APART - _GAP
        axes = place(figure, left, top, _PICTURE, tall)
        _draw_answer(axes, row.match_picture, True, f"rank {row.match_rank}")


def _draw_answer(axes: Axes, picture: np.ndarray, right: bool, words: str) -> None:
    colour, mark = (RIGHT, "✓") if right else (WRONG, "✗")
    show_picture(axes, picture, colour)
    axes.set_xlabel(f"{mark} {words}", fontsize=SMALL, color=colour, labelpad=2)
