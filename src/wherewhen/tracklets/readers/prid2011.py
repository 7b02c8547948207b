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

import dataclasses
import re
from pathlib import Path

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

CAMERAS = ("cam_a", "cam_b")
LAYOUT = "prid_2011/multi_shot/cam_{a,b}/person_NNNN/NNNN.png under the root"
_Folders = dict[str, dict[str, tuple[list[Path], Path]]]
"""A camera's persons: files and folder of each."""

CHOICES = ("all200", "min_frames")
PUBLISHED = {
    "persons in cam_a": 385,
    "persons in cam_b": 749,
    "persons in both": 200,
    "persons with 27 frames in both": 178,
}


def read(
    root: Path,
    rules: IngestRules | None = None,
    unpack_to: Path | None = None,
    *,
    persons: str = "all200",
    min_frames: int = 27,
    shared_persons: int = 200,
    distractors: bool = False,
) -> Ingested:
    """Read PRID 2011 or a set in its layout.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``prid_2011`` (or ``multi_shot``, or the cameras), or the archive.
    rules : IngestRules, optional
        What frames must satisfy. Without a `size` (64 x 128 in PRID 2011), every frame is held to
        the size that most frames of the set have.
    unpack_to : pathlib.Path, optional
        Where an archive is unpacked.
    persons : {"all200", "min_frames"}
        Every person seen by both cameras, or those of them with enough frames in both.
    min_frames : int
        For ``persons="min_frames"``: the fewest files a sequence may have.
    shared_persons : int
        The highest number that names the same person in both cameras: 200 in PRID 2011; raise it
        for a larger set written in the same layout.
    distractors : bool
        Whether the persons seen by cam_b alone (549 in PRID 2011) join the gallery.

    Returns
    -------
    Ingested
        Tables of the persons seen by both cameras, and of distractors if asked for (the tables then
        have a column `kind`); the report names who was left out and why. A part of the set is fine:
        only what is there is read.

    Raises
    ------
    FileNotFoundError
        If the cameras' folders are not found.
    ValueError
        If `persons` is unknown.
    IngestError
        If frames are faulty, a folder's name has no number, or nobody is left.
    """
    if persons not in CHOICES:
        raise ValueError(f"persons is {persons!r}: expected one of {', '.join(CHOICES)}")
    rules = dataclasses.replace(rules or IngestRules(), common_size=True)
    root = opened(
        Path(root),
        unpack_to,
        lambda folder: find_folder(folder, CAMERAS) is not None,
        rules.progress,
    )
    folders = {camera: _sequences(_multi_shot(root) / camera) for camera in CAMERAS}
    chosen, left_out = _choose(folders, persons, min_frames, shared_persons)
    facts = {
        "convention": persons if persons == "all200" else f"min_frames {min_frames}",
        "persons_in_one_camera": left_out["in one camera only"],
        "left_out": left_out,
    }
    if shared_persons == PUBLISHED["persons in both"]:  # else it is another set in this layout
        facts["differs_from_published"] = published(_compared(folders, shared_persons))
    if not chosen:
        raise IngestError(_nobody_message(root, left_out), facts)
    kinds = dict.fromkeys(((camera, name) for name in chosen for camera in CAMERAS), "person")
    if distractors:
        others = _distractors(folders, shared_persons)
        kinds |= dict.fromkeys(((CAMERAS[1], name) for name in others), "distractor")
        facts["distractors"] = len(others)
        facts["persons_in_one_camera"] = sorted({*left_out["in one camera only"]} - {*others})
    found = [
        FoundTracklet(
            f"{camera}/{person}",
            person,
            camera,
            *folders[camera][person],
            {"kind": kind} if distractors else {},
        )
        for (camera, person), kind in kinds.items()
    ]
    return ingest("prid2011", root, found, rules, facts)


def _multi_shot(root: Path) -> Path:
    """Find the folder of the cameras: the archive is unpacked in one of several ways."""
    root = expected_folder(root, "PRID 2011", LAYOUT)
    folder = find_folder(root, CAMERAS)
    if folder is None:
        raise FileNotFoundError(
            f"PRID 2011: {root} has no multi_shot folder with {' and '.join(CAMERAS)}."
            f"{hint_at_links(root)} Expected: {LAYOUT}, or the owners' archive. Correct the root"
        )
    return folder


def _compared(folders: _Folders, shared_persons: int) -> dict[str, tuple[int, int]]:
    first, second = (folders[camera] for camera in CAMERAS)
    both = [name for name in {*first} & {*second} if _number(name) <= shared_persons]
    long = sum(min(len(first[name][0]), len(second[name][0])) >= 27 for name in both)
    found = (len(first), len(second), len(both), long)
    return {
        name: (expected, count)
        for (name, expected), count in zip(PUBLISHED.items(), found, strict=True)
    }


def _distractors(folders: _Folders, shared_persons: int) -> list[str]:
    """Name whom cam_b alone has seen: above the shared numbers a name means somebody else."""
    first, second = (folders[camera] for camera in CAMERAS)
    return [name for name in second if name not in first or _number(name) > shared_persons]


def _sequences(camera: Path) -> dict[str, tuple[list[Path], Path]]:
    """Map each person's folder name in a camera to its files and the folder itself."""
    return {folder.name: (image_files(folder), folder) for folder in subfolders(camera)}


def _choose(
    folders: _Folders,
    persons: str,
    min_frames: int,
    shared_persons: int,
) -> tuple[list[str], dict[str, list[str]]]:
    """Say who is read, and who is not and why."""
    first, second = (folders[camera] for camera in CAMERAS)
    names = sorted({*first, *second})
    beyond = {name for name in names if _number(name) > shared_persons}
    single = {name for name in names if (name in first) != (name in second)} - beyond
    short = {
        name
        for name in {*names} - beyond - single
        if persons == "min_frames"
        and min(len(sequences[name][0]) for sequences in folders.values()) < min_frames
    }
    left_out = {
        "in one camera only": sorted(single),
        f"numbered above {shared_persons}, so not the same person in both cameras": sorted(beyond),
        f"with fewer than {min_frames} frames in a camera": sorted(short),
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
    reasons = [
        f"{reason}: {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}"
        for reason, names in left_out.items()
        if names
    ]
    return (
        f"PRID 2011 at {root}: no person is left. Left out: {'; '.join(reasons) or 'nobody'}. "
        f"Expected persons under the same name in {' and '.join(CAMERAS)}: {LAYOUT}. Check the "
        "folders, or the parameters persons, min_frames and shared_persons"
    )
