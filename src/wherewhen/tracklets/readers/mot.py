"""Videos, or folders of their pictures, beside files of boxes as MOTChallenge and trackers have.

The root is one of these, or a folder of several, each of which is a camera of that name::

    yard.mp4                            a video, and beside it yard.txt
    yard/img1/000001.jpg                a sequence, and gt/gt.txt in it, or yard.txt beside it
    yard/seqinfo.ini                    its frame rate, and maybe another name than img1

The option `boxes` names a file or a folder elsewhere. `wherewhen.tracklets.mot_files` has the
format: each track is a tracklet of a person without a name. Frame 1 is the first picture of a
video, and the one with the number 1 in a sequence. Crops are cut as those of a manifest
(`wherewhen.tracklets.crops`). Tracklets have times where the frame rate is known.
"""

from __future__ import annotations

import configparser
import itertools
import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from wherewhen.tracklets.crops import ingest_crops
from wherewhen.tracklets.files import (
    displayed,
    entries,
    expand_home,
    is_dir,
    is_file,
    read_text,
    refuse_names,
    shortened,
)
from wherewhen.tracklets.folders import VIDEO_SUFFIXES, image_files, listed, relative, subfolders
from wherewhen.tracklets.frame_numbers import find_place, frame_number
from wherewhen.tracklets.ingest import Ingested, IngestError
from wherewhen.tracklets.mot_files import pedestrians, read_boxes, summary
from wherewhen.tracklets.readers.record import Footage, Options, PathOrNumber, Reader
from wherewhen.tracklets.videos import picture_times, require_av, varies

LAYOUT = (
    "a video with boxes of the same name (yard.mp4, yard.txt), a sequence "
    "(yard/img1/000001.jpg with yard/gt/gt.txt or yard.txt), or a folder of them"
)
PICTURES, INFO, TRUTH = "img1", "seqinfo.ini", "gt/gt.txt"
BOXES = ".txt"
"""Ending of a file of boxes."""


class MotOptions(Options):
    """Options of videos and sequences with boxes."""

    boxes: PathOrNumber | None = None
    """A file of boxes in MOTChallenge's format, or a folder with one for each video and sequence,
    called as it is (``yard.txt``); null: beside them."""

    min_visibility: float = Field(0.0, ge=0, le=1)
    """Boxes of which less can be seen are left out, where a file says it."""

    frame_rate: Annotated[float, Field(gt=0)] | None = None
    """Pictures a second; null: as the video or ``seqinfo.ini`` says."""


@dataclass(frozen=True)
class Filmed:
    """A video, or a sequence of pictures.

    Attributes
    ----------
    name : str
        That of the camera.
    place : pathlib.Path
        The video's file, or the sequence's folder.
    """

    name: str
    place: Path

    @property
    def is_video(self) -> bool:
        """Whether it is one file."""
        return not is_dir(self.place)

    def boxes(self, given: Path | None) -> Path | None:
        """Return the file of its boxes, given or beside it; None if there is none."""
        if given is not None:
            places = [given / f"{self.name}{BOXES}" if is_dir(given) else given]
        else:
            places = [self.place.parent / f"{self.name}{BOXES}"]
            places += [] if self.is_video else [self.place / TRUTH]
        return next((place for place in places if is_file(place)), None)


def filmed(root: Path) -> list[Filmed]:
    """List the videos and sequences at a root, sorted by name.

    Parameters
    ----------
    root : pathlib.Path
        A video, a sequence, or a folder of them.

    Raises
    ------
    IngestError
        If two have the same name.
    """
    if not is_dir(root):
        return [Filmed(root.stem, root)]
    if _is_sequence(root):
        return [Filmed(root.name, root)]
    names = [entry.name for entry in entries(root) if entry.name.lower().endswith(VIDEO_SUFFIXES)]
    refuse_names(root, names)
    found = [Filmed(Path(name).stem, root / name) for name in names if is_file(root / name)]
    found += [Filmed(folder.name, folder) for folder in subfolders(root) if _is_sequence(folder)]
    found.sort(key=lambda each: each.name)
    for one, other in itertools.pairwise(found):
        if one.name == other.name:
            raise IngestError(
                f"{one.place} and {other.place.name} would both be the camera {one.name}: rename "
                "one"
            )
    return found


def _is_sequence(folder: Path) -> bool:
    return is_dir(folder / PICTURES) or is_file(folder / INFO)


def _locate(root: Path, options: MotOptions) -> tuple[Path, MotOptions]:
    """Resolve the option boxes; boxes beside the root count by themselves."""
    if options.boxes is not None:
        boxes = (root if is_dir(root) else root.parent) / expand_home(options.boxes)
    else:
        beside = root.parent / f"{root.name if is_dir(root) else root.stem}{BOXES}"
        boxes = beside if is_file(beside) and len(filmed(root)) == 1 else None
    return root, options.model_copy(update={"boxes": boxes})


def read(footage: Footage) -> Ingested:
    """Read videos and sequences with boxes.

    Raises
    ------
    FileNotFoundError
        If there is no video or sequence, or one has no boxes.
    IngestError
        Naming the file and the lines of boxes that can't be used, or both numbers where boxes are
        of later frames than there are; if frames are faulty, a box shows nothing of its picture, or
        a video can't be decoded; if there are videos and PyAV is not installed.
    """
    root, options = footage.root, footage.options
    base = root if is_dir(root) else root.parent
    found = filmed(root)
    if not found:
        raise FileNotFoundError(
            f"data set folder: {root} has no videos or sequences. Expected {LAYOUT}"
        )
    if options.boxes is not None and len(found) > 1 and not is_dir(options.boxes):
        raise IngestError(
            f"option boxes: {options.boxes} is no folder, and there are {len(found)} videos or "
            f"sequences. Expected a folder with {found[0].name}{BOXES} and so on"
        )
    if videos := [each.place.name for each in found if each.is_video]:
        require_av(f"reader mot: there are videos ({videos[0]})")
    notes: list[str] = []
    rows = pd.concat([_rows(each, base, options, notes) for each in found], ignore_index=True)
    return ingest_crops("mot", rows, base, footage.unpack_to, footage.rules, {"notes": notes})


def _rows(one: Filmed, base: Path, options: MotOptions, notes: list[str]) -> pd.DataFrame:
    """Return the crops of a video or sequence, as `wherewhen.tracklets.crops` describes them."""
    place = one.boxes(options.boxes)
    if place is None:
        raise FileNotFoundError(
            f"{one.place} has no boxes. Expected {LAYOUT}, or the option boxes: a file in "
            "MOTChallenge's format that a tracker or an annotator wrote"
        )
    listing = relative(place, base) if place.is_relative_to(base) else place.name
    boxes, left_out = pedestrians(read_boxes(place), options.min_visibility)
    if left_out:
        notes.append(f"{listing}: {summary(left_out)}")
    if boxes.empty:
        raise IngestError(f"{place}: {summary(left_out)}, so none is left: correct the file")
    found = (_in_video if one.is_video else _in_sequence)(one, boxes["frame"], options, notes)
    tracklets = (one.name + "/" + boxes["id"].map("{:04d}".format)).to_numpy()
    inside = relative(one.place, base)
    return boxes.reset_index().assign(
        tracklet=tracklets,
        person=tracklets,
        camera=one.name,
        frame=found["frame"].to_numpy(),
        path=[str(PurePosixPath(inside, path)) for path in found["path"]],
        time=found["time"].to_numpy(),
        is_video=one.is_video,
        boxed=True,
        list=listing,
    )


def _in_video(
    video: Filmed, frames: pd.Series, options: MotOptions, notes: list[str]
) -> pd.DataFrame:
    """Find the pictures of a video by frame numbers: their number from 0, and their time."""
    times = picture_times(video.place)
    _check_last(video, frames, len(times))
    if options.frame_rate is not None:
        times = np.arange(len(times)) / options.frame_rate
    elif varies(times):
        steps = np.diff(times)
        notes.append(
            f"{video.place.name}: its frame rate varies (pictures follow each other after "
            f"{steps.min():.3g} to {steps.max():.3g} s): start and end are by its own clock"
        )
    return pd.DataFrame({"frame": frames - 1, "path": "", "time": times[frames - 1]})


def _in_sequence(
    sequence: Filmed, frames: pd.Series, options: MotOptions, notes: list[str]
) -> pd.DataFrame:
    """Find the pictures of a sequence by the numbers in their names."""
    info = _info(sequence.place / INFO)
    folder = info.get("imdir", PICTURES)
    files = _numbered(sequence.place / folder)
    _check_last(sequence, frames, max(files))
    length, rate = info.get("seqlength", str(len(files))), options.frame_rate
    if length != str(len(files)):
        notes.append(f"{sequence.name}: {INFO} says {length} pictures, and {len(files)} are there")
    if rate is None and "framerate" in info:
        rate = _rate(info["framerate"], sequence.place / INFO)
    if rate is None:
        notes.append(
            f"{sequence.name}: without {INFO} or the option frame_rate, times are not known"
        )
    names = [files.get(frame, f"{frame:06d}.jpg") for frame in frames]  # a missing one is a fault
    times = (frames - 1) / (rate or math.nan)
    return pd.DataFrame(
        {"frame": frames, "path": [f"{folder}/{name}" for name in names], "time": times}
    )


def _check_last(one: Filmed, frames: pd.Series, count: int) -> None:
    """Refuse boxes of frames beyond the end."""
    last = frames.idxmax()
    if frames[last] > count:
        raise IngestError(
            f"{displayed(one.place)} has {count} pictures, but line {last} of its boxes is of "
            f"frame {frames[last]}: the boxes are of other footage, or its end is missing"
        )


def _numbered(folder: Path) -> dict[int, str]:
    """Return the names of a sequence's pictures by their frame numbers."""
    names = image_files(folder)
    place, _ = find_place([names])
    numbers = {name: frame_number(name, place) for name in names}
    if wrong := [name for name, number in numbers.items() if number is None]:
        raise IngestError(f"{displayed(folder)}: no frame number in {listed(wrong, 5)}: rename")
    if twice := [str(number) for number, count in Counter(numbers.values()).items() if count > 1]:
        raise IngestError(
            f"{displayed(folder)}: several pictures have the frame number {listed(twice, 5)}: "
            "remove or rename one"
        )
    if not names:
        raise FileNotFoundError(f"{displayed(folder)} has no pictures. Expected {LAYOUT}")
    return {number: name for name, number in numbers.items() if number is not None}


def _info(path: Path) -> Mapping[str, str]:
    """Read what a sequence says of itself, the names in small letters."""
    if not is_file(path):
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(path, "description", "expected a [Sequence] with frameRate"))
        return dict(parser["Sequence"])
    except (configparser.Error, KeyError) as error:
        why = str(error).splitlines()[0]
        raise IngestError(
            f"{displayed(path)}: {why}. Expected [Sequence] and lines like frameRate=25"
        ) from error


def _rate(text: str, path: Path) -> float:
    with suppress(ValueError):
        if 0 < (rate := float(text)) < math.inf:
            return rate
    raise IngestError(
        f"{displayed(path)}: frameRate is {shortened(text)}, expected pictures a second, above 0"
    )


READER = Reader(
    "mot",
    "videos and sequences with boxes",
    LAYOUT,
    read,
    MotOptions,
    locate=_locate,
    reads_file=True,
)
