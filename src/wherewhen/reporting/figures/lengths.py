"""Reporting: rank-1 over the lengths of probe and gallery, as a map with its numbers (Fig 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wherewhen.reporting.checks import require_table
from wherewhen.reporting.figures.canvas import SMALL, TEXT, head, new_figure, over_trials
from wherewhen.reporting.figures.record import FigureKind
from wherewhen.reporting.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

_COLOURS = "cividis"  # made to look alike with and without colour-blindness
_COLUMNS = ("trial", "probe_frames", "gallery_frames", "probes_shorter", "gallery_shorter")


def length_map(matrices: pd.DataFrame, *, measure: str = "rank-1", title: str) -> Figure:
    """Draw a measure over the lengths of probes (rows) and gallery (columns).

    Parameters
    ----------
    matrices : pandas.DataFrame
        Columns ``trial`` and those of :func:`wherewhen.retrieval.lengths.length_matrix`; one row a
        trial and pair of lengths.
    measure : {"rank-1", "mAP"}
        What is drawn.
    title : str
        First line of the title.

    Returns
    -------
    matplotlib.figure.Figure
        Every cell is the mean over the trials in percent, in a colour and as a number, with the
        standard deviation (ddof 1) under it where there are several trials. Under a length stands
        how many of the tracklets are shorter: they gave all the frames that they have.

    Raises
    ------
    ValueError
        For a table that is empty or lacks a column, and for a pair of lengths that a trial lacks or
        has twice.

    Notes
    -----
    The paper's Fig 7 draws these numbers as bars in three dimensions, which cover one another.
    """
    from matplotlib.colors import Normalize

    require_table(matrices, (*_COLUMNS, measure), "length matrix")
    _require_all_pairs(matrices)
    cells = matrices.pivot_table(
        index="probe_frames", columns="gallery_frames", values=measure, aggfunc=["mean", "std"],
        dropna=False,
    )  # fmt: skip
    mean, deviation = 100 * cells["mean"], 100 * cells["std"]
    trials = matrices["trial"].nunique()
    rows, columns = mean.shape
    figure = new_figure(2.9 + 0.72 * columns, 1.9 + 0.6 * rows)
    axes = figure.add_subplot()
    norm = Normalize(mean.to_numpy().min(), max(mean.to_numpy().max(), mean.to_numpy().min() + 1))
    image = axes.imshow(mean, cmap=_COLOURS, norm=norm, origin="lower", aspect="auto")
    _write_numbers(axes, mean.to_numpy(), deviation.to_numpy() if trials > 1 else None, norm)
    _name_lengths(axes, matrices, mean)
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05)
    bar.set_label(f"{measure}, percent", fontsize=TEXT, color=INK)
    bar.ax.tick_params(labelsize=TEXT, colors=INK)
    bar.outline.set_visible(False)
    head(axes, title, f"probes' first frames, gallery's last; {over_trials(trials)}")
    return figure


def _require_all_pairs(matrices: pd.DataFrame) -> None:
    keys = ["trial", "probe_frames", "gallery_frames"]
    twice = matrices[matrices.duplicated(keys)]
    if not twice.empty:
        raise ValueError(
            f"length matrix: {_pair(twice.iloc[0])} stands there twice; expected one row a pair."
        )
    full = pd.MultiIndex.from_product([matrices[key].unique() for key in keys], names=keys)
    missing = full.difference(pd.MultiIndex.from_frame(matrices[keys]))
    if len(missing):
        raise ValueError(
            f"length matrix: {_pair(dict(zip(keys, missing[0], strict=True)))} is missing; "
            "a mean over some of the trials would mislead."
        )


def _pair(row: pd.Series | dict) -> str:
    return f"{row['trial']}, {row['probe_frames']} against {row['gallery_frames']} frames"


def _write_numbers(
    axes: Axes, mean: np.ndarray, deviation: np.ndarray | None, norm: Normalize
) -> None:
    import matplotlib

    colours = matplotlib.colormaps[_COLOURS](norm(mean))
    light = colours[..., :3] @ np.array([0.299, 0.587, 0.114]) > 0.5  # luma of ITU-R BT.601
    for (row, column), value in np.ndenumerate(mean):
        colour = INK if light[row, column] else "white"
        above = 0 if deviation is None else 0.13
        style = {"ha": "center", "va": "center", "color": colour}
        axes.text(column, row + above, f"{value:.1f}", fontsize=TEXT, **style)
        if deviation is not None:
            words = f"± {deviation[row, column]:.1f}"
            axes.text(column, row - 0.24, words, fontsize=SMALL - 0.5, **style)


def _name_lengths(axes: Axes, matrices: pd.DataFrame, mean: pd.DataFrame) -> None:
    probes = matrices.groupby("probe_frames")["probes_shorter"].mean()
    gallery = matrices.groupby("gallery_frames")["gallery_shorter"].mean()
    axes.set_yticks(range(len(probes)), _with_shares(probes), fontsize=TEXT)
    axes.set_xticks(range(len(gallery)), _with_shares(gallery), fontsize=TEXT)
    axes.set_ylabel("frames of a probe (% shorter)", fontsize=TEXT + 1)
    axes.set_xlabel("frames of a gallery tracklet (% shorter)", fontsize=TEXT + 1)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_color(MUTED)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(mean.shape[1] - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(mean.shape[0] - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)


def _with_shares(shorter: pd.Series) -> list[str]:
    return [
        f"{frames}\n({100 * share:.0f} %)" if share else f"{frames}"
        for frames, share in shorter.items()
    ]


def _draw(matrices: pd.DataFrame, title: str = "") -> Figure:
    where = f"{matrices.dataset.iloc[0]}, protocol {matrices.protocol.iloc[0]}"
    return length_map(matrices, title=title or f"Rank-1 over lengths, {where}")


KINDS = (
    FigureKind(
        "lengths",
        "analyse",
        _draw,
        "Rank-1 when probes and gallery are cut to so many frames (the paper’s Fig 7).",
        "Heat map of rank-1 over the lengths of probes and gallery.",
        ("length_matrix",),
        all_trials=True,
    ),
)
