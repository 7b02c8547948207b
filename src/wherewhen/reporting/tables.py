"""Reporting: scores summarised over trials, for the console, for documents and for a choice.

Values are fractions from 0 to 1 in scores and summaries and percent wherever people read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from wherewhen.reporting.checks import require_scores, require_table
from wherewhen.reporting.style import describe_features, describe_metric, sort_key

if TYPE_CHECKING:
    from rich.table import Table

MEASURES = ("rank-1", "rank-5", "rank-10", "rank-20", "mAP")
NOTHING = "–"

_CONSOLE = 80  # columns of a console that does not say how wide it is

_RANKED = ("trial", "features", "metric", "probe", "rank", "gallery", "distance", "correct")


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the trials, one row per features and metric.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``dataset, protocol, trial, features, metric, measure, value``; one dataset and one
        protocol; ``value`` as a fraction. Measures other than :data:`MEASURES` are left aside.

    Returns
    -------
    pandas.DataFrame
        Columns ``features, metric, trials`` and for each measure its mean (``rank-1``) and its
        standard deviation (``rank-1 std``, ddof 1, NaN for a single trial). A measure that no trial
        has (rank-20 of a gallery of 12) is NaN. Baselines come first, then the untrained network,
        the network and rows of other names.

    Raises
    ------
    ValueError
        For scores that cannot be averaged (see :func:`~wherewhen.reporting.checks.require_scores`)
        and for a measure that only some of a row's trials have.
    """
    require_scores(scores)
    groups = dict(list(scores.groupby(["features", "metric"])))
    return pd.DataFrame([_summary_row(key, groups[key]) for key in sorted(groups, key=_by_style)])


def format_summary(summary: pd.DataFrame) -> pd.DataFrame:
    """Write a summary for people.

    Parameters
    ----------
    summary : pandas.DataFrame
        As :func:`summarise` returns it.

    Returns
    -------
    pandas.DataFrame
        Strings; columns ``features, metric``, the measures as ``"83.1 ± 2.4"`` in percent
        (``"83.1"`` for one trial, ``"–"`` for a measure that is not there) and ``trials``.
    """
    _require_summary(summary)
    columns = {
        "features": [describe_features(name) for name in summary["features"]],
        "metric": [describe_metric(name) for name in summary["metric"]],
    }
    for measure in MEASURES:
        pairs = zip(summary[measure], summary[f"{measure} std"], strict=True)
        columns[measure] = [_percent(mean, deviation) for mean, deviation in pairs]
    columns["trials"] = [str(trials) for trials in summary["trials"]]
    return pd.DataFrame(columns)


def console_table(summary: pd.DataFrame, dataset: str, protocol: str) -> Table:
    """Summary as a table for the console, the best value of each measure in bold.

    Parameters
    ----------
    summary : pandas.DataFrame
        As :func:`summarise` returns it.
    dataset, protocol : str
        Where the numbers come from; title and caption carry them.

    Returns
    -------
    rich.table.Table
        The metrics of a kind of features under its name, narrow enough for 80 columns.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    text, best = format_summary(summary), _best(summary)
    table = Table(
        title=f"Re-identification on {dataset}, percent",
        caption=caption(summary, protocol),
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
        pad_edge=False,
        padding=(0, _gap(text)),
    )
    table.add_column("features, metric", no_wrap=True)
    for measure in MEASURES:
        table.add_column(measure, justify="right", no_wrap=True)
    for features, rows in text.groupby("features", sort=False):
        table.add_row(escape(features))
        for row in rows.index:
            cells = [_bold(text.at[row, m], best.at[row, m], "[bold]", "[/bold]") for m in MEASURES]
            table.add_row(f"  {escape(text.at[row, 'metric'])}", *cells)
        table.add_section()
    return table


def to_markdown(summary: pd.DataFrame) -> str:
    """Summary as a Markdown table for documents, the best value of each measure in bold.

    Parameters
    ----------
    summary : pandas.DataFrame
        As :func:`summarise` returns it.

    Returns
    -------
    str
        A pipe table in percent, ending in a line break.
    """
    text, best = format_summary(summary), _best(summary)
    lines = [
        "| " + " | ".join(text.columns) + " |",
        "|---|---|" + "---:|" * (len(text.columns) - 2),
    ]
    for row in text.index:
        cells = {c: str(text.at[row, c]).replace("|", "\\|") for c in text.columns}
        cells |= {m: _bold(cells[m], best.at[row, m], "**", "**") for m in MEASURES}
        lines.append("| " + " | ".join(cells.values()) + " |")
    return "\n".join(lines) + "\n"


def caption(summary: pd.DataFrame, protocol: str) -> str:
    """Sentence that must stand under every number: protocol and number of trials."""
    fewest, most = summary["trials"].min(), summary["trials"].max()
    if most == 1:
        return f"protocol {protocol}, one trial (no deviation)"
    trials = f"{most} trials" if fewest == most else f"{fewest} to {most} trials"
    return f"protocol {protocol}, mean ± standard deviation over {trials}"


def first_matches(rankings: pd.DataFrame) -> pd.DataFrame:
    """Where each probe's first true match stands.

    Parameters
    ----------
    rankings : pandas.DataFrame
        Columns ``trial, features, metric, probe, rank, gallery, distance, correct``; rank from 1.

    Returns
    -------
    pandas.DataFrame
        One row per probe that has a match, same columns without ``correct``, best ranked first;
        of equal ranks the smaller distance first.

    Raises
    ------
    ValueError
        For an empty table, a missing column, or several trials, features or metrics in one table
        (their distances cannot be compared).
    """
    require_table(rankings, _RANKED, "rankings")
    for column in ("trial", "features", "metric"):
        kinds = rankings[column].unique()
        if len(kinds) > 1:
            raise ValueError(
                f"rankings: {column} has {len(kinds)} values ({', '.join(map(str, kinds))}); "
                "select one first."
            )
    matches = rankings[rankings["correct"].astype(bool)].sort_values(["probe", "rank"])
    matches = matches.drop_duplicates("probe").drop(columns="correct")
    return matches.sort_values(["rank", "distance", "probe"], ignore_index=True)


def best_and_worst(rankings: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probes to show: the best ranked and the worst ranked.

    Parameters
    ----------
    rankings : pandas.DataFrame
        As for :func:`first_matches`.
    count : int
        Probes in each of the two tables; fewer where there are fewer.

    Returns
    -------
    best, worst : pandas.DataFrame
        Rows of :func:`first_matches`; the best ranked first, the worst ranked first. No probe
        stands in both while there are at least two.
    """
    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}.")
    matches = first_matches(rankings)
    worst = matches.iloc[max(len(matches) // 2, len(matches) - count) :]
    best = matches.iloc[: min(count, max(len(matches) - len(worst), 1))]
    return best.reset_index(drop=True), worst.iloc[::-1].reset_index(drop=True)


def _by_style(key: tuple[str, str]) -> tuple:
    return sort_key(*key)


def _summary_row(key: tuple[str, str], rows: pd.DataFrame) -> dict[str, object]:
    values = rows.pivot(index="trial", columns="measure", values="value")
    values = values.reindex(columns=list(MEASURES))
    holes = values.isna()
    for measure in MEASURES:
        if holes[measure].any() and not holes[measure].all():
            trials = ", ".join(values.index[holes[measure]])
            raise ValueError(
                f"scores: {measure} of {key[0]}, {key[1]} is missing in {trials}; "
                "a mean over some of the trials would mislead. Run those trials again."
            )
    row: dict[str, object] = {"features": key[0], "metric": key[1], "trials": len(values)}
    for measure in MEASURES:
        row[measure] = values[measure].mean()
        row[f"{measure} std"] = values[measure].std(ddof=1)
    return row


def _require_summary(summary: pd.DataFrame) -> None:
    measures = [column for m in MEASURES for column in (m, f"{m} std")]
    require_table(summary, ["features", "metric", "trials", *measures], "summary")


def _percent(mean: float, deviation: float) -> str:
    if pd.isna(mean):
        return NOTHING
    spread = "" if pd.isna(deviation) else f" ± {100 * deviation:.1f}"
    return f"{100 * mean:.1f}{spread}"


def _gap(text: pd.DataFrame) -> int:
    """Pad the console's columns by one, or by nothing where 80 would not be enough."""
    widths = [text[measure].map(len).max() for measure in MEASURES]
    return int(text["features"].map(len).max() + sum(widths) + 2 * len(widths) <= _CONSOLE)


def _best(summary: pd.DataFrame) -> pd.DataFrame:
    """Mask of the best means; equal as printed is equal."""
    printed = (100 * summary[list(MEASURES)]).round(1)
    return printed.eq(printed.max())


def _bold(text: str, best: bool, before: str, after: str) -> str:
    return f"{before}{text}{after}" if best else text
