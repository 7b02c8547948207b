"""Readers: one module a data set, each turning its layout into the same tables.

A reader is a function ``read(root, rules, unpack_to, **options) -> Ingested``. To add one, write
its module and enter it in `READERS`.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wherewhen.tracklets.files import FileError, displayed, expand_home, is_text, reason
from wherewhen.tracklets.ingest import Ingested, IngestError, IngestRules
from wherewhen.tracklets.readers import folder, ilids_vid, manifest, mars, prid2011

READERS: dict[str, Callable[..., Ingested]] = {
    "folder": folder.read,
    "ilids_vid": ilids_vid.read,
    "manifest": manifest.read,
    "mars": mars.read,
    "prid2011": prid2011.read,
}
"""The readers by the name that configurations use."""

_RULES = tuple(field.name for field in dataclasses.fields(IngestRules))


def reader_named(name: str) -> Callable[..., Ingested]:
    """Return a reader by its name.

    Raises
    ------
    ValueError
        For an unknown name, naming the known ones, and for DukeMTMC-VideoReID.
    """
    if name.lower().startswith("duke"):
        raise ValueError(
            f"data set {name!r} is refused: its authors withdrew DukeMTMC in 2019, because the "
            "people in it were filmed without their consent. Use another one: "
            + ", ".join(sorted(READERS))
        )
    if name not in READERS:
        raise ValueError(f"no reader {name!r}: expected one of {', '.join(sorted(READERS))}")
    return READERS[name]


def read(
    name: str, root: Path | str, unpack_to: Path | str | None = None, **options: Any
) -> Ingested:
    """Read a data set.

    Parameters
    ----------
    name : str
        A key of `READERS`.
    root : path
        The data set's folder, its archive, or a folder with its archives. In all paths, a leading
        ``~`` is the home folder.
    unpack_to : path, optional
        Where archives are unpacked and crops are cut to; ``unpacked`` beside them by default.
    **options
        Fields of `wherewhen.tracklets.ingest.IngestRules`, and the reader's own options.

    Returns
    -------
    Ingested
        Tables and report.

    Raises
    ------
    ValueError
        For an unknown reader or option, naming the known ones, an option of another type, and for
        DukeMTMC-VideoReID.
    FileNotFoundError
        If the data set is not there or not laid out as expected.
    wherewhen.tracklets.archives.ArchiveError
        If an archive is damaged or holds what must not be unpacked.
    wherewhen.tracklets.ingest.IngestError
        If the content can't be used, or a file or folder can't be read or written.
    """
    reader = reader_named(name)
    root, unpack_to = _usable(root), None if unpack_to is None else _usable(unpack_to)
    own = [
        option
        for option in inspect.signature(reader).parameters
        if option not in ("root", "rules", "unpack_to")
    ]
    known = [*own, *_RULES]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"reader {name!r} has no option {', '.join(unknown)}: expected among {', '.join(known)}"
        )
    _check_types(name, options)
    rules = IngestRules(**{key: value for key, value in options.items() if key in _RULES})
    try:
        return reader(
            root, rules, unpack_to, **{key: options[key] for key in options if key in own}
        )
    except FileError as error:
        raise IngestError(str(error)) from error
    except OSError as error:
        if error.errno is None:  # raised here, with all that is to be said
            raise
        raise IngestError(
            f"reader {name}: {displayed(error.filename or root)}: {reason(error)}. Expected a data "
            f"set at {root} that can be read, and a folder to unpack and cut it to that can be "
            "written to: give yourself the rights, or set ingest.root and ingest.unpack_to"
        ) from error


def _usable(path: Path | str) -> Path:
    """Expand a path; the tables' JSON keeps it, so it has to be text."""
    if not is_text(path):
        raise IngestError(
            f"{displayed(path)}: this path is not UTF-8, so tables and JSON can't hold it: rename "
            "the folder, or put a link to it with another name"
        )
    return expand_home(path)


def _check_types(name: str, options: Mapping[str, Any]) -> None:
    """Hold options to the types that reader and rules declare: to Python, a text `no` is true."""
    kinds = typing.get_type_hints(READERS[name]) | typing.get_type_hints(IngestRules)
    for option, value in options.items():
        kind = kinds[option]
        if not _fits(value, kind):
            raise ValueError(
                f"reader {name!r}: option {option} is {value!r}, expected {_in_words(kind)}"
            )


def _fits(value: Any, kind: Any) -> bool:
    inside = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:  # a list in YAML
        return (
            isinstance(value, list | tuple)
            and len(value) == len(inside)
            and all(map(_fits, value, inside))
        )
    if inside:
        return any(_fits(value, each) for each in inside)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _in_words(kind: Any) -> str:
    words = {int: "a whole number", str: "a text", bool: "true or false", type(None): "null"}
    if typing.get_origin(kind) is tuple:
        return f"[{', '.join(map(_in_words, typing.get_args(kind)))}]"
    return words.get(kind) or " or ".join(map(_in_words, typing.get_args(kind)))
