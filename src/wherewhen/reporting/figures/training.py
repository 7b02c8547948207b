"""Reporting: the course of a training, a panel for each measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from wherewhen.reporting.checks import require_table
from wherewhen.reporting.figures.canvas import SMALL, TEXT, head, new_figure, tidy
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.style import BLUE, INK, VERMILION
from wherewhen.tracklets.splits import trial_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = {
    "loss": "loss",
    "cross_entropy": "cross entropy",
    "penalty": "attention penalty",
    "pair_accuracy": "pair accuracy",
    "gradient_norm": "gradient norm",
    "pairs_per_second": "pairs per second",
}
_HISTORY_COLUMNS = ("step", *_PANELS, "validation_loss")


def training_curves(
    histories: Mapping[str, pd.DataFrame], *, smoothing: int | None = None, title: str = "Training"
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
        Steps of the running mean of the thick line; 1 for none, by default a fiftieth of the
        steps. Thin lines and the validation loss are never smoothed.
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
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

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
    if all((history["gradient_norm"] > 0).all() for history in histories.values()):
        norm.set_yscale("log")
        norm.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        norm.yaxis.set_major_formatter("{x:g}")
        norm.yaxis.set_minor_formatter(NullFormatter())
    speed.set_ylim(bottom=0)
    head(loss, title, _facts(len(histories), smoothing), above=26)
    return figure


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


def _facts(trials: int, smoothing: int) -> str:
    running = f", a running mean over {smoothing} steps" if smoothing > 1 else ""
    if trials == 1:
        return "1 trial" + (f"; thick{running}" if running else "")
    return f"{trials} trials; thin each trial, thick their mean{running}"


def _mean_of_trials(histories: Mapping[str, pd.DataFrame], column: str) -> pd.Series:
    """Mean at the steps that every trial has, so that a shorter trial makes no jump."""
    columns = [history.set_index("step")[column] for history in histories.values()]
    return pd.concat(columns, axis=1, join="inner").sort_index().mean(axis=1)


def _draw_trials(*histories: pd.DataFrame) -> Figure:
    return training_curves({trial_name(trial): history for trial, history in enumerate(histories)})


KINDS = (
    FigureKind(
        "training_curves",
        "report",
        _draw_trials,
        "Loss, its terms, pair accuracy, gradient norm and speed, by step.",
        "Six panels with lines over the steps of the training.",
        ("{trials}.history",),
    ),
)
