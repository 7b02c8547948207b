"""Parquet tables that somebody else may have written, within bounds of memory.

A text that is repeated takes a few bytes in a file, however often and however long it is, and all
of its length in a table: a file of a kilobyte may so ask for terabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_ROWS = 5_000_000
"""Rows of a table: 100 trials of 50,000 tracklets."""

MOST_BYTES = 2**30
"""Bytes of a table, and of its texts, as a file says before they are taken apart."""


def read_parquet(file: BinaryIO, most_rows: int = MOST_ROWS) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    file : binary file
        The file.
    most_rows : int
        Rows that are accepted.

    Returns
    -------
    pandas.DataFrame
        As `pandas.read_parquet` reads it.

    Raises
    ------
    ValueError
        If the table has more rows, or more than `MOST_BYTES`.
    Exception
        Of pyarrow, by the kind of damage.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = pq.read_metadata(file)
    size = sum(about.row_group(place).total_byte_size for place in range(about.num_row_groups))
    for found, most, what in (
        (about.num_rows, most_rows, "rows"),
        (size, MOST_BYTES, "bytes"),
    ):
        if found > most:
            raise ValueError(f"{found:,} {what}, expected at most {most:,}")
    schema = about.schema.to_arrow_schema()
    texts = [each.name for each in schema if pa.types.is_string(each.type)]
    table = pq.read_table(file, read_dictionary=texts)
    if (length := sum(map(_text_bytes, table.columns))) > MOST_BYTES:
        raise ValueError(f"texts of {length:,} bytes, expected at most {MOST_BYTES:,}")
    return table.cast(table.schema if not texts else _plain(table.schema)).to_pandas()


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Add up the lengths of texts that stand in a dictionary, each as often as it is named."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return 0
    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
        total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return total


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema with texts in place of dictionaries of them."""
    import pyarrow as pa

    for place, each in enumerate(schema):
        if pa.types.is_dictionary(each.type) and pa.types.is_string(each.type.value_type):
            schema = schema.set(place, each.with_type(each.type.value_type))
    return schema
