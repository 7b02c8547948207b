"""Readers: one module a data set, each turning its layout into the same tables.

A reader is a function ``read(root, rules, unpack_to, **options) -> Ingested``. To add one, write
its module and enter it in `READERS`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wherewhen.tracklets.files import expand_home
from wherewhen.tracklets.ingest import Ingested, IngestRules
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
        For an unknown reader or option, naming the known ones, and for DukeMTMC-VideoReID.
    FileNotFoundError
        If the data set is not there or not laid out as expected.
    wherewhen.tracklets.archives.ArchiveError
        If an archive is damaged or holds what must not be unpacked.
    wherewhen.tracklets.ingest.IngestError
        If the content can't be used.
    """
    reader = reader_named(name)
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
    rules = IngestRules(**{key: value for key, value in options.items() if key in _RULES})
    return reader(
        expand_home(root),
        rules,
        expand_home(unpack_to) if unpack_to is not None else None,
        **{key: value for key, value in options.items() if key in own},
    )
