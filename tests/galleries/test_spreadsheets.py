"""Names in CSV files come back, and no spreadsheet computes them."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.galleries.spreadsheets import shielded, shielded_table, unshielded

NAMES = st.text() | st.text("'=+-@\t\r1", max_size=6)


@settings(deadline=None)
@given(NAMES)
def test_a_name_comes_back(name):
    assert unshielded(shielded(name)) == name


@settings(deadline=None)
@given(NAMES)
def test_what_would_be_computed_begins_with_an_apostrophe(name):
    cell = shielded(name)
    assert not cell.startswith(("=", "@", "\t", "\r"))
    if cell.startswith(("+", "-")):
        float(cell)


def test_numbers_and_other_columns_stay():
    table = pd.DataFrame({"person": ["=1", "-1"], "distance": [-1.5, 2.0], "match": [True, False]})
    shown = shielded_table(table)
    assert shown["person"].tolist() == ["'=1", "-1"]
    pd.testing.assert_frame_equal(shown.drop(columns="person"), table.drop(columns="person"))
