"""Readers: one module a data set, each turning its layout into the same tables.

A reader is a function ``read(root, **options) -> Ingested``. To add one, write its module and enter
it in `READERS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wherewhen.tracklets.ingest import Ingested
from wherewhen.tracklets.readers import folder, prid2011

READERS: dict[str, Callable[..., Ingested]] = {
    "folder": folder.read,
    "prid2011": prid2011.read,
}
"""The readers by the name that configurations use."""


def read(name: str, root: Path | str, **options: Any) -> Ingested:
    """Read a data set.

    Parameters
    ----------
    name : str
        A key of `READERS`.
    root : path
        The data set's folder.
    **options
        The reader's own options.

    Returns
    -------
    Ingested
        Tables and report.

    Raises
    ------
    ValueError
        For an unknown reader or option, naming the known ones, and for DukeMTMC-VideoReID.
    FileNotFoundError
        If the folder is not there or not laid out as expected.
    wherewhen.tracklets.ingest.IngestError
        If the content can't be used.
    """
    if name.lower().startswith("duke"):
        raise ValueError(
            f"data set {name!r} is refused: its authors withdrew DukeMTMC in 2019, because the "
            "people in it were filmed without their consent. Use another one: "
            + ", ".join(sorted(READERS))
        )
    if name not in READERS:
        raise ValueError(f"no reader {name!r}: expected one of {', '.join(sorted(READERS))}")
    reader = READERS[name]
    known = [option for option in inspect.signature(reader).parameters if option != "root"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"reader {name!r} has no option {', '.join(unknown)}: expected among {', '.join(known)}"
        )
    return reader(Path(root), **options)
