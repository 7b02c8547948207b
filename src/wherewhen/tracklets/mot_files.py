"""Files of boxes in MOTChallenge's format: the ground truth, or what a tracker writes.

A line a box: ``frame, id, left, top, width, height``, of which frames count from 1, ids are those
of tracks, and edges are in pixels; and then

``confidence``
    0: ignored; other numbers, -1 among them, are not looked at
``class, visibility``
    in files of 9 columns (MOT16, MOT17, MOT20): 1 is a pedestrian, 0 to 1 the share of the person
    that is seen; -1: unknown
``x, y, z``
    in files of 10 columns (MOT15, most trackers): not looked at

References
----------
A. Milan, L. Leal-Taixé, I. Reid, S. Roth, K. Schindler: MOT16: a benchmark for multi-object
tracking, arXiv:1603.00831, 2016, Section 3.3 and Tables 5 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wherewhen.atomic import replacing
from wherewhen.tracklets.files import displayed, read_text, shortened
from wherewhen.tracklets.folders import listed
from wherewhen.tracklets.ingest import IngestError

COLUMNS = ("frame", "id", "left", "top", "width", "height")
LAYOUT = f"{', '.join(COLUMNS)}[, confidence[, class, visibility]], frames from 1"
PEDESTRIAN = 1
"""The class of people who walk or stand; 2 ride, 7 sit or lie, 8 are pictures or statues."""

_UNKNOWN = -1.0
_SHOWN = 5
"""Lines that a message shows before it only counts."""
_LARGEST = 10**9


def read_boxes(path: Path) -> pd.DataFrame:
    """Read a file of boxes, and check every line of it.

    Parameters
    ----------
    path : pathlib.Path
        Numbers between commas, or between spaces.

    Returns
    -------
    pandas.DataFrame
        A row a box, the index the number of its line from 1: `COLUMNS`, and ``confidence``,
        ``class`` and ``visibility``, -1 where the file has none.

    Raises
    ------
    FileNotFoundError, wherewhen.tracklets.files.FileError
        If it is not there or no text.
    IngestError
        If a line can't be used, naming the lines; if the boxes are of no tracks.
    """
    text = read_text(path, "boxes", f"expected a line a box: {LAYOUT}")
    boxes: list[list[float]] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        values = _numbers(line)
        fault = _fault(values, line, len(boxes[0]) if boxes else None)
        if fault:
            faults[number] = fault
        else:
            boxes.append(values)
            lines.append(number)
    if not boxes and not faults:
        raise IngestError(f"{displayed(path)}: has no boxes. Expected a line a box: {LAYOUT}")
    untracked = sum(fault is _NO_TRACK for fault in faults.values())
    if untracked == len(faults) and not boxes:
        raise IngestError(
            f"{displayed(path)}: all {untracked} lines have id -1: they are detections, which no "
            "tracker has joined. Expected tracks: give the file that a tracker wrote"
        )
    table = _table(boxes, lines)
    for number in table.index[table.duplicated(["frame", "id"])]:
        frame, track = table.loc[number, ["frame", "id"]].astype(int)
        faults[number] = f"track {track} has a box in frame {frame} already"
    if faults:
        lines_named = listed([f"line {line} ({faults[line]})" for line in sorted(faults)], _SHOWN)
        raise IngestError(
            f"{displayed(path)}: {len(faults)} lines can't be used: {lines_named}. Expected "
            f"{LAYOUT}: correct or remove them"
        )
    return table


def pedestrians(boxes: pd.DataFrame, min_visibility: float) -> tuple[pd.DataFrame, dict[str, int]]:
    """Choose the boxes that count: of pedestrians, not ignored, and visible enough.

    Parameters
    ----------
    boxes : pandas.DataFrame
        As `read_boxes` returns.
    min_visibility : float
        The least share of a person that is seen; boxes of unknown visibility are kept.

    Returns
    -------
    kept : pandas.DataFrame
        The rows that count.
    left_out : dict of str to int
        How many others there are, by the reason.
    """
    reasons = {
        "with confidence 0, which means ignored": boxes["confidence"] == 0,
        f"of other classes than pedestrian ({PEDESTRIAN})": ~boxes["class"].isin(
            (PEDESTRIAN, _UNKNOWN)
        ),
        f"with visibility below {min_visibility:g}": boxes["visibility"].between(
            0, min_visibility, inclusive="left"
        ),
    }
    kept, left_out = pd.Series(True, index=boxes.index), {}
    for reason, wrong in reasons.items():
        if count := int((kept & wrong).sum()):
            left_out[reason] = count
        kept &= ~wrong
    return boxes[kept], left_out


def write_boxes(path: Path, boxes: Sequence[Sequence[float]]) -> None:
    """Write boxes as trackers do: ``frame, id, left, top, width, height, confidence, -1, -1, -1``.

    Parameters
    ----------
    path : pathlib.Path
        Written whole or not at all.
    boxes : sequence
        Of `COLUMNS` and the confidence.
    """
    rows = (
        f"{frame:.0f},{track:.0f},{','.join(f'{edge:.2f}' for edge in box)},{confidence:.4f}"
        ",-1,-1,-1\n"
        for frame, track, *box, confidence in boxes
    )
    with replacing(path) as partial:
        partial.write_text("".join(rows), encoding="utf-8")


_NO_TRACK = "id -1: a detection that belongs to no track"


def _numbers(line: str) -> list[float] | str:
    """Return the numbers of a line, or the first field that is none."""
    fields = line.strip().rstrip(",").split("," if "," in line else None)
    numbers = []
    for field in fields:
        try:
            numbers.append(float(field))
        except ValueError:
            return field
    return numbers


def _fault(values: list[float] | str, line: str, expected: int | None) -> str | None:
    """Return why a line is no box, or None if it is one."""
    if isinstance(values, str):
        return f"{shortened(values.strip())} is no number"
    if not len(COLUMNS) <= len(values) <= 10 or (expected or len(values)) != len(values):
        wanted = expected or f"{len(COLUMNS)} to 10"
        return f"has {len(values)} numbers, expected {wanted} ({shortened(line.strip())})"
    frame, track, *_, width, height = values[: len(COLUMNS)]
    if not all(math.isfinite(value) and abs(value) <= _LARGEST for value in values):
        return f"has a number that can't be used ({shortened(line.strip())})"
    if frame < 1 or frame % 1:
        return f"frame {frame:g}, expected a whole number from 1"
    if track == _UNKNOWN:
        return _NO_TRACK
    if track < 0 or track % 1:
        return f"id {track:g}, expected a whole number from 0"
    if width <= 0 or height <= 0:
        return f"a box of {width:g}x{height:g}, expected a width and a height above 0"
    return None


def _table(boxes: list[list[float]], lines: list[int]) -> pd.DataFrame:
    """Tabulate checked lines, by what a file of so many columns has in each."""
    columns = len(boxes[0]) if boxes else len(COLUMNS)
    names = [*COLUMNS, "confidence", "class", "visibility"]
    table = pd.DataFrame(boxes, index=pd.Index(lines, name="line"), columns=range(columns))
    if columns != len(names):
        table = table.iloc[:, : len(COLUMNS) + 1]  # the others are coordinates in the world
    table = table.set_axis(names[: table.shape[1]], axis=1)
    table = table.reindex(columns=names, fill_value=_UNKNOWN)
    return table.astype({"frame": "int64", "id": "int64", "class": "int64"})


def summary(left_out: dict[str, int]) -> str:
    """Return a sentence that counts boxes that are left out."""
    return f"boxes are left out: {listed([f'{count} {why}' for why, count in left_out.items()])}"
