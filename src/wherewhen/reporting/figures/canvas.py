"""Reporting: what all figures share: empty figures, axes, pictures, and how a figure is saved.

Sizes and colours are set on the artists and not in ``rcParams``, which all threads share.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wherewhen.atomic import replacing
from wherewhen.reporting.style import DPI, GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = 12
TEXT = 9
SMALL = 7.5

MARGIN = 0.15
"""Inches between a picture figure's border and its content."""

HEAD = 0.58
"""Inches that title and facts take at the top of a picture figure."""

_DATELESS = {"png": None, "pdf": {"CreationDate": None}}


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Save a figure as PNG and, of the same name, as PDF; equal figures give equal files.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What is saved.
    path : pathlib.Path
        The PNG file; each file is written whole or not at all, and this one last.

    Returns
    -------
    list of pathlib.Path
        The PNG and the PDF file.
    """
    files = [path, path.with_suffix(".pdf")]
    for file in reversed(files):
        kind = file.suffix[1:]
        with replacing(file) as partial:
            figure.savefig(partial, format=kind, bbox_inches="tight", metadata=_DATELESS[kind])
    return files


def new_figure(width: float, height: float, layout: str | None = "constrained") -> Figure:
    """Return an empty white figure of ``width`` by ``height`` inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    if layout is not None:
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
    return figure


def picture_figure(width: float, height: float, title: str | None, facts: str = "") -> Figure:
    """Return a figure for :func:`place`, at least as wide as title and facts, which are written."""
    width = max(width, room_for(title) + 2 * MARGIN, room_for(facts, TEXT) + 2 * MARGIN)
    figure = new_figure(width, height, layout=None)
    if title:
        write(figure, MARGIN, MARGIN, title, fontsize=TITLE, fontweight="bold")
    write(figure, MARGIN, MARGIN + 0.25, facts, color=MUTED)
    return figure


def room_for(text: str | None, fontsize: float = TITLE) -> float:
    """Return the inches that a bold line takes at most."""
    return len(text or "") * fontsize * 0.0098


def tidy(axes: Axes, grid: bool = True) -> None:
    """Remove the upper and right border; make ticks and grid light."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(labelsize=TEXT, colors=INK, length=3, color=MUTED)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, color=GRID, linewidth=0.8)


def head(axes: Axes, title: str, facts: str, above: float = 8) -> None:
    """Write a title over a panel, flush with its left side, and facts in grey under it."""
    axes.set_title(title, loc="left", pad=above + 16, fontsize=TITLE, fontweight="bold", color=INK)
    small = axes.annotate(
        facts, (0, 1), (0, above), xycoords="axes fraction", textcoords="offset points",
        fontsize=TEXT, color=MUTED,
    )  # fmt: skip
    small.set_in_layout(False)  # or a long line would squeeze the neighbour panels


def show_picture(axes: Axes, picture: np.ndarray, border: str | None = None) -> None:
    """Draw a picture (uint8 [H, W, 3]) without ticks, in a thick border of a colour if given."""
    axes.imshow(picture, interpolation="lanczos", aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=border is not None, color=border or "none", linewidth=3)


def require_at_least_one(shown: int, what: str) -> None:
    """Refuse a parameter ``shown`` below 1."""
    if shown < 1:
        raise ValueError(f"shown: expected at least 1 {what}, got {shown}.")


def shown_frames(count: int, shown: int) -> np.ndarray:
    """Choose ``shown`` of ``count`` frames: the middle ones of equal parts.

    The middle of a part is also the middle of its bars, so that a picture stands under its bar.
    """
    shown = min(shown, count)
    return ((np.arange(shown) + 0.5) * count / shown).astype(int)


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place given in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def write(figure: Figure, left: float, top: float, text: str, **style: object) -> None:
    """Write text whose corner is given in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    style = {"fontsize": TEXT, "color": INK, "va": "top", "ha": "left", **style}
    figure.text(left / across, 1 - top / down, text, **style)


def over_trials(fewest: int, most: int | None = None) -> str:
    """Say what is drawn: ``"mean ± standard deviation over 10 trials"``, or ``"1 trial"``."""
    most = most or fewest
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    return "1 trial" if most == 1 else f"mean ± standard deviation over {count} trials"


def three_digits(number: float) -> str:
    """Write three significant digits, trailing zeros kept."""
    return f"{number:#.3g}".rstrip(".")
