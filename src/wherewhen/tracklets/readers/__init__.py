"""Readers: one module and one record a data set, all with the same tables as result.

To add a reader, write a module with a `Reader` record, and enter the record in `READERS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wherewhen.tracklets.archives import opened
from wherewhen.tracklets.files import FileError, displayed, expand_home, is_file, is_text, reason
from wherewhen.tracklets.folders import expected_folder
from wherewhen.tracklets.ingest import Ingested, IngestError, IngestRules
from wherewhen.tracklets.readers import folder as folders
from wherewhen.tracklets.readers import ilids_vid, manifest, mars, mot, prid2011, tracklets
from wherewhen.tracklets.readers.record import Footage, Reader

READERS: dict[str, Reader] = {
    module.READER.name: module.READER
    for module in (folders, ilids_vid, manifest, mars, mot, prid2011, tracklets)
}
"""The records by the name that configurations use."""


def reader_named(name: str) -> Reader:
    """Return a reader's record.

    Raises
    ------
    ValueError
        For an unknown name, naming the known ones, and for DukeMTMC-VideoReID.

    Examples
    --------
    >>> reader_named("prid2011").title
    'PRID 2011'
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
    name: str,
    root: Path | str,
    unpack_to: Path | str | None = None,
    *,
    allow_faulty: int = 0,
    check: str = "decode",
    convert: str | None = None,
    workers: int | None = None,
    progress: bool = True,
    **options: Any,
) -> Ingested:
    """Read a data set.

    Parameters
    ----------
    name : str
        A key of `READERS`.
    root : path
        The data set's folder, its archive, a folder with its archives, or a video. In all paths, a
        leading ``~`` is the home folder.
    unpack_to : path, optional
        Where archives are unpacked and crops are cut to; ``unpacked`` beside them by default.
    allow_faulty, check, convert, workers, progress
        See `wherewhen.tracklets.ingest.IngestRules`.
    **options
        Fields of the reader's `options`, for instance ``persons="min_frames"`` of ``prid2011``.

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

    Examples
    --------
    >>> data = read("folder", "~/crops", allow_faulty=3)  # doctest: +SKIP
    >>> data.tracklets.columns  # doctest: +SKIP
    Index(['tracklet', 'person', 'camera', 'length'], dtype='str')
    """
    reader = reader_named(name)
    root, unpack_to = _usable(root), None if unpack_to is None else _usable(unpack_to)
    try:
        typed = reader.options(**options)
        rules = IngestRules(
            size=typed.size,
            common_size=reader.common_size,
            frame_pattern=getattr(typed, "frame_pattern", None),
            allow_faulty=allow_faulty,
            check=check,
            convert=convert,
            workers=workers,
            progress=progress,
        )
    except ValidationError as error:
        raise ValueError(f"reader {name!r}: {_in_words(error, reader)}") from None
    try:
        given, typed = reader.locate(root, typed)
        folder = opened(given, unpack_to, reader.holds_data, progress)
        if not (reader.reads_file and is_file(folder)):
            expected_folder(folder, reader.title, reader.layout)
        return reader.read(Footage(folder, given, unpack_to, typed, rules))
    except FileError as error:
        raise IngestError(str(error)) from error
    except OSError as error:
        if error.errno is None:  # raised by a reader, with a complete message
            raise
        raise IngestError(
            f"reader {name}: {displayed(error.filename or root)}: {reason(error)}. Expected a data "
            f"set at {root} that can be read, and a folder to unpack and cut it to that can be "
            "written to: give yourself the rights, or set ingest.root and ingest.unpack_to"
        ) from error


def _usable(path: Path | str) -> Path:
    """Expand the home folder; refuse a path that tables' JSON can't hold."""
    if not is_text(path):
        raise IngestError(
            f"{displayed(path)}: this path is not UTF-8, so tables and JSON can't hold it: rename "
            "the folder, or put a link to it with another name"
        )
    return expand_home(path)


def _in_words(error: ValidationError, reader: Reader) -> str:
    """Write faults of options in one line."""
    faults = []
    for fault in error.errors():
        option = ".".join(str(part) for part in fault["loc"])
        if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = ", ".join(reader.options.model_fields)
            faults.append(f"no option {option}: expected among {known}")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            faults.append(f"option {option} is {fault['input']!r}: {message}")
    return "; ".join(faults)
