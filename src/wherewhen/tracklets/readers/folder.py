"""Any set of crops in folders: the layout for a user's own videos.

``<root>/<camera>/<person>/<frame>.{png,jpg}`` or, where a person has several tracklets in a camera,
``<root>/<camera>/<person>/<tracklet>/<frame>.{png,jpg}``. Both may occur in one set. A person bears
the same folder name under every camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wherewhen.tracklets.archives import opened
from wherewhen.tracklets.files import displayed, entries, is_folder, is_there
from wherewhen.tracklets.ingest import (
    FoundTracklet,
    Ingested,
    IngestError,
    IngestRules,
    expected_folder,
    hint_at_links,
    image_files,
    ingest,
    listed,
    subfolders,
)

LAYOUT = "<root>/<camera>/<person>/[<tracklet>/]<frame>.png (or .jpg)"


def read(root: Path, rules: IngestRules | None = None, unpack_to: Path | None = None) -> Ingested:
    """Read a set of crops in folders.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the cameras, or an archive of the cameras' folders.
    rules : IngestRules, optional
        What frames must satisfy.
    unpack_to : pathlib.Path, optional
        Where an archive is unpacked.

    Returns
    -------
    Ingested
        Tables and report. Persons in one camera only stay in the tables; the report names them.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no camera and person in it.
    IngestError
        If frames are faulty or nobody is seen by two cameras.
    """
    rules = rules or IngestRules()
    root = opened(Path(root), unpack_to, progress=rules.progress)
    root = expected_folder(root, "data set folder", LAYOUT)
    found = list(_find(root))
    if not found:
        raise FileNotFoundError(
            f"data set folder: {root} has no folders of persons inside folders of cameras."
            f"{hint_at_links(root)} Expected: {LAYOUT}. Set the root to the folder that holds the "
            "cameras' folders"
        )
    return ingest("folder", root, found, rules, {"notes": list(_strays(root))})


def _strays(root: Path) -> Iterator[str]:
    """Note files where a camera's or a person's folder would stand."""
    files = [
        displayed(Path(entry.path).relative_to(root))
        for folder in (root, *subfolders(root))
        for entry in entries(folder)
        if not is_folder(entry) and is_there(entry.path)
    ]
    if files:
        yield f"{len(files)} files beside the folders are passed over: {listed(files)}"


def _find(root: Path) -> Iterator[FoundTracklet]:
    for camera in subfolders(root):
        for person in subfolders(camera):
            files, parts = image_files(person), subfolders(person)
            if files and parts:
                raise IngestError(
                    f"{person}: holds frames ({files[0].name}) and folders ({parts[0].name}). "
                    "Expected one or the other: move the frames into a tracklet's folder"
                )
            for folder in parts or [person]:
                yield FoundTracklet(
                    name=folder.relative_to(root).as_posix(),
                    person=person.name,
                    camera=camera.name,
                    files=image_files(folder),
                    folder=folder,
                )
