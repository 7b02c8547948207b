"""Reporting: losses and scores of validation persons, from the histories of trainings."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from wherewhen.reporting.checks import require_table

MEASURES = ("validation_loss", "validation_rank_1", "validation_map")
"""Columns of a history that are measured on validation persons; NaN where not evaluated."""


def convergence_table(histories: Mapping[str, Mapping[str, pd.DataFrame]]) -> pd.DataFrame:
    """Return losses by epoch of several rows of an experiment, from which Fig 5 (b) is drawn.

    Parameters
    ----------
    histories : mapping of str to mapping of str to pandas.DataFrame
        Row to trial to history, with the columns ``step, epoch, loss`` and :data:`MEASURES`.

    Returns
    -------
    pandas.DataFrame
        Columns ``row, trial, epoch, step, loss`` and :data:`MEASURES`; one row for each epoch: its
        last step, the mean loss of its steps, and the last value of each measure (NaN without any).

    Raises
    ------
    ValueError
        Without any history, and for one that is empty or lacks a column; names row and trial.
    """
    tables = []
    for row, trials in histories.items():
        for trial, history in trials.items():
            name = f"history of {row}, {trial}"
            require_table(history, ("step", "epoch", "loss", *MEASURES), name)
            of_epoch = history.sort_values("step").groupby("epoch")
            table = of_epoch[["step", *MEASURES]].last()  # the last that is no NaN
            table.insert(1, "loss", of_epoch["loss"].mean())
            table = table.reset_index()
            table.insert(0, "trial", trial)
            table.insert(0, "row", row)
            tables.append(table)
    if not tables:
        raise ValueError(
            "histories: expected at least one trial's history, got none; train a row first."
        )
    return pd.concat(tables, ignore_index=True)


def penalty_table(convergence: pd.DataFrame, penalty_weights: Mapping[str, float]) -> pd.DataFrame:
    """Return the last measures of validation persons by lambda, from which Fig 5 (a) is drawn.

    Parameters
    ----------
    convergence : pandas.DataFrame
        As :func:`convergence_table` returns it.
    penalty_weights : mapping of str to float
        Row to lambda of Eq 9.

    Returns
    -------
    pandas.DataFrame
        Columns ``penalty_weight, row, trial, epoch`` and :data:`MEASURES`, the last of each trial;
        sorted by lambda. The loss (Eq 9) includes the penalty times lambda, so that only rank-1 and
        mAP can be compared between rows.

    Raises
    ------
    ValueError
        For a trial without a validation loss, a row without a lambda, or two rows with the same.
    """
    for row in convergence["row"].unique():
        if row not in penalty_weights:
            raise ValueError(f"penalty_weights: {row} is missing; expected a lambda for each row.")
    weights = convergence["row"].map(penalty_weights).rename("penalty_weight")
    table = pd.concat([weights.astype(float), convergence.drop(columns=["step", "loss"])], axis=1)
    rows = table.drop_duplicates("row")
    if rows["penalty_weight"].duplicated().any():
        twice = rows[rows["penalty_weight"].duplicated(keep=False)]
        raise ValueError(
            f"penalty_weights: {', '.join(twice['row'])} have the same lambda "
            f"{twice['penalty_weight'].iloc[0]:g}; expected one row a lambda."
        )
    measured = table.dropna(subset="validation_loss")
    there = set(zip(measured["row"], measured["trial"], strict=True))
    for row, trial in zip(table["row"], table["trial"], strict=True):
        if (row, trial) not in there:
            raise ValueError(
                f"history of {row}, {trial}: no validation_loss was measured; set the preset's "
                "train.training validation_fraction (0.1 for the paper's 90/10)."
            )
    last = measured.sort_values("epoch").drop_duplicates(["row", "trial"], keep="last")
    return last.sort_values(["penalty_weight", "trial"], ignore_index=True)
