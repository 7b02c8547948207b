"""Curves of rows in one table, ours and published ones."""

import pandas as pd
import pytest

from wherewhen.reporting.cmc import QUOTED, cmc_table


def scores(trial="trial_00", **changes):
    table = pd.DataFrame({"measure": ["rank-2", "mAP", "rank-1"], "value": [0.7, 0.6, 0.5]})
    names = {"dataset": "d", "protocol": "p", "features": "network", "metric": "euclidean"}
    return table.assign(trial=trial, **(names | changes))


def test_ours_by_rank_then_the_quoted():
    table = cmc_table({"ours": pd.concat([scores("t1"), scores("t0")])}, {"TDL": {1: 0.4, 5: 0.8}})
    assert table.to_numpy().tolist() == [
        ["ours", False, "p", "t0", 1, 0.5],
        ["ours", False, "p", "t0", 2, 0.7],
        ["ours", False, "p", "t1", 1, 0.5],
        ["ours", False, "p", "t1", 2, 0.7],
        ["TDL", True, "", QUOTED, 1, 0.4],
        ["TDL", True, "", QUOTED, 5, 0.8],
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (scores().iloc[:0], "row ours: scores: the table is empty"),
        (scores()[1:2], "row ours: scores without any measure rank-k"),
        (pd.concat([scores(), scores(metric="lfda")]), "row ours: scores of several metric"),
    ],
)
def test_a_row_that_is_no_curve_is_named(table, message):
    with pytest.raises(ValueError, match=message):
        cmc_table({"ours": table})


def test_no_rows_no_table():
    with pytest.raises(ValueError, match="expected at least one row"):
        cmc_table({})
