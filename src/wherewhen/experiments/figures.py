"""The paper's figures of an experiment: pictures of what is finished, and the tables behind them.

Each kind of figure is a function from finished results to pictures. What needs a network (lengths,
frame weights, attention) or its rankings (failures) is measured by the pipeline ``analyse`` first,
in the trials that lack it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from wherewhen.experiments.config import Experiment, ExperimentError
from wherewhen.experiments.published import figures as published_figures
from wherewhen.experiments.results import Results
from wherewhen.experiments.variants import Variant, run_variant, variants_of
from wherewhen.pipelines.types import Figure

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
    variants : mapping of str to Variant
        By the row's name, quoted rows left out.
    results : Results
        Of the variants' data set.
    anew : bool
        Measure again what is measured already, by other parameters of ``analyse``, say.

    Raises
    ------
    ExperimentError
        If no trial of any row is finished.
    """

    def __init__(
        self,
        experiment: Experiment,
        variants: Mapping[str, Variant],
        results: Results,
        anew: bool = False,
    ) -> None:
        self.experiment = experiment
        self.results = results
        self._anew = anew
        trials = {row: results.trials(variant) for row, variant in variants.items()}
        self.variants = {row: variants[row] for row, finished in trials.items() if finished}
        self.trials = {row: trials[row] for row in self.variants}
        if not self.variants:
            raise ExperimentError(
                f"experiment {experiment.name}: no trial of any row is finished on "
                f"{results.dataset}; run `kedro experiment run {experiment.name}` first"
            )
        if missing := [row for row in trials if row not in self.variants]:
            log.warning("%s: not finished, so left out: %s", experiment.name, ", ".join(missing))

    @property
    def title(self) -> str:
        """What the experiment is called, and on which data set it ran."""
        return f"{self.experiment.title}, {self.results.dataset}"

    def histories(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Return the losses by row and trial."""
        return {
            row: {trial: self.results.history(variant, trial) for trial in self.trials[row]}
            for row, variant in self.variants.items()
        }

    def scores(self) -> dict[str, pd.DataFrame]:
        """Return the scores that each row shows."""
        shown = {}
        for name, variant in self.variants.items():
            row, scores = self.experiment.row(name), self.results.scores(variant)
            chosen = (scores.features == row.features) & (scores.metric == row.metric)
            shown[name] = scores[chosen]
        return shown

    def quoted(self) -> dict[str, dict[int, float]]:
        """Return the published curves of the quoted rows, as fractions by rank."""
        curves = {}
        for row in self.experiment.rows:
            if row.quoted:
                found = published_figures(
                    self.experiment.table, row.published, self.results.dataset
                )
                ranks = found.index.str.removeprefix("rank-").astype(int)
                values = dict(zip(ranks, found.value / 100, strict=True))
                curves |= {row.name: values} if values else {}
        return curves

    def analysed(self, row: str, trial: str, table: str) -> pd.DataFrame:
        """Return a table of the pipeline ``analyse``, made now if the trial lacks it."""
        variant = self.variants[row]
        path = self.results.output(variant, trial) / f"{table}.parquet"
        record = self.results.record_path(variant, trial)
        # older than the record: of networks that were trained before
        stale = path.is_file() and path.stat().st_mtime < record.stat().st_mtime
        if self._anew or stale or not path.is_file():
            log.info("%s, %s, %s: measuring %s", self.experiment.name, row, trial, table)
            analyse(variant, trial, table)
        return pd.read_parquet(path)


def analyse(variant: Variant, trial: str, table: str) -> None:
    """Let the pipeline ``analyse`` make one of its tables for a finished trial."""
    from wherewhen.tracklets.splits import trial_number

    count = max(variant.parameters.split.trials, trial_number(trial) + 1)
    run_variant(variant, ["analyse"], count, to_outputs=[f"{trial}.{table}"])


def make_figures(
    experiment: Experiment,
    env: str | None = None,
    params: Mapping[str, Any] | None = None,
    trained_on: str | None = None,
    anew: bool = False,
) -> list[Path]:
    """Draw an experiment's figures, save them with their tables, and log them to MLflow.

    Parameters
    ----------
    experiment : Experiment
        Of the environment; its ``figure`` says what is drawn, without it :data:`DEFAULT`.
    env, params, trained_on
        As the experiment was run with.
    anew : bool
        Measure again what the pipeline ``analyse`` has measured already.

    Returns
    -------
    list of Path
        The pictures and tables, under ``data/08_reporting/<data set>/experiments/<experiment>``.

    Raises
    ------
    ExperimentError
        If nothing is finished, or all rows are quoted.
    """
    from wherewhen.experiments.tracking import Tracking

    draw = KINDS[experiment.figure or DEFAULT]
    variants = variants_of(experiment, env, params, trained_on)
    if not variants:
        raise ExperimentError(f"experiment {experiment.name}: all rows are quoted, none is drawn")
    dataset = next(iter(variants.values())).dataset
    results = Results(None, dataset)
    tags = {"experiment": experiment.name, "dataset": dataset, "stage": "figures"}
    paths: list[Path] = []
    with Tracking(env).run(f"{experiment.name} figures", tags):
        for picture in draw(Material(experiment, variants, results, anew)):
            paths += save(picture, folder_of(results, experiment))
        _log_artifacts(paths)
    return paths


def folder_of(results: Results, experiment: Experiment) -> Path:
    """Return where an experiment's figures lie."""
    return results.root / "data/08_reporting" / results.dataset / "experiments" / experiment.name


def save(picture: Picture, folder: Path) -> list[Path]:
    """Write a picture and the table behind it, as PNG and CSV of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, table = (folder / f"{picture.name}{end}" for end in (".png", ".csv"))
    with _whole(drawn) as partial:
        picture.figure.savefig(partial, format="png", bbox_inches="tight")
    with _whole(table) as partial:
        picture.table.to_csv(partial, index=False)
    return [drawn, table]


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give another name to write to, so that a file appears whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _log_artifacts(paths: list[Path]) -> None:
    import mlflow

    for path in paths:
        mlflow.log_artifact(str(path), "figures")


# --- the kinds ------------------------------------------------------------------------------------


def draw_loss_over_lambda(material: Material) -> Iterator[Picture]:
    """Fig 5 (a): how the held-out persons fare, by the weight of the attention penalty."""
    from wherewhen.reporting.figures import loss_over_lambda
    from wherewhen.reporting.validation import convergence_table, penalty_table

    weights = {
        row: variant.parameters.train.training_config().penalty_weight
        for row, variant in material.variants.items()
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
    from wherewhen.pipelines.analyse import nodes

    for row, title, name in _rows(material, "lengths"):
        tables = [material.analysed(row, trial, "length_matrix") for trial in material.trials[row]]
        table = pd.concat(tables, ignore_index=True)
        yield Picture(name, nodes.draw_lengths(table, title=title), table)


def draw_frame_weights(material: Material) -> Iterator[Picture]:
    """Fig 6: the weights of frames over time, of the first trial."""
    from wherewhen.pipelines.analyse import nodes

    for row, title, name in _rows(material, "frame_weights"):
        trial, table = _first(material, row, "frame_weights")
        yield Picture(
            name,
            nodes.draw_frame_weights(
                *_frames(material), table, _parameters(material, row), title=f"{title}, {trial}"
            ),
            table,
        )


def draw_attention(material: Material) -> Iterator[Picture]:
    """Fig 8: attention over time on several persons, of the first trial."""
    from wherewhen.pipelines.analyse import nodes

    for row, title, name in _rows(material, "attention"):
        trial, table = _first(material, row, "attention")
        titled = f"{title}, probes of the least even attention, {trial}"
        yield Picture(name, nodes.draw_attention(*_frames(material), table, title=titled), table)


def draw_failures(material: Material) -> Iterator[Picture]:
    """Fig 10: the worst failures, of the first trial."""
    from wherewhen.pipelines.analyse import nodes

    for row, title, name in _rows(material, "failures"):
        trial, table = _first(material, row, "failures")
        rankings = material.results.rankings(material.variants[row], trial, "network")
        yield Picture(
            name,
            nodes.draw_failures(
                *_frames(material),
                table,
                rankings,
                _parameters(material, row),
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
    for row in material.variants:
        alone = len(material.variants) == 1
        slug = re.sub(r"\W+", "_", row.lower()).strip("_")
        title = material.title if alone else f"{material.title}: {row}"
        yield row, title, kind if alone else f"{kind}_{slug}"


def _first(material: Material, row: str, table: str) -> tuple[str, pd.DataFrame]:
    trial = material.trials[row][0]
    return trial, material.analysed(row, trial, table)


def _parameters(material: Material, row: str) -> Any:
    return material.variants[row].parameters.analyse


def _frames(material: Material) -> tuple[str, pd.DataFrame]:
    """Return the frames' folder and their table, as the stage ``ingest`` left them."""
    import json

    data, dataset = material.results.root / "data", material.results.dataset
    root = json.loads((data / "02_intermediate" / dataset / "frames_root.json").read_text())
    return root, pd.read_parquet(data / "03_primary" / dataset / "frames.parquet")
