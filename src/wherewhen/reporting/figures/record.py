"""Reporting: the record of a figure, which pipelines, experiments and pages read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FigureKind:
    """A figure: what it is drawn from, how, and what is said of it.

    Parameters
    ----------
    name : str
        Name of its file, and of its data set after ``figure_``.
    stage : {"report", "analyse", "experiment"}
        Where it is drawn: once a run, once a trial, or of the rows of an experiment.
    draw : callable
        Takes what `needs` names, by position, and returns a figure. Where the figure shows
        `people`, a :class:`~wherewhen.tracklets.pictures.TrackletPictures` comes first: no other
        figure gets at a frame. Those of `analyse` take a keyword `title`, to which they add the
        trial. Those of `experiment` take what `table` returns, and `title`.
    caption, description : str
        A sentence under the figure, and one for readers who cannot see it.
    needs : tuple of str
        Names of data sets and parameters. In `report`, ``{trial}`` is the first trial and a name
        with ``{trials}`` stands for one data set a trial; in `analyse` the names are a trial's own.
        The figure is left out of a run that makes none of these. In `experiment` a name stands for
        a mapping by row: ``scores`` (those that the row shows), ``published`` (quoted rows: rank to
        fraction), ``{trials}.x`` (a mapping by trial), or a parameter.
    people : bool
        Whether it shows frames of people.
    table : callable, optional
        For `experiment`: takes what `needs` names and returns the table that is drawn.
    all_trials : bool
        For `analyse`: whether an experiment draws the tables of all trials, one under another; else
        the first trial's.

    See Also
    --------
    wherewhen.reporting.figures.FIGURES : All records by name.
    wherewhen.pipelines.figures.figure_nodes : Makes the nodes that draw them.

    Examples
    --------
    >>> from wherewhen.reporting.figures import FIGURES
    >>> FIGURES["cmc_curves"].needs, FIGURES["cmc_curves"].people
    (('scores',), False)
    """

    name: str
    stage: Literal["report", "analyse", "experiment"]
    draw: Callable[..., Figure]
    caption: str
    description: str
    needs: tuple[str, ...] = ()
    people: bool = False
    table: Callable[..., pd.DataFrame] | None = None
    all_trials: bool = False
