"""Interactive plots of the page, as data and layout of plotly.js.

Ink, grid and background come from the style sheet, which has a light, a dark and a printed version.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from math import isfinite
from typing import Any

import pandas as pd

from wherewhen.reporting.cmc import percent_over_trials
from wherewhen.reporting.page.model import Plot
from wherewhen.reporting.style import BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, VERMILION
from wherewhen.tracklets.folders import listed

PLOTTED = ("cmc", "convergence", "lengths")
"""Kinds of figures that have an interactive plot, so that the page leaves their pictures out."""

PUBLISHED = "published figures"
"""Name in the legend of all published curves, which are shown and hidden together."""

POINTS = 250
"""Epochs of a loss curve at most; more can't be told apart on a page."""

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "diamond", "square", "triangle-up")


def cmc_plot(table: pd.DataFrame, order: Iterable[str]) -> Plot:
    """Plot CMC curves over the trials, with a band of one deviation, and published points.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`wherewhen.reporting.cmc.cmc_table` returns it.
    order : iterable of str
        Names of rows in the order of the legend; others than the table's are left out.
    """
    names = [name for name in order if name in set(table["row"])]
    ours, theirs = [], []
    for place, name in enumerate(names):
        rows = table[table["row"] == name]
        quoted = rows["quoted"].astype(bool)
        if not quoted.all():
            ours += _curve(_plain(name), percent_over_trials(rows[~quoted]), place)
        if quoted.any():
            points = rows[quoted].sort_values("rank")
            theirs.append(_published(_plain(name), points, place, first=not theirs))
    drawn = [trace for trace in ours + theirs if "fill" not in trace]
    lowest = min(value for trace in drawn for value in trace["y"])
    last = int(table["rank"].max())
    ticks = [1, *range(5, last + 1, 5)] if last > 10 else [*range(1, last + 1)]
    return Plot(
        "Cumulative match characteristic",
        "The share of probes whose person is among the first k of the gallery; the mean over "
        "the trials, shaded by one standard deviation. Point at a curve to read it; click a "
        "name to hide or show it, double-click to see it alone."
        + (" The paper’s figures are in the legend too, hidden at first." if theirs else ""),
        f"CMC curves of {listed(names, shown=6)}; the table above has their numbers.",
        _drawing(
            ours + theirs,
            {"title": "rank", "range": [0.5, last + 0.5], "tickvals": ticks},
            {"title": "probes found up to this rank (%)",
             "range": [max(0, 10 * int(lowest // 10) - 10), 101]},
        ),
    )  # fmt: skip


def convergence_plot(table: pd.DataFrame) -> Plot:
    """Plot losses over epochs, a line for each row and a dotted one for its validation loss.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`wherewhen.reporting.validation.convergence_table` returns it.
    """
    hover = "<b>%{fullData.name}</b><br>epoch %{x}: %{y:.3f}<extra></extra>"
    traces, validated = [], False
    rows = dict(list(table.groupby("row", sort=False)))
    for place, (row, of_row) in enumerate(rows.items()):
        colour, name = _COLOURS[place % len(_COLOURS)], _plain(row)
        shared = {"type": "scatter", "legendgroup": name, "hovertemplate": hover}
        traces.append(shared | _course(of_row, "loss") | {
            "name": name, "mode": "lines", "line": {"color": colour, "width": 2, "dash": "solid"},
        })  # fmt: skip
        validation = _course(of_row, "validation_loss")
        if validation["x"]:
            validated = True
            traces.append(shared | validation | {
                "name": f"{name}, validation", "showlegend": False, "mode": "lines+markers",
                "marker": {"size": 5}, "line": {"color": colour, "width": 1.5, "dash": "dot"},
            })  # fmt: skip
    return Plot(
        "Convergence",
        "Training loss by epoch, averaged over the trials"
        + ("; the loss on validation persons dotted." if validated else "."),
        f"Loss over epochs of {listed(list(rows), shown=6)}.",
        _drawing(traces, {"title": "epoch"}, {"title": "loss", "rangemode": "tozero"}),
    )


def length_plot(row: str, table: pd.DataFrame) -> Plot:
    """Plot the rank-1 of a row over the lengths of probe and gallery videos, as a heat map.

    Parameters
    ----------
    row : str
        Name of the row.
    table : pandas.DataFrame
        Columns ``trial, probe_frames, gallery_frames, rank-1``.
    """
    cells = 100 * table.pivot_table("rank-1", "probe_frames", "gallery_frames", "mean")
    trace = {
        "type": "heatmap", "x": [*map(str, cells.columns)], "y": [*map(str, cells.index)],
        "z": [_rounded(line) for line in cells.to_numpy()],
        "colorscale": "Cividis", "texttemplate": "%{z:.0f}", "xgap": 1, "ygap": 1,
        "colorbar": {"title": {"text": "rank-1 (%)", "side": "right"}, "thickness": 12, "len": 0.9},
        "hovertemplate": "probe %{y}, gallery %{x} frames<br><b>rank-1 %{z:.1f}%</b>"
                         "<extra></extra>",
    }  # fmt: skip
    lengths = {"type": "category", "showgrid": False}  # each doubles the one before
    return Plot(
        f"Rank-1 over lengths of videos: {row}",
        "Rank-1 in percent when the probe video (up) and the gallery videos (across) are cut "
        "to so many frames.",
        f"Heat map of rank-1 over probe and gallery lengths of {row}.",
        _drawing(
            [trace],
            {"title": "gallery video (frames)", **lengths},
            {"title": "probe video (frames)", **lengths},
        ),
    )


def _drawing(
    data: list[dict[str, Any]], across: dict[str, Any], up: dict[str, Any]
) -> dict[str, Any]:
    """Return data and layout with two axes."""
    axes = {
        name: axis | {"title": {"text": axis["title"], "standoff": 8}, "zeroline": False,
                      "showline": False, "automargin": True}
        for name, axis in (("xaxis", across), ("yaxis", up))
    }  # fmt: skip
    layout = axes | {
        "height": 440, "margin": {"l": 56, "r": 12, "t": 32, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13}, "hovermode": "closest",
        "hoverlabel": {"align": "left"}, "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED},
    }  # fmt: skip
    return {"data": data, "layout": layout}


def _curve(name: str, percent: pd.DataFrame, place: int) -> list[dict[str, Any]]:
    """Return the mean over the trials, after its band where there are several trials."""
    turn = place // len(_COLOURS) % len(_DASHES)
    colour, ranks = _COLOURS[place % len(_COLOURS)], percent.index.to_list()
    mean, deviation = percent["mean"], percent["std"].dropna()
    shared = {"type": "scatter", "name": name, "legendgroup": name}
    line = shared | {
        "x": ranks, "y": _rounded(mean), "mode": "lines+markers",
        "customdata": [f" ± {each:.1f}" for each in deviation] or [""] * len(ranks),
        "hovertemplate": "<b>%{fullData.name}</b><br>rank-%{x}: %{y:.1f}%{customdata} %"
                         "<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": _DASHES[turn]},
        "marker": {"size": 6, "symbol": _SYMBOLS[turn]},
    }  # fmt: skip
    if deviation.empty:
        return [line]
    upper, lower = (mean + deviation).clip(upper=100), (mean - deviation).clip(lower=0)
    band = shared | {
        "x": ranks + ranks[::-1], "y": _rounded([*upper, *lower[::-1]]), "fill": "toself",
        "mode": "lines", "line": {"width": 0, "color": colour}, "fillcolor": colour,
        "opacity": 0.12, "showlegend": False, "hoverinfo": "skip",
    }  # fmt: skip
    return [band, line]


def _published(name: str, points: pd.DataFrame, place: int, first: bool) -> dict[str, Any]:
    return {
        "type": "scatter", "x": points["rank"].to_list(), "y": _rounded(100 * points["value"]),
        "mode": "lines+markers", "name": PUBLISHED, "legendgroup": PUBLISHED,
        "visible": "legendonly", "showlegend": first, "customdata": [name] * len(points),
        "hovertemplate": "<b>%{customdata}, published</b><br>rank-%{x}: %{y:.1f} %<extra></extra>",
        "line": {"color": _COLOURS[place % len(_COLOURS)], "width": 1, "dash": "dot"},
        "marker": {"size": 8, "symbol": "x-thin-open", "line": {"width": 2}},
    }  # fmt: skip


def _course(table: pd.DataFrame, column: str) -> dict[str, list[Any]]:
    """Return the mean over the trials at the epochs that all of them have, thinned."""
    values = table.pivot(index="epoch", columns="trial", values=column).dropna().mean(axis=1)
    values = values.iloc[:: max(1, -(-len(values) // POINTS))]
    return {"x": values.index.to_list(), "y": _rounded(values, 5)}


def _rounded(values: Iterable[float], digits: int = 2) -> list[float | None]:
    """Round numbers; None, which JSON has, for what is not finite."""
    return [round(float(value), digits) if isfinite(value) else None for value in values]


def _plain(name: str) -> str:
    """Escape a name: plotly.js reads bold and links."""
    return html.escape(name, quote=False)
