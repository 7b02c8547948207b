"""Boxes of the people in videos: given, beside them, or found by a detector and kept."""

from __future__ import annotations

import importlib.util
import json
import logging
from pathlib import Path
from typing import NamedTuple

from wherewhen.atomic import replacing
from wherewhen.lineage.content import content_of
from wherewhen.project import from_root, project_root, to_root
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.readers.mot import BOXES, LAYOUT, Filmed, filmed

HOME = "data/02_intermediate"
"""Under it, the folder of a data set has folders ``boxes-<fingerprint>`` of what was found."""

ABOUT = "about.json"
"""What the boxes of a folder were found by."""


log = logging.getLogger(__name__)

MOT = "mot"
"""The reader of videos with boxes."""


class NoBoxesError(LookupError):
    """Videos without boxes, and no way to find people in them."""


class People(NamedTuple):
    """How people in videos are found."""

    boxes: str | None = None
    """A file of boxes, or a folder with one for each video; None: beside the videos."""
    detector: str | None = None
    """One of `wherewhen.detection.DETECTORS`, if people are to be looked for."""
    weights: str | None = None
    """Its weights, likewise; None: torchvision's own."""


def boxes_of(footage: Path, people: People, dataset: str, known: Path | None = None) -> Path | None:
    """Return where the boxes of videos are, after looking for people if there are none.

    Parameters
    ----------
    footage : Path
        A video or a folder of videos.
    people : People
        What the user has given. With a detector or weights, people are looked for also in videos
        that have boxes.
    dataset : str
        Whose data the boxes belong to.
    known : Path, optional
        Boxes that are used if none are given.

    Returns
    -------
    Path or None
        A file or folder; None: beside the videos.

    Raises
    ------
    NoBoxesError
        If some videos have boxes and others have none, or the extra ``detect`` is not installed.
    wherewhen.features.checkpoint_files.WeightsError
        If the detector's weights can't be had.
    """
    boxes = known if people.boxes is None else from_root(people.boxes)
    found = filmed(footage)
    videos = [each for each in found if each.is_video]
    lacking = [each for each in videos if each.boxes(boxes) is None]
    asked = people.detector is not None or people.weights is not None
    if not videos or not (lacking or asked):
        return boxes
    if len(videos) < len(found) or (len(lacking) < len(videos) and not asked):
        raise NoBoxesError(
            f"{lacking[0].place if lacking else footage}: some of the footage has boxes, and some "
            f"has none or is no video. Expected {LAYOUT}, for all or for none"
        )
    if importlib.util.find_spec("trackers") is None:
        raise NoBoxesError(
            f"{videos[0].place} has no boxes of people. Ways out:\n"
            f"  1. boxes in MOTChallenge's format from a tracker of your own: {videos[0].name}"
            f"{BOXES} beside it, or --boxes FILE\n"
            "  2. a detector: install the extra detect (`uv sync --extra detect`), and give "
            "--weights FILE, or let torchvision download them"
        )
    return _found(videos, people, dataset)


def _found(videos: list[Filmed], people: People, dataset: str) -> Path:
    """Look for people in the videos in which nobody has looked yet by the same detector."""
    from wherewhen.detection import DETECTOR, Detector, track_people, tracker_identity

    weights = None if people.weights is None else from_root(people.weights)
    detect = Detector(people.detector or DETECTOR, weights)
    about = detect.identity | tracker_identity()
    about["videos"] = {each.place.name: content_of(each.place) for each in videos}
    folder = project_root() / HOME / dataset / f"boxes-{fingerprint(about)}"
    for each in videos:
        if not (place := folder / f"{each.name}{BOXES}").is_file():
            track_people(each.place, detect, place)
    with replacing(folder / ABOUT) as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    log.info("people were found: %s", to_root(folder))
    return folder
