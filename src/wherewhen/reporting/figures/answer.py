"""Reporting: the answer of a search as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    picture_figure,
    place,
    require_at_least_one,
    show_picture,
    three_digits,
)
from wherewhen.reporting.style import BLUE, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE, TALL, GAP = 1.0, 2.0, 0.4
"""Inches: a tracklet's picture, and the room beside it."""

_WORDS = 0.62
"""Inches of what is written under it."""

_GONE = np.full((128, 64, 3), 235, np.uint8)


@dataclass(frozen=True, eq=False)
class Found:
    """A tracklet that a search found.

    Parameters
    ----------
    label : str
        Its name.
    distance, probability : float
        How alike it is to the probe.
    match : bool
        Whether it is taken for the probe's person.
    picture : numpy.ndarray or None
        uint8 [H, W, 3], a frame of it; None: it is gone.
    """

    label: str
    distance: float
    probability: float
    match: bool
    picture: np.ndarray | None


def answer_sheet(
    probe: np.ndarray | None,
    found: Sequence[Found],
    *,
    columns: int = 10,
    title: str | None = None,
    facts: str = "",
) -> Figure:
    """Draw the probe, then what was found, nearest first, in rows.

    Tracklets that are taken for the probe's person have a blue border, the others a thin gray one.

    Parameters
    ----------
    probe : numpy.ndarray or None
        uint8 [H, W, 3], a frame of the probe; None: it is gone.
    found : sequence of Found
        The answer.
    columns : int
        Pictures of a row at most, the probe's column not counted.
    title : str, optional
        Title of the figure.
    facts : str
        Second line of the title.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        For fewer columns than one.
    """
    require_at_least_one(columns, "column")
    wide, high = PICTURE + GAP, TALL + _WORDS
    rows = max(1, -(-len(found) // columns))
    top = MARGIN + (HEAD if title else 0)
    width = 2 * MARGIN + wide * (1 + min(columns, max(1, len(found))))
    figure = picture_figure(width, top + rows * high + MARGIN, title, facts)
    draw_tracklet(figure, MARGIN, top, probe, INK, "probe")
    for number, each in enumerate(found):
        row, column = divmod(number, columns)
        left = MARGIN + wide * (column + 1)
        words = (
            f"{number + 1}  {shortened(each.label)}\ndistance {three_digits(each.distance)}\n"
            f"{100 * each.probability:.0f} % probable"
        )
        colour = BLUE if each.match else MUTED
        draw_tracklet(figure, left, top + row * high, each.picture, colour, words, thick=each.match)
    return figure


def draw_tracklet(
    figure: Figure,
    left: float,
    top: float,
    picture: np.ndarray | None,
    colour: str,
    words: str,
    thick: bool = True,
) -> None:
    """Draw a tracklet's picture in a border, with words under it."""
    axes = place(figure, left, top, PICTURE, TALL)
    show_picture(axes, _GONE if picture is None else picture, colour)
    axes.spines[:].set_linewidth(3 if thick else 0.8)
    if picture is None:
        axes.text(0.5, 0.5, "frame is gone", transform=axes.transAxes, ha="center", fontsize=SMALL)
    axes.set_xlabel(words, fontsize=SMALL, color=colour, labelpad=3)


def shortened(label: str, length: int = 14) -> str:
    """Keep the end of a long name, which tells tracklets apart."""
    return label if len(label) <= length else f"…{label[1 - length :]}"
