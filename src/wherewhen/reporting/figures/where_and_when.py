"""Reporting: the method in one picture: a probe, its ranking, and the attention over its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.reporting.figures.attention import (
    AttentionStrip,
    attention_scale,
    attention_strips,
    draw_colour_bar,
    encode_shown,
    show_heat,
)
from wherewhen.reporting.figures.canvas import (
    HEAD,
    MARGIN,
    SMALL,
    TEXT,
    picture_figure,
    place,
    show_picture,
    shown_frames,
    three_digits,
    write,
)
from wherewhen.reporting.figures.clips import draw_weights
from wherewhen.reporting.figures.ranked import RankedProbe, draw_answer, rank_pictures
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.looks import best_in_words, best_metric, least_even, with_metric
from wherewhen.reporting.style import INK, MUTED, describe
from wherewhen.reporting.tables import first_matches
from wherewhen.tracklets.pictures import TrackletPictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wherewhen.model.siamese import SiameseNetwork
    from wherewhen.tracklets.cubes import CubeReader

_COLUMNS = 8  # of frames, and of gallery pictures
_CANDIDATES = 64  # probes that are encoded, the nearest matches first

# inches
_PICTURE, _GAP, _LEFT, _RIGHT = 0.9, 0.08, 1.75, 1.05
_NAMES, _BELOW, _BARS, _AXIS = 0.3, 0.62, 0.6, 0.4


def where_and_when(
    probe: RankedProbe, strip: AttentionStrip, *, title: str, facts: str = ""
) -> Figure:
    """Draw a probe with its ranking, over its frames with attention and their weights.

    Parameters
    ----------
    probe : RankedProbe
        The probe and the nearest of the gallery.
    strip : AttentionStrip
        The probe's clip.
    title, facts : str
        First and second line of the title.

    Returns
    -------
    matplotlib.figure.Figure
        Colour is attention relative to uniform attention, on a linear scale from 0.
    """
    tall = _PICTURE * probe.picture.shape[0] / probe.picture.shape[1]
    width = _LEFT + _COLUMNS * (_PICTURE + _GAP) + _RIGHT
    top = HEAD + MARGIN + _NAMES
    below = top + tall + _BELOW
    height = below + tall + 0.12 + _BARS + _AXIS
    figure = picture_figure(width, height, title, facts)
    _draw_ranking(figure, probe, top, tall)
    _draw_attention(figure, strip, below, tall)
    return figure


def _left_of(column: int) -> float:
    return _LEFT + column * (_PICTURE + _GAP)


def _draw_ranking(figure: Figure, probe: RankedProbe, top: float, tall: float) -> None:
    centred = {"va": "bottom", "ha": "center", "color": MUTED}
    write(figure, MARGIN + _PICTURE / 2, top - 0.06, "probe", **centred)
    show_picture(place(figure, MARGIN, top, _PICTURE, tall), probe.picture, INK)
    middle = (MARGIN + _PICTURE + _LEFT) / 2
    write(figure, middle, top + tall / 2, "→", fontsize=22, color=MUTED, ha="center", va="center")
    answers = list(zip(probe.gallery, probe.correct, probe.distances, strict=True))[:_COLUMNS]
    for column, (picture, right, distance) in enumerate(answers):
        name = f"rank {column + 1}" if column == 0 else str(column + 1)
        write(figure, _left_of(column) + _PICTURE / 2, top - 0.06, name, **centred)
        axes = place(figure, _left_of(column), top, _PICTURE, tall)
        draw_answer(axes, picture, bool(right), three_digits(distance))


def _draw_attention(figure: Figure, strip: AttentionStrip, top: float, tall: float) -> None:
    norm = attention_scale()
    indices = shown_frames(len(strip.frames), _COLUMNS)
    for column, index in enumerate(indices):
        axes = place(figure, _left_of(column), top, _PICTURE, tall)
        show_heat(axes, strip.frames[index], strip.relative_attention[index], norm)
    aside = {"ha": "right", "va": "center", "linespacing": 1.4}
    strongest = f"attention on the\nprobe’s frames,\n{strip.relative_attention.max():.2f} × at most"
    _write_words(figure, top + tall / 2, "Where", strongest, aside)
    right = _left_of(len(indices)) + 0.1
    bar = place(figure, right, top, 0.13, tall)
    draw_colour_bar(figure, bar, norm, strip.attention[0].size, SMALL)
    top += tall + 0.12
    bars = place(figure, _LEFT, top, len(indices) * (_PICTURE + _GAP) - _GAP, _BARS)
    draw_weights(bars, strip, indices, max(1.0, strip.relative.max()))
    _write_words(figure, top + _BARS / 2, "When", "weight of each\nframe", aside)


def _write_words(figure: Figure, middle: float, name: str, words: str, style: dict) -> None:
    left = _LEFT - 0.4
    write(figure, left, middle - 0.2, name, fontsize=TEXT + 3, fontweight="bold", **style)
    write(figure, left, middle - 0.04, words, color=MUTED, **style | {"va": "top"})


def _draw(
    pictures: TrackletPictures,
    scores: pd.DataFrame,
    cubes: CubeReader,
    network: SiameseNetwork,
    windows: pd.DataFrame,
    rankings: pd.DataFrame,
) -> Figure:
    """Draw the probe of the least even attention, of those whose match comes first if any."""
    metric = best_metric(scores, rankings)
    judged = with_metric(rankings, metric)
    matches = first_matches(judged)
    matches = matches[matches["rank"] == matches["rank"].min()].head(_CANDIDATES)
    probes = [(tracklet, "probe") for tracklet in matches.probe]
    shown, seen = encode_shown(network, cubes, windows, probes)
    shares = [np.reshape(maps, (len(maps), -1)) for maps in seen.attention]
    (chosen,) = least_even(shares, 1)
    (probe,) = rank_pictures(matches.iloc[[chosen]], judged, pictures, _COLUMNS)
    (strip,) = attention_strips(
        shown.iloc[[chosen]], [seen.attention[chosen]], [seen.frame_weights[chosen]], pictures
    )
    facts = f"{describe('network', metric)}, {best_in_words(scores, metric)}"
    return where_and_when(probe, strip, title="Where and when the network looks", facts=facts)


KINDS = (
    FigureKind(
        "where_and_when",
        "report",
        _draw,
        "A probe, the nearest of the gallery, and where and when the network looks.",
        "A row of frames by distance to a probe; under it the probe’s frames with a heat map of "
        "attention, and a bar for the weight of each frame.",
        ("scores", "cubes", "{trial}.network", "{trial}.windows", "{trial}.rankings_network"),
        people=True,
    ),
)
