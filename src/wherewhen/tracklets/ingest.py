"""Ingesting: from files that a reader has found to validated tables and a report.

A reader knows one layout and says which files make which tracklet; everything else is alike for
all data sets and stands here: numeric frame order, decoding every frame once, naming what is
faulty, and stopping unless the user allowed that many faults. A part of a data set is as good as
the whole: what differs from the published facts is reported, what is impossible stops.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import pandas as pd
from tqdm import tqdm

from wherewhen.tracklets.files import (
    broken_links,
    displayed,
    entries,
    is_dir,
    is_folder,
    is_link,
    is_text,
    reason,
    refuse_names,
)
from wherewhen.tracklets.fingerprint import rows_fingerprint
from wherewhen.tracklets.picture_files import (
    PictureError,
    decode_picture,
    open_picture,
    read_content,
)
from wherewhen.tracklets.schema import FIXED, validate_tables
from wherewhen.tracklets.threads import in_threads

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
"""Files that count as frames, in any case of letters."""

CHECKS = ("decode", "header")
"""How a frame is checked: every pixel, or its file's hash, size and mode alone (ten times as fast;
broken pixels are then found by the extraction)."""

LONGEST_NAME = 200
"""Characters of one part of a tracklet's name: the most that the name of a cubes' file can hold."""

_NOT_TEXT = "its name is not UTF-8, so tables and JSON can't hold it: rename it"
_LARGEST_NUMBER = 2**63 - 1
_CHUNK = 64
"""Frames that a thread checks at a time."""
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
    root : pathlib.Path
        The folder that the frames' paths are relative to: the data set's, or where its archive was
        unpacked.
    """

    tracklets: pd.DataFrame
    frames: pd.DataFrame
    report: dict[str, Any]
    root: Path


@dataclass(frozen=True)
class FoundTracklet:
    """What a reader found: a person in a camera, and the files that show them.

    Attributes
    ----------
    name, person, camera : str
        The tracklet's name and whose it is.
    files : sequence of pathlib.Path or str
        The frames, in any order: paths, or names in the folder.
    folder : pathlib.Path
        Where they were looked for, to be named when there are none.
    fixed : mapping
        The optional columns of `schema.TRACKLETS` that the data set's authors fixed.
    numbers : sequence of int, optional
        The frames' numbers, one a file; parsed from the names by default.
    """

    name: str
    person: str
    camera: str
    files: Sequence[Path | str]
    folder: Path
    fixed: Mapping[str, str | bool] = field(default_factory=dict)
    numbers: Sequence[int] | None = None


@dataclass(slots=True)
class _Frame:
    """One file on its way into the table of frames; `fault` says why it may not get there."""

    tracklet: str
    path: str
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
    check : {"decode", "header"}
        How thoroughly a frame is looked at (`CHECKS`).
    workers : int or None
        Threads that check frames; None for as many as there are processors.
    """

    size: tuple[int, int] | None = None
    common_size: bool = False
    allow_faulty: int = 0
    progress: bool = True
    check: str = "decode"
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", tuple(self.size))
            if len(self.size) != 2 or min(self.size) < 1:
                raise ValueError(
                    f"size is {list(self.size)}: expected [width, height] in pixels, from 1"
                )
        if self.check not in CHECKS:
            raise ValueError(f"check is {self.check!r}: expected one of {', '.join(CHECKS)}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers is {self.workers}: expected at least 1")

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
        What the reader adds to the report. Its `persons_in_one_camera` joins those found here.
    faults : sequence of mappings, optional
        Faults that the reader found itself, each a `path` and a `fault`.

    Returns
    -------
    Ingested
        Tables that satisfy `schema.validate_tables`, and the report.

    Raises
    ------
    IngestError
        If there are more faults than allowed, or if no person is seen by two cameras.
    """
    found, misnamed = _by_name(found, root)
    candidates = [frame for tracklet in found for frame in _in_order(tracklet, root)]
    _check_frames(candidates, root, rules, f"ingest {dataset}")
    _check_sizes(candidates, rules)

    all_faults = [
        *(dict(fault) for fault in faults),
        *misnamed,
        *_links_to_nowhere(found, root),
        *(
            {"path": _relative(tracklet.folder, root), "fault": "no frames in this folder"}
            for tracklet in found
            if not tracklet.files
        ),
        *(
            {"path": frame.path, "fault": frame.fault}
            for frame in candidates
            if frame.fault is not None
        ),
    ]
    frames = _frames_table([frame for frame in candidates if frame.fault is None])
    del candidates  # of a million frames, before their table is checked
    tracklets = _tracklets_table(found, frames)
    report = _report(dataset, tracklets, frames, all_faults, dict(facts or {}))
    if len(all_faults) > rules.allow_faulty:
        raise IngestError(_faults_message(dataset, all_faults, rules.allow_faulty), report)
    if not (_cameras_of_persons(tracklets) >= 2).any():
        raise IngestError(
            f"data set {dataset}: none of its {report['persons']} persons is seen by "
            f"two cameras (cameras: {listed(sorted(set(tracklets['camera'])))}). To re-identify, "
            "the same person must bear the same name under two cameras: check the folders' names "
            "and the options that choose persons",
            report,
        )
    _warn(dataset, report)
    validate_tables(tracklets, frames)
    return Ingested(tracklets, frames, report, root)


def published(facts: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Compare what is there with what a data set's authors published.

    Parameters
    ----------
    facts : mapping of str to (published, found)
        For instance ``{"tracklets": (600, 598)}``.

    Returns
    -------
    dict
        ``published`` and ``found`` of every fact that differs, by its name: empty for the whole
        data set. For the report's `differs_from_published`.
    """
    return {
        name: {"published": expected, "found": found}
        for name, (expected, found) in facts.items()
        if expected != found
    }


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
    return rows_fingerprint(frames[["tracklet", "frame", "sha256"]])


def frame_number(path: Path | str) -> int | None:
    """Parse the frame number from a file's name.

    Parameters
    ----------
    path : pathlib.Path or str
        The file, e.g. ``cam1_person001_00317.png``.

    Returns
    -------
    int or None
        The last run of digits in the name, as a number (317); None without digits.
    """
    digits = re.findall(r"[0-9]+", PurePath(path).stem)
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
        What has an image's suffix and is neither hidden nor a folder, sorted by name: also a link
        that leads nowhere or a pipe, which is a fault when it comes to reading it.

    Raises
    ------
    wherewhen.tracklets.files.FileError
        If the folder can't be listed, or the name of such a file is not UTF-8.
    """
    names = [
        entry.name
        for entry in entries(folder)
        if entry.name.lower().endswith(IMAGE_SUFFIXES) and not is_folder(entry)
    ]
    refuse_names(folder, names)
    return [folder / name for name in names]


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

    Raises
    ------
    wherewhen.tracklets.files.FileError
        If the folder can't be listed, or the name of a folder in it is not UTF-8.
    """
    names = [
        entry.name
        for entry in entries(folder)
        if is_folder(entry) and not entry.name.startswith("__")
    ]
    refuse_names(folder, names)
    return [folder / name for name in names]


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
    if not is_dir(folder):
        raise FileNotFoundError(
            f"{what}: no folder {displayed(folder)} ({_why_no_folder(folder)}). Expected: "
            f"{layout}. Get the data set under its owner's terms, and set the root to its folder "
            "or archive"
        )
    return folder


def _why_no_folder(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        return "it is a link that leads nowhere" if path.is_symlink() else "it does not exist"
    except NotADirectoryError:
        return "a part of its path is a file"
    except OSError as error:
        return reason(error)
    except ValueError:  # a NUL character
        return "no folder can have this name"
    return "it is a file"


def name_fault(name: str) -> str | None:
    """Say why a tracklet can't have a name, if so.

    Parameters
    ----------
    name : str
        The tracklet's name; the parts between its slashes become names of files.

    Returns
    -------
    str or None
        The fault, or None for a name that will do.
    """
    if not is_text(name):
        return _NOT_TEXT
    longest = max(len(quote(part, safe="").replace(".", "%2E")) for part in name.split("/"))
    if longest <= LONGEST_NAME:
        return None
    return (
        f"a part of its name takes {longest} characters, expected at most {LONGEST_NAME}, where a "
        "sign or space takes three and a letter beyond a-z six or more: rename it"
    )


def hint_at_links(root: Path) -> str:
    """Name links in a folder, or a level below, that lead nowhere: a disk that is not mounted.

    Parameters
    ----------
    root : pathlib.Path
        The folder in which something was not found.

    Returns
    -------
    str
        A sentence for the message, with a space before it; empty without such links.
    """
    links = [
        displayed(_relative(folder / name, root))
        for folder in (root, *subfolders(root))
        for name in broken_links(folder)
    ]
    return f" Links that lead nowhere: {listed(links)}." if links else ""


def listed(names: Sequence[str]) -> str:
    """Write names in one line: the first twenty, then how many more.

    Parameters
    ----------
    names : sequence of str
        The names.

    Returns
    -------
    str
        ``"a, b, c"`` or ``"a, ..., t and 12 more"``.
    """
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _by_name(
    found: Iterable[FoundTracklet], root: Path
) -> tuple[list[FoundTracklet], list[dict[str, str]]]:
    """Sort tracklets by name, those with an impossible one left out as faults."""
    faults, sound = [], []
    for tracklet in sorted(found, key=lambda tracklet: tracklet.name):
        folder = _relative(tracklet.folder, root)
        texts = (tracklet.name, tracklet.person, tracklet.camera, folder)
        fault = name_fault(tracklet.name)
        if not all(map(is_text, texts)):
            fault = _NOT_TEXT
        if fault is None:
            sound.append(tracklet)
        else:
            faults.append({"path": displayed(folder), "fault": fault})
    return sound, faults


def _links_to_nowhere(found: Iterable[FoundTracklet], root: Path) -> list[dict[str, str]]:
    """Find links beside and above the tracklets' folders: one may stand for a person or camera.

    Links among the frames themselves have been found as frames that can't be read.
    """
    own = {tracklet.folder for tracklet in found} - {root}
    above = {parent for folder in own for parent in folder.parents if parent.is_relative_to(root)}
    return [
        {"path": displayed(_relative(folder / name, root)), "fault": "a link that leads nowhere"}
        for folder in sorted(own | above)
        for name in broken_links(folder)
        if not (folder in own and name.lower().endswith(IMAGE_SUFFIXES))
    ]


def _in_order(tracklet: FoundTracklet, root: Path) -> list[_Frame]:
    """Sort by the number in the name: 2 before 10, which the order of names gets wrong."""
    folder = _relative(tracklet.folder, root)
    numbers = tracklet.numbers
    if numbers is None:
        numbers = [frame_number(file) for file in tracklet.files]
    frames = [
        _Frame(tracklet.name, _frame_path(file, folder, root), number)
        for file, number in sorted(
            zip(tracklet.files, numbers, strict=True), key=lambda pair: str(pair[0])
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


def _frame_path(file: Path | str, folder: str, root: Path) -> str:
    if isinstance(file, Path):
        return _relative(file, root)
    return file if folder == "." else f"{folder}/{file}"


def _check_frames(frames: Sequence[_Frame], root: Path, rules: IngestRules, title: str) -> None:
    """Look at all files; reading, hashing and decoding leave Python's lock, so threads help."""
    work = [frame for frame in frames if frame.fault is None]
    chunks = (work[start : start + _CHUNK] for start in range(0, len(work), _CHUNK))

    def check(chunk: Sequence[_Frame]) -> int:
        for frame in chunk:
            _check_frame(frame, root, rules.check == "decode")
        return len(chunk)

    with tqdm(total=len(work), desc=title, unit="frame", disable=not rules.progress) as bar:
        for count in in_threads(check, chunks, rules.threads, 4 * rules.threads):
            bar.update(count)


def _check_frame(frame: _Frame, root: Path, decode: bool) -> None:
    """Read a file once; fill in what it is, or why it is faulty."""
    path = os.path.join(root, frame.path)  # noqa: PTH118 (speed)
    try:
        content = read_content(path)
        frame.sha256 = hashlib.sha256(content).hexdigest()
        frame.size = (decode_picture if decode else open_picture)(content).size
    except OSError as error:
        frame.fault = unreadable(path, error)
    except PictureError as error:
        frame.fault = str(error)


def unreadable(path: str | Path, error: OSError) -> str:
    """Say why a frame can't be read, without its path, which is another on every machine.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    error : OSError
        What opening it raised.
    """
    if not isinstance(error, FileNotFoundError):
        return f"cannot be read: {reason(error)}"
    return "missing: a link that leads nowhere" if is_link(path) else "missing: no such file"


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
    table = pd.DataFrame(
        {
            "tracklet": pd.Series([frame.tracklet for frame in frames], dtype=str),
            "frame": pd.Series([frame.number for frame in frames], dtype="int64"),
            "path": pd.Series([frame.path for frame in frames], dtype=str),
            "width": pd.Series([frame.size[0] for frame in frames], dtype="int64"),
            "height": pd.Series([frame.size[1] for frame in frames], dtype="int64"),
            "sha256": pd.Series([frame.sha256 for frame in frames], dtype=str),
        }
    )
    table.insert(1, "position", table.groupby("tracklet").cumcount().astype("int64"))
    return table


def _tracklets_table(found: Sequence[FoundTracklet], frames: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the tracklets of which frames are left."""
    length = frames.groupby("tracklet").size().to_dict()
    kept = [tracklet for tracklet in found if tracklet.name in length]
    columns = {
        "tracklet": pd.Series([tracklet.name for tracklet in kept], dtype=str),
        "person": pd.Series([tracklet.person for tracklet in kept], dtype=str),
        "camera": pd.Series([tracklet.camera for tracklet in kept], dtype=str),
        "length": pd.Series([length[tracklet.name] for tracklet in kept], dtype="int64"),
    }
    for name, column_type in FIXED.items():
        if any(name in tracklet.fixed for tracklet in kept):
            values = [tracklet.fixed[name] for tracklet in kept]
            columns[name] = pd.Series(values, dtype=column_type)
    return pd.DataFrame(columns)


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
    """Name the tracklets in which frame numbers are left out."""
    step = frames.groupby("tracklet", sort=False)["frame"].diff()
    return sorted(set(frames.loc[step > 1, "tracklet"]))


def _warn(dataset: str, report: Mapping[str, Any]) -> None:
    """Say what is no fault but should be known."""
    if report["persons_in_one_camera"]:
        _log.warning(
            "%s: in one camera only, so never probe and never found: %s",
            dataset,
            listed(report["persons_in_one_camera"]),
        )
    if differing := report.get("differs_from_published"):
        facts = [
            f"{name} {values['found']} (published: {values['published']})"
            for name, values in differing.items()
        ]
        _log.warning(
            "%s: not what its authors published, so scores don't compare with published ones: %s",
            dataset,
            listed(facts),
        )
    for note in report.get("notes", []):
        _log.warning("%s: %s", dataset, note)


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
