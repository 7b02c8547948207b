"""The paper's figures of an experiment: pictures of what is finished, and the tables behind them.

Each kind of figure is a function from finished results to pictures. What needs a network (lengths,
frame weights, attention) or its rankings (failures) is measured by the pipeline ``analyse`` first,
in the trials that lack it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.experiments.config import Experiment, ExperimentError
from wherewhen.experiments.published import figures as published_figures
from wherewhen.experiments.rows import Request, ResolvedRow, make_missing, resolve
from wherewhen.experiments.tables import dataset_of
from wherewhen.pipelines.types import Figure
from wherewhen.project import from_root
from wherewhen.reporting.figures import FIGURES
from wherewhen.reporting.figures.canvas import save_figure
from wherewhen.tracking import Description, Tracker
from wherewhen.tracklets.pictures import TrackletPictures

log = logging.getLogger(__name__)

DEFAULT = "cmc"
"""What an experiment is drawn as that does not say."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure and its data."""

    name: str
    figure: Figure
    table: pd.DataFrame


class Material:
    """What there is to draw of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Of the environment.
    rows : mapping of str to ResolvedRow
        By the row's name, quoted rows left out.
    dataset : str
        The data set tested on.

    Raises
    ------
    ExperimentError
        If no trial of any row is finished.
    """

    def __init__(
        self, experiment: Experiment, rows: Mapping[str, ResolvedRow], dataset: str
    ) -> None:
        self.experiment, self.dataset = experiment, dataset
        trials = {name: row.trials for name, row in rows.items()}
        self.rows = {name: rows[name] for name, finished in trials.items() if finished}
        self.trials = {name: trials[name] for name in self.rows}
        if not self.rows:
            raise ExperimentError(
                f"experiment {experiment.name}: no trial of any row is finished on {dataset}; run "
                f"`kedro experiment run {experiment.name}` first"
            )
        if missing := [name for name in trials if name not in self.rows]:
            log.warning("%s: not finished, so left out: %s", experiment.name, ", ".join(missing))

    @property
    def title(self) -> str:
        """What the experiment is called, and on which data set it ran."""
        return f"{self.experiment.title}, {self.dataset}"

    def histories(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Return the losses by row and trial."""
        return {
            name: {trial: row.load(f"{trial}.history") for trial in self.trials[name]}
            for name, row in self.rows.items()
        }

    def scores(self) -> dict[str, pd.DataFrame]:
        """Return the scores that each row shows."""
        return {name: row.shown() for name, row in self.rows.items()}

    def quoted(self) -> dict[str, dict[int, float]]:
        """Return the published curves of the quoted rows, as fractions by rank."""
        curves = {}
        for row in self.experiment.rows:
            if row.quoted:
                found = published_figures(self.experiment.table, row.published, self.dataset)
                ranks = found.index.str.removeprefix("rank-").astype(int)
                values = dict(zip(ranks, found.value / 100, strict=True))
                curves |= {row.name: values} if values else {}
        return curves

    def analysed(self, row: str, trial: str, table: str) -> pd.DataFrame:
        """Return a table of the pipeline ``analyse``, made now if the trial lacks it."""
        view, name = self.rows[row].view, f"{trial}.{table}"
        described = Description(f"{self.experiment.name} · {row} · {trial} · {table}")
        make_missing(view, [name], described, ["analyse"])
        return view.catalog.load(name)


def make_figures(experiment: Experiment, request: Request) -> list[Path]:
    """Draw an experiment's figures, save them with their tables, and log them to MLflow.

    Parameters
    ----------
    experiment : Experiment
        Of the environment; its ``figure`` says what is drawn, without it :data:`DEFAULT`.
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
    draw = KINDS[experiment.figure or DEFAULT]
    rows = resolve(experiment, request)
    if not rows:
        raise ExperimentError(f"experiment {experiment.name}: all rows are quoted, none is drawn")
    dataset = dataset_of(request.env)
    tags = {"experiment": experiment.name, "dataset": dataset, "stage": "figures"}
    drawn = list(draw(Material(experiment, rows, dataset)))
    paths = [path for picture in drawn for path in save(picture, folder_of(dataset, experiment))]
    with Tracker.of_its_own(dataset, f"{experiment.name} · figures · {dataset}", tags) as tracker:
        for path in paths:
            tracker.log_file(path, "figures")
    return paths


def folder_of(dataset: str, experiment: Experiment) -> Path:
    """Return where an experiment's figures lie."""
    return from_root(f"data/08_reporting/{dataset}/experiments/{experiment.name}")


def save(picture: Picture, folder: Path) -> list[Path]:
    """Write a picture (PNG, PDF) and the table behind it (CSV) under the same name."""
    drawn = save_figure(picture.figure, folder / f"{picture.name}.png")
    table = folder / f"{picture.name}.csv"
    with replacing(table) as partial:
        picture.table.to_csv(partial, index=False)
    return [*drawn, table]


# --- the kinds ------------------------------------------------------------------------------------


def draw_loss_over_lambda(material: Material) -> Iterator[Picture]:
    """Fig 5 (a): how the held-out persons fare, by the weight of the attention penalty."""
    from wherewhen.reporting.figures import loss_over_lambda
    from wherewhen.reporting.validation import convergence_table, penalty_table

    weights = {
        name: row.parameters.train.training.penalty_weight for name, row in material.rows.items()
    }
    table = penalty_table(convergence_table(material.histories()), weights)
    yield Picture("loss_over_lambda", loss_over_lambda(table, title=material.title), table)


def draw_convergence(material: Material) -> Iterator[Picture]:
    """Fig 5 (b): losses over the epochs, a line a row."""
    from wherewhen.reporting.figures import convergence
    from wherewhen.reporting.validation import convergence_table

    table = convergence_table(material.histories())
    yield Picture("convergence", convergence(table, title=material.title), table)


def draw_cmc(material: Material) -> Iterator[Picture]:
    """Fig 9: the CMC curves of all rows, quoted ones among them where the paper has the set."""
    from wherewhen.reporting.cmc import cmc_table
    from wherewhen.reporting.figures import row_cmc_curves

    scores = material.scores()
    table = cmc_table(scores, material.quoted())
    counts = {len(trials) for trials in material.trials.values()}
    fewest, most = min(counts), max(counts)
    over = f"{most} trials" if fewest == most else f"{fewest} to {most} trials"
    facts = f"protocol {next(iter(scores.values())).protocol.iloc[0]}, " + (
        "1 trial" if most == 1 else f"mean ± standard deviation over {over}"
    )
    yield Picture("cmc", row_cmc_curves(table, title=material.title, facts=facts), table)


def draw_lengths(material: Material) -> Iterator[Picture]:
    """Fig 7: rank-1 over the lengths of probes and gallery, the mean over a row's trials."""
    for row, title, name in _rows(material, "lengths"):
        tables = [material.analysed(row, trial, "length_matrix") for trial in material.trials[row]]
        table = pd.concat(tables, ignore_index=True)
        yield Picture(name, FIGURES["lengths"].draw(table, title=title), table)


def draw_frame_weights(material: Material) -> Iterator[Picture]:
    """Fig 6: the weights of frames over time, of the first trial."""
    for row, title, name in _rows(material, "frame_weights"):
        trial, table = _first(material, row, "frame_weights")
        yield Picture(
            name,
            FIGURES["frame_weights"].draw(
                _frames(material, row),
                table,
                material.rows[row].parameters.analyse.tracklets,
                title=f"{title}, {trial}",
            ),
            table,
        )


def draw_attention(material: Material) -> Iterator[Picture]:
    """Fig 8: attention over time on several persons, of the first trial."""
    for row, title, name in _rows(material, "attention"):
        trial, table = _first(material, row, "attention")
        titled = f"{title}, probes of the least even attention, {trial}"
        drawn = FIGURES["attention"].draw(_frames(material, row), table, title=titled)
        yield Picture(name, drawn, table)


def draw_failures(material: Material) -> Iterator[Picture]:
    """Fig 10: the worst failures, of the first trial."""
    for row, title, name in _rows(material, "failures"):
        trial, table = _first(material, row, "failures")
        rankings = material.rows[row].load(f"{trial}.rankings_network")
        parameters = material.rows[row].parameters.analyse
        yield Picture(
            name,
            FIGURES["failures"].draw(
                _frames(material, row),
                table,
                rankings,
                parameters.metric,
                parameters.failures,
                title=f"{title}, {trial}",
            ),
            table,
        )


KINDS: dict[str, Callable[[Material], Iterator[Picture]]] = {
    "loss_over_lambda": draw_loss_over_lambda,
    "convergence": draw_convergence,
    "frame_weights": draw_frame_weights,
    "lengths": draw_lengths,
    "attention": draw_attention,
    "cmc": draw_cmc,
    "failures": draw_failures,
}
"""What an experiment can be drawn as."""


def _rows(material: Material, kind: str) -> Iterator[tuple[str, str, str]]:
    """Give each row, its title and its file's name; a single row needs none of its own."""
    for row in material.rows:
        alone = len(material.rows) == 1
        slug = re.sub(r"\W+", "_", row.lower()).strip("_")
        title = material.title if alone else f"{material.title}: {row}"
        yield row, title, kind if alone else f"{kind}_{slug}"


def _first(material: Material, row: str, table: str) -> tuple[str, pd.DataFrame]:
    trial = material.trials[row][0]
    return trial, material.analysed(row, trial, table)


def _frames(material: Material, row: str) -> TrackletPictures:
    """Return the frames, as the stage ``ingest`` left them."""
    root, frames = (material.rows[row].load(name) for name in ("frames_root", "frames"))
    return TrackletPictures(from_root(root), frames)
