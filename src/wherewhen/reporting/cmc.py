"""Reporting: the CMC curves of an experiment's rows as one table, ours and published ones."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from wherewhen.reporting.checks import require_scores

QUOTED = "published"
"""Value of ``trial`` in published lines, whose number of trials is unknown."""

_COLUMNS = ["row", "quoted", "protocol", "trial", "rank", "value"]


def cmc_table(
    scores: Mapping[str, pd.DataFrame],
    published: Mapping[str, Mapping[int, float]] | None = None,
) -> pd.DataFrame:
    """Return the CMC curves of an experiment's rows, from which Fig 9 is drawn.

    Parameters
    ----------
    scores : mapping of str to pandas.DataFrame
        Row to its scores, of one kind of features and one metric: columns ``dataset, protocol,
        trial, features, metric, measure, value``; measures ``rank-k`` are taken.
    published : mapping of str to mapping of int to float, optional
        Row to its published fractions by rank.

    Returns
    -------
    pandas.DataFrame
        Columns ``row, quoted, protocol, trial, rank, value`` (a fraction), in the order of the
        rows, ours first. A published line is `quoted`, its trial is :data:`QUOTED` and it has no
        protocol.

    Raises
    ------
    ValueError
        For scores that cannot be averaged (see :func:`~wherewhen.reporting.checks.require_scores`),
        of several features or metrics, or without any rank; names the row.
    """
    tables = [_ours(row, of_row) for row, of_row in scores.items()]
    tables += [
        pd.DataFrame({"row": row, "quoted": True, "protocol": "", "trial": QUOTED,
                      "rank": list(ranks), "value": list(ranks.values())})
        for row, ranks in (published or {}).items()
    ]  # fmt: skip
    if not tables:
        raise ValueError("scores: expected at least one row of an experiment, got none.")
    return pd.concat(tables, ignore_index=True)


def percent_over_trials(curve: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation of a curve over the trials, in percent.

    Parameters
    ----------
    curve : pandas.DataFrame
        Columns ``trial, rank, value`` (a fraction).

    Returns
    -------
    pandas.DataFrame
        Columns ``mean, std`` (ddof 1; NaN for one trial), by the ranks that all trials have.
    """
    values = curve.pivot(index="rank", columns="trial", values="value").sort_index().dropna()
    return 100 * pd.DataFrame({"mean": values.mean(axis=1), "std": values.std(axis=1, ddof=1)})


def _ours(row: str, scores: pd.DataFrame) -> pd.DataFrame:
    try:
        require_scores(scores)
    except ValueError as error:
        raise ValueError(f"row {row}: {error}") from None
    for column in ("features", "metric"):
        if scores[column].nunique() > 1:
            kinds = ", ".join(scores[column].unique())
            raise ValueError(f"row {row}: scores of several {column} ({kinds}); select one first.")
    ranked = with_ranks(scores).assign(row=row, quoted=False)[_COLUMNS]
    if ranked.empty:
        raise ValueError(f"row {row}: scores without any measure rank-k; expected a CMC curve.")
    return ranked.sort_values(["trial", "rank"], ignore_index=True)


def with_ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of scores whose measure is ``rank-k``, with k as a column ``rank``."""
    rank = scores["measure"].str.extract(r"^rank-(\d+)$", expand=False)
    return scores.assign(rank=rank).dropna(subset="rank").astype({"rank": int})
