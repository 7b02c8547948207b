"""Reporting: what all figures share, an empty figure, tidy axes, a picture with a border.

Sizes and colours are set on the artists and not in ``rcParams``, which all threads share.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wherewhen.reporting.style import DPI, GRID, INK, MUTED

TITLE = 12
TEXT = 9
SMALL = 7.5


def new_figure(width: float, height: float, layout: str | None = "constrained") -> Figure:
    """Empty figure, ``width`` by ``height`` inches, white, at the resolution of the style."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    if layout is not None:
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
    return figure


def room_for(text: str | None, fontsize: float = TITLE) -> float:
    """Inches that a bold line takes at most, to keep a narrow figure wide enough for its title."""
    return len(text or "") * fontsize * 0.0098


def tidy(axes: Axes, grid: bool = True) -> None:
    """Take away what carries nothing: upper and right border, heavy ticks, a dark grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(labelsize=TEXT, colors=INK, length=3, color=MUTED)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, color=GRID, linewidth=0.8)


def head(axes: Axes, title: str, facts: str, above: float = 8) -> None:
    """Title over a panel, flush with its left side, the facts in smaller grey under it."""
    axes.set_title(title, loc="left", pad=above + 16, fontsize=TITLE, fontweight="bold", color=INK)
    small = axes.annotate(
        facts, (0, 1), (0, above), xycoords="axes fraction", textcoords="offset points",
        fontsize=TEXT, color=MUTED,
    )  # fmt: skip
    small.set_in_layout(False)  # or a long line would squeeze the neighbour panels


def show_picture(axes: Axes, picture: np.ndarray, border: str | None = None) -> None:
    """Draw a picture, without ticks, with a coloured border where one is given.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    picture : numpy.ndarray
        uint8 [H, W, 3].
    border : str, optional
        Colour of a thick border; none without it.
    """
    axes.imshow(picture, interpolation="lanczos", aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(border is not None)
        if border is not None:
            spine.set_color(border)
            spine.set_linewidth(3)


def require_picture(picture: np.ndarray, name: str) -> None:
    """Refuse what is no uint8 picture [H, W, 3]; ``name`` says which in the message."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"{name}: expected a uint8 picture [H, W, 3], "
            f"got {picture.dtype} {list(picture.shape)}."
        )


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the figure's upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    return figure.add_axes(
        (
            left / whole_width,
            1 - (top + height) / whole_height,
            width / whole_width,
            height / whole_height,
        )
    )


def write(figure: Figure, left: float, top: float, text: str, **style: object) -> None:
    """Text whose upper left corner is given in inches from the figure's upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    style = {"fontsize": TEXT, "color": INK, "va": "top", "ha": "left", **style}
    figure.text(left / whole_width, 1 - top / whole_height, text, **style)


def three_digits(number: float) -> str:
    """Three significant digits, trailing zeros kept."""
    return f"{number:#.3g}".rstrip(".")
