"""Draws the figures of an experiment's finished trials and saves them with their tables.

The figures themselves are in :mod:`wherewhen.reporting.figures`. Artifacts that a figure needs and
a trial lacks are made by the pipeline ``analyse`` first.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.experiments.config import Experiment, ExperimentError
from wherewhen.experiments.results import Results
from wherewhen.experiments.rows import Request
from wherewhen.pipelines.types import Figure
from wherewhen.project import from_root
from wherewhen.reporting.figures import FIGURES, FigureKind
from wherewhen.reporting.figures.canvas import save_figure
from wherewhen.tracking import Tracker
from wherewhen.tracklets.pictures import TrackletPictures

log = logging.getLogger(__name__)

DEFAULT = "cmc"
"""Figure of an experiment that names none."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure and its data."""

    name: str
    figure: Figure
    table: pd.DataFrame


def make_figures(experiment: Experiment, request: Request) -> list[Path]:
    """Draw an experiment's figures, save them with their tables, and log them to MLflow.

    Parameters
    ----------
    experiment : Experiment
        Of the environment; its ``figure`` is drawn, without it :data:`DEFAULT`.
    request : Request
        As the experiment was run with.

    Returns
    -------
    list of Path
        The pictures and tables, under ``data/08_reporting/<data set>/experiments/<experiment>``.

    Raises
    ------
    ExperimentError
        If nothing is finished, or all rows are quoted.
    """
    results, name = Results.of(experiment, request), experiment.name
    if not results.rows:
        raise ExperimentError(f"experiment {name}: all rows are quoted, none is drawn")
    if not results.trials:
        raise ExperimentError(
            f"experiment {name}: no trial of any row is finished on {results.dataset}; run "
            f"`kedro experiment run {name}` first"
        )
    if missing := [row for row in results.rows if row not in results.trials]:
        log.warning("%s: not finished, so left out: %s", name, ", ".join(missing))
    drawn = list(pictures(FIGURES[experiment.figure or DEFAULT], results))
    paths = [path for picture in drawn for path in save(picture, results.folder)]
    tags = {"experiment": name, "dataset": results.dataset, "stage": "figures"}
    run = f"{name} · figures · {results.dataset}"
    with Tracker.of_its_own(results.dataset, run, tags) as tracker:
        for path in paths:
            tracker.log_file(path, "figures")
    return paths


def pictures(kind: FigureKind, results: Results) -> Iterator[Picture]:
    """Draw a figure: one picture of all rows, or one of each row if its stage is ``analyse``."""
    title = f"{results.experiment.title}, {results.dataset}"
    if kind.stage == "experiment":
        table = kind.table(*map(results.by_row, kind.needs))
        yield Picture(kind.name, kind.draw(table, title=title), table)
        return
    for row, trials in results.trials.items():
        chosen = trials if kind.all_trials else trials[:1]
        inputs = [_over(results, row, chosen, need) for need in kind.needs]
        frames = [_frames(results, row)] if kind.people else []
        alone = len(results.trials) == 1
        slug = re.sub(r"\W+", "_", row.lower()).strip("_")
        figure = kind.draw(*frames, *inputs, title=title if alone else f"{title}: {row}")
        yield Picture(kind.name if alone else f"{kind.name}_{slug}", figure, inputs[0])


def save(picture: Picture, folder: Path) -> list[Path]:
    """Write a picture (PNG, PDF) and the table behind it (CSV) under the same name."""
    drawn = save_figure(picture.figure, folder / f"{picture.name}.png")
    table = folder / f"{picture.name}.csv"
    with replacing(table) as partial:
        picture.table.to_csv(partial, index=False)
    return [*drawn, table]


def _over(results: Results, row: str, trials: list[str], need: str) -> Any:
    """Return what is needed of trials; tables of several are put under one another."""
    values = [results.of_trial(row, trial, need) for trial in trials]
    return values[0] if len(values) == 1 else pd.concat(values, ignore_index=True)


def _frames(results: Results, row: str) -> TrackletPictures:
    """Return the frames, as the stage ``ingest`` left them."""
    root, frames = (results.rows[row].load(name) for name in ("frames_root", "frames"))
    return TrackletPictures(from_root(root), frames)
