"""Nodes of `ingest`: read a data set, and stop the run if it can't be used."""

from typing import Any

import pandas as pd

from wherewhen.pipelines.ingest.parameters import IngestParameters
from wherewhen.pipelines.types import Root
from wherewhen.project import from_root, to_root
from wherewhen.tracklets.ingest import Ingested, IngestError
from wherewhen.tracklets.readers import read


def read_frames(
    root: Root, parameters: IngestParameters
) -> tuple[Ingested | IngestError, dict[str, Any]]:
    """Read the data set; an error is returned, so that its report is saved."""
    options = parameters.options.get(parameters.reader)
    try:
        found = read(
            parameters.reader,
            from_root(root),
            unpack_to=parameters.unpack_to and from_root(parameters.unpack_to),
            allow_faulty=parameters.allow_faulty,
            check=parameters.check,
            convert=parameters.convert,
            workers=parameters.workers,
            **(dict(options) if options else {}),
        )
    except IngestError as error:
        return error, error.report
    return found, found.report


def admit(found: Ingested | IngestError) -> tuple[pd.DataFrame, pd.DataFrame, Root]:
    """Return the tables and the frames' folder, or raise the reader's error."""
    if isinstance(found, IngestError):
        raise found
    return found.tracklets, found.frames, to_root(found.root)
