"""The reader of footage, by how it looks."""

from __future__ import annotations

from pathlib import Path

from wherewhen.tracklets.archives import is_archive
from wherewhen.tracklets.folders import IMAGE_SUFFIXES, image_files, subfolders
from wherewhen.tracklets.readers.mot import filmed

MANIFEST = "manifest.csv"


def guess_reader(place: Path) -> str:
    """Name the reader of footage: ``manifest``, ``mot``, ``folder`` or ``tracklets``.

    Parameters
    ----------
    place : pathlib.Path
        A CSV file or a folder with a `MANIFEST` is read by that; a video, a sequence with boxes, or
        a folder of them, by ``mot``; frames in folders of folders, as cameras of persons; else
        every folder with frames is a tracklet without a name.

    Raises
    ------
    FileNotFoundError
        If there is nothing of the kind.
    """
    if place.is_file():
        if place.suffix.lower() == ".csv":
            return "manifest"
        if not place.name.lower().endswith(IMAGE_SUFFIXES) and not is_archive(place):
            return "mot"
    if not place.is_dir():
        raise FileNotFoundError(
            f"{place} is no folder: expected one of crops, a manifest, or a video with boxes"
        )
    if (place / MANIFEST).is_file():
        return "manifest"
    if filmed(place):
        return "mot"
    cameras = subfolders(place)
    persons = [person for camera in cameras for person in subfolders(camera)]
    if persons and not any(image_files(camera) for camera in cameras):
        return "folder"
    return "tracklets"
