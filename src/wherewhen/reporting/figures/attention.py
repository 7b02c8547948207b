"""Reporting: where and when the network looks: attention maps on frames over frame weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    TEXT,
    picture_figure,
    place,
    require_at_least_one,
    room_for,
    show_picture,
    shown_frames,
    write,
)
from wherewhen.reporting.figures.clips import WeightedClip, draw_weights
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.looks import best_metric, with_metric
from wherewhen.reporting.style import INK, MUTED
from wherewhen.reporting.tables import best_and_worst
from wherewhen.tracklets.pictures import TrackletPictures
from wherewhen.tracklets.sizes import times
from wherewhen.tracklets.windows import as_windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from wherewhen.model.encode import Encodings
    from wherewhen.model.siamese import SiameseNetwork
    from wherewhen.tracklets.cubes import CubeReader

_HEAT = "inferno"
_RESPONSE = "cividis"
_OPACITY = 0.5
STRONGEST = 6.0
"""Relative attention at the end of the colours; more of it has the same colour."""
_LIGHT = 0.35  # of white in the grey frames under the heat, so that a dark coat hides no colour

# inches
_COLUMN, _GAP = 0.74, 0.05
_LEFT, _RIGHT = 0.95, 1.5
_LABEL, _NUMBERS, _BARS, _AXIS = 0.39, 0.08, 0.5, 0.58


@dataclass(frozen=True, eq=False, kw_only=True)
class AttentionStrip(WeightedClip):
    """A clip of a tracklet, the weights of its frames and an attention map of each.

    Parameters
    ----------
    label, frames, frame_weights, positions
        As of :class:`WeightedClip`.
    attention : numpy.ndarray
        [n, H, W], the attention map m of each frame (Eq 3), which sums to 1.
    response : numpy.ndarray, optional
        [n, H, W], one channel of the cubes of each frame, from 0 to 1.
    response_name : str
        Name of that channel.

    Raises
    ------
    ValueError
        Names the clip, the array and its shape when arrays do not fit together.

    See Also
    --------
    attention_over_time : Draws some.
    attention_strips : Makes them of a network's encodings.

    Examples
    --------
    >>> import numpy as np
    >>> strip = AttentionStrip(
    ...     "cam_a/person_0001",
    ...     frames=np.zeros((1, 128, 64, 3), np.uint8),
    ...     frame_weights=np.ones(1),
    ...     attention=np.array([[[0.5, 0.25], [0.125, 0.125]]]),
    ... )
    >>> strip.relative_attention.max().item()
    2.0
    """

    attention: np.ndarray
    response: np.ndarray | None = None
    response_name: str = "channel"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_lengths("attention")
        shape = list(self.attention.shape)
        if self.attention.ndim != 3:
            raise ValueError(f"{self._name}: attention must be [n, H, W], got {shape}.")
        if self.response is not None and self.response.shape != self.attention.shape:
            raise ValueError(
                f"{self._name}: response must have the shape of attention, {shape}, "
                f"got {list(self.response.shape)}."
            )
        self._require_sums("each attention map", self.attention.sum((1, 2)))

    @property
    def relative_attention(self) -> np.ndarray:
        """Attention over uniform attention 1/(H*W) [n, H, W]: 1 where no cell is preferred."""
        return self.attention.astype(np.float32) * self.attention[0].size


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
    as in its Fig 6. Colour is attention relative to uniform attention 1/(H*W), on the linear
    `attention_scale`. Maps are bilinearly upsampled to the frame.
    """
    if not strips:
        raise ValueError("strips: expected at least one AttentionStrip, got none.")
    require_at_least_one(shown, "frame")
    grids = {strip.attention.shape[1:] for strip in strips}
    if len(grids) > 1:
        raise ValueError(
            f"strips: grids of {', '.join(map(times, sorted(grids)))} cells cannot share one "
            "colour scale; draw them in figures of their own."
        )
    responses = sum(strip.response is not None for strip in strips)
    if responses not in (0, len(strips)):
        raise ValueError(
            f"strips: {responses} of {len(strips)} have a response; expected all or none."
        )
    norm = attention_scale()
    columns = max(min(shown, len(strip.frames)) for strip in strips)
    tall = max(strip.frames.shape[1] / strip.frames.shape[2] for strip in strips) * _COLUMN
    height = _LABEL + (3 if responses else 2) * (tall + _GAP) + _NUMBERS + _BARS + _AXIS
    top = HEAD - 0.1 if title else MARGIN
    labels = max(room_for(strip.label, TEXT) for strip in strips) - 0.6
    width = _LEFT + max(columns * (_COLUMN + _GAP), labels) + _RIGHT
    figure = picture_figure(width, top + len(strips) * height + MARGIN, title)
    for strip in strips:
        _draw_strip(figure, strip, shown, top, tall, norm)
        top += height
    _draw_scale(figure, norm, math.prod(grids.pop()))
    return figure


def attention_strips(
    windows: pd.DataFrame,
    attention: Sequence[np.ndarray],
    frame_weights: Sequence[np.ndarray],
    pictures: TrackletPictures,
    responses: Sequence[tuple[int, np.ndarray]] | None = None,
) -> list[AttentionStrip]:
    """Return strips of what a network returned for some windows.

    Parameters
    ----------
    windows : pandas.DataFrame
        Columns ``tracklet, role, start, stop``, a row a strip.
    attention, frame_weights : sequence of numpy.ndarray
        Of each window [n, H, W] and [n].
    pictures : TrackletPictures
        Reads the frames.
    responses : sequence of (int, numpy.ndarray), optional
        Of each window, as :func:`wherewhen.reporting.looks.high_response` returns it.

    Returns
    -------
    list of AttentionStrip
        In the order of `windows`.
    """
    strips = []
    for index, row in enumerate(windows.itertuples()):
        channel, response = responses[index] if responses else (None, None)
        strips.append(
            AttentionStrip(
                label=f"{row.tracklet} ({row.role})",
                frames=pictures.clip(row.tracklet, row.start, row.stop),
                attention=attention[index],
                frame_weights=frame_weights[index],
                positions=np.arange(row.start, row.stop),
                response=response,
                response_name=f"channel\n{channel}",
            )
        )
    return strips


def strips_of_table(attention: pd.DataFrame, pictures: TrackletPictures) -> list[AttentionStrip]:
    """Return strips of a table that :func:`wherewhen.reporting.looks.attention_table` made."""
    grid = int(attention["row"].max()) + 1, int(attention["column"].max()) + 1
    windows, maps, weights, responses = [], [], [], []
    for (tracklet, role), rows in attention.groupby(["tracklet", "role"], sort=False):
        rows = rows.sort_values(["position", "row", "column"])
        frames = rows.drop_duplicates("position")
        windows.append((tracklet, role, frames.position.min(), frames.position.max() + 1))
        maps.append(rows.attention.to_numpy().reshape(-1, *grid))
        weights.append(frames.weight.to_numpy())
        response = rows.response.to_numpy().reshape(-1, *grid)
        responses.append((int(rows.channel.iloc[0]), response))
    table = pd.DataFrame(windows, columns=["tracklet", "role", "start", "stop"])
    return attention_strips(table, maps, weights, pictures, responses)


def encode_shown(
    network: SiameseNetwork,
    cubes: CubeReader,
    windows: pd.DataFrame,
    chosen: Sequence[tuple[str, str]],
) -> tuple[pd.DataFrame, Encodings]:
    """Choose windows, and encode them with attention and frame weights.

    Parameters
    ----------
    network, cubes
        What encodes, and what is encoded.
    windows : pandas.DataFrame
        Columns ``tracklet, role, start, stop``.
    chosen : sequence of (str, str)
        Tracklets and roles; where queries are in the gallery, too, a tracklet has two windows.

    Returns
    -------
    shown : pandas.DataFrame
        Their rows of `windows`, in the order of `chosen`.
    encodings : Encodings
        Of each row.
    """
    from wherewhen.model.encode import encode_tracklets  # torch takes a second

    shown = windows.set_index(["tracklet", "role"], drop=False).loc[list(chosen)]
    return shown, encode_tracklets(
        network, cubes, as_windows(shown), progress=False, attention=True
    )


def attention_scale() -> Normalize:
    """Return the linear scale of relative attention, 0 to `STRONGEST`, the same in all figures.

    Nearly uniform attention looks uniform, and networks can be compared by their colours.
    """
    from matplotlib.colors import Normalize

    return Normalize(0, STRONGEST, clip=True)


def upsample(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinearly upsample a map [H, W] to a frame [height, width], cells centred."""
    picture = Image.fromarray(np.asarray(grid, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def heat_picture(frame: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Lay a map of relative attention in colours over a frame in grey, uint8 [height, width, 3].

    See Also
    --------
    AttentionStrip.relative_attention : Such maps.
    """
    from matplotlib import colormaps

    heat = colormaps[_HEAT](attention_scale()(upsample(grid, *frame.shape[:2])))[..., :3] * 255
    return np.round((1 - _OPACITY) * _light_grey(frame) + _OPACITY * heat).astype(np.uint8)


def heat_scale(width: int, height: int) -> np.ndarray:
    """Return a bar of the colours of attention from 0 to `STRONGEST`, uint8 [height, width, 3]."""
    from matplotlib import colormaps

    bar = np.round(colormaps[_HEAT](np.linspace(0, 1, width))[:, :3] * 255).astype(np.uint8)
    return np.tile(bar, (height, 1, 1))


def show_heat(
    axes: Axes, frame: np.ndarray, grid: np.ndarray, norm: Normalize, colours: str = _HEAT
) -> None:
    """Draw a map [H, W] in colours over a frame (uint8 [height, width, 3]) in grey."""
    show_picture(axes, _light_grey(frame))
    heat = upsample(grid, *frame.shape[:2])
    axes.imshow(heat, cmap=colours, norm=norm, alpha=_OPACITY, interpolation="nearest")


def _light_grey(frame: np.ndarray) -> np.ndarray:
    grey = Image.fromarray(frame).convert("L").convert("RGB")
    return np.asarray(Image.blend(grey, Image.new("RGB", grey.size, "white"), _LIGHT))


def draw_colour_bar(
    figure: Figure, axes: Axes, norm: Normalize, cells: int, fontsize: float = TEXT
) -> None:
    """Draw the scale of attention on so many cells, with a line where it is uniform."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(norm, _HEAT), cax=axes, extend="max")
    bar.set_label(f"attention relative to uniform (1/{cells})", fontsize=fontsize, color=INK)
    bar.ax.axhline(1, color="white", linewidth=1.5)
    bar.ax.tick_params(labelsize=fontsize, colors=INK)
    bar.outline.set_visible(False)


def _draw_strip(
    figure: Figure, strip: AttentionStrip, shown: int, top: float, tall: float, norm: Normalize
) -> None:
    from matplotlib.colors import Normalize

    indices = shown_frames(len(strip.frames), shown)
    write(figure, _LEFT, top, strip.label, fontweight="bold")
    strongest = f"strongest cell {strip.relative_attention.max():.3g} × uniform"
    write(figure, _LEFT, top + 0.18, strongest, fontsize=SMALL, color=MUTED)
    top += _LABEL
    layers = [("attention", strip.relative_attention, norm, _HEAT)]
    if strip.response is not None:
        layers.insert(0, (strip.response_name, strip.response, Normalize(0, 1), _RESPONSE))
    for row, name in enumerate(["frame", *(layer[0] for layer in layers)]):
        middle = top + row * (tall + _GAP) + tall / 2
        write(figure, _LEFT - 0.08, middle, name, color=MUTED, ha="right", va="center")
    for column, index in enumerate(indices):
        left = _LEFT + column * (_COLUMN + _GAP)
        show_picture(place(figure, left, top, _COLUMN, tall), strip.frames[index])
        for row, (_, maps, scale, colours) in enumerate(layers, start=1):
            axes = place(figure, left, top + row * (tall + _GAP), _COLUMN, tall)
            show_heat(axes, strip.frames[index], maps[index], scale, colours)
    top += (1 + len(layers)) * (tall + _GAP) + _NUMBERS
    bars = place(figure, _LEFT, top, len(indices) * (_COLUMN + _GAP) - _GAP, _BARS)
    draw_weights(bars, strip, indices, max(1.0, strip.relative.max()))
    middle = top + _BARS / 2
    write(figure, _LEFT - 0.3, middle, "weight ×\nframes", color=MUTED, ha="right", va="center")


def _draw_scale(figure: Figure, norm: Normalize, cells: int) -> None:
    width, height = figure.get_size_inches()
    tall = min(3.2, height - 1)
    axes = place(figure, width - _RIGHT + 0.6, (height - tall) / 2, 0.16, tall)
    draw_colour_bar(figure, axes, norm, cells)


def _draw_ranked(
    pictures: TrackletPictures,
    scores: pd.DataFrame,
    cubes: CubeReader,
    network: SiameseNetwork,
    windows: pd.DataFrame,
    rankings: pd.DataFrame,
    tracklets: int,
) -> Figure:
    """Draw the attention on the best ranked probe, its match and the worst ranked probes."""
    judged = with_metric(rankings, best_metric(scores, rankings))
    best, worst = best_and_worst(judged, tracklets)
    chosen = [(best.probe.iloc[0], "probe"), (best.gallery.iloc[0], "gallery")]
    chosen += [(tracklet, "probe") for tracklet in worst.probe]
    shown, seen = encode_shown(network, cubes, windows, chosen[:tracklets])
    return attention_over_time(
        attention_strips(shown, seen.attention, seen.frame_weights, pictures),
        title=f"Where and when the network looks, {rankings.trial.iloc[0]}",
    )


def _draw_table(pictures: TrackletPictures, attention: pd.DataFrame, title: str = "") -> Figure:
    """Draw a table of :func:`wherewhen.reporting.looks.attention_table`."""
    what = f"probes of the least even attention, {attention.trial.iloc[0]}"
    return attention_over_time(
        strips_of_table(attention, pictures),
        title=f"{title or 'Where the network looks'}, {what}",
    )


_ALT = "Frames of several tracklets, each with a heat map of attention laid over it."

KINDS = (
    FigureKind(
        "attention_over_time",
        "report",
        _draw_ranked,
        "Where and when the network looks: a probe, its match, and a probe that was ranked badly.",
        _ALT,
        (
            "scores",
            "cubes",
            "{trial}.network",
            "{trial}.windows",
            "{trial}.rankings_network",
            "params:report.attention_tracklets",
        ),
        people=True,
    ),
    FigureKind(
        "attention",
        "analyse",
        _draw_table,
        "Where the network looks: attention over time (the paper’s Fig 8).",
        _ALT,
        ("attention",),
        people=True,
    ),
)
