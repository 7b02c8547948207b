"""The reader of footage, by how its folder looks."""

from __future__ import annotations

from pathlib import Path

from wherewhen.tracklets.folders import image_files, subfolders

MANIFEST = "manifest.csv"


def guess_reader(place: Path) -> str:
    """Name the reader of a folder: ``manifest``, ``folder`` or ``tracklets``.

    Parameters
    ----------
    place : pathlib.Path
        A folder. With a `MANIFEST` it is read by that; with frames in folders of folders, as
        cameras of persons; else every folder with frames is a tracklet without a name.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    if not place.is_dir():
        raise FileNotFoundError(f"{place} is no folder: expected one of crops, or with a manifest")
    if (place / MANIFEST).is_file():
        return "manifest"
    cameras = subfolders(place)
    persons = [person for camera in cameras for person in subfolders(camera)]
    if persons and not any(image_files(camera) for camera in cameras):
        return "folder"
    return "tracklets"
