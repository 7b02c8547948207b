"""Reporting: guards for the tables that come in, so that a wrong one is named and not drawn."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from wherewhen.retrieval.scoring import COUNTS

SCORE_COLUMNS = ("dataset", "protocol", "trial", "features", "metric", "measure", "value")
SCORE_KEY = ["trial", "features", "metric", "measure"]


def require_table(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Refuse a table that is empty or lacks a column.

    Parameters
    ----------
    table : pandas.DataFrame
        The table to look at.
    columns : iterable of str
        Columns it must have.
    name : str
        What the table is called in the message.

    Raises
    ------
    ValueError
        Names the table, the missing columns and those that are there.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{name}: column {', '.join(missing)} is missing; "
            f"the table has {', '.join(map(str, table.columns)) or 'no columns'}."
        )
    if table.empty:
        raise ValueError(f"{name}: the table is empty; expected at least one row.")


def require_scores(scores: pd.DataFrame) -> None:
    """Refuse scores that cannot be averaged honestly.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``dataset, protocol, trial, features, metric, measure, value``, one row a number,
        ``value`` a fraction from 0 to 1, or a count where the measure is one.

    Raises
    ------
    ValueError
        For an empty table, a missing column, several datasets or protocols in one table, a number
        that stands there twice, or a value that is no fraction (below 0, for a count).
    """
    require_table(scores, SCORE_COLUMNS, "scores")
    for column in ("dataset", "protocol"):
        kinds = scores[column].unique()
        if len(kinds) > 1:
            raise ValueError(
                f"scores: {column} has {len(kinds)} values ({', '.join(map(str, kinds))}); "
                f"numbers of different {column}s must not be mixed, select one first."
            )
    twice = scores[scores.duplicated(SCORE_KEY)]
    if not twice.empty:
        raise ValueError(
            f"scores: {_row_name(twice)} stands there twice; expected one row a number."
        )
    greatest = np.where(scores["measure"].isin(COUNTS), np.inf, 1.0)
    wrong = scores[~scores["value"].between(0, greatest)]
    if not wrong.empty:
        raise ValueError(
            f"scores: {_row_name(wrong)} has value {wrong['value'].iloc[0]}; "
            "expected a fraction from 0 to 1 (not percent, not NaN)."
        )


def _row_name(rows: pd.DataFrame) -> str:
    return ", ".join(str(rows[column].iloc[0]) for column in SCORE_KEY)
