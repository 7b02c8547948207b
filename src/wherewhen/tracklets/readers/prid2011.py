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
from collections.abc import Sequence
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

CAMERAS = ("cam_a", "cam_b")
LAYOUT = "prid_2011/multi_shot/cam_{a,b}/person_NNNN/NNNN.png under the root"
CHOICES = ("all200", "min_frames")


def read(
    root: Path,
    *,
    persons: str = "all200",
    min_frames: int = 27,
    shared_persons: int = 200,
    size: Sequence[int] | None = None,
    allow_faulty: int = 0,
    progress: bool = True,
) -> Ingested:
    """Read PRID 2011 or a set in its layout.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``prid_2011``, or ``multi_shot``, or the cameras themselves.
    persons : {"all200", "min_frames"}
        Every person seen by both cameras, or those of them with enough frames in both.
    min_frames : int
        For ``persons="min_frames"``: the fewest files a sequence may have.
    shared_persons : int
        The highest number that names the same person in both cameras: 200 in PRID 2011; raise it
        for a larger set written in the same layout.
    size : (int, int), optional
        Width and height in pixels that every frame must have (64 x 128 in PRID 2011); by default
        the size that most frames of the set have.
    allow_faulty : int
        Faults to tolerate; faulty frames are left out.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Ingested
        Tables of the persons seen by both cameras; the report names who was left out and why. A
        part of the set is fine: only what is there is read.

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
    root = expected_folder(Path(root), "PRID 2011", LAYOUT)
    folders = {camera: _sequences(_multi_shot(root) / camera) for camera in CAMERAS}
    chosen, left_out = _choose(folders, persons, min_frames, shared_persons)
    facts = {
        "convention": persons if persons == "all200" else f"min_frames {min_frames}",
        "persons_in_one_camera": left_out["in one camera only"],
        "left_out": left_out,
    }
    if not chosen:
        raise IngestError(_nobody_message(root, left_out), facts)
    found = [
        FoundTracklet(f"{camera}/{person}", person, camera, *folders[camera][person])
        for person in chosen
        for camera in CAMERAS
    ]
    rules = IngestRules(
        size=tuple(size) if size is not None else None,
        common_size=True,
        allow_faulty=allow_faulty,
        progress=progress,
    )
    return ingest("prid2011", root, found, rules, facts)


def _multi_shot(root: Path) -> Path:
    """Find the folder of the cameras: the archive is unpacked in one of these ways."""
    for folder in (root / "prid_2011" / "multi_shot", root / "multi_shot", root):
        if all((folder / camera).is_dir() for camera in CAMERAS):
            return folder
    raise FileNotFoundError(
        f"PRID 2011: {root} has no multi_shot folder with {' and '.join(CAMERAS)}. "
        f"Expected: {LAYOUT}. Unpack the archive there or correct the root"
    )


def _sequences(camera: Path) -> dict[str, tuple[list[Path], Path]]:
    """Map each person's folder name in a camera to its files and the folder itself."""
    return {folder.name: (image_files(folder), folder) for folder in subfolders(camera)}


def _choose(
    folders: dict[str, dict[str, tuple[list[Path], Path]]],
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
