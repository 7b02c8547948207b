"""iLIDS-VID: two cameras of an airport's arrival hall, with much occlusion.

``i-LIDS-VID/sequences/cam{1,2}/personNNN/cam{1,2}_personNNN_FFFFF.png`` in ``iLIDS-VID.tar``: 300
persons, numbered up to 319 with holes, each one sequence a camera of 23 to 192 frames. A sequence's
frame numbers are its recording's, so they start anywhere. Beside it lie the owners' ten splits
(``train-test people splits/train_test_splits_ilidsvid.mat``), which index the sorted folders.

T. Wang, S. Gong, X. Zhu, S. Wang: Person Re-Identification by Video Ranking. ECCV 2014.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wherewhen.tracklets.folders import (
    find_folder,
    hint_at_links,
    image_files,
    relative,
    subfolders,
)
from wherewhen.tracklets.ingest import FoundTracklet, Ingested, IngestError, ingest, published
from wherewhen.tracklets.readers.record import Footage, NumberedOptions, Reader

CAMERAS = ("cam1", "cam2")
LAYOUT = "i-LIDS-VID/sequences/cam{1,2}/personNNN/cam{1,2}_personNNN_FFFFF.png under the root"
SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"
PUBLISHED = {
    "persons in both cameras": 300,
    "sequences": 600,
    "highest number of a person": 319,
    "shortest sequence": 23,
    "longest sequence": 192,
}


def read(footage: Footage) -> Ingested:
    """Read iLIDS-VID or a set in its layout.

    The root holds ``i-LIDS-VID``, ``sequences`` or the cameras.

    Raises
    ------
    FileNotFoundError
        If the cameras' folders are not found.
    IngestError
        If frames are faulty, a file's name contradicts its folder, a person's folder has no number,
        or nobody is seen by two cameras. Persons in one camera only stay in the tables; the report
        names them.
    """
    root = footage.root
    sequences = _sequences(root)
    if sequences is None:
        raise FileNotFoundError(
            f"iLIDS-VID: {root} has no sequences folder with {' and '.join(CAMERAS)}."
            f"{hint_at_links(root)} Expected: {LAYOUT}, or the owners' archive. Correct the root"
        )
    found = list(_find(sequences))
    faults = [fault for tracklet in found for fault in _contradictions(tracklet, root)]
    wrong = {Path(fault["path"]).name for fault in faults}
    sound = [
        dataclasses.replace(each, files=[name for name in each.files if name not in wrong])
        for each in found
    ]
    known = {"images", *Path(SPLITS).parts, *wrong}
    return ingest("ilids_vid", root, sound, footage.rules, _facts(root, found), faults, known)


def _sequences(root: Path) -> Path | None:
    """Find the folder of the cameras; ``images``, beside it, has subfolders of the same names."""
    holder = find_folder(root, [f"sequences/{camera}" for camera in CAMERAS])
    return holder / "sequences" if holder is not None else find_folder(root, CAMERAS)


def _find(sequences: Path) -> Iterator[FoundTracklet]:
    for camera in CAMERAS:
        for folder in subfolders(sequences / camera):
            if re.fullmatch(r"person[0-9]+", folder.name) is None:
                raise IngestError(
                    f"iLIDS-VID: folder {camera}/{folder.name} has no person's number. Expected "
                    "personNNN: rename it or move it away"
                )
            yield FoundTracklet(
                f"{camera}/{folder.name}", folder.name, camera, image_files(folder), folder
            )


def _contradictions(tracklet: FoundTracklet, root: Path) -> Iterator[dict[str, str]]:
    """Find files whose names say another camera or person than their folder."""
    expected = f"{tracklet.camera}_{tracklet.person}_"
    for name in tracklet.files:
        said = re.match(r"cam[0-9]+_person[0-9]+_", name)
        if said is not None and said[0] != expected:
            yield {
                "path": relative(tracklet.folder / name, root),
                "fault": f"name says {said[0][:-1]}, its folder {expected[:-1]}",
            }


def _facts(root: Path, found: Sequence[FoundTracklet]) -> dict[str, Any]:
    seen = {
        camera: {tracklet.person for tracklet in found if tracklet.camera == camera}
        for camera in CAMERAS
    }
    numbers = {int(re.sub(r"[^0-9]", "", tracklet.person)) for tracklet in found}
    lengths = [len(tracklet.files) for tracklet in found]
    has_splits = find_folder(root, [SPLITS]) is not None
    here = (
        len(seen[CAMERAS[0]] & seen[CAMERAS[1]]),
        len(found),
        max(numbers, default=0),
        min(lengths, default=0),
        max(lengths, default=0),
    )
    missing = f"the owners' splits are not there ({SPLITS}): ten can be drawn from a seed"
    return {
        "differs_from_published": published(PUBLISHED, here),
        "numbers_left_out": sorted({*range(1, max(numbers, default=0) + 1)} - numbers),
        "official_splits": has_splits,
        "notes": [] if has_splits else [missing],
    }


READER = Reader(
    "ilids_vid",
    "iLIDS-VID",
    LAYOUT,
    read,
    NumberedOptions,
    common_size=True,
    holds_data=lambda folder: _sequences(folder) is not None,
)
