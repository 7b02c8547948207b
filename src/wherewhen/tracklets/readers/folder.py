"""Crops in folders: the layout for footage of your own.

``<root>/<camera>/<person>/<frame>.{png,jpg}`` or, where a person has several tracklets in a camera,
``<root>/<camera>/<person>/<tracklet>/<frame>.{png,jpg}``. A data set may use both. A person's
folder has the same name under every camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wherewhen.tracklets.folders import hint_at_links, image_files, relative, subfolders
from wherewhen.tracklets.ingest import FoundTracklet, Ingested, IngestError, ingest
from wherewhen.tracklets.readers.record import Footage, NumberedOptions, Reader

LAYOUT = "<root>/<camera>/<person>/[<tracklet>/]<frame>.png (or .jpg)"


def read(footage: Footage) -> Ingested:
    """Read crops in folders.

    Raises
    ------
    FileNotFoundError
        If the root has no camera and person in it.
    IngestError
        If frames are faulty or nobody is seen by two cameras. Persons in one camera only stay in
        the tables; the report names them.
    """
    root = footage.root
    found = list(_find(root))
    if not found:
        raise FileNotFoundError(
            f"data set folder: {root} has no folders of persons inside folders of cameras."
            f"{hint_at_links(root)} Expected: {LAYOUT}. Set the root to the folder that holds the "
            "cameras' folders"
        )
    return ingest("folder", root, found, footage.rules)


def _find(root: Path) -> Iterator[FoundTracklet]:
    for camera in subfolders(root):
        for person in subfolders(camera):
            files, parts = image_files(person), subfolders(person)
            if files and parts:
                raise IngestError(
                    f"{person}: holds frames ({files[0]}) and folders ({parts[0].name}). "
                    "Expected one or the other: move the frames into a tracklet's folder"
                )
            for folder in parts or [person]:
                yield FoundTracklet(
                    name=relative(folder, root),
                    person=person.name,
                    camera=camera.name,
                    files=image_files(folder),
                    folder=folder,
                )


READER = Reader("folder", "crops in folders", LAYOUT, read, NumberedOptions)
