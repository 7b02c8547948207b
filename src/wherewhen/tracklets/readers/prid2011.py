"""PRID 2011, multi-shot: two static street cameras; and any set written in its layout.

``prid_2011/multi_shot/cam_{a,b}/person_NNNN/NNNN.png``; 385 persons in cam_a, 749 in cam_b,
sequences of 5 to 675 frames. Only the numbers 1 to 200 name the same person in both cameras; a
higher number names two different people, one a camera, so those are never read as a match.

Two conventions exist: all 200 shared persons (as in the paper) and those with at least 27 frames in
both cameras (178 persons, as in the video re-identification literature).

M. Hirzer, C. Beleznai, P. M. Roth, H. Bischof: Person Re-Identification by Descriptive and
Discriminative Classification. SCIA 2011.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from wherewhen.tracklets.folders import find_folder, hint_at_links, image_files, listed, subfolders
from wherewhen.tracklets.ingest import FoundTracklet, Ingested, IngestError, ingest, published
from wherewhen.tracklets.readers.record import Footage, NumberedOptions, Reader

CAMERAS = ("cam_a", "cam_b")
LAYOUT = "prid_2011/multi_shot/cam_{a,b}/person_NNNN/NNNN.png under the root"
_Folders = dict[str, dict[str, tuple[list[str], Path]]]
"""A camera's persons: files and folder of each."""

PUBLISHED = {
    "persons in cam_a": 385,
    "persons in cam_b": 749,
    "persons in both": 200,
    "persons with 27 frames in both": 178,
}


class Options(NumberedOptions):
    """Options of PRID 2011."""

    persons: Literal["all200", "min_frames"] = "all200"
    """Every person seen by both cameras, or those of them with at least `min_frames` in both."""

    min_frames: int = 27
    """For ``persons: min_frames``: the fewest files that a sequence may have."""

    shared_persons: int = 200
    """The highest number that names the same person in both cameras: 200 in PRID 2011; raise it for
    a larger set in the same layout."""

    distractors: bool = False
    """Whether the persons seen by cam_b alone (549 in PRID 2011) join the gallery."""


def read(footage: Footage) -> Ingested:
    """Read PRID 2011 or a set in its layout.

    The root holds ``prid_2011``, ``multi_shot`` or the cameras. A part of the set is fine: the
    report names who was left out and why. With distractors, the tables have a column `kind`.

    Raises
    ------
    FileNotFoundError
        If the cameras' folders are not found.
    IngestError
        If frames are faulty, a folder's name has no number, or nobody is left.
    """
    root, options = footage.root, footage.options
    folders = {camera: _sequences(_multi_shot(root) / camera) for camera in CAMERAS}
    chosen, left_out = _choose(folders, options)
    facts = {
        "convention": options.persons
        if options.persons == "all200"
        else f"min_frames {options.min_frames}",
        "persons_in_one_camera": left_out["in one camera only"],
        "left_out": left_out,
    }
    if options.shared_persons == PUBLISHED["persons in both"]:  # else it is another data set
        facts["differs_from_published"] = published(PUBLISHED, _counts(folders, options))
    if not chosen:
        raise IngestError(_nobody_message(root, left_out), facts)
    kinds = dict.fromkeys(((camera, name) for name in chosen for camera in CAMERAS), "person")
    if options.distractors:
        others = _distractors(folders, options.shared_persons)
        kinds |= dict.fromkeys(((CAMERAS[1], name) for name in others), "distractor")
        facts["distractors"] = len(others)
        facts["persons_in_one_camera"] = sorted({*left_out["in one camera only"]} - {*others})
    found = [
        FoundTracklet(
            f"{camera}/{person}",
            person,
            camera,
            *folders[camera][person],
            {"kind": kind} if options.distractors else {},
        )
        for (camera, person), kind in kinds.items()
    ]
    known = {"single_shot", "readme.txt", *(name for names in left_out.values() for name in names)}
    return ingest("prid2011", root, found, footage.rules, facts, known=known)


def _multi_shot(root: Path) -> Path:
    """Find the folder of the cameras, which depends on how the archive was unpacked."""
    folder = find_folder(root, CAMERAS)
    if folder is None:
        raise FileNotFoundError(
            f"PRID 2011: {root} has no multi_shot folder with {' and '.join(CAMERAS)}."
            f"{hint_at_links(root)} Expected: {LAYOUT}, or the owners' archive. Correct the root"
        )
    return folder


def _counts(folders: _Folders, options: Options) -> tuple[int, int, int, int]:
    """Count what `PUBLISHED` counts."""
    first, second = (folders[camera] for camera in CAMERAS)
    both = [name for name in {*first} & {*second} if _number(name) <= options.shared_persons]
    long = sum(min(len(first[name][0]), len(second[name][0])) >= 27 for name in both)
    return len(first), len(second), len(both), long


def _distractors(folders: _Folders, shared_persons: int) -> list[str]:
    """List persons seen by cam_b alone: above `shared_persons`, equal names mean two persons."""
    first, second = (folders[camera] for camera in CAMERAS)
    return [name for name in second if name not in first or _number(name) > shared_persons]


def _sequences(camera: Path) -> dict[str, tuple[list[str], Path]]:
    """Map each person's folder name in a camera to its files and the folder itself."""
    return {folder.name: (image_files(folder), folder) for folder in subfolders(camera)}


def _choose(folders: _Folders, options: Options) -> tuple[list[str], dict[str, list[str]]]:
    """Return the persons that are read, and the others by the reason why they are not."""
    shared, fewest = options.shared_persons, options.min_frames
    first, second = (folders[camera] for camera in CAMERAS)
    names = sorted({*first, *second})
    beyond = {name for name in names if _number(name) > shared}
    single = {name for name in names if (name in first) != (name in second)} - beyond
    short = {
        name
        for name in {*names} - beyond - single
        if options.persons == "min_frames"
        and min(len(sequences[name][0]) for sequences in folders.values()) < fewest
    }
    left_out = {
        "in one camera only": sorted(single),
        f"numbered above {shared}, so not the same person in both cameras": sorted(beyond),
        f"with fewer than {fewest} frames in a camera": sorted(short),
    }
    return sorted({*names} - beyond - single - short), left_out


def _number(person: str) -> int:
    digits = re.search(r"[0-9]+$", person)
    if digits is None:
        raise IngestError(
            f"PRID 2011: folder {person!r} has no person's number. Expected person_NNNN: rename it "
            "or move it away"
        )
    return int(digits[0])


def _nobody_message(root: Path, left_out: dict[str, list[str]]) -> str:
    reasons = [f"{reason}: {listed(names)}" for reason, names in left_out.items() if names]
    return (
        f"PRID 2011 at {root}: no person is left. Left out: {'; '.join(reasons) or 'nobody'}. "
        f"Expected persons under the same name in {' and '.join(CAMERAS)}: {LAYOUT}. Check the "
        "folders, or the parameters persons, min_frames and shared_persons"
    )


READER = Reader(
    "prid2011",
    "PRID 2011",
    LAYOUT,
    read,
    Options,
    common_size=True,
    holds_data=lambda folder: find_folder(folder, CAMERAS) is not None,
)
