"""Reporting: cumulative match characteristic of a run, and of the rows of an experiment (Fig 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.metric_learning.fused_names import FUSION
from wherewhen.reporting.checks import require_scores, require_table
from wherewhen.reporting.cmc import cmc_table, percent_over_trials, with_ranks
from wherewhen.reporting.figures.canvas import TEXT, head, new_figure, over_trials, tidy
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.style import (
    CurveStyle,
    curve_style,
    describe_features,
    describe_metric,
    row_style,
    sort_key,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8
"""Lines in a panel at most, but for an experiment's own rows: more cannot be told apart."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve in percent over ranks.

    Parameters
    ----------
    group, name : str
        What the legend says: curves that coincide are named together, the group once.
    percent : pandas.DataFrame
        Columns ``mean`` and ``std`` over the trials, by rank.
    style : CurveStyle
        How it is drawn.
    quoted : bool
        Whether it was published by others: its markers are hollow.
    """

    group: str
    name: str
    percent: pd.DataFrame
    style: CurveStyle
    quoted: bool = False

    @property
    def first(self) -> float:
        """Mean at the lowest rank."""
        return float(self.percent["mean"].iloc[0])

    @property
    def rank_1(self) -> str:
        """Mean and deviation at rank 1 in words; a dash where the curve begins later."""
        if self.percent.index[0] != 1:
            return "–"
        mean, deviation = self.percent.iloc[0]
        return f"{mean:.1f}" if np.isnan(deviation) else f"{mean:.1f} ± {deviation:.1f}"

    def coincides(self, other: Curve) -> bool:
        """Whether the two look the same: equal means and deviations at equal ranks."""
        return (self.group, self.quoted) == (other.group, other.quoted) and (
            self.percent.index.equals(other.percent.index)
            and np.allclose(self.percent, other.percent, equal_nan=True)
        )


def cmc_curves(
    scores: pd.DataFrame,
    *,
    probes: int | None = None,
    max_rank: int | None = None,
    title: str | None = None,
) -> Figure:
    """Cumulative match characteristic, one curve per features and metric.

    A curve is the mean over the trials with a band of one standard deviation (ddof 1; no band for
    one trial). Colour tells the metric, line and marker tell the features: baselines dashed, the
    untrained network dotted, the network thick. The legend is sorted by rank-1. Metrics whose
    curves coincide share a line. Of more than :data:`MOST` lines the best one of each kind of
    features is drawn, then the best of the others, and the title says so.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``dataset, protocol, trial, features, metric, measure, value``; measures ``rank-k``
        as fractions are drawn, others left aside. One dataset, one protocol.
    probes : int, optional
        Number of probes of a trial, for the title.
    max_rank : int, optional
        Last rank drawn. A curve ends earlier where the gallery does.
    title : str, optional
        First line of the title; "CMC on <dataset>" without it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        For scores that cannot be averaged (see :func:`~wherewhen.reporting.checks.require_scores`)
        or without any rank.

    Notes
    -----
    As the paper's Fig 9, with the deviation over trials that it leaves out.
    """
    require_scores(scores)
    curves = _up_to(scores, max_rank).groupby(["features", "metric"])
    drawn = [
        Curve(
            describe_features(key[0]),
            describe_metric(key[1]),
            _over_trials(rows, ", ".join(key)),
            curve_style(*key),
        )
        for key, rows in sorted(curves, key=lambda item: sort_key(*item[0]))
    ]
    trials = scores["trial"].nunique()
    facts = [f"protocol {scores['protocol'].iloc[0]}", over_trials(trials)]
    if probes is not None:
        facts.append(f"{probes} probes" + (" each" if trials > 1 else ""))
    return _draw(drawn, title or f"CMC on {scores['dataset'].iloc[0]}", ", ".join(facts))


def row_cmc_curves(table: pd.DataFrame, *, title: str, facts: str = "") -> Figure:
    """Cumulative match characteristic of the rows of an experiment.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`wherewhen.reporting.cmc.cmc_table` returns it.
    title, facts : str
        First and second line of the title; the facts say data set, protocol and trials.

    Returns
    -------
    matplotlib.figure.Figure
        A curve a row, the mean over the trials, with a band of one standard deviation; quoted rows
        dotted, with hollow markers at the ranks that were published, up to the last rank of ours.
        The legend is sorted by rank-1 and holds it with its deviation. Of more than :data:`MOST`
        rows all our own are drawn, then the best quoted ones, and the title says so.

    Raises
    ------
    ValueError
        For a table that is empty or lacks a column.

    Notes
    -----
    As the paper's Fig 9.
    """
    require_table(table, ("row", "quoted", "trial", "rank", "value"), "CMC of rows")
    ours = ~table["quoted"].astype(bool)
    last = table.loc[ours if ours.any() else ~ours, "rank"].max()  # the gallery ends there
    drawn = []
    within = table[table["rank"] <= last]
    for index, (row, ranks) in enumerate(within.groupby("row", sort=False)):
        style, quoted = row_style(index), bool(ranks["quoted"].iloc[0])
        if quoted:
            style = replace(style, line=":", width=1.2, order=3)
        name = f"{row} (quoted)" if quoted else str(row)
        drawn.append(Curve("", name, _over_trials(ranks, name), style, quoted))
    own = sum(not curve.quoted for curve in drawn)
    return _draw(drawn, title, facts, max(MOST, own))


def _up_to(scores: pd.DataFrame, max_rank: int | None) -> pd.DataFrame:
    ranked = with_ranks(scores)
    if max_rank is not None:
        ranked = ranked[ranked["rank"] <= max_rank]
    if ranked.empty:
        measures = ", ".join(sorted(scores["measure"].unique()))
        raise ValueError(
            f"scores: no measure rank-1 ... rank-{max_rank or 'k'} to draw; there are {measures}."
        )
    return ranked


def _over_trials(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Percent over the trials at the ranks that all of them have: columns mean and std."""
    percent = percent_over_trials(rows)
    if percent.empty:
        raise ValueError(f"scores: the trials of {name} share no rank.")
    return percent


def _named_together(curves: Sequence[Curve]) -> list[Curve]:
    """Merge curves that coincide, under all their names."""
    merged: list[Curve] = []
    for curve in curves:
        for place, other in enumerate(merged):
            if curve.coincides(other):
                merged[place] = replace(other, name=f"{other.name}, {curve.name}")
                break
        else:
            merged.append(curve)
    return merged


def _chosen(curves: Sequence[Curve], most: int) -> list[Curve]:
    """Return at most so many, the best first: ours, of each group one, the best."""
    best = sorted(curves, key=lambda curve: -curve.first)
    groups: dict[str, Curve] = {}
    for curve in best:
        groups.setdefault(curve.group, curve)
    ahead = sorted(best, key=lambda curve: (curve.quoted, groups[curve.group] is not curve))
    kept = {id(curve) for curve in ahead[:most]}
    return [curve for curve in best if id(curve) in kept]


def _draw(curves: Sequence[Curve], title: str, facts: str, most: int = MOST) -> Figure:
    lines = _named_together(curves)
    shown = _chosen(lines, most)
    if len(shown) < len(lines):
        facts = f"{facts}; {len(shown)} of {len(lines)} lines".removeprefix("; ")
    figure = new_figure(9.6, 5.6)
    axes = figure.add_subplot()
    width = max(len(curve.rank_1) for curve in shown)
    for curve in shown:
        between = ": " if curve.group == FUSION else " + "
        names = f"{curve.group}{between}{curve.name}" if curve.group else curve.name
        _draw_curve(axes, curve, f"{curve.rank_1.ljust(width)}  {names}")
    _finish(axes, [curve.percent for curve in shown])
    head(axes, title, facts)
    return figure


def _draw_curve(axes: Axes, curve: Curve, label: str) -> None:
    style = curve.style
    ranks = curve.percent.index.to_numpy(dtype=int)
    mean, deviation = curve.percent["mean"].to_numpy(), curve.percent["std"].to_numpy()
    if not np.isnan(deviation).any():
        low, high = (np.clip(mean + sign * deviation, 0, 100) for sign in (-1, 1))
        axes.fill_between(ranks, low, high, color=style.colour, alpha=0.10, linewidth=0, zorder=1)
    face, edge, edge_width = (
        ("white", style.colour, 1.2) if curve.quoted else (style.colour, "white", 0.6)
    )
    axes.plot(
        ranks, mean, style.line, color=style.colour, linewidth=style.width, zorder=style.order,
        marker=style.marker, markersize=5, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=edge_width, label=label,
    )  # fmt: skip


def _finish(axes: Axes, curves: Sequence[pd.DataFrame]) -> None:
    from matplotlib.ticker import PercentFormatter

    last = max(int(curve.index.max()) for curve in curves)
    lowest = min((curve["mean"] - curve["std"].fillna(0)).min() for curve in curves)
    axes.set_xlim(0.7, max(last, 2) + 0.3)
    axes.set_ylim(max(0, 10 * np.floor(lowest / 10)), 101)
    axes.set_xticks([1, *range(5, last + 1, 5)] if last > 10 else range(1, last + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(100, decimals=0))
    axes.set_xlabel("rank", fontsize=TEXT + 1)
    axes.set_ylabel("probes with their match up to this rank", fontsize=TEXT + 1)
    tidy(axes)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=TEXT,
        title="rank-1 (%), best first", title_fontsize=TEXT, alignment="left", handlelength=3.2,
        labelspacing=0.9,
    )  # fmt: skip


def _draw_rows(table: pd.DataFrame, title: str) -> Figure:
    """Draw the rows of an experiment; the facts name protocol and trials of our own."""
    ours = table[~table["quoted"].astype(bool)]
    trials = ours.groupby("row")["trial"].nunique()
    facts = f"protocol {ours['protocol'].iloc[0]}, {over_trials(trials.min(), trials.max())}"
    return row_cmc_curves(table, title=title, facts=facts)


_ALT = "Cumulative match characteristic: the share of probes found, rising with the rank."

KINDS = (
    FigureKind(
        "cmc_curves",
        "report",
        cmc_curves,
        "The share of probes whose match is among the first k of the gallery.",
        _ALT,
        ("scores",),
    ),
    FigureKind(
        "cmc",
        "experiment",
        _draw_rows,
        "The share of probes whose match is among the first k of the gallery, by row (the paper’s "
        "Fig 9).",
        _ALT,
        ("scores", "published"),
        table=cmc_table,
    ),
)
