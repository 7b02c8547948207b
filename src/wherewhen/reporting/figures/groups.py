"""Reporting: groups of tracklets that are taken for one person each, as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wherewhen.reporting.figures.answer import (
    GAP,
    PICTURE,
    TALL,
    draw_tracklet,
    shortened,
)
from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    TEXT,
    picture_figure,
    require_at_least_one,
    write,
)
from wherewhen.reporting.style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME, _WORDS = 0.28, 0.35
"""Inches that a group's name takes above its pictures, and a tracklet's name below."""


@dataclass(frozen=True, eq=False)
class Group:
    """Tracklets that are taken for one person.

    Parameters
    ----------
    title : str
        Its name, and what is known of it.
    labels : sequence of str
        The name of each tracklet.
    pictures : sequence of numpy.ndarray or None
        uint8 [H, W, 3], a frame of each; None: it is gone.
    """

    title: str
    labels: Sequence[str]
    pictures: Sequence[np.ndarray | None]


def group_sheet(
    groups: Sequence[Group], *, columns: int = 10, title: str | None = None, facts: str = ""
) -> Figure:
    """Draw groups under each other, the tracklets of each in rows.

    Parameters
    ----------
    groups : sequence of Group
        At least one.
    columns : int
        Pictures of a row at most.
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
        For fewer columns or groups than one.
    """
    require_at_least_one(columns, "column")
    require_at_least_one(len(groups), "group")
    wide, high = PICTURE + GAP, TALL + _WORDS
    rows = [-(-len(group.labels) // columns) for group in groups]
    top = MARGIN + (HEAD if title else 0)
    across = min(columns, max(len(group.labels) for group in groups))
    height = top + sum(_NAME + high * count for count in rows) + MARGIN
    figure = picture_figure(2 * MARGIN + wide * across, height, title, facts)
    for group, count in zip(groups, rows, strict=True):
        write(figure, MARGIN, top, group.title, fontsize=TEXT, fontweight="bold")
        top += _NAME
        for number, (label, picture) in enumerate(zip(group.labels, group.pictures, strict=True)):
            row, column = divmod(number, columns)
            place = MARGIN + wide * column, top + high * row
            draw_tracklet(figure, *place, picture, INK, shortened(label), thick=False)
        top += high * count
    return figure
