"""What a gallery may hold, and which of its rows a filter chooses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from wherewhen.hints import did_you_mean

NAMES = ["tracklet", "person", "camera"]
COLUMNS = [*NAMES, "start", "end", "length", "frames"]
"""Columns of a gallery's table: text, seconds (NaN where unknown), a number of frames, and their
paths (none where unknown)."""

_COMPARED = 10_000
"""Names that a mistyped one is compared with: a million would take minutes."""


class GalleryError(ValueError):
    """A gallery, a query or a filter that can't be used as it is."""


def checked_table(tracklets: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a gallery in one form, or say which row is wrong.

    Parameters
    ----------
    tracklets : pandas.DataFrame
        The columns `tracklet` (unique), `person`, `camera` and `length` (frames), and maybe `start`
        and `end` in seconds, both NaN where the time is unknown, and `frames`, lists of paths.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS` alone, the rows numbered from 0.

    Raises
    ------
    GalleryError
        Naming the column, the row and the value.
    """
    absent = [name for name in (*NAMES, "length") if name not in tracklets]
    if absent:
        raise GalleryError(
            f"the table of tracklets lacks {', '.join(absent)}: expected the columns "
            f"{', '.join(NAMES)} and length, and maybe start and end"
        )
    if not len(tracklets):
        raise GalleryError("the table of tracklets is empty: expected at least one row")
    table = tracklets.reset_index(drop=True)
    for name in NAMES:
        _refuse(table, name, ~table[name].map(_is_name).astype(bool), "text that is not empty")
    _refuse(table, "tracklet", table["tracklet"].duplicated(), "unique names, and this is a second")
    made = {name: _in_one_piece(table[name]) for name in NAMES}
    made |= {name: _seconds(table, name) for name in ("start", "end")}
    wrong = (made["start"].isna() != made["end"].isna()) | (made["end"] < made["start"])
    _refuse(table.assign(**made), "end", wrong, "start and end, both or neither, in this order")
    if not pd.api.types.is_integer_dtype(table["length"]):
        raise GalleryError(f"column length is {table['length'].dtype}: expected whole numbers")
    _refuse(table, "length", (table["length"] < 1).astype(bool), "at least 1 frame")
    made |= {"length": table["length"].astype("int64"), "frames": _paths(table)}
    return pd.DataFrame(made)[COLUMNS]


def _paths(table: pd.DataFrame) -> pd.Series:
    """Return the paths of each tracklet's frames as lists of text."""
    if "frames" not in table:
        return pd.Series([[]] * len(table), index=table.index, dtype=object)
    wrong = ~table["frames"].map(
        lambda paths: isinstance(paths, list | np.ndarray) and all(map(_is_name, paths))
    )
    _refuse(table, "frames", wrong.astype(bool), "a list of paths")
    return table["frames"].map(list)


def joined(table: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Return a gallery's table with the rows of another behind it."""
    both = pd.concat([table, more], ignore_index=True)
    return both.assign(**{name: _in_one_piece(both[name]) for name in NAMES})


def _in_one_piece(column: pd.Series) -> pd.Series:
    """Return text in one piece of memory: to take rows from several takes long."""
    return pd.Series(column.to_numpy(dtype=object), index=column.index, dtype=str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _seconds(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        return pd.Series(np.nan, index=table.index)
    if not pd.api.types.is_numeric_dtype(table[name]):
        raise GalleryError(f"column {name} is {table[name].dtype}: expected seconds, as numbers")
    seconds = table[name].astype("float64")
    _refuse(table, name, np.isinf(seconds), "finite seconds, or NaN")
    return seconds


def _refuse(table: pd.DataFrame, name: str, wrong: pd.Series, expected: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        row = rows[0]
        value = table[name].iloc[row]
        shown = repr(value) if isinstance(value, str) else value
        raise GalleryError(
            f"column {name}, row {row}: {shown} (tracklet "
            f"{table['tracklet'].iloc[row]!r}, {rows.size} such rows): expected {expected}"
        )


def checked_vectors(vectors: np.ndarray, what: str, rows: int | None = None) -> np.ndarray:
    """Return vectors as a contiguous array, or say what is wrong with them.

    Parameters
    ----------
    vectors : numpy.ndarray, float32 [N, E]
        The vectors.
    what : str
        What they are, for messages.
    rows : int or None
        How many are expected, if that is known.

    Raises
    ------
    GalleryError
        If the type or the shape is another, or a value is not finite.
    """
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        found = getattr(vectors, "dtype", type(vectors).__name__)
        raise GalleryError(f"{what} are {found}: expected an array of float32")
    if vectors.ndim != 2 or not vectors.size:
        raise GalleryError(f"{what} have shape {vectors.shape}: expected [vectors, dimensions]")
    if rows is not None and len(vectors) != rows:
        raise GalleryError(f"{len(vectors)} {what} for {rows} tracklets: expected one for each")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if broken.size:
        raise GalleryError(
            f"{what}: {broken.size} hold NaN or infinity, first row {broken[0]}. Expected finite "
            "numbers: check what made the vectors"
        )
    return np.ascontiguousarray(vectors)


def checked_about(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of the model as JSON has it.

    Raises
    ------
    GalleryError
        If JSON can't hold it, or it has no `model`.
    """
    try:
        plain = json.loads(json.dumps(dict(about), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise GalleryError(f"about is {about!r}: expected a mapping for JSON ({error})") from error
    if not _is_name(plain.get("model")):
        raise GalleryError(
            f"about.model is {plain.get('model')!r}: expected the fingerprint of the model that "
            "made the vectors"
        )
    return plain


def refuse_other_model(given: Mapping[str, Any], own: Mapping[str, Any], what: str) -> None:
    """Raise a `GalleryError` if vectors are from another model than the gallery's."""
    given = checked_about(given)
    differ = [name for name in sorted({*given, *own}) if given.get(name) != own.get(name)]
    if differ:
        said = ", ".join(f"{name} is {given.get(name)!r}, not {own.get(name)!r}" for name in differ)
        raise GalleryError(
            f"{what} are of another model than the gallery's: {said}. Distances between them mean "
            "nothing: make the vectors by the gallery's model, or the gallery anew"
        )


def chosen_rows(
    table: pd.DataFrame,
    persons: Iterable[str] | None = None,
    cameras: Iterable[str] | None = None,
    not_cameras: Iterable[str] | None = None,
    after: float | None = None,
    before: float | None = None,
    exclude: Iterable[str] | None = None,
) -> np.ndarray | None:
    """Return the rows that all given conditions hold for, or None where there is no condition.

    Parameters
    ----------
    table : pandas.DataFrame
        A gallery's table.
    persons, cameras, not_cameras, after, before, exclude
        See `wherewhen.search.Index.search`.

    Returns
    -------
    numpy.ndarray, int64, or None
        Rows in their order.

    Raises
    ------
    GalleryError
        If a name is not in the gallery, a time is not a number, or no tracklet has a time.
    """
    wanted = {"persons": persons, "cameras": cameras}
    unwanted = {"not_cameras": not_cameras, "exclude": exclude}
    masks = [named(table, key, names) for key, names in wanted.items() if names is not None]
    masks += [~named(table, key, names, 0) for key, names in unwanted.items() if names is not None]
    if after is not None or before is not None:
        masks.append(_within(table, after, before))
    return np.flatnonzero(np.logical_and.reduce(masks)) if masks else None


_COLUMN = {
    "persons": "person",
    "cameras": "camera",
    "not_cameras": "camera",
    "exclude": "tracklet",
    "tracklets": "tracklet",
}
"""The column that an argument's names are of."""


def named(table: pd.DataFrame, argument: str, names: Iterable[str], least: int = 1) -> np.ndarray:
    """Return whether each row has one of some names, in the column that an argument is about.

    Raises
    ------
    GalleryError
        If a name is not in the gallery, there are fewer than `least`, or it is one text.
    """
    names, column = listed(argument, names), table[_COLUMN[argument]]
    if len(names) < least:
        raise GalleryError(f"{argument} is empty: expected at least one name, or None for no limit")
    mask = column.isin(names).to_numpy(dtype=bool)
    absent = sorted(set(names) - set(column[mask]))
    if absent:
        known = _alike(absent[0], column.unique().tolist())
        meant = did_you_mean(absent[0], known, "expected names of its table")
        raise GalleryError(
            f"{argument}: no {column.name} {absent[0]!r} in the gallery ({len(absent)} such "
            f"names): {meant}"
        )
    return mask


def _alike(name: str, known: list[str]) -> list[str]:
    """Return the names to look for a likely one in: of very many, some that begin alike."""
    if len(known) <= _COMPARED:
        return known
    return [each for each in known if each.startswith(name[: len(name) // 2])][:_COMPARED]


def listed(argument: str, names: Iterable[str]) -> list[str]:
    """Return names as a list; a text alone would be a list of letters."""
    if isinstance(names, str):
        raise GalleryError(f"{argument} is the text {names!r}: expected a list of names")
    return list(names)


def _within(table: pd.DataFrame, after: float | None, before: float | None) -> np.ndarray:
    """Return whether each tracklet was seen at some time between two; unknown times were not."""
    for name, time in (("after", after), ("before", before)):
        if time is not None and np.isnan(time):
            raise GalleryError(f"{name} is {time}: expected seconds")
    if after is not None and before is not None and after > before:
        raise GalleryError(f"after is {after} and before is {before}: expected the earlier first")
    if table["start"].isna().all():
        raise GalleryError("no tracklet of the gallery has a time: after and before can't be used")
    late = table["end"] >= (-np.inf if after is None else after)
    early = table["start"] <= (np.inf if before is None else before)
    return (late & early).to_numpy(dtype=bool)
