"""A wrong table is named and refused."""

import pandas as pd
import pytest

from wherewhen.reporting.checks import SCORE_COLUMNS, require_scores, require_table


@pytest.fixture
def scores():
    rows = [
        ("pets", "two_camera", f"trial_0{t}", "network", "cosine", "rank-1", 0.5) for t in (0, 1)
    ]
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def test_good_scores_pass(scores):
    require_scores(scores)


def test_empty_table_is_named(scores):
    with pytest.raises(ValueError, match="scores: the table is empty"):
        require_scores(scores.iloc[:0])


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match=r"history: column loss, step is missing; .* has epoch"):
        require_table(pd.DataFrame({"epoch": [1]}), ["loss", "epoch", "step"], "history")


@pytest.mark.parametrize("column", ["dataset", "protocol"])
def test_datasets_and_protocols_are_never_mixed(scores, column):
    scores.loc[1, column] = "other"
    with pytest.raises(ValueError, match=f"scores: {column} has 2 values"):
        require_scores(scores)


@pytest.mark.parametrize("value", [83.1, -0.1, float("nan")])
def test_a_value_that_is_no_fraction_is_named(scores, value):
    scores.loc[1, "value"] = value
    with pytest.raises(ValueError, match="trial_01, network, cosine, rank-1 has value"):
        require_scores(scores)


def test_a_count_may_be_any_number_but_none_below_zero(scores):
    scores.loc[1, ["measure", "value"]] = ["probes", 1980.0]
    require_scores(scores)
    scores.loc[1, "value"] = -1.0
    with pytest.raises(ValueError, match="probes has value -1"):
        require_scores(scores)


def test_a_number_that_stands_there_twice_is_named(scores):
    scores.loc[1, "trial"] = "trial_00"
    with pytest.raises(ValueError, match="trial_00, network, cosine, rank-1 stands there twice"):
        require_scores(scores)
