import math

import pytest

from wherewhen.reporting.page import Number, Row, Status
from wherewhen.reporting.page.numbers import best, percent, signed, spread


@pytest.mark.parametrize(
    "value, text", [(83.14, "83.1"), (100.0, "100.0"), (0.0, "0.0"), (None, "–"), (math.nan, "–")]
)
def test_percent_has_one_digit_and_a_dash_for_nothing(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    "value, text", [(2.36, "± 2.4"), (0.0, "± 0.0"), (None, ""), (math.nan, "")]
)
def test_spread_is_left_away_where_there_is_none(value, text):
    assert spread(value) == text


@pytest.mark.parametrize(
    "value, text",
    [(2.14, "+2.1"), (-0.44, "−0.4"), (-0.04, "0.0"), (0.0, "0.0"), (None, "–"), (math.nan, "–")],
)
def test_difference_has_a_sign_unless_it_is_nothing_as_printed(value, text):
    assert signed(value) == text


def row(name: str, mean: float | None, published: float | None = None) -> Row:
    return Row(name, Status.FINISHED, numbers={"rank-1": Number(mean, published=published)})


def test_best_takes_ours_alone_and_what_is_equal_as_printed():
    rows = [row("a", 60.04), row("b", 59.96), row("c", 59.9), row("quoted", None, 99.0)]
    assert best(rows, "rank-1") == {"a", "b"}


def test_best_of_one_is_none():
    assert best([row("a", 60.0), row("b", None)], "rank-1") == set()
    assert best([row("a", 60.0), row("b", 50.0)], "mAP") == set()
