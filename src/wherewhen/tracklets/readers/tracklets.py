"""Tracklets of people whose names nobody knows: each folder of crops is one.

Any tree of folders will do: a folder with frames in it is a tracklet, and bears its path as name.
The first folder of the path is its camera, if there are several levels. Each tracklet counts as a
person of its own: it can be searched for, but not trained on or scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wherewhen.tracklets.folders import hint_at_links, image_files, relative, subfolders
from wherewhen.tracklets.ingest import FoundTracklet, Ingested, IngestError, ingest
from wherewhen.tracklets.readers.record import Footage, NumberedOptions, Reader

LAYOUT = "<root>/[<camera>/][.../]<tracklet>/<frame>.png (or .jpg)"

ONE_CAMERA = "camera"
"""The camera of tracklets directly under the root."""

DEEPEST = 64
"""Folders in each other."""


def read(footage: Footage) -> Ingested:
    """Read folders of crops.

    Raises
    ------
    FileNotFoundError
        If there is no folder with frames.
    IngestError
        If frames are faulty, or a folder has frames and folders with frames.
    """
    root = footage.root
    found = [each for folder in subfolders(root) for each in _find(folder, root)]
    if not found:
        raise FileNotFoundError(
            f"data set folder: {root} has no folders with frames.{hint_at_links(root)} Expected: "
            f"{LAYOUT}"
        )
    return ingest("tracklets", root, found, footage.rules)


def _find(
    folder: Path, root: Path, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[FoundTracklet]:
    """Find the tracklets in a folder; `above` are device and number of those it lies in."""
    state = folder.stat()
    own = (state.st_dev, state.st_ino)
    if own in above:
        raise IngestError(f"{folder} is a link that leads back to a folder above it: remove it")
    if len(above) >= DEEPEST:
        raise IngestError(f"{folder}: expected at most {DEEPEST} folders in each other")
    files, name = image_files(folder), relative(folder, root)
    below = [each for inside in subfolders(folder) for each in _find(inside, root, above | {own})]
    if files and below:
        raise IngestError(
            f"{folder}: holds frames ({files[0]}) and tracklets ({below[0].name}). Expected one or "
            "the other: move the frames into a folder of their own"
        )
    if not files:
        yield from below
        return
    camera, *deeper = name.split("/")
    yield FoundTracklet(
        name=name,
        person=name,
        camera=camera if deeper else ONE_CAMERA,
        files=files,
        folder=folder,
    )


READER = Reader("tracklets", "folders of crops, without names", LAYOUT, read, NumberedOptions)
