"""Reporting: curves of held-out persons, over lambda (Fig 5 a) and over the epochs (Fig 5 b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.reporting.checks import require_table
from wherewhen.reporting.figures.canvas import SMALL, TEXT, head, new_figure, over_trials, tidy
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.style import BLUE, MUTED, VERMILION, row_style
from wherewhen.reporting.validation import MEASURES, convergence_table, penalty_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OVER_LAMBDA = {
    "validation_loss": "loss (Eq 9, λ's penalty in it)",
    "validation_map": "mAP (knows no λ)",
}


def loss_over_lambda(penalties: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draw validation loss and mAP over lambda, the weight of the attention penalty.

    Parameters
    ----------
    penalties : pandas.DataFrame
        As :func:`wherewhen.reporting.validation.penalty_table` returns it.
    title : str, optional
        First line of the title.

    Returns
    -------
    matplotlib.figure.Figure
        Points are trials, the line is their mean, bars are one standard deviation (ddof 1; none for
        one trial). The best mean is marked, several where they are equal. Lambdas are evenly
        spaced, whatever their values.

    Raises
    ------
    ValueError
        For a table that is empty or lacks a column.

    Notes
    -----
    Left as the paper's Fig 5 (a). Right what it leaves out: losses of two lambdas are not the same
    measure, mAP is.
    """
    from matplotlib.ticker import PercentFormatter

    require_table(penalties, ("penalty_weight", "trial", *MEASURES), "penalties")
    figure = new_figure(9.6, 4.4)
    panels = figure.subplots(1, 2)
    for axes, (measure, name) in zip(panels, _OVER_LAMBDA.items(), strict=True):
        _draw_over_lambda(axes, penalties, measure)
        axes.set_ylabel(name, fontsize=TEXT + 1)
        axes.set_xlabel("λ, weight of the attention penalty", fontsize=TEXT + 1)
        tidy(axes)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[1].set_ylim(top=min(1.02, panels[1].get_ylim()[1]))
    facts = f"{over_trials(penalties['trial'].nunique())}, at the end of each training; ◯ best mean"
    head(panels[0], title or "Validation over λ", facts)
    return figure


def convergence(table: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draw the losses of several rows of an experiment over the epochs.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`wherewhen.reporting.validation.convergence_table` returns it.
    title : str, optional
        First line of the title.

    Returns
    -------
    matplotlib.figure.Figure
        Left the loss of the training, right that of the held-out persons where it was measured; a
        thick line a row, the mean over the trials at the epochs that all of them have, and a thin
        one each trial.

    Raises
    ------
    ValueError
        For a table that is empty or lacks a column.

    Notes
    -----
    As the paper's Fig 5 (b), with rows in place of data sets. Only losses of the same lambda
    compare.
    """
    from matplotlib.ticker import MaxNLocator

    require_table(table, ("row", "trial", "epoch", "loss", "validation_loss"), "convergence")
    rows = list(dict.fromkeys(table["row"]))
    figure = new_figure(10.4, 4.6)
    training, validation = figure.subplots(1, 2, sharex=True)
    for axes, column, name in (
        (training, "loss", "training loss"),
        (validation, "validation_loss", "validation loss"),
    ):
        for index, row in enumerate(rows):
            _draw_course(axes, table[table["row"] == row], column, row, index)
        axes.set_xlabel("epoch", fontsize=TEXT + 1)
        axes.set_ylabel(name, fontsize=TEXT + 1)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        tidy(axes)
    if not validation.lines:
        validation.text(
            0.5, 0.5, "nobody was held out", transform=validation.transAxes,
            ha="center", fontsize=TEXT, color=MUTED,
        )  # fmt: skip
    training.legend(frameon=False, fontsize=SMALL + 0.5, loc="upper right", handlelength=3)
    trials = table.groupby("row")["trial"].nunique().max()
    facts = "1 trial" if trials == 1 else f"{trials} trials; thin each trial, thick their mean"
    head(training, title or "Convergence", facts)
    return figure


def _draw_over_lambda(axes: Axes, penalties: pd.DataFrame, measure: str) -> None:
    groups = penalties.groupby("penalty_weight")[measure]
    mean, deviation = groups.mean(), groups.std(ddof=1)
    weights = mean.index.to_list()
    places = np.arange(len(weights))
    trials = penalties["penalty_weight"].map(weights.index)
    axes.plot(trials, penalties[measure], "o", color=BLUE, alpha=0.35, markersize=4, linewidth=0)
    spread = None if deviation.isna().all() else deviation
    axes.errorbar(places, mean, spread, color=BLUE, linewidth=2, capsize=3, label="mean")
    best = np.isclose(mean, mean.min() if measure == "validation_loss" else mean.max())
    axes.plot(
        places[best], mean[best], "o", markersize=13, markerfacecolor="none",
        markeredgecolor=VERMILION, markeredgewidth=2, label="best",
    )  # fmt: skip
    axes.set_xticks(places, [f"{weight:g}" for weight in weights])
    axes.set_xlim(-0.4, len(weights) - 0.6)


def _draw_course(axes: Axes, rows: pd.DataFrame, column: str, name: str, index: int) -> None:
    courses = rows.pivot(index="epoch", columns="trial", values=column).dropna()
    if courses.empty:
        return
    style = row_style(index)
    mean = courses.mean(axis=1)
    if courses.shape[1] > 1:
        axes.plot(courses.index, courses, color=style.colour, linewidth=0.6, alpha=0.3)
    axes.plot(
        mean.index, mean, style.line, color=style.colour, linewidth=style.width, label=name,
        marker=style.marker, markersize=5, markevery=max(1, len(mean) // 8),
        markeredgecolor="white", markeredgewidth=0.6,
    )  # fmt: skip


KINDS = (
    FigureKind(
        "loss_over_lambda",
        "experiment",
        loss_over_lambda,
        "Held-out persons by the weight λ of the attention penalty (the paper’s Fig 5 a).",
        "Loss and mAP of held-out persons over the weight of the penalty.",
        ("{trials}.history", "params:train.training.penalty_weight"),
        table=lambda histories, weights: penalty_table(convergence_table(histories), weights),
    ),
    FigureKind(
        "convergence",
        "experiment",
        convergence,
        "Losses of training and held-out persons by epoch (the paper’s Fig 5 b).",
        "Lines of the losses over the epochs, one for each row.",
        ("{trials}.history",),
        table=convergence_table,
    ),
)
