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

from wherewhen.tracklets.archives import find_folder, opened
from wherewhen.tracklets.ingest import (
    FoundTracklet,
    Ingested,
    IngestError,
    IngestRules,
    expected_folder,
    hint_at_links,
    image_files,
    ingest,
    published,
    subfolders,
)

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
_DIGITS = 5
"""Digits of a frame number in the owners' archive."""


def read(root: Path, rules: IngestRules | None = None, unpack_to: Path | None = None) -> Ingested:
    """Read iLIDS-VID or a set in its layout.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``i-LIDS-VID`` (or ``sequences``, or the cameras), or the archive.
    rules : IngestRules, optional
        What frames must satisfy. Without a `size` (64 x 128 in iLIDS-VID), every frame is held to
        the size that most frames of the set have.
    unpack_to : pathlib.Path, optional
        Where an archive is unpacked.

    Returns
    -------
    Ingested
        Tables and report. Persons in one camera only stay in the tables; the report names them.

    Raises
    ------
    FileNotFoundError
        If the cameras' folders are not found.
    IngestError
        If frames are faulty, a file's name contradicts its folder, a person's folder has no number,
        or nobody is seen by two cameras.
    """
    rules = dataclasses.replace(rules or IngestRules(), common_size=True)
    root = opened(
        Path(root), unpack_to, lambda folder: _sequences(folder) is not None, rules.progress
    )
    root = expected_folder(root, "iLIDS-VID", LAYOUT)
    sequences = _sequences(root)
    if sequences is None:
        raise FileNotFoundError(
            f"iLIDS-VID: {root} has no sequences folder with {' and '.join(CAMERAS)}."
            f"{hint_at_links(root)} Expected: {LAYOUT}, or the owners' archive. Correct the root"
        )
    found = list(_find(sequences))
    faults = [fault for tracklet in found for fault in _contradictions(tracklet, root)]
    wrong = {fault["path"] for fault in faults}
    sound = [
        dataclasses.replace(
            tracklet,
            files=[
                file for file in tracklet.files if file.relative_to(root).as_posix() not in wrong
            ],
        )
        for tracklet in found
    ]
    return ingest("ilids_vid", root, sound, rules, _facts(root, found), faults)


def _sequences(root: Path) -> Path | None:
    """Find the folder of the cameras: ``images``, beside it, has the same folders in it."""
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
    """Find files that say they belong elsewhere."""
    expected = f"{tracklet.camera}_{tracklet.person}_"
    for file in tracklet.files:
        said = re.match(r"cam[0-9]+_person[0-9]+_", file.name)
        if said is not None and said[0] != expected:
            yield {
                "path": file.relative_to(root).as_posix(),
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
    notes = [*_odd_names([file for tracklet in found for file in tracklet.files])]
    if not has_splits:
        notes.append(f"the owners' splits are not there ({SPLITS}): ten can be drawn from a seed")
    return {
        "differs_from_published": published(
            {
                name: (expected, count)
                for (name, expected), count in zip(PUBLISHED.items(), here, strict=True)
            }
        ),
        "numbers_left_out": sorted({*range(1, max(numbers, default=0) + 1)} - numbers),
        "official_splits": has_splits,
        "notes": notes,
    }


def _odd_names(files: Sequence[Path]) -> Iterator[str]:
    """Note what is read all the same, but is not as the owners wrote it."""
    upper = [file for file in files if file.suffix != file.suffix.lower()]
    if upper:
        yield f"{len(upper)} files have a suffix in upper case, e.g. {upper[0].name}: read as usual"
    digits = [
        file
        for file in files
        if (number := re.search(r"[0-9]+$", file.stem)) and len(number[0]) != _DIGITS
    ]
    if digits:
        yield (
            f"{len(digits)} frame numbers have not {_DIGITS} digits, e.g. {digits[0].name}: sorted "
            "as numbers"
        )
