"""Ingesting: from files that a reader has found to validated tables and a report.

A reader knows one layout and says which files make which tracklet; everything else is alike for
all data sets and stands here: numeric frame order, decoding every frame once, naming what is
faulty, and stopping unless the user allowed that many faults.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from tqdm import tqdm

from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.schema import validate_tables

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
"""Files that count as frames, in any case of letters."""

MODE = "RGB"
"""The mode a frame must have: backbones see three channels, and nothing is converted in silence."""

_LARGEST_NUMBER = 2**63 - 1
_LISTED = 20
"""Faults or names a message lists before it only counts."""

_log = logging.getLogger(__name__)


class IngestError(ValueError):
    """A data set can't be used as it is.

    Parameters
    ----------
    message : str
        What is wrong, where, and what to do.
    report : dict, optional
        The ingest report as far as it came, so that it can be kept although the run stops.
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
        What is there, what is faulty, what was left out; JSON can hold it, and no absolute path is
        in it, so that two machines with the same data get the same report.
    """

    tracklets: pd.DataFrame
    frames: pd.DataFrame
    report: dict[str, Any]


@dataclass(frozen=True)
class FoundTracklet:
    """What a reader found: a person in a camera, and the files that show them.

    Attributes
    ----------
    name, person, camera : str
        The tracklet's name and whose it is.
    files : sequence of pathlib.Path
        The frames, in any order.
    folder : pathlib.Path
        Where they were looked for, to be named when there are none.
    """

    name: str
    person: str
    camera: str
    files: Sequence[Path]
    folder: Path


@dataclass
class _Frame:
    """One file on its way into the table of frames; `fault` says why it may not get there."""

    tracklet: str
    path: Path
    number: int | None = None
    size: tuple[int, int] | None = None
    sha256: str = ""
    fault: str | None = None


@dataclass(frozen=True)
class IngestRules:
    """What a data set must satisfy.

    Attributes
    ----------
    size : (int, int) or None
        The width and height in pixels that every frame must have.
    common_size : bool
        Without a `size`: hold every frame to the size most frames have.
    allow_faulty : int
        Faults that are tolerated; faulty frames are then left out.
    progress : bool
        Show a progress bar.
    """

    size: tuple[int, int] | None = None
    common_size: bool = False
    allow_faulty: int = 0
    progress: bool = True


def ingest(
    dataset: str,
    root: Path,
    found: Iterable[FoundTracklet],
    rules: IngestRules,
    facts: Mapping[str, Any] | None = None,
) -> Ingested:
    """Decode all frames and build the tables.

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
        What the reader adds to the report. Its `persons_in_one_camera` joins those found here.

    Returns
    -------
    Ingested
        Tables that satisfy `schema.validate_tables`, and the report.

    Raises
    ------
    IngestError
        If there are more faults than allowed, or if no person is seen by two cameras.
    """
    found = sorted(found, key=lambda tracklet: tracklet.name)
    empty = [tracklet for tracklet in found if not tracklet.files]
    candidates = [frame for tracklet in found for frame in _in_order(tracklet)]
    bar = tqdm(candidates, desc=f"ingest {dataset}", unit="frame", disable=not rules.progress)
    for frame in bar:
        if frame.fault is None:
            _decode(frame)
    _check_sizes(candidates, rules)

    faults = [
        {"path": _relative(tracklet.folder, root), "fault": "no frames in this folder"}
        for tracklet in empty
    ] + [
        {"path": _relative(frame.path, root), "fault": frame.fault}
        for frame in candidates
        if frame.fault is not None
    ]
    frames = _frames_table([frame for frame in candidates if frame.fault is None], root)
    tracklets = _tracklets_table(found, frames)
    report = _report(dataset, tracklets, frames, faults, dict(facts or {}))
    if len(faults) > rules.allow_faulty:
        raise IngestError(_faults_message(dataset, faults, rules.allow_faulty), report)
    if not (tracklets.groupby("person")["camera"].nunique() >= 2).any():
        raise IngestError(
            f"data set {dataset}: none of its {tracklets['person'].nunique()} persons is seen by "
            f"two cameras (cameras: {_listed(sorted(set(tracklets['camera'])))}). To re-identify, "
            "the same person must bear the same name under two cameras: check the folders' names "
            "and the options that choose persons",
            report,
        )
    if report["persons_in_one_camera"]:
        _log.warning(
            "%s: in one camera only, so never probe or gallery: %s",
            dataset,
            _listed(report["persons_in_one_camera"]),
        )
    validate_tables(tracklets, frames)
    return Ingested(tracklets, frames, report)


def frames_fingerprint(frames: pd.DataFrame) -> str:
    """Name a data set by the content of its frames.

    Parameters
    ----------
    frames : pandas.DataFrame
        The frames table, in its order.

    Returns
    -------
    str
        Equal for equal files in equal tracklets, wherever they lie.
    """
    return fingerprint(frames[["tracklet", "frame", "sha256"]].to_numpy().tolist())


def frame_number(path: Path) -> int | None:
    """Parse the frame number from a file's name.

    Parameters
    ----------
    path : pathlib.Path
        The file, e.g. ``cam1_person001_00317.png``.

    Returns
    -------
    int or None
        The last run of digits in the name, as a number (317); None without digits.
    """
    digits = re.findall(r"[0-9]+", path.stem)
    return int(digits[-1]) if digits else None


def image_files(folder: Path) -> list[Path]:
    """List the files of a folder that should be frames.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.

    Returns
    -------
    list of pathlib.Path
        Files with an image's suffix that are not hidden, sorted by name.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def subfolders(folder: Path) -> list[Path]:
    """List the folders inside a folder.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.

    Returns
    -------
    list of pathlib.Path
        Folders that are neither hidden nor an archiver's leavings (``__MACOSX``), sorted by name.
    """
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))
    )


def expected_folder(folder: Path, what: str, layout: str) -> Path:
    """Refuse a folder that is not there.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.
    what : str
        What it should be, for the message.
    layout : str
        The layout that is expected, for the message.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileNotFoundError
        Naming the path, the layout and what to do.
    """
    if not folder.is_dir():
        found = "it is a file" if folder.exists() else "it does not exist"
        raise FileNotFoundError(
            f"{what}: no folder {folder} ({found}). Expected: {layout}. "
            "Get the data set under its owner's terms, unpack it, and set the root to its folder"
        )
    return folder


def _in_order(tracklet: FoundTracklet) -> list[_Frame]:
    """Sort by the number in the name: 2 before 10, which the order of names gets wrong."""
    frames = [_Frame(tracklet.name, path, frame_number(path)) for path in sorted(tracklet.files)]
    first: dict[int, Path] = {}
    for frame in frames:
        if frame.number is None:
            frame.fault = "name has no frame number"
        elif frame.number > _LARGEST_NUMBER:
            frame.fault = f"frame number {frame.number} is too large for the table"
        elif frame.number in first:
            other = first[frame.number].name
            frame.fault = f"frame number {frame.number} is already that of {other}"
        else:
            first[frame.number] = frame.path
    return sorted(frames, key=lambda frame: -1 if frame.number is None else frame.number)


def _decode(frame: _Frame) -> None:
    """Read a file once; fill in what it is, or why it is faulty."""
    try:
        content = frame.path.read_bytes()
    except OSError as error:
        frame.fault = f"cannot be read: {error.strerror or error}"
        return
    if not content:
        frame.fault = "empty file"
        return
    frame.sha256 = hashlib.sha256(content).hexdigest()
    try:
        # Verifying finds a file cut inside its last bytes, loading finds everything before.
        Image.open(io.BytesIO(content)).verify()
        image = Image.open(io.BytesIO(content))
        image.load()
    except Exception as error:  # whatever a decoder raises on broken bytes: it differs by format
        reason = str(error).split("<_io")[0].strip()  # without the buffer's address in memory
        frame.fault = f"cannot be decoded: {reason or type(error).__name__}"
        return
    frame.size = image.size
    if image.mode != MODE:
        frame.fault = f"mode {image.mode}, expected {MODE}"


def _check_sizes(frames: Sequence[_Frame], rules: IngestRules) -> None:
    sound = [frame for frame in frames if frame.fault is None]
    size = tuple(rules.size) if rules.size is not None else None
    if size is None and rules.common_size and sound:
        size = Counter(frame.size for frame in sound).most_common(1)[0][0]
    if size is None:
        return
    for frame in sound:
        if frame.size != size:
            width, height = frame.size
            frame.fault = f"size {width}x{height}, expected {size[0]}x{size[1]}"


def _frames_table(frames: Sequence[_Frame], root: Path) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "tracklet": pd.Series([frame.tracklet for frame in frames], dtype=str),
            "frame": pd.Series([frame.number for frame in frames], dtype="int64"),
            "path": pd.Series([_relative(frame.path, root) for frame in frames], dtype=str),
            "width": pd.Series([frame.size[0] for frame in frames], dtype="int64"),
            "height": pd.Series([frame.size[1] for frame in frames], dtype="int64"),
            "sha256": pd.Series([frame.sha256 for frame in frames], dtype=str),
        }
    )
    table.insert(1, "position", table.groupby("tracklet").cumcount().astype("int64"))
    return table


def _tracklets_table(found: Sequence[FoundTracklet], frames: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the tracklets of which frames are left."""
    length = frames.groupby("tracklet").size()
    kept = [tracklet for tracklet in found if tracklet.name in length.index]
    return pd.DataFrame(
        {
            "tracklet": pd.Series([tracklet.name for tracklet in kept], dtype=str),
            "person": pd.Series([tracklet.person for tracklet in kept], dtype=str),
            "camera": pd.Series([tracklet.camera for tracklet in kept], dtype=str),
            "length": pd.Series([length[tracklet.name] for tracklet in kept], dtype="int64"),
        }
    )


def _report(
    dataset: str,
    tracklets: pd.DataFrame,
    frames: pd.DataFrame,
    faults: list[dict[str, str]],
    facts: dict[str, Any],
) -> dict[str, Any]:
    seen_before = facts.pop("persons_in_one_camera", [])
    cameras = tracklets.groupby("person")["camera"].nunique()
    length = tracklets["length"]
    some = not tracklets.empty
    return {
        "dataset": dataset,
        "persons": int(tracklets["person"].nunique()),
        "cameras": sorted(set(tracklets["camera"])),
        "tracklets": len(tracklets),
        "frames": len(frames),
        "length": {
            "min": int(length.min()) if some else 0,
            "mean": round(float(length.mean()), 2) if some else 0.0,
            "max": int(length.max()) if some else 0,
        },
        "sizes": sorted(
            {f"{w}x{h}" for w, h in zip(frames["width"], frames["height"], strict=True)}
        ),
        "faults": faults,
        "persons_in_one_camera": sorted({*cameras.index[cameras < 2], *seen_before}),
        "fingerprint": frames_fingerprint(frames),
        **facts,
    }


def _faults_message(dataset: str, faults: Sequence[dict[str, str]], allowed: int) -> str:
    listed = [f"  {fault['path']}: {fault['fault']}" for fault in faults[:_LISTED]]
    if len(faults) > _LISTED:
        listed.append(f"  ... and {len(faults) - _LISTED} more")
    return "\n".join(
        [
            f"data set {dataset}: {len(faults)} faulty, {allowed} allowed:",
            *listed,
            "Repair or remove these files, or leave them out by setting the ingest parameter "
            f"allow_faulty to {len(faults)}",
        ]
    )


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
