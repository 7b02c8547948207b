"""The one page: plots that answer to the mouse, laid out for plotly.js.

Ink, grid and background are the style sheet's, so that the same plot is readable by day, by night
and on paper; here stand the data, and the colours that tell rows apart.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wherewhen.reporting.page.content import Curve, History, LengthMatrix
from wherewhen.reporting.style import BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "diamond", "square", "triangle-up")

PUBLISHED = "published figures"
"""What the legend calls the paper's curves, which it shows and hides together."""


def cmc_plot(curves: Sequence[Curve]) -> Figure:
    """CMC curves, one a row, with a band of one deviation and the published points on demand.

    Parameters
    ----------
    curves : sequence of Curve
        At least one.

    Returns
    -------
    plotly.graph_objects.Figure
        The legend takes a row's curve away; the published figures are hidden at first.
    """
    figure = _figure("rank", "probes found up to this rank (%)")
    for place, curve in enumerate(curves):
        if curve.ranks:
            _add_curve(figure, curve, place)
    published = [(place, curve) for place, curve in enumerate(curves) if curve.published]
    for first, (place, curve) in zip([True] + [False] * len(published), published, strict=False):
        _add_published(figure, curve, place, first)
    last = max(max((*curve.ranks, *curve.published), default=1) for curve in curves)
    figure.update_yaxes(range=[_lowest(curves), 101])
    figure.update_xaxes(
        range=[0.5, last + 0.5],
        tickvals=[1, *range(5, last + 1, 5)] if last > 10 else list(range(1, last + 1)),
    )
    return figure


def convergence_plot(histories: Sequence[History]) -> Figure:
    """Loss over epochs, one line a row, the validation loss dotted in the same colour.

    Parameters
    ----------
    histories : sequence of History
        At least one.

    Returns
    -------
    plotly.graph_objects.Figure
        The legend takes a row's two lines away together.
    """
    figure = _figure("epoch", "loss")
    hover = "<b>%{fullData.name}</b><br>epoch %{x}: %{y:.3f}<extra></extra>"
    for place, history in enumerate(histories):
        colour, name = _COLOURS[place % len(_COLOURS)], _plain(history.name)
        figure.add_scatter(
            x=list(history.epochs), y=_rounded(history.loss, 5), name=name, legendgroup=name,
            mode="lines", hovertemplate=hover, line={"color": colour, "width": 2, "dash": "solid"},
        )  # fmt: skip
        if history.validation:
            figure.add_scatter(
                x=list(history.validation_epochs), y=_rounded(history.validation, 5),
                name=f"{name}, validation", legendgroup=name, showlegend=False,
                mode="lines+markers", hovertemplate=hover, marker={"size": 5},
                line={"color": colour, "width": 1.5, "dash": "dot"},
            )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


def length_plot(matrix: LengthMatrix) -> Figure:
    """Rank-1 over the lengths of probe and gallery videos, as a map with its numbers in it.

    Parameters
    ----------
    matrix : LengthMatrix
        Of one row.

    Returns
    -------
    plotly.graph_objects.Figure
        Lengths are names here: each doubles the one before, and every cell is as wide.
    """
    figure = _figure("gallery video (frames)", "probe video (frames)")
    figure.add_heatmap(
        x=[str(length) for length in matrix.gallery_lengths],
        y=[str(length) for length in matrix.probe_lengths],
        z=[_rounded(line) for line in matrix.percent],
        colorscale="Cividis", texttemplate="%{z:.0f}", xgap=1, ygap=1,
        colorbar={"title": {"text": "rank-1 (%)", "side": "right"}, "thickness": 12, "len": 0.9},
        hovertemplate="probe %{y}, gallery %{x} frames<br><b>rank-1 %{z:.1f}%</b><extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False)
    return figure


def to_json(figure: Figure) -> dict[str, Any]:
    """Return a figure's data and layout as what JSON holds, without plotly's theme."""
    parts = json.loads(figure.to_json(engine="json"))
    layout = {name: value for name, value in parts["layout"].items() if name != "template"}
    return {"data": parts["data"], "layout": layout}


def _figure(across: str, up: str) -> Figure:
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.update_layout(
        template="none", height=440, margin={"l": 56, "r": 12, "t": 32, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13}, hovermode="closest",
        hoverlabel={"align": "left"}, modebar={"bgcolor": "rgba(0,0,0,0)", "color": MUTED},
    )  # fmt: skip
    axis = {"zeroline": False, "showline": False, "automargin": True}
    figure.update_xaxes(title={"text": across, "standoff": 8}, **axis)
    figure.update_yaxes(title={"text": up, "standoff": 8}, **axis)
    return figure


def _add_curve(figure: Figure, curve: Curve, place: int) -> None:
    colour, name = _COLOURS[place % len(_COLOURS)], _plain(curve.name)
    turn = place // len(_COLOURS) % len(_DASHES)
    ranks, mean = list(curve.ranks), _rounded(curve.mean)
    if curve.deviation:
        pairs = list(zip(curve.mean, curve.deviation, strict=True))
        edge = [min(m + d, 100) for m, d in pairs] + [max(m - d, 0) for m, d in reversed(pairs)]
        figure.add_scatter(
            x=ranks + ranks[::-1], y=_rounded(edge), fill="toself", mode="lines",
            line={"width": 0, "color": colour}, fillcolor=colour, opacity=0.12,
            name=name, legendgroup=name, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=ranks, y=mean, name=name, legendgroup=name, mode="lines+markers",
        customdata=[f" ± {d:.1f}" for d in curve.deviation] or [""] * len(ranks),
        hovertemplate=(
            "<b>%{fullData.name}</b><br>rank-%{x}: %{y:.1f}%{customdata} %<extra></extra>"
        ),
        line={"color": colour, "width": 2, "dash": _DASHES[turn]},
        marker={"size": 6, "symbol": _SYMBOLS[turn]},
    )  # fmt: skip


def _add_published(figure: Figure, curve: Curve, place: int, first: bool) -> None:
    ranks = sorted(curve.published)
    figure.add_scatter(
        x=ranks, y=[curve.published[rank] for rank in ranks], mode="lines+markers",
        name=PUBLISHED, legendgroup=PUBLISHED, showlegend=first, visible="legendonly",
        customdata=[_plain(curve.name)] * len(ranks),
        hovertemplate="<b>%{customdata}, published</b><br>rank-%{x}: %{y:.1f} %<extra></extra>",
        line={"color": _COLOURS[place % len(_COLOURS)], "width": 1, "dash": "dot"},
        marker={"size": 8, "symbol": "x-thin-open", "line": {"width": 2}},
    )  # fmt: skip


def _lowest(curves: Sequence[Curve]) -> int:
    """Tens below the lowest point drawn."""
    values = [value for curve in curves for value in (*curve.mean, *curve.published.values())]
    return max(0, 10 * int(min(values, default=0) // 10) - 10)


def _rounded(values: Sequence[float], digits: int = 2) -> list[float]:
    return [round(float(value), digits) for value in values]


def _plain(name: str) -> str:
    """Keep plotly from reading a name as its own kind of HTML: it knows bold, and links."""
    return html.escape(name, quote=False)
