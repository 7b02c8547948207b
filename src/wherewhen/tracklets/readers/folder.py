"""Any set of crops in folders: the layout for a user's own videos.

``<root>/<camera>/<person>/<frame>.{png,jpg}`` or, where a person has several tracklets in a camera,
``<root>/<camera>/<person>/<tracklet>/<frame>.{png,jpg}``. Both may occur in one set. A person bears
the same folder name under every camera.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wherewhen.tracklets.ingest import (
    FoundTracklet,
    Ingested,
    IngestError,
    IngestRules,
    expected_folder,
    image_files,
    ingest,
    subfolders,
)

LAYOUT = "<root>/<camera>/<person>/[<tracklet>/]<frame>.png (or .jpg)"


def read(
    root: Path,
    *,
    size: Sequence[int] | None = None,
    allow_faulty: int = 0,
    progress: bool = True,
) -> Ingested:
    """Read a set of crops in folders.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the cameras.
    size : (int, int), optional
        Width and height in pixels that every frame must have; any size by default.
    allow_faulty : int
        Faults to tolerate; faulty frames are left out.
    progress : bool
        Show a progress bar.

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
    root = expected_folder(Path(root), "data set folder", LAYOUT)
    found = list(_find(root))
    if not found:
        raise FileNotFoundError(
            f"data set folder: {root} has no folders of persons inside folders of cameras. "
            f"Expected: {LAYOUT}. Set the root to the folder that holds the cameras' folders"
        )
    rules = IngestRules(
        size=tuple(size) if size is not None else None,
        allow_faulty=allow_faulty,
        progress=progress,
    )
    return ingest("folder", root, found, rules)


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
