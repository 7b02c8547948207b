"""Reporting: where and when the network looks, attention maps on frames over frame weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from wherewhen.reporting.figures.canvas import (
    SMALL,
    TEXT,
    TITLE,
    new_figure,
    place,
    room_for,
    show_picture,
    tidy,
    write,
)
from wherewhen.reporting.figures.clips import check_clip, check_sums
from wherewhen.reporting.style import BLUE, INK, MUTED, SKY

_HEAT = "inferno"
_RESPONSE = "cividis"
_OPACITY = 0.6
_LIGHT = 0.35  # of white in the grey frames under the heat, so that a dark coat hides no colour

# inches
_COLUMN, _GAP = 0.74, 0.05
_LEFT, _RIGHT, _MARGIN, _TITLE = 0.95, 1.5, 0.12, 0.5
_LABEL, _NUMBERS, _BARS, _AXIS, _FACTS = 0.2, 0.08, 0.5, 0.58, 0.19


@dataclass(frozen=True, eq=False)
class AttentionStrip:
    """One tracklet's clip and what the network made of it.

    Parameters
    ----------
    label : str
        What the strip is called in the figure.
    frames : numpy.ndarray
        uint8 [n, H, W, 3].
    attention : numpy.ndarray
        [n, K, K], the attention map m of each frame (Eq 3), which sums to 1.
    frame_weights : numpy.ndarray
        [n], the weight alpha of each frame in the temporal pooling (Eq 6); they sum to 1.
    positions : numpy.ndarray, optional
        int [n], positions of the frames in the tracklet; 0 ... n-1 without it.
    response : numpy.ndarray, optional
        [n, K, K], one channel of the cubes of each frame, from 0 to 1.
    response_name : str
        What that channel is called.

    Raises
    ------
    ValueError
        Names the strip, the array and its shape when arrays do not fit together.
    """

    label: str
    frames: np.ndarray
    attention: np.ndarray
    frame_weights: np.ndarray
    positions: np.ndarray | None = None
    response: np.ndarray | None = None
    response_name: str = "channel"

    def __post_init__(self) -> None:
        name = f"attention strip {self.label!r}"
        if self.positions is None:
            object.__setattr__(self, "positions", np.arange(len(self.frames)))
        fields = ("attention", "frame_weights", "positions")
        check_clip(name, self.frames, {field: getattr(self, field) for field in fields})
        if self.attention.ndim != 3 or self.attention.shape[1] != self.attention.shape[2]:
            raise ValueError(
                f"{name}: attention must be [n, K, K], got {list(self.attention.shape)}."
            )
        if self.response is not None and self.response.shape != self.attention.shape:
            raise ValueError(
                f"{name}: response must have the shape of attention, "
                f"{list(self.attention.shape)}, got {list(self.response.shape)}."
            )
        sums = np.append(self.attention.sum((1, 2)), self.frame_weights.sum())
        check_sums(name, "each attention map and the frame weights", sums)

    @property
    def relative(self) -> np.ndarray:
        """Attention over uniform attention [n, K, K]: 1 where the network has no preference."""
        return self.attention.astype(np.float32) * self.attention.shape[1] ** 2


def attention_over_time(
    strips: Sequence[AttentionStrip], *, shown: int = 10, title: str | None = None
) -> Figure:
    """Frames, attention maps laid on them, and the weights of all frames, a strip a tracklet.

    Parameters
    ----------
    strips : sequence of AttentionStrip
        Drawn from top to bottom, on one colour scale.
    shown : int
        Frames drawn of each strip at most, evenly spaced; the bars show all frames, those drawn
        dark and numbered.
    title : str, optional
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without strips, for ``shown`` below 1, or for strips of different grids.

    Notes
    -----
    Pictures as in the paper's Fig 8, with its feature map where the strips have a `response`, bars
    as in its Fig 6. Colour is attention relative to uniform attention 1/K^2 on a logarithmic scale
    around 1, as wide as the strongest value asks for (at least a tenth), so that nearly uniform
    attention can be read too: the colour bar says how little there is. Maps are bilinearly
    upsampled to the frame.
    """
    if not strips:
        raise ValueError("strips: expected at least one AttentionStrip, got none.")
    if shown < 1:
        raise ValueError(f"shown: expected at least 1 frame, got {shown}.")
    grids = {strip.attention.shape[1] for strip in strips}
    if len(grids) > 1:
        raise ValueError(
            f"strips: grids of {sorted(grids)} cells a side cannot share one colour scale; "
            "draw them in figures of their own."
        )
    responses = sum(strip.response is not None for strip in strips)
    if responses not in (0, len(strips)):
        raise ValueError(
            f"strips: {responses} of {len(strips)} have a response; expected all or none."
        )
    norm = _colour_scale(strips)
    columns = [min(shown, len(strip.frames)) for strip in strips]
    tall = max(strip.frames.shape[1] / strip.frames.shape[2] for strip in strips) * _COLUMN
    pictures = 3 if responses else 2
    strip_height = _LABEL + _FACTS + pictures * (tall + _GAP) + _NUMBERS + _BARS + _AXIS
    top = _TITLE if title else _MARGIN
    width = _LEFT + max(columns) * (_COLUMN + _GAP) + _RIGHT
    width = max(width, room_for(title) + 2 * _MARGIN)
    width = max(width, *(_LEFT + room_for(strip.label, TEXT) + _RIGHT - 0.6 for strip in strips))
    figure = new_figure(width, top + len(strips) * strip_height + _MARGIN, layout=None)
    for strip, count in zip(strips, columns, strict=True):
        _draw_strip(figure, strip, count, top, tall, norm)
        top += strip_height
    _colour_bar(figure, norm, grids.pop())
    if title:
        write(figure, _MARGIN, _MARGIN, title, fontsize=TITLE, fontweight="bold")
    return figure


def shown_frames(count: int, shown: int) -> np.ndarray:
    """Choose ``shown`` of ``count`` frames, the middle ones of equal parts.

    The middle of a part is where its column's bars have their middle, so that a picture stands
    above its own bar.
    """
    shown = min(shown, count)
    return ((np.arange(shown) + 0.5) * count / shown).astype(int)


def draw_weights(
    axes: Axes,
    heights: np.ndarray,
    uniform: float,
    positions: np.ndarray,
    indices: np.ndarray,
    highest: float,
) -> None:
    """Draw the weights of a clip's frames as bars, and the uniform weight as a line.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    heights : numpy.ndarray
        [n], one a frame.
    uniform : float
        What they would be if all were equal.
    positions : numpy.ndarray
        int [n], positions of the frames in the tracklet.
    indices : numpy.ndarray
        int, the frames that are pictured: their bars are dark and numbered.
    highest : float
        What the axis must have room for.
    """
    count = len(heights)
    colours = np.full(count, SKY, dtype=object)
    colours[indices] = BLUE
    axes.bar(np.arange(count), heights, width=0.8, color=list(colours))
    axes.axhline(uniform, color=INK, linewidth=0.8, linestyle="--")
    axes.text(count - 0.4, uniform, "uniform", fontsize=SMALL, color=MUTED, va="center")
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(0, 1.15 * highest)
    axes.set_xticks(indices, [str(positions[index]) for index in indices])
    tidy(axes, grid=False)
    axes.tick_params(labelsize=SMALL)
    axes.set_xlabel("position in the tracklet", fontsize=SMALL, color=MUTED, labelpad=1)
    axes.yaxis.set_major_locator(MaxNLocator(2))


def upsample(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinearly upsample a map [K, K] to a frame [height, width], cells centred."""
    picture = Image.fromarray(np.asarray(grid, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _colour_scale(strips: Sequence[AttentionStrip]) -> LogNorm:
    reach = max(1.1, *(float(strip.relative.max()) for strip in strips))
    return LogNorm(1 / reach, reach, clip=True)


def _draw_strip(
    figure: Figure, strip: AttentionStrip, count: int, top: float, tall: float, norm: LogNorm
) -> None:
    indices = shown_frames(len(strip.frames), count)
    write(figure, _LEFT, top, strip.label, fontweight="bold")
    strongest = f"strongest cell {strip.relative.max():.3g} × uniform"
    write(figure, _LEFT, top + _LABEL - 0.02, strongest, fontsize=SMALL, color=MUTED)
    top += _FACTS
    top += _LABEL
    layers = [(strip.relative, _HEAT, norm, "attention")]
    if strip.response is not None:
        layers.insert(0, (strip.response, _RESPONSE, Normalize(0, 1), strip.response_name))
    for column, index in enumerate(indices):
        left = _LEFT + column * (_COLUMN + _GAP)
        frame = strip.frames[index]
        show_picture(place(figure, left, top, _COLUMN, tall), frame)
        for row, (maps, colours, scale, _) in enumerate(layers, start=1):
            axes = place(figure, left, top + row * (tall + _GAP), _COLUMN, tall)
            _show_heat(axes, frame, maps[index], colours, scale)
    for row, name in enumerate(["frame", *(name for *_, name in layers)]):
        middle = top + row * (tall + _GAP) + tall / 2
        write(figure, _LEFT - 0.08, middle, name, color=MUTED, ha="right", va="center")
    top += (1 + len(layers)) * (tall + _GAP) + _NUMBERS
    bars = place(figure, _LEFT, top, count * (_COLUMN + _GAP) - _GAP, _BARS)
    highest = max(float(strip.frame_weights.max()), 1 / len(strip.frames))
    draw_weights(
        bars, strip.frame_weights, 1 / len(strip.frames), strip.positions, indices, highest
    )
    write(
        figure, _LEFT - 0.42, top + _BARS / 2, "frame\nweight", color=MUTED, ha="right", va="center"
    )


def _show_heat(
    axes: Axes, frame: np.ndarray, grid: np.ndarray, colours: str, norm: Normalize
) -> None:
    grey = Image.fromarray(frame).convert("L").convert("RGB")
    white = Image.new("RGB", grey.size, "white")
    show_picture(axes, np.asarray(Image.blend(grey, white, _LIGHT)))
    heat = upsample(grid, *frame.shape[:2])
    axes.imshow(heat, cmap=colours, norm=norm, alpha=_OPACITY, interpolation="nearest")


def _colour_bar(figure: Figure, norm: LogNorm, side: int) -> None:
    width, height = figure.get_size_inches()
    bar_height = min(3.2, height - 1)
    axes = place(figure, width - _RIGHT + 0.6, (height - bar_height) / 2, 0.16, bar_height)
    bar = figure.colorbar(ScalarMappable(norm, _HEAT), cax=axes, extend="min")
    reach = norm.vmax
    ticks = [1 / reach, 1 / np.sqrt(reach), 1, np.sqrt(reach), reach]
    digits = 2 if reach > 2 else 3
    bar.set_ticks(ticks, labels=[f"{tick:.{digits}g}" for tick in ticks], minor=False)
    bar.minorticks_off()
    bar.set_label(f"attention relative to uniform (1/{side**2})", fontsize=TEXT, color=INK)
    bar.ax.axhline(1, color="white", linewidth=1.5)
    bar.ax.tick_params(labelsize=TEXT, colors=INK)
    bar.outline.set_visible(False)
