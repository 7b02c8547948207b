"""Check the frames that a reader found, and build the tables of tracklets and frames.

A reader knows one layout: which files belong to which tracklet. What is common to all data sets is
here: the order of the frames, decoding each of them once, naming faults, and stopping unless the
user allowed that many. A part of a data set is read, too: differences from the published facts are
reported.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, Literal

import pandas as pd
import pydantic
from tqdm import tqdm

from wherewhen.tracklets.files import displayed, is_link, is_text, reason
from wherewhen.tracklets.fingerprint import rows_fingerprint
from wherewhen.tracklets.folders import listed, relative, survey
from wherewhen.tracklets.frame_numbers import find_place, frame_number
from wherewhen.tracklets.names import (
    NOT_TEXT,
    control_fault,
    look_alike,
    name_fault,
    normalised,
)
from wherewhen.tracklets.picture_files import (
    CONVERTIBLE,
    MODE,
    PictureError,
    decode_picture,
    open_picture,
    orientation,
    read_content,
)
from wherewhen.tracklets.schema import FIXED, validate_tables
from wherewhen.tracklets.threads import in_threads

_LARGEST_NUMBER = 2**63 - 1
_CHUNK = 64
"""Frames that a thread checks at a time."""
_PATTERN = (
    "If a frame's number is another one of its name, or several together, say so by the reader's "
    "option frame_pattern"
)
_LISTED = 20
"""Faults that a message lists before it only counts."""

_log = logging.getLogger(__name__)


class IngestError(ValueError):
    """A data set can't be used.

    Parameters
    ----------
    message : str
        What is wrong, where, and what to do.
    report : dict, optional
        The ingest report so far, which is kept although the run stops.
    """

    def __init__(self, message: str, report: dict[str, Any] | None = None):
        super().__init__(message)
        self.report = report or {}


@dataclass(frozen=True)
class Ingested:
    """A data set as tables.

    Attributes
    ----------
    tracklets : pandas.DataFrame
        One row a tracklet (`schema.TRACKLETS`), sorted by name.
    frames : pandas.DataFrame
        One row a frame (`schema.FRAMES`), sorted by tracklet and frame number.
    report : dict
        Counts, faults and notes, for JSON. It has no absolute path, so that two machines with the
        same data get the same report.
    root : pathlib.Path
        The folder that the frames' paths are relative to: the data set's, or the one that its
        archive was unpacked to.

    See Also
    --------
    wherewhen.tracklets.readers.read : Reads a data set.
    """

    tracklets: pd.DataFrame
    frames: pd.DataFrame
    report: dict[str, Any]
    root: Path


@dataclass(frozen=True)
class FoundTracklet:
    """A tracklet that a reader found.

    Attributes
    ----------
    name, person, camera : str
        The tracklet's name, and who is seen where.
    files : sequence of str
        The frames in any order, by their names in the folder.
    folder : pathlib.Path
        The folder of the frames.
    fixed : mapping
        The optional columns of `schema.TRACKLETS` that the data set's authors fixed.
    numbers : sequence of int, optional
        The frame number of each file; parsed from the names by default.
    seconds : (float, float), optional
        When it begins and ends, by the camera's clock.
    """

    name: str
    person: str
    camera: str
    files: Sequence[str]
    folder: Path
    fixed: Mapping[str, str | bool] = field(default_factory=dict)
    numbers: Sequence[int] | None = None
    seconds: tuple[float, float] | None = None


@dataclass(slots=True)
class _Frame:
    """A candidate row of the table of frames; it becomes one if it has no `fault`."""

    tracklet: str
    path: str
    number: int | None = None
    size: tuple[int, int] | None = None
    mode: str = MODE
    sha256: str = ""
    fault: str | None = None


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(strict=True))
class IngestRules:
    """What a data set must satisfy, and how it is checked.

    Examples
    --------
    >>> IngestRules(size=(64, 128)).size
    (64, 128)
    """

    size: tuple[pydantic.PositiveInt, pydantic.PositiveInt] | None = None
    """Width and height in pixels that every frame must have."""

    common_size: bool = False
    """Without a `size`: every frame must have the size that most frames have."""

    frame_pattern: str | None = None
    """Regular expression that finds the frame number in a file's name, see `frame_number`; by
    default, the number that rises."""

    convert: Literal["rgb"] | None = None
    """``rgb`` accepts gray pictures, palettes and alpha channels, which the extraction converts."""

    allow_faulty: pydantic.NonNegativeInt = 0
    """Faults that are tolerated; faulty frames are left out."""

    check: Literal["decode", "header"] = "decode"
    """``decode`` checks every pixel; ``header`` only hash, size and mode of a file, which is ten
    times as fast. Broken pixels are then found by the extraction."""

    workers: pydantic.PositiveInt | None = None
    """Threads that check frames; None: as many as processors."""

    progress: bool = True
    """Show progress bars."""

    @property
    def modes(self) -> tuple[str, ...]:
        """Pillow's modes that frames may have."""
        return (MODE,) if self.convert is None else CONVERTIBLE

    @property
    def threads(self) -> int:
        """Threads that check frames."""
        return self.workers or os.cpu_count() or 1


def ingest(
    dataset: str,
    root: Path,
    found: Iterable[FoundTracklet],
    rules: IngestRules,
    facts: Mapping[str, Any] | None = None,
    faults: Sequence[Mapping[str, str]] = (),
    known: Collection[str] = (),
) -> Ingested:
    """Check all frames and build the tables.

    Parameters
    ----------
    dataset : str
        The data set's name, for messages and the report.
    root : pathlib.Path
        The folder that paths in the table are relative to.
    found : iterable of FoundTracklet
        What the reader found.
    rules : IngestRules
        What frames must satisfy.
    facts : mapping, optional
        Entries that the reader adds to the report; its `persons_in_one_camera` and `notes` are
        joined with those found here.
    faults : sequence of mappings, optional
        Faults that the reader found, each a `path` and a `fault`.
    known : collection of str
        See `wherewhen.tracklets.folders.survey`.

    Returns
    -------
    Ingested
        Tables that satisfy `schema.validate_tables`, and the report.

    Raises
    ------
    IngestError
        If there are more faults than allowed, or no frame is left.
    """
    found, misnamed = _by_name(found, root)
    links, notes = survey(
        ((each.folder, each.files) for each in found if each.folder != root), root, known
    )
    place, doubt = _frame_place(found, rules)
    candidates = [frame for each in found for frame in _in_order(each, root, rules, place)]
    _check_frames(candidates, root, rules, f"ingest {dataset}")
    _check_sizes(candidates, rules)

    all_faults = [
        *(dict(fault) for fault in faults),
        *misnamed,
        *({"path": link, "fault": "a link that leads nowhere"} for link in links),
        *(
            {"path": relative(each.folder, root), "fault": "no frames in this folder"}
            for each in found
            if not each.files
        ),
        *({"path": each.path, "fault": each.fault} for each in candidates if each.fault),
    ]
    frames = _frames_table([frame for frame in candidates if frame.fault is None])
    notes += _converted(candidates)
    del candidates  # of a million frames, before their table is checked
    tracklets = _tracklets_table(found, frames)
    facts = dict(facts or {})
    facts["notes"] = [*facts.get("notes", []), *notes, *([doubt] if doubt else []), *_alike(found)]
    report = _report(dataset, tracklets, frames, all_faults, facts)
    if len(all_faults) > rules.allow_faulty:
        raise IngestError(_faults_message(dataset, all_faults, rules.allow_faulty), report)
    if tracklets.empty:
        raise IngestError(f"data set {dataset}: no tracklet of it has a frame", report)
    _warn(dataset, report)
    validate_tables(tracklets, frames)
    return Ingested(tracklets, frames, report, root)


def published(facts: Mapping[str, int], found: Sequence[int]) -> dict[str, dict[str, int]]:
    """Compare a data set with what its authors published.

    Parameters
    ----------
    facts : mapping of str to int
        Published numbers by name.
    found : sequence of int
        The numbers found, in the same order.

    Returns
    -------
    dict
        ``published`` and ``found`` of every number that differs, by name, for the report's
        `differs_from_published`.

    Examples
    --------
    >>> published({"cameras": 2, "tracklets": 600}, [2, 598])
    {'tracklets': {'published': 600, 'found': 598}}
    """
    return {
        name: {"published": expected, "found": int(number)}
        for (name, expected), number in zip(facts.items(), found, strict=True)
        if expected != number
    }


def frames_fingerprint(frames: pd.DataFrame) -> str:
    """Return the fingerprint of a data set's frames: equal for equal files in equal tracklets.

    Parameters
    ----------
    frames : pandas.DataFrame
        The frames table (`schema.FRAMES`), in its order.
    """
    return rows_fingerprint(frames[["tracklet", "frame", "sha256"]])


def unreadable(path: str | Path, error: OSError) -> str:
    """Return why a frame can't be read, without its path, which differs between machines."""
    if not isinstance(error, FileNotFoundError):
        return f"cannot be read: {reason(error)}"
    return "missing: a link that leads nowhere" if is_link(path) else "missing: no such file"


def _by_name(
    found: Iterable[FoundTracklet], root: Path
) -> tuple[list[FoundTracklet], list[dict[str, str]]]:
    """Normalise the names and sort by them; tracklets with an impossible name are faults."""
    faults, sound, folders = [], [], {}
    for tracklet in sorted(found, key=lambda tracklet: tracklet.name):
        folder = relative(tracklet.folder, root)
        texts = (tracklet.name, tracklet.person, tracklet.camera, folder)
        name = normalised(tracklet.name)
        fault = name_fault(name) if all(map(is_text, texts)) else NOT_TEXT
        fault = fault or control_fault(tracklet.person) or control_fault(tracklet.camera)
        if fault is None and name in folders:
            fault = f"its name differs from that of {folders[name]} in Unicode's form only: rename"
        if fault is not None:
            faults.append({"path": displayed(folder), "fault": fault})
            continue
        folders[name] = folder
        person, camera = normalised(tracklet.person), normalised(tracklet.camera)
        sound.append(replace(tracklet, name=name, person=person, camera=camera))
    return sorted(sound, key=lambda tracklet: tracklet.name), faults


def _alike(found: Sequence[FoundTracklet]) -> list[str]:
    """Warn of names that probably mean the same person or camera."""
    return [
        f"{what} are told apart although their names look alike: {listed(groups)}. If they are the "
        "same, rename them"
        for what in ("person", "camera")
        if (groups := look_alike(getattr(tracklet, what) for tracklet in found))
    ]


def _converted(frames: Sequence[_Frame]) -> list[str]:
    modes = Counter(frame.mode for frame in frames if not frame.fault and frame.mode != MODE)
    kinds = ", ".join(f"{count} of mode {mode}" for mode, count in sorted(modes.items()))
    return [f"{modes.total()} frames are converted to {MODE}: {kinds}"] if modes else []


def _frame_place(found: Sequence[FoundTracklet], rules: IngestRules) -> tuple[int, str | None]:
    """Say which number in the files' names is the frame number."""
    if rules.frame_pattern is not None:
        return -1, None
    return find_place([each.files for each in found if each.numbers is None])


def _in_order(tracklet: FoundTracklet, root: Path, rules: IngestRules, place: int) -> list[_Frame]:
    """Sort a tracklet's frames by number, so that 2 comes before 10."""
    folder = relative(tracklet.folder, root)
    inside = "" if folder == "." else f"{folder}/"
    numbers = tracklet.numbers
    if numbers is None:
        numbers = [frame_number(name, place, rules.frame_pattern) for name in tracklet.files]
    frames = [
        _Frame(tracklet.name, f"{inside}{name}", number)
        for name, number in sorted(
            zip(tracklet.files, numbers, strict=True), key=lambda pair: pair[0]
        )
    ]
    first: dict[int, str] = {}
    for frame in frames:
        if frame.number is None:
            frame.fault = "name has no frame number"
        elif frame.number > _LARGEST_NUMBER:
            frame.fault = f"frame number {frame.number} is too large for the table"
        elif frame.number in first:
            other = PurePath(first[frame.number]).name
            frame.fault = f"frame number {frame.number} is already that of {other}"
        else:
            first[frame.number] = frame.path
    return sorted(frames, key=lambda frame: -1 if frame.number is None else frame.number)


def _check_frames(frames: Sequence[_Frame], root: Path, rules: IngestRules, title: str) -> None:
    """Check all files in threads: reading, hashing and decoding release the GIL."""
    work = [frame for frame in frames if frame.fault is None]
    chunks = (work[start : start + _CHUNK] for start in range(0, len(work), _CHUNK))

    def check(chunk: Sequence[_Frame]) -> int:
        for frame in chunk:
            _check_frame(frame, root, rules)
        return len(chunk)

    with tqdm(total=len(work), desc=title, unit="frame", disable=not rules.progress) as bar:
        for count in in_threads(check, chunks, rules.threads, 4 * rules.threads):
            bar.update(count)


def _check_frame(frame: _Frame, root: Path, rules: IngestRules) -> None:
    """Fill in hash and size of a file, or its fault."""
    path = os.path.join(root, frame.path)  # noqa: PTH118 (speed)
    try:
        content = read_content(path)
        frame.sha256 = hashlib.sha256(content).hexdigest()
        look = decode_picture if rules.check == "decode" else open_picture
        picture = look(content, rules.modes)
        frame.size, frame.mode = picture.size, picture.mode
        if (turned := orientation(picture, content)) != 1:
            frame.fault = (
                f"its EXIF orientation is {turned}, so viewers turn it, but its pixels are stored "
                "unturned: save it upright (e.g. `mogrify -auto-orient`)"
            )
    except OSError as error:
        frame.fault = unreadable(path, error)
    except PictureError as error:
        frame.fault = str(error)


def _check_sizes(frames: Sequence[_Frame], rules: IngestRules) -> None:
    sound = [frame for frame in frames if frame.fault is None]
    size = rules.size
    if size is None and rules.common_size and sound:
        size = Counter(frame.size for frame in sound).most_common(1)[0][0]
    if size is None:
        return
    for frame in sound:
        if frame.size != size:
            width, height = frame.size
            frame.fault = f"size {width}x{height}, expected {size[0]}x{size[1]}"


def _frames_table(frames: Sequence[_Frame]) -> pd.DataFrame:
    rows = [(each.tracklet, each.number, each.path, *each.size, each.sha256) for each in frames]
    types = {"tracklet": str, "frame": int, "path": str, "width": int, "height": int, "sha256": str}
    table = pd.DataFrame(rows, columns=list(types)).astype(types)
    table.insert(1, "position", table.groupby("tracklet").cumcount().astype("int64"))
    return table


def _tracklets_table(found: Sequence[FoundTracklet], frames: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the tracklets of which frames are left."""
    length = frames.groupby("tracklet").size().to_dict()
    kept = [tracklet for tracklet in found if tracklet.name in length]
    types = {"tracklet": str, "person": str, "camera": str, "length": int}
    rows = [(each.name, each.person, each.camera, length[each.name]) for each in kept]
    table = pd.DataFrame(rows, columns=list(types)).astype(types)
    for name, column_type in FIXED.items():
        if any(name in tracklet.fixed for tracklet in kept):
            table[name] = pd.Series([each.fixed[name] for each in kept], dtype=column_type)
    if any(tracklet.seconds for tracklet in kept):
        seconds = [each.seconds or (math.nan, math.nan) for each in kept]
        table[["start", "end"]] = pd.DataFrame(seconds, dtype="float64")
    return table


def _cameras_of_persons(tracklets: pd.DataFrame) -> pd.Series:
    """Count the cameras of each labelled person."""
    if "kind" in tracklets:
        tracklets = tracklets[tracklets["kind"] == "person"]
    return tracklets.groupby("person")["camera"].nunique()


def _report(
    dataset: str,
    tracklets: pd.DataFrame,
    frames: pd.DataFrame,
    faults: list[dict[str, str]],
    facts: dict[str, Any],
) -> dict[str, Any]:
    seen_before = facts.pop("persons_in_one_camera", [])
    cameras = _cameras_of_persons(tracklets)
    length = tracklets["length"]
    some = not tracklets.empty
    return {
        "dataset": dataset,
        "persons": len(cameras),
        "cameras": sorted(set(tracklets["camera"])),
        "tracklets": len(tracklets),
        "frames": len(frames),
        "length": {
            "min": int(length.min()) if some else 0,
            "mean": round(float(length.mean()), 2) if some else 0.0,
            "max": int(length.max()) if some else 0,
        },
        **{
            name: {str(value): count for value, count in counts.items()}
            for name in FIXED
            if name in tracklets
            for counts in [tracklets[name].value_counts().sort_index().to_dict()]
        },
        "sizes": sorted(
            f"{width}x{height}"
            for width, height in frames[["width", "height"]].drop_duplicates().to_numpy()
        ),
        "faults": faults,
        "gaps_in_numbering": _gaps(frames),
        "identical_frames": int(frames.duplicated("sha256").sum()),
        "persons_in_one_camera": sorted({*cameras.index[cameras < 2], *seen_before}),
        "fingerprint": frames_fingerprint(frames),
        **facts,
    }


def _gaps(frames: pd.DataFrame) -> list[str]:
    """List the tracklets whose frame numbers have gaps."""
    step = frames.groupby("tracklet", sort=False)["frame"].diff()
    return sorted(set(frames.loc[step > 1, "tracklet"]))


def _warn(dataset: str, report: Mapping[str, Any]) -> None:
    """Log what is no fault but should be known."""
    if report["persons_in_one_camera"]:
        _log.warning(
            "%s: in one camera only, so they can be searched for, but not trained on or scored: %s",
            dataset,
            listed(report["persons_in_one_camera"]),
        )
    if differing := report.get("differs_from_published"):
        facts = [
            f"{name} {values['found']} (published: {values['published']})"
            for name, values in differing.items()
        ]
        _log.warning(
            "%s: differs from the published data set, so scores can't be compared: %s",
            dataset,
            listed(facts),
        )
    for note in report.get("notes", []):
        _log.warning("%s: %s", dataset, note)


def _faults_message(dataset: str, faults: Sequence[dict[str, str]], allowed: int) -> str:
    lines = [f"  {fault['path']}: {fault['fault']}" for fault in faults[:_LISTED]]
    if len(faults) > _LISTED:
        lines.append(f"  ... and {len(faults) - _LISTED} more")
    return "\n".join(
        [
            f"data set {dataset}: {len(faults)} faulty, {allowed} allowed:",
            *lines,
            "Repair or remove these files, or leave them out by setting the ingest parameter "
            f"allow_faulty to {len(faults)}",
            *([_PATTERN] if any("frame number" in fault["fault"] for fault in faults) else []),
        ]
    )
