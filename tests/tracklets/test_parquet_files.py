"""Tables are read as pandas reads them, unless they are larger than their files look."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.tracklets import parquet_files
from wherewhen.tracklets.parquet_files import read_parquet

ROWS = st.lists(
    st.tuples(st.text(max_size=8) | st.none(), st.integers(-9, 9), st.floats(width=32)), max_size=12
)


def written(table, **options):
    content = io.BytesIO()
    table.to_parquet(content, **options)
    return content


@settings(max_examples=50, deadline=None)
@given(ROWS, st.booleans())
def test_a_table_is_that_of_pandas(rows, index):
    table = pd.DataFrame(rows, columns=["name", "number", "value"])
    content = written(table, index=index)
    pd.testing.assert_frame_equal(read_parquet(content), pd.read_parquet(content))


def test_lists_categories_and_times_are_those_of_pandas():
    table = pd.DataFrame(
        {
            "paths": [["a", "b"], []],
            "category": pd.Categorical(["x", "y"]),
            "time": pd.to_datetime(["2026-01-01", None]),
        }
    )
    content = written(table)
    pd.testing.assert_frame_equal(read_parquet(content), pd.read_parquet(content))


def repeated(text, rows):
    column = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text])
    content = io.BytesIO()
    pq.write_table(pa.table({"name": column}), content)
    return content


def test_rows_are_counted_before_they_are_read():
    assert len(read_parquet(repeated("a", 100), most_rows=100)) == 100
    with pytest.raises(ValueError, match="100 rows, expected at most 99"):
        read_parquet(repeated("a", 100), most_rows=99)


def test_a_text_counts_as_often_as_it_stands_there(monkeypatch):
    monkeypatch.setattr(parquet_files, "MOST_BYTES", 10_000)
    assert len(read_parquet(repeated("a" * 100, 100))) == 100
    with pytest.raises(ValueError, match="texts of 10,100 bytes, expected at most 10,000"):
        read_parquet(repeated("a" * 100, 101))
