"""Reporting: scores summarised over trials, as tables and for the console.

Scores and summaries are fractions from 0 to 1; formatted values are percent.
"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import pandas as pd

from wherewhen.reporting.checks import require_scores, require_table
from wherewhen.reporting.style import (
    FUSED,
    RE_RANKED,
    describe,
    describe_features,
    describe_metric,
    sort_key,
)
from wherewhen.retrieval.average_precision import MEASURES as MEAN_APS
from wherewhen.retrieval.scoring import COUNTS

if TYPE_CHECKING:
    from rich.table import Table

MEASURES = ("rank-1", "rank-5", "rank-10", "rank-20", "mAP")
"""Columns of a printed table; the last may be the other definition of mAP."""

_WITHOUT_DEVIATION = ("rank-1-low", "rank-1-high", "mAP-low", "mAP-high", *COUNTS)

FURTHER = ("mAP-trapezoid", "tpr@fpr=1%", "tpr@fpr=0.1%", "eer", "ece", *_WITHOUT_DEVIATION)
"""Further columns of a summary, where the scores have them."""

NOTHING = "–"

_NAMES = "features, metric"  # the console's first column
_WRAPPED = 18  # columns of a fusion's parts in it
_CONSOLE = 80  # columns of a console that does not say how wide it is

_RANKED = ("trial", "features", "metric", "probe", "rank", "gallery", "distance", "correct")


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the trials, one row per features and metric.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``dataset, protocol, trial, features, metric, measure, value``; one dataset and one
        protocol; ``value`` as a fraction. Measures other than :data:`MEASURES` and
        :data:`FURTHER` are left aside.

    Returns
    -------
    pandas.DataFrame
        Columns ``features, metric, trials`` and for each measure its mean (``rank-1``) and its
        standard deviation (``rank-1 std``, ddof 1, NaN for a single trial). A measure that no trial
        has (rank-20 of a gallery of 12) is NaN. Those of :data:`FURTHER` that the scores have
        follow; an interval's ends, those of one trial, averaged, and counts without a deviation.
        Baselines come first, then the untrained network, the network and rows of other names.

    Raises
    ------
    ValueError
        For scores that cannot be averaged (see :func:`~wherewhen.reporting.checks.require_scores`)
        and for a measure that only some of a row's trials have.
    """
    require_scores(scores)
    groups = dict(list(scores.groupby(["features", "metric"])))
    there = set(scores["measure"])
    further = [measure for measure in FURTHER if measure in there]
    return pd.DataFrame(
        _summary_row(key, groups[key], further)
        for key in sorted(groups, key=lambda key: sort_key(*key))
    )


def shown_measures(average_precision: str = "mean_precision") -> tuple[str, ...]:
    """Name the columns of a printed table, the last by the definition of average precision."""
    return (*MEASURES[:-1], MEAN_APS[average_precision])


def format_summary(
    summary: pd.DataFrame, average_precision: str = "mean_precision"
) -> pd.DataFrame:
    """Format a summary.

    Parameters
    ----------
    summary : pandas.DataFrame
        As :func:`summarise` returns it.
    average_precision : {"mean_precision", "trapezoid"}
        Whose mean the last measure is: ``mAP`` or ``mAP-trapezoid``.

    Returns
    -------
    pandas.DataFrame
        Strings; columns ``features, metric``, the measures as ``"83.1 ± 2.4"`` in percent
        (``"83.1"`` for one trial, ``"–"`` for a measure that is not there) and ``trials``.
    """
    measures = shown_measures(average_precision)
    columns = [column for measure in measures for column in (measure, f"{measure} std")]
    require_table(summary, ["features", "metric", "trials", *columns], "summary")
    columns = {
        "features": [describe_features(name) for name in summary["features"]],
        "metric": [describe_metric(name) for name in summary["metric"]],
    }
    for measure in measures:
        pairs = zip(summary[measure], summary[f"{measure} std"], strict=True)
        columns[measure] = [_percent(mean, deviation) for mean, deviation in pairs]
    columns["trials"] = [str(trials) for trials in summary["trials"]]
    return pd.DataFrame(columns)


def console_table(
    summary: pd.DataFrame, dataset: str, protocol: str, average_precision: str = "mean_precision"
) -> Table:
    """Summary as a table for the console, the best value of each measure in bold.

    Parameters
    ----------
    summary : pandas.DataFrame
        As :func:`summarise` returns it.
    dataset, protocol : str
        Where the numbers come from; title and caption carry them.
    average_precision : {"mean_precision", "trapezoid"}
        Whose mean the last column is.

    Returns
    -------
    rich.table.Table
        The metrics of a kind of features under its name, narrow enough for 80 columns.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    measures = shown_measures(average_precision)
    text, best = format_summary(summary, average_precision), _best(summary, measures)
    table = Table(
        title=f"Re-identification on {dataset}, percent",
        caption=escape("\n".join([caption(summary, protocol), *details(summary)])),
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
        pad_edge=False,
        padding=(0, _gap(text, measures)),
    )
    table.add_column(_NAMES, no_wrap=True)
    for measure in measures:
        table.add_column(measure, justify="right", no_wrap=True)
    for features, rows in text.groupby("features", sort=False):
        table.add_row(escape(features))
        for row in rows.index:
            cells = [
                f"[bold]{text.at[row, m]}[/bold]" if best.at[row, m] else text.at[row, m]
                for m in measures
            ]
            table.add_row(escape(_indented(text.at[row, "metric"])), *cells)
        table.add_section()
    return table


def caption(summary: pd.DataFrame, protocol: str) -> str:
    """Return protocol and number of trials, which belong under every number."""
    fewest, most = summary["trials"].min(), summary["trials"].max()
    if most == 1:
        return f"protocol {protocol}, one trial (no deviation)"
    trials = f"{most} trials" if fewest == most else f"{fewest} to {most} trials"
    return f"protocol {protocol}, mean ± standard deviation over {trials}"


def details(summary: pd.DataFrame) -> list[str]:
    """Return further lines under the table, for the measures that the summary has.

    Parameters
    ----------
    summary : pandas.DataFrame
        As :func:`summarise` returns it.

    Returns
    -------
    list of str
        One line on the probes (how many, how many without a true match, ties), and one on the row
        with the best rank-1: its interval over probes, and its equal error rate.
    """
    lines = []
    if set(COUNTS) <= set(summary.columns):
        probes, unmatched, ties = (summary[count].max() for count in COUNTS)
        lines.append(
            f"{probes:,.0f} probes a trial, {unmatched:,.0f} without a true match (in no mean); "
            f"true matches tied with others: {_number(ties)}"
        )
    interval = ["rank-1-low", "rank-1-high"]
    if {*interval, "eer"} <= set(summary.columns) and summary["rank-1"].notna().any():
        best = summary.loc[summary["rank-1"].idxmax()]
        low, high, error = (f"{100 * best[measure]:.1f}" for measure in (*interval, "eer"))
        lines.append(
            f"{describe(best['features'], best['metric'])}: rank-1 {low} to {high} by bootstrap "
            f"over a trial's probes, equal error rate {error}"
        )
    return lines


def first_matches(rankings: pd.DataFrame) -> pd.DataFrame:
    """Return the rank of each probe's first true match.

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
    """Return the best ranked and the worst ranked probes.

    Parameters
    ----------
    rankings : pandas.DataFrame
        As for :func:`first_matches`.
    count : int
        Probes in each of the two tables, at most.

    Returns
    -------
    best, worst : pandas.DataFrame
        Rows of :func:`first_matches`; the best ranked first, the worst ranked first. No probe is in
        both if there are at least two.
    """
    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}.")
    matches = first_matches(rankings)
    worst = matches.iloc[max(len(matches) // 2, len(matches) - count) :]
    best = matches.iloc[: min(count, max(len(matches) - len(worst), 1))]
    return best.reset_index(drop=True), worst.iloc[::-1].reset_index(drop=True)


def failures(rankings: pd.DataFrame, complete: bool = True) -> pd.DataFrame:
    """Return the probes whose true match is not at rank 1, the worst first, as in Fig 10.

    Parameters
    ----------
    rankings : pandas.DataFrame
        As for :func:`first_matches`.
    complete : bool
        Whether the rankings list the whole gallery, so that its size can be told.

    Returns
    -------
    pandas.DataFrame
        Rows of :func:`first_matches` (``gallery`` and ``distance`` are the true match's) with
        ``retrieved, retrieved_distance``, the tracklet that came first instead, and
        ``gallery_size`` (missing unless `complete`). Without rows where every match comes first.
    """
    matches = first_matches(rankings)
    worst = matches[matches["rank"] > 1].iloc[::-1]
    first = rankings.loc[rankings["rank"] == 1, ["probe", "gallery", "distance"]]
    first = first.rename(columns={"gallery": "retrieved", "distance": "retrieved_distance"})
    table = worst.merge(first, on="probe", how="left", validate="one_to_one")
    sizes = rankings.groupby("probe").size() if complete else pd.Series(dtype="Int64")
    return table.assign(gallery_size=table["probe"].map(sizes).astype("Int64"))


def _summary_row(key: tuple[str, str], rows: pd.DataFrame, further: list[str]) -> dict[str, object]:
    values = rows.pivot(index="trial", columns="measure", values="value")
    values = values.reindex(columns=[*MEASURES, *further])
    holes = values.isna()
    for measure in MEASURES:
        if holes[measure].any() and not holes[measure].all():
            trials = ", ".join(values.index[holes[measure]])
            raise ValueError(
                f"scores: {measure} of {key[0]}, {key[1]} is missing in {trials}; "
                "a mean over some of the trials would mislead. Run those trials again."
            )
    row: dict[str, object] = {"features": key[0], "metric": key[1], "trials": len(values)}
    for measure in values.columns:
        row[measure] = values[measure].mean(skipna=False)
        if measure not in _WITHOUT_DEVIATION:
            row[f"{measure} std"] = values[measure].std(ddof=1)
    return row


def _percent(mean: float, deviation: float) -> str:
    if pd.isna(mean):
        return NOTHING
    spread = "" if pd.isna(deviation) else f" ± {100 * deviation:.1f}"
    return f"{100 * mean:.1f}{spread}"


def _indented(metric: str) -> str:
    """Set a metric under its features in the console, and its re-ranking under the metric.

    The parts of a fusion take several lines, so that five measures fit beside them.
    """
    if FUSED in metric:
        return fill(metric, _WRAPPED, initial_indent="  ", subsequent_indent="  ")
    return f"    {RE_RANKED.strip(', ')}" if metric.endswith(RE_RANKED) else f"  {metric}"


def _number(mean: float) -> str:
    return f"{mean:,.0f}" if mean == round(mean) else f"{mean:,.1f}"


def _gap(text: pd.DataFrame, measures: tuple[str, ...]) -> int:
    """Pad the console's columns by one, or by nothing where 80 would not be enough."""
    widths = [max(len(measure), text[measure].map(len).max()) for measure in measures]
    names = [_NAMES, *text["features"], *text["metric"].map(_indented).str.split("\n").explode()]
    return int(max(map(len, names)) + sum(widths) + 2 * len(widths) <= _CONSOLE)


def _best(summary: pd.DataFrame, measures: tuple[str, ...]) -> pd.DataFrame:
    """Mask of the best means; equal as printed is equal."""
    printed = (100 * summary[list(measures)]).round(1)
    return printed.eq(printed.max())
