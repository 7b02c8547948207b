"""Texts of CSV files that people open in a spreadsheet, which takes some of them for formulas.

A person or tracklet may be called ``=HYPERLINK(...)``. An apostrophe before it, which spreadsheets
take for "this is text", is all that helps in each of them.
"""

from __future__ import annotations

import re

import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def shielded(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would compute; numbers stay.

    Examples
    --------
    >>> [shielded(name) for name in ("anna", "=1+1", "-1", "'=1")]
    ['anna', "'=1+1", '-1', "''=1"]
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unshielded(text: str) -> str:
    """Take the apostrophe of `shielded` away.

    Examples
    --------
    >>> [unshielded(shielded(name)) for name in ("anna", "=1+1", "-1", "'=1")]
    ['anna', '=1+1', '-1', "'=1"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def shielded_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its texts as `shielded` writes them."""
    return table.map(lambda value: shielded(value) if isinstance(value, str) else value)
