"""An experiment's rows beside the published figures: as a frame, for the console, as Markdown.

Frames hold percent here, as the paper does; scores on disk are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wherewhen.describe import show as print_table
from wherewhen.experiments.config import Experiment, ExperimentError
from wherewhen.experiments.published import DATASETS, SOURCE, figures
from wherewhen.experiments.rows import Request, ResolvedRow, resolve
from wherewhen.reporting.tables import NOTHING, shown_measures
from wherewhen.sessions import View
from wherewhen.tracking import Tracker

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = [
    "row", "quoted", "features", "metric", "trials", "protocol",
    "measure", "mean", "deviation", "published", "difference", "note",
]  # fmt: skip


def comparison(
    experiment: Experiment, rows: Mapping[str, ResolvedRow], dataset: str
) -> pd.DataFrame:
    """Put an experiment's finished trials beside the published figures.

    Parameters
    ----------
    experiment : Experiment
        The table.
    rows : mapping
        Its rows with their parameters (:func:`wherewhen.experiments.rows.resolve`); rows that are
        neither in it nor quoted are left out.
    dataset : str
        The data set tested on.

    Returns
    -------
    pandas.DataFrame
        One line a row and measure (rank-1, 5, 10, 20, mAP; ``mAP-trapezoid`` where the environment
        reports that): columns ``row, quoted, features, metric, trials, protocol, measure, mean,
        deviation`` (over the trials, ddof 1; NaN for one), ``published``, ``difference`` (ours
        less theirs, points) and ``note``. Percent; NaN for what there is not. Of a data set that
        the paper does not report ``published`` is NaN; so it is where the networks were trained
        on another set than the paper's.
    """
    shown = [row for row in experiment.rows if row.quoted or row.name in rows]
    tables = [_lines(experiment, row, dataset, rows.get(row.name)) for row in shown]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def orientation(experiment: Experiment) -> pd.DataFrame:
    """Return all published figures of an experiment's rows, of the paper's three sets.

    Returns
    -------
    pandas.DataFrame
        Columns ``row, dataset, measure, published, note``; percent.
    """
    lines = [
        {"row": row.name, "dataset": dataset, "measure": measure, **found}
        for row in experiment.rows
        for dataset in DATASETS
        for measure, found in figures(experiment.table, row.published, dataset)
        .rename(columns={"value": "published"})
        .to_dict("index")
        .items()
    ]
    return pd.DataFrame(lines, columns=["row", "dataset", "measure", "published", "note"])


def format_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Write a comparison for people, one line a row.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`comparison` returns it.

    Returns
    -------
    pandas.DataFrame
        Strings; columns ``row``, ``trials`` and the measures, a cell as
        ``61.2 ± 3.4 (74.8, -13.6)``: ours, in brackets the published figure and the difference.
    """
    if not len(table):
        return pd.DataFrame(columns=["row", "trials"])
    lines = []
    for row, lot in table.groupby("row", sort=False):
        quoted = bool(lot.quoted.iloc[0])
        trials = lot.trials.max()
        cells = {line.measure: _cell(line) for line in lot.itertuples()}
        name = f"{row} (quoted)" if quoted else str(row)
        lines.append({"row": name, "trials": NOTHING if quoted else str(trials), **cells})
    return pd.DataFrame(lines).fillna(NOTHING)


def to_markdown(table: pd.DataFrame) -> str:
    """Write a comparison as a Markdown table, ending in a line break."""
    text = format_comparison(table)
    lines = ["| " + " | ".join(text.columns) + " |"]
    lines.append("|---|" + "---:|" * (len(text.columns) - 1))
    for row in text.itertuples(index=False):
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def console_table(text: pd.DataFrame, title: str, caption: str) -> Table:
    """Set a frame of strings as a table for the console."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD)
    for column in text.columns:
        table.add_column(column, justify="left" if column == "row" else "right")
    for row in text.itertuples(index=False):
        table.add_row(*map(escape, map(str, row)))
    return table


def captions(experiment: Experiment, table: pd.DataFrame, dataset: str) -> list[str]:
    """Say what must stand under the numbers: protocol, spread, where published ones come from."""
    protocols = sorted(set(table.protocol.dropna()))
    lines = [f"Percent on {dataset}; mean ± standard deviation over the trials."]
    if protocols:
        lines[0] += f" Protocol {', '.join(protocols)}."
    if table.published.notna().any():
        lines.append(f"In brackets: published (table {experiment.table}), and ours less published.")
    if experiment.table:
        where = experiment.published_from
        lines.append(f"Published{f', trained on {where}' if where else ''}: {SOURCE}.")
    notes = table[table.note != ""].drop_duplicates(["row", "note"])
    lines += [f"{line.row}: {line.note}." for line in notes.itertuples()]
    return lines


def show(experiment: Experiment, request: Request) -> pd.DataFrame:
    """Print an experiment's table and log it to MLflow; return it.

    Raises
    ------
    ExperimentError
        If nothing of it is finished.
    """
    dataset = dataset_of(request.env)
    table = comparison(experiment.only(request.rows), resolve(experiment, request), dataset)
    if not table.trials.any():
        raise ExperimentError(
            f"{experiment.name}: nothing is finished with these parameters; run it (kedro "
            "experiment run), and give `show` the --params and --trained-on that `run` was given"
        )
    said = captions(experiment, table, dataset)
    title = f"{experiment.title}, on {dataset}"
    print_table(console_table(format_comparison(table), title, "\n".join(said)))
    theirs = orientation(experiment)
    if dataset not in DATASETS and len(theirs):
        ranks = " / ".join(theirs.measure.unique())
        note = f"{ranks}. Of other footage than ours: for orientation, not to be subtracted."
        text = format_orientation(theirs)
        print_table(console_table(text, f"Published, table {experiment.table}", note))
    _log(experiment, dataset, table, said, request.trained_on)
    return table


def dataset_of(env: str | None) -> str:
    """Return what an environment calls its data set."""
    return View.of(env).dataset


def _lines(
    experiment: Experiment, row: Any, dataset: str, at_work: ResolvedRow | None
) -> pd.DataFrame:
    """Make the lines of one row."""
    own = at_work.shown() if at_work and at_work.trials else None
    definition = (
        "mean_precision" if own is None else (at_work.parameters.evaluate.average_precision)
    )
    measures = shown_measures(definition)
    theirs = figures(experiment.table, row.published, dataset)
    if at_work and at_work.source and _elsewhere(experiment, at_work.source.dataset):
        theirs = theirs.iloc[:0]
    lines = []
    for measure in measures:
        values = own[own.measure == measure].value if own is not None else pd.Series(dtype=float)
        mean = 100 * values.mean() if len(values) else np.nan
        published = theirs.value.get(measure, np.nan)
        lines.append(
            {
                "row": row.name,
                "quoted": row.quoted,
                "features": "" if row.quoted else row.features,
                "metric": "" if row.quoted else row.metric,
                "trials": own.trial.nunique() if own is not None else 0,
                "protocol": own.protocol.iloc[0] if own is not None and len(own) else None,
                "measure": measure,
                "mean": mean,
                "deviation": 100 * values.std(ddof=1) if len(values) > 1 else np.nan,
                "published": published,
                "difference": mean - published,
                "note": "; ".join(filter(None, [row.note, theirs.note.get(measure, "")])),
            }
        )
    return pd.DataFrame(lines, columns=COLUMNS)


def _elsewhere(experiment: Experiment, source: str) -> bool:
    """Whether the networks were trained on another data set than the published figures are of."""
    return experiment.published_from not in (None, source)


def _cell(line: Any) -> str:
    theirs = "" if pd.isna(line.published) else f"{line.published:.1f}"
    if pd.isna(line.mean):
        return f"({theirs})" if theirs else NOTHING
    spread = "" if pd.isna(line.deviation) else f" ± {line.deviation:.1f}"
    ours = f"{line.mean:.1f}{spread}"
    return f"{ours} ({theirs}, {line.difference:+.1f})" if theirs else ours


def format_orientation(theirs: pd.DataFrame) -> pd.DataFrame:
    """Write published figures for people: a line a row, a column a set, the ranks in a cell."""
    cells = theirs.published.map("{:.1f}".format).groupby([theirs.row, theirs.dataset], sort=False)
    wide = cells.agg(" / ".join).unstack().reindex(index=theirs.row.unique(), columns=DATASETS)
    return wide.fillna(NOTHING).rename_axis(None, axis=1).rename_axis("row").reset_index()


def _log(
    experiment: Experiment,
    dataset: str,
    table: pd.DataFrame,
    said: list[str],
    trained_on: str | None,
) -> None:
    """Log a table as CSV and Markdown to a run of its own."""
    tags = {"experiment": experiment.name, "dataset": dataset, "stage": "table"}
    if trained_on is not None:
        tags["trained_on"] = trained_on
    name = f"{experiment.name} · table · {dataset}"
    with Tracker.of_its_own(dataset, name, tags) as tracker:
        tracker.log_text(table.to_csv(index=False), f"{experiment.name}.csv")
        text = [f"# {experiment.title}, on {dataset}\n", to_markdown(table), *said]
        tracker.log_text("\n".join(text) + "\n", f"{experiment.name}.md")
