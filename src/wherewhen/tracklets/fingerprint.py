"""Fingerprints: short hashes of the content of parameters, tables and identities.

Equal content has an equal fingerprint on every machine and in every process.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Set
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

OPERATIONAL = "operational"
"""Marks, in ``Annotated``, a field that does not affect results, so that `decisive` omits it."""

LENGTH = 16
"""Hexadecimal digits of the sha256 that are kept: 64 bits."""

_ROWS = 10_000
"""Rows of a table that are turned into JSON at a time."""


def fingerprint(obj: Any) -> str:
    """Return a hash of an object's content.

    Parameters
    ----------
    obj : Any
        What JSON can hold (the order of a dict's keys does not matter, that of a list does) and,
        inside it, numpy scalars and arrays, paths, sets, dataclasses and pydantic models.

    Returns
    -------
    str
        The first 16 hexadecimal digits of the sha256 of the object's canonical JSON.

    Raises
    ------
    TypeError
        If something in the object has no canonical form.
    ValueError
        If the object holds NaN or an infinity, which JSON can't write.

    Examples
    --------
    >>> fingerprint({"seed": 1, "trials": 2}) == fingerprint({"trials": 2, "seed": 1})
    True
    """
    return hashlib.sha256(canonical_json(obj).encode()).hexdigest()[:LENGTH]


def file_sha256(path: Path) -> str:
    """Hash a file's bytes: 64 hexadecimal digits, as ``sha256sum`` prints them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows_fingerprint(table: pd.DataFrame) -> str:
    """Return the fingerprint of a table's rows, computed in little memory.

    Parameters
    ----------
    table : pandas.DataFrame
        Its columns hold strings and numbers.

    Returns
    -------
    str
        What `fingerprint` gives the list of the rows, each a list of its values.
    """
    digest, between = hashlib.sha256(b"["), b""
    for start in range(0, len(table), _ROWS):
        rows = table.iloc[start : start + _ROWS].to_numpy(dtype=object).tolist()
        digest.update(between + canonical_json(rows)[1:-1].encode())
        between = b","
    digest.update(b"]")
    return digest.hexdigest()[:LENGTH]


def decisive(value: Any, content: Callable[[PurePath], str]) -> Any:
    """Reduce parameters to those that affect results.

    Parameters
    ----------
    value : Any
        A pydantic model, or what it may hold: mappings, sequences, scalars, paths.
    content : callable
        Gives the fingerprint of what lies at a path: a file that is read counts by its content,
        wherever it lies.

    Returns
    -------
    Any
        Plain values for JSON. Fields that are marked as `OPERATIONAL` are left out, at any depth.
    """
    if isinstance(value, PurePath):
        return {"content": content(value)}
    if hasattr(value, "model_dump"):
        fields = type(value).model_fields
        value = {
            name: getattr(value, name)
            for name, field in fields.items()
            if OPERATIONAL not in field.metadata
        }
    if isinstance(value, Mapping):
        return {str(name): decisive(each, content) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [decisive(each, content) for each in value]
    return value


def canonical_json(obj: Any) -> str:
    """Write an object as JSON with sorted keys and no spaces, the text that is hashed.

    Parameters
    ----------
    obj : Any
        As for `fingerprint`.

    Returns
    -------
    str
        One line of ASCII.
    """
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(obj: Any) -> Any:
    """Convert an object that JSON does not know."""
    import numpy as np  # here: commands that print help need no numpy

    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return obj.tolist()
    if isinstance(obj, PurePath):
        return obj.as_posix()
    if isinstance(obj, Set):
        return sorted(obj, key=canonical_json)
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}
    if hasattr(obj, "model_dump"):  # a pydantic model; this package does not import pydantic
        return obj.model_dump(mode="json")
    raise TypeError(
        f"no fingerprint for a {type(obj).__name__}: expected what JSON can hold, numpy values, "
        "paths, sets, dataclasses or pydantic models; convert it before asking"
    )
