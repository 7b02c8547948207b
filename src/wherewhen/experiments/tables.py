"""Tables of an experiment's rows beside the published numbers, for the console and MLflow.

Values are in percent, as in the paper; scores on disk are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wherewhen.describe import show as print_table
from wherewhen.experiments.config import Experiment, ExperimentError, Row
from wherewhen.experiments.published import DATASETS, SOURCE, figures
from wherewhen.experiments.results import Results, published_figures
from wherewhen.experiments.rows import Request, ResolvedRow
from wherewhen.reporting.tables import NOTHING, shown_measures
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
    """Put an experiment's finished trials beside the published numbers.

    Parameters
    ----------
    experiment : Experiment
        The table.
    rows : mapping
        Its resolved rows (:func:`wherewhen.experiments.rows.resolve`); rows that are neither in it
        nor quoted are left out.
    dataset : str
        The data set tested on.

    Returns
    -------
    pandas.DataFrame
        One line for each row and measure (rank-1, 5, 10, 20 and mAP, or ``mAP-trapezoid`` where the
        environment reports that): columns ``row, quoted, features, metric, trials, protocol,
        measure, mean, deviation`` (over the trials, ddof 1; NaN for one), ``published``,
        ``difference`` (ours less theirs, points) and ``note``. Percent; NaN for missing values.
        ``published`` is NaN for data sets that the paper does not report, and for networks that
        were trained on another data set than the paper's.
    """
    shown = [row for row in experiment.rows if row.quoted or row.name in rows]
    lines = [line for row in shown for line in _lines(experiment, row, dataset, rows.get(row.name))]
    return pd.DataFrame(lines, columns=COLUMNS)


def orientation(experiment: Experiment) -> pd.DataFrame:
    """Return all published numbers of an experiment's rows, on the paper's three data sets.

    Returns
    -------
    pandas.DataFrame
        Columns ``row, dataset, measure, published, note``; percent.
    """
    lines = [
        (row.name, dataset, *line)
        for row in experiment.rows
        for dataset in DATASETS
        for line in figures(experiment.table, row.published, dataset).itertuples()
    ]
    return pd.DataFrame(lines, columns=["row", "dataset", "measure", "published", "note"])


def format_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Format a comparison, one line for each row.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`comparison` returns it.

    Returns
    -------
    pandas.DataFrame
        Strings; columns ``row``, ``trials`` and the measures, a cell as
        ``61.2 ± 3.4 (74.8, -13.6)``: ours, in brackets the published value and the difference.
    """
    lines: list[dict[str, str]] = []
    for (row, quoted), lot in table.groupby(["row", "quoted"], sort=False):
        cells = {line.measure: _cell(line) for line in lot.itertuples()}
        trials = NOTHING if quoted else str(lot.trials.max())
        lines.append({"row": f"{row} (quoted)" if quoted else row, "trials": trials, **cells})
    return pd.DataFrame(lines).fillna(NOTHING)


def format_orientation(theirs: pd.DataFrame) -> pd.DataFrame:
    """Format published numbers: a line for each row, a column for each data set."""
    cells = theirs.published.map("{:.1f}".format).groupby([theirs.row, theirs.dataset], sort=False)
    wide = cells.agg(" / ".join).unstack().reindex(index=theirs.row.unique(), columns=DATASETS)
    return wide.fillna(NOTHING).rename_axis(None, axis=1).rename_axis("row").reset_index()


def to_markdown(table: pd.DataFrame) -> str:
    """Format a comparison as a Markdown table that ends in a line break."""
    text = format_comparison(table)
    lines = ["| " + " | ".join(text.columns) + " |"]
    lines.append("|---|" + "---:|" * (len(text.columns) - 1))
    for row in text.itertuples(index=False):
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def captions(
    experiment: Experiment, table: pd.DataFrame, dataset: str, where: str = "In brackets"
) -> list[str]:
    """Return the sentences under a table: protocol, sources, notes.

    Parameters
    ----------
    experiment, table, dataset
        As for :func:`comparison`, and what it returns.
    where : str
        Where the table has the published numbers.
    """
    protocols = sorted(set(table.protocol.dropna()))
    lines = [f"Percent on {dataset}; mean ± standard deviation over the trials."]
    if protocols:
        lines[0] += f" Protocol {', '.join(protocols)}."
    if table.published.notna().any():
        lines.append(f"{where}: published (table {experiment.table}), and ours less published.")
    if experiment.table:
        source = experiment.published_from
        lines.append(f"Published{f', trained on {source}' if source else ''}: {SOURCE}.")
    notes = table[table.note != ""].drop_duplicates(["row", "note"])
    return lines + [f"{line.row}: {line.note}." for line in notes.itertuples()]


def show(experiment: Experiment, request: Request) -> pd.DataFrame:
    """Print an experiment's table and log it to MLflow as CSV and Markdown; return it.

    Raises
    ------
    ExperimentError
        If nothing of it is finished.
    """
    results = Results.of(experiment, request)
    dataset = results.dataset
    table = comparison(experiment.only(request.rows), results.rows, dataset)
    if not table.trials.any():
        raise ExperimentError(
            f"{experiment.name}: nothing is finished with these parameters; run it (kedro "
            "experiment run), and give `show` the --params and --trained-on that `run` was given"
        )
    said = captions(experiment, table, dataset)
    title = f"{experiment.title}, on {dataset}"
    printed = [_console_table(format_comparison(table), title, "\n".join(said))]
    theirs = orientation(experiment)
    if dataset not in DATASETS and len(theirs):
        note = (
            f"{' / '.join(theirs.measure.unique())}. Of other footage than ours: for orientation, "
            "not to be subtracted."
        )
        heading = f"Published, table {experiment.table}"
        printed.append(_console_table(format_orientation(theirs), heading, note))
    print_table(*printed)
    tags = {"experiment": experiment.name, "dataset": dataset, "stage": "table"}
    tags |= {"trained_on": request.trained_on} if request.trained_on is not None else {}
    run = f"{experiment.name} · table · {dataset}"
    with Tracker.of_its_own(dataset, run, tags) as tracker:
        tracker.log_text(table.to_csv(index=False), f"{experiment.name}.csv")
        text = "\n".join([f"# {title}\n", to_markdown(table), *said])
        tracker.log_text(f"{text}\n", f"{experiment.name}.md")
    return table


def _console_table(text: pd.DataFrame, title: str, caption: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD)
    for column in text.columns:
        table.add_column(column, justify="left" if column == "row" else "right")
    for row in text.itertuples(index=False):
        table.add_row(*map(escape, map(str, row)))
    return table


def _lines(
    experiment: Experiment, row: Row, dataset: str, resolved: ResolvedRow | None
) -> list[dict[str, Any]]:
    """Return the lines of one row, one for each measure."""
    theirs = published_figures(experiment, row, dataset, resolved)
    own, definition = pd.DataFrame(columns=["trial", "protocol", "measure", "value"]), None
    if resolved and resolved.trials:
        own = resolved.shown()
        definition = resolved.parameters.evaluate.average_precision
    lines = []
    for measure in shown_measures(definition or "mean_precision"):
        values = own.value[own.measure == measure].astype(float)
        mean, published = 100 * values.mean(), theirs.value.get(measure, np.nan)
        lines.append(
            {
                "row": row.name,
                "quoted": row.quoted,
                "features": "" if row.quoted else row.features,
                "metric": "" if row.quoted else row.metric,
                "trials": own.trial.nunique(),
                "protocol": own.protocol.iloc[0] if len(own) else None,
                "measure": measure,
                "mean": mean,
                "deviation": 100 * values.std(ddof=1),
                "published": published,
                "difference": mean - published,
                "note": "; ".join(filter(None, [row.note, theirs.note.get(measure, "")])),
            }
        )
    return lines


def _cell(line: Any) -> str:
    theirs = "" if pd.isna(line.published) else f"{line.published:.1f}"
    if pd.isna(line.mean):
        return f"({theirs})" if theirs else NOTHING
    spread = "" if pd.isna(line.deviation) else f" ± {line.deviation:.1f}"
    ours = f"{line.mean:.1f}{spread}"
    return f"{ours} ({theirs}, {line.difference:+.1f})" if theirs else ours
