"""Schemas of the tables: their columns and types, and the rules between them.

Tables are validated at the borders of the stages; an error names table, column and row. A table may
have further columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pandera.pandas as pa

from wherewhen.tracklets import KINDS, ROLES, SUBSETS
from wherewhen.tracklets.files import shortened

_SHOWN = 5
"""Faults a message lists before it only counts."""


class TableError(ValueError):
    """A table breaks its schema, or two tables contradict each other."""


def _name() -> pa.Column:
    return pa.Column(str, pa.Check.str_length(min_value=1))


def _count(least: int) -> pa.Column:
    return pa.Column("int64", pa.Check.ge(least))


def _role() -> pa.Column:
    return pa.Column(str, pa.Check.isin(ROLES))


def _query_is_a_test_person(tracklets: pd.DataFrame) -> pd.Series:
    """Whether a query is a labelled person of the test subset, for every row."""
    sound = ~_column(tracklets, "query", False).astype(bool)
    is_test = _column(tracklets, "subset", "test") == "test"
    return sound | (is_test & (_column(tracklets, "kind", "person") == "person"))


def _training_shows_persons(tracklets: pd.DataFrame) -> pd.Series:
    kinds = _column(tracklets, "kind", "person")
    return (_column(tracklets, "subset", "test") == "test") | (kinds == "person")


def _column(table: pd.DataFrame, name: str, absent: object) -> pd.Series:
    return table[name] if name in table else pd.Series(absent, index=table.index)


FIXED: dict[str, type] = {"subset": str, "query": bool, "kind": str}
"""The optional columns of the table of tracklets: what a data set's authors fixed."""

TRACKLETS = pa.DataFrameSchema(
    {
        "tracklet": pa.Column(str, pa.Check.str_length(min_value=1), unique=True),
        "person": _name(),
        "camera": _name(),
        "length": _count(1),
        "subset": pa.Column(str, pa.Check.isin(SUBSETS), required=False),
        "query": pa.Column(bool, required=False),
        "kind": pa.Column(str, pa.Check.isin(KINDS), required=False),
        "start": pa.Column("float64", pa.Check.ge(0), nullable=True, required=False),
        "end": pa.Column("float64", pa.Check.ge(0), nullable=True, required=False),
    },
    checks=[
        pa.Check(
            _query_is_a_test_person,
            error="the rule: a query is a test person",
        ),
        pa.Check(_training_shows_persons, error="the rule: only persons train"),
    ],
    name="tracklets",
)
"""One row a tracklet: its name (``"cam_a/person_0001"``), who, where, how many frames.

Where the authors of a data set fixed it: `subset` (on which side of their split), `query` (whether
it is one of their probes), `kind` (`wherewhen.tracklets.KINDS`; without the column all are
persons). A set has such a column for all its rows or not at all. Where times are known, `start` and
`end`: when the first and the last frame were taken, in seconds by the camera's clock (else NaN).
"""

FRAMES = pa.DataFrameSchema(
    {
        "tracklet": _name(),
        "position": _count(0),
        "frame": _count(0),
        "path": _name(),
        "width": _count(1),
        "height": _count(1),
        "sha256": pa.Column(str, pa.Check.str_matches(r"^[0-9a-f]{64}$")),
    },
    unique=["tracklet", "position"],
    name="frames",
)
"""One row a frame: its place in the tracklet, the number in its name, its file under the root."""

SPLITS = pa.DataFrameSchema(
    {
        "trial": _name(),
        "tracklet": _name(),
        "person": _name(),
        "camera": _name(),
        "role": _role(),
    },
    unique=["trial", "tracklet", "role"],
    name="splits",
)
"""One row a tracklet and role in a trial."""

EMBEDDINGS = pa.DataFrameSchema(
    {
        "tracklet": _name(),
        "clip": _count(0),
        "person": _name(),
        "camera": _name(),
        "role": _role(),
        "vector": pa.Column(object),
    },
    name="embeddings",
)
"""One row a clip: a float32 vector and whose it is. A tested tracklet has one clip, number 0."""


def validate(table: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Check a table against its schema.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    schema : pandera.pandas.DataFrameSchema
        One of this module's schemas.

    Returns
    -------
    pandas.DataFrame
        The table itself.

    Raises
    ------
    TableError
        Naming the table, and the column, row, value and rule of its first faults.
    """
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        # pandera lists a rule between columns once for every column of the row
        between = cases["check"].isin([check.error for check in schema.checks])
        cases = cases[~(between & cases.duplicated(["check", "index"]))]
        lines = [
            f"{'' if between[case.Index] else f'column {case.column}, '}row {case.index}: "
            f"{'' if between[case.Index] else f'{case.failure_case!r} '}breaks {case.check}"
            for case in cases.head(_SHOWN).itertuples()
        ]
        raise TableError(_message(schema.name, lines, len(cases))) from None
    return table


def validate_tables(tracklets: pd.DataFrame, frames: pd.DataFrame) -> None:
    """Check both tables of a data set, and that they agree.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        One row a tracklet (`TRACKLETS`).
    frames : pandas.DataFrame
        One row a frame (`FRAMES`): rows of a tracklet stand together and in order.

    Raises
    ------
    TableError
        If a table breaks its schema; a frame belongs to no tracklet; a tracklet has another number
        of frames than its length; positions are not 0, 1, 2, ...; or frame numbers do not rise.
    """
    validate(tracklets, TRACKLETS)
    validate(frames, FRAMES)
    unknown = frames.loc[~frames["tracklet"].isin(tracklets["tracklet"])]
    _refuse_rows(unknown, "rows of no tracklet in the table of tracklets")

    counted = frames.groupby("tracklet").size().reindex(tracklets["tracklet"], fill_value=0)
    wrong = counted.to_numpy() != tracklets["length"].to_numpy()
    lines = [
        f"tracklet {row.tracklet!r} has length {row.length} but {counted[row.tracklet]} frames"
        for row in tracklets.loc[wrong].itertuples()
    ]
    if lines:
        raise TableError(_message("tracklets", lines[:_SHOWN], len(lines)))

    groups = frames.groupby("tracklet", sort=False)
    _refuse_rows(
        frames.loc[frames["position"] != groups.cumcount()],
        "positions must run 0, 1, 2, ... in the order of the rows",
    )
    _refuse_rows(
        frames.loc[groups["frame"].diff() <= 0],
        "frame numbers must rise strictly inside a tracklet",
    )


def listed_rows(rows: pd.DataFrame, columns: Sequence[str]) -> str:
    """Write the first rows of a table for a message, and count the others.

    Parameters
    ----------
    rows : pandas.DataFrame
        Its index names the rows, and has a name, e.g. ``line``.
    columns : sequence of str
        The columns whose values are shown.

    Examples
    --------
    >>> table = pd.DataFrame({"role": ["train", "query"]}).rename_axis("row")
    >>> listed_rows(table[1:], ["role"])
    "row 1 ('query')"
    """
    first = rows.head(_SHOWN)
    shown = "; ".join(
        f"{rows.index.name} {place} ({', '.join(map(shortened, values))})"
        for place, values in zip(first.index, first[list(columns)].to_numpy().tolist(), strict=True)
    )
    return f"{shown} and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else shown


def _refuse_rows(rows: pd.DataFrame, fault: str) -> None:
    if not rows.empty:
        shown = listed_rows(rows.rename_axis("row"), ["tracklet", "position", "frame"])
        raise TableError(
            f"table of frames is not valid: {fault} (tracklet, position, frame): {shown}"
        )


def _message(table: str | None, lines: list[str], total: int) -> str:
    more = [f"... and {total - len(lines)} more"] if total > len(lines) else []
    return "\n  ".join([f"table of {table} is not valid:", *lines, *more])
