"""Reporting: curves, the cumulative match characteristic and the course of a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from wherewhen.reporting.checks import require_scores, require_table
from wherewhen.reporting.figures.canvas import SMALL, TEXT, head, new_figure, tidy
from wherewhen.reporting.style import (
    BLUE,
    INK,
    MUTED,
    VERMILION,
    CurveStyle,
    curve_style,
    describe,
    row_style,
)

_PANELS = {
    "loss": "loss",
    "cross_entropy": "cross entropy",
    "penalty": "attention penalty",
    "pair_accuracy": "pair accuracy",
    "gradient_norm": "gradient norm",
    "pairs_per_second": "pairs per second",
}
BANDS = 8
"""Curves whose deviations can be drawn into one panel and still be told apart."""

_HISTORY_COLUMNS = ("step", *_PANELS, "validation_loss")


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
    untrained network dotted, the network thick. The legend is sorted by rank-1.

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
    ranked = _with_ranks(scores, max_rank)
    curves = {
        key: _over_trials(rows, ", ".join(key))
        for key, rows in ranked.groupby(["features", "metric"])
    }
    drawn = [
        _Curve(describe(*key), curve, curve_style(*key)) for key, curve in sorted(curves.items())
    ]
    figure, axes = _draw_cmcs(drawn)
    head(axes, title or f"CMC on {scores['dataset'].iloc[0]}", _facts(scores, probes))
    return figure


def row_cmc_curves(table: pd.DataFrame, *, title: str, facts: str = "") -> Figure:
    """Cumulative match characteristic of all rows of an experiment.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`wherewhen.reporting.cmc.cmc_table` returns it.
    title, facts : str
        First and second line of the title; the facts say data set, protocol and trials.

    Returns
    -------
    matplotlib.figure.Figure
        A curve a row, the mean over the trials, with a band of one standard deviation while there
        are at most :data:`BANDS` rows; quoted rows dotted, with hollow markers at the ranks that
        were published. The legend is sorted by rank-1 and holds it with its deviation.

    Raises
    ------
    ValueError
        For a table that is empty or lacks a column.

    Notes
    -----
    As the paper's Fig 9.
    """
    require_table(table, ("row", "quoted", "trial", "rank", "value"), "CMC of rows")
    drawn = []
    for index, (row, ranks) in enumerate(table.groupby("row", sort=False)):
        style, quoted = row_style(index), bool(ranks["quoted"].iloc[0])
        if quoted:
            style = replace(style, line=":", width=1.2, order=3)
        name = f"{row} (quoted)" if quoted else str(row)
        drawn.append(_Curve(name, _over_trials(ranks, name), style, hollow=quoted))
    figure, axes = _draw_cmcs(drawn, bands=len(drawn) <= BANDS)
    head(axes, title, facts)
    return figure


def training_curves(
    histories: Mapping[str, pd.DataFrame],
    *,
    smoothing: int | None = None,
    title: str = "Training",
) -> Figure:
    """Course of the training in small multiples, thin lines per trial and their mean.

    Panels: loss (with the validation loss, as the paper's Fig 5 b), its two terms (Eq 9), pair
    accuracy, gradient norm and speed.

    Parameters
    ----------
    histories : mapping of str to pandas.DataFrame
        Trial to history: columns ``step, loss, cross_entropy, penalty, gradient_norm,
        pair_accuracy, pairs_per_second, validation_loss`` (NaN where not evaluated).
    smoothing : int, optional
        Steps of the running mean that the thick line goes through; 1 for none, a fiftieth of the
        steps without it. Thin lines and the validation loss are never smoothed.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without any history, for an empty one, or one that lacks a column.
    """
    if not histories:
        raise ValueError("histories: expected at least one trial's history, got none.")
    for trial, history in histories.items():
        require_table(history, _HISTORY_COLUMNS, f"history of {trial}")
    if smoothing is None:
        smoothing = max(1, max(len(history) for history in histories.values()) // 50)
    if smoothing < 1:
        raise ValueError(f"smoothing: expected at least 1 step, got {smoothing}.")

    figure = new_figure(11, 6)
    panels = figure.subplots(2, 3, sharex=True)
    for axes, (column, name) in zip(panels.flat, _PANELS.items(), strict=True):
        _draw_history(axes, histories, column, smoothing)
        axes.text(0, 1.03, name, transform=axes.transAxes, fontsize=TEXT + 1, color=INK)
        tidy(axes)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for axes in panels[1]:
        axes.set_xlabel("step", fontsize=TEXT)
    loss, _, penalty, accuracy, norm, speed = panels.flat
    _draw_validation(loss, histories)
    penalty.yaxis.set_major_formatter("{x:g}")  # a factor above the axis would cover the name
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _log_scale_if_positive(norm, histories)
    speed.set_ylim(bottom=0)

    head(loss, title, _line_legend(len(histories), smoothing), above=26)
    return figure


def _with_ranks(scores: pd.DataFrame, max_rank: int | None) -> pd.DataFrame:
    rank = scores["measure"].str.extract(r"^rank-(\d+)$", expand=False).astype("Int64")
    ranked = scores.assign(rank=rank).dropna(subset="rank")
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
    values = rows.pivot(index="rank", columns="trial", values="value").sort_index().dropna()
    if values.empty:
        raise ValueError(f"scores: the trials of {name} share no rank.")
    return 100 * pd.DataFrame({"mean": values.mean(axis=1), "std": values.std(axis=1, ddof=1)})


@dataclass(frozen=True, eq=False)
class _Curve:
    """A curve in percent over ranks, what it is called and how it is drawn."""

    name: str
    percent: pd.DataFrame
    style: CurveStyle
    hollow: bool = False

    @property
    def rank_1(self) -> str:
        if self.percent.index[0] != 1:
            return "–"
        mean, deviation = self.percent.iloc[0]
        return f"{mean:.1f}" if np.isnan(deviation) else f"{mean:.1f} ± {deviation:.1f}"


def _draw_cmcs(curves: Sequence[_Curve], bands: bool = True) -> tuple[Figure, Axes]:
    figure = new_figure(9.6, max(5.6, 1.2 + 0.26 * len(curves)))
    axes = figure.add_subplot()
    width = max(len(curve.rank_1) for curve in curves)
    for curve in sorted(curves, key=lambda curve: -curve.percent["mean"].iloc[0]):
        _draw_cmc(axes, curve, curve.rank_1.ljust(width), bands)
    _finish_cmc(axes, [curve.percent for curve in curves])
    return figure, axes


def _draw_cmc(axes: Axes, curve: _Curve, rank_1: str, band: bool) -> None:
    style = curve.style
    ranks = curve.percent.index.to_numpy(dtype=int)
    mean, deviation = curve.percent["mean"].to_numpy(), curve.percent["std"].to_numpy()
    if band and not np.isnan(deviation).any():
        low, high = (np.clip(mean + sign * deviation, 0, 100) for sign in (-1, 1))
        axes.fill_between(ranks, low, high, color=style.colour, alpha=0.10, linewidth=0, zorder=1)
    face, edge, edge_width = (
        ("white", style.colour, 1.2) if curve.hollow else (style.colour, "white", 0.6)
    )
    axes.plot(
        ranks, mean, style.line, color=style.colour, linewidth=style.width, zorder=style.order,
        marker=style.marker, markersize=5, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=edge_width, label=f"{rank_1}  {curve.name}",
    )  # fmt: skip


def _finish_cmc(axes: Axes, curves: Sequence[pd.DataFrame]) -> None:
    last = max(int(curve.index.max()) for curve in curves)
    lowest = min((curve["mean"] - curve["std"].fillna(0)).min() for curve in curves)
    axes.set_xlim(0.7, max(last, 2) + 0.3)
    axes.set_ylim(max(0, 10 * np.floor(lowest / 10)), 101)
    axes.set_xticks([1, *range(5, last + 1, 5)] if last > 10 else range(1, last + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(100, decimals=0))
    axes.set_xlabel("rank", fontsize=TEXT + 1)
    axes.set_ylabel("probes with their match up to this rank", fontsize=TEXT + 1)
    tidy(axes)
    legend = axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=TEXT,
        title="rank-1 (%), best first", alignment="left", handlelength=3.2, labelspacing=0.7,
    )  # fmt: skip
    legend.get_title().set(fontsize=TEXT, color=MUTED)


def _facts(scores: pd.DataFrame, probes: int | None) -> str:
    trials = scores["trial"].nunique()
    spread = "1 trial" if trials == 1 else f"mean ± standard deviation over {trials} trials"
    facts = [f"protocol {scores['protocol'].iloc[0]}", spread]
    if probes is not None:
        facts.append(f"{probes} probes" + (" each" if trials > 1 else ""))
    return ", ".join(facts)


def _draw_history(
    axes: Axes, histories: Mapping[str, pd.DataFrame], column: str, smoothing: int
) -> None:
    for trial, history in histories.items():
        axes.plot(
            history["step"], history[column],
            color=BLUE, alpha=0.28, linewidth=0.7, label=f"_{trial}",
        )  # fmt: skip
    mean = _mean_of_trials(histories, column)
    smooth = mean.rolling(smoothing, center=True, min_periods=1).mean()
    axes.plot(smooth.index, smooth, color=BLUE, linewidth=2, label="training")


def _draw_validation(axes: Axes, histories: Mapping[str, pd.DataFrame]) -> None:
    mean = _mean_of_trials(histories, "validation_loss").dropna()
    if mean.empty:
        return
    for trial, history in histories.items():
        known = history.dropna(subset="validation_loss")
        axes.plot(
            known["step"], known["validation_loss"],
            color=VERMILION, alpha=0.4, linewidth=0.7, label=f"_validation {trial}",
        )  # fmt: skip
    axes.plot(
        mean.index, mean, color=VERMILION, linewidth=2, marker="o", markersize=3.5,
        label="validation",
    )  # fmt: skip
    axes.legend(frameon=False, fontsize=SMALL, loc="upper right")


def _line_legend(trials: int, smoothing: int) -> str:
    running = f", a running mean over {smoothing} steps" if smoothing > 1 else ""
    if trials == 1:
        return "1 trial" + (f"; thick{running}" if running else "")
    return f"{trials} trials; thin each trial, thick their mean{running}"


def _mean_of_trials(histories: Mapping[str, pd.DataFrame], column: str) -> pd.Series:
    """Mean at the steps that every trial has, so that a shorter trial makes no jump."""
    together = pd.concat([h.set_index("step")[column] for h in histories.values()], axis=1)
    shared = set.intersection(*(set(h["step"]) for h in histories.values()))
    return together.loc[sorted(shared)].mean(axis=1)


def _log_scale_if_positive(axes: Axes, histories: Mapping[str, pd.DataFrame]) -> None:
    if all((history["gradient_norm"] > 0).all() for history in histories.values()):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
