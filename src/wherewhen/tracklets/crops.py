"""Crops of people that boxes mark in pictures and videos: cut once, and read as frames.

A reader says which boxes belong to which tracklet by a table with a row a crop:

``tracklet, person, camera``
    whose crop it is, maybe with the columns `schema.FIXED`
``frame``
    its number in the tracklet; of a video, the number of the picture, from 0
``path, is_video``
    what it is cut from, relative to one folder
``left, top, width, height, boxed``
    the box in pixels of the upright picture, as viewers show it; without one, all of it
``time``
    when the picture was taken, in seconds; NaN where that is unknown
``list, line``
    where a reader found it: a file's name and the line
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps
from tqdm import tqdm

from wherewhen.tracklets.archives import CROPS, UNPACKED
from wherewhen.tracklets.files import reason
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.folders import listed
from wherewhen.tracklets.ingest import (
    FoundTracklet,
    Ingested,
    IngestError,
    IngestRules,
    ingest,
)
from wherewhen.tracklets.picture_files import (
    MODE,
    decode_picture,
    orientation,
    read_content,
)
from wherewhen.tracklets.schema import FIXED
from wherewhen.tracklets.threads import in_threads
from wherewhen.tracklets.videos import require_av, video_pictures, why_unreadable

BOX = ("left", "top", "width", "height")

_VERSION = 2
"""Of the way in which crops are cut: part of the name of their folder."""

_FAR = 10**9
"""Pixels beyond every picture."""

_Fault = dict[str, str]
_log = logging.getLogger(__name__)


def ingest_crops(
    dataset: str,
    rows: pd.DataFrame,
    root: Path,
    unpack_to: Path | None,
    rules: IngestRules,
    facts: Mapping[str, Any] | None = None,
) -> Ingested:
    """Cut the crops that are not there yet, and ingest them.

    Parameters
    ----------
    dataset : str
        The reader's name, for messages and the report.
    rows : pandas.DataFrame
        A row a crop, as described above.
    root : pathlib.Path
        The folder that paths are relative to.
    unpack_to : pathlib.Path, optional
        Where crops are cut to; ``unpacked`` in `root` by default.
    rules : IngestRules
        What frames must satisfy.
    facts : mapping, optional
        See `wherewhen.tracklets.ingest.ingest`.

    Returns
    -------
    Ingested
        Of tracklets whose times are known, with the columns `start` and `end`. The report counts
        what was cut and the boxes that were clipped to their pictures.

    Raises
    ------
    IngestError
        If frames are faulty, a box shows nothing of its picture, or a video can't be decoded; if
        there are videos and PyAV is not installed.
    """
    crops = (unpack_to or root / UNPACKED) / f"{CROPS}{_identity(rows, root, rules)}"
    places = rows["tracklet"] + "/" + rows["frame"].map("{:06d}.png".format)
    faults = _cut_all(rows.assign(place=places), root, crops, rules, dataset)
    there = rows[[(crops / place).is_file() for place in places]]
    videos = rows.loc[rows["is_video"], "path"].nunique()
    facts = {**(facts or {}), "cut_from": {"pictures": int((~rows["is_video"]).sum())}}
    facts["cut_from"]["videos"] = videos
    if rules.convert is not None:
        note = f"pictures of other modes were converted to {MODE} before they were cut"
        facts["notes"] = [*facts.get("notes", []), note]
    found = found_tracklets(there, places[there.index], crops)
    ingested = ingest(dataset, crops, found, rules, facts, faults)
    _note_clipped_boxes(ingested, rows, places)
    return ingested


def found_tracklets(rows: pd.DataFrame, paths: pd.Series, folder: Path) -> list[FoundTracklet]:
    """Group rows by tracklet; `paths` are those of the crops in the folder."""
    fixed = [column for column in FIXED if column in rows]
    return [
        FoundTracklet(
            str(tracklet),
            group["person"].iloc[0],
            group["camera"].iloc[0],
            paths[group.index].tolist(),
            folder,
            {column: group[column].iloc[0] for column in fixed},
            group["frame"].tolist(),
            _seconds(group["time"]),
        )
        for tracklet, group in rows.groupby("tracklet")
    ]


def _seconds(times: pd.Series) -> tuple[float, float] | None:
    """Return when a tracklet begins and ends, if all of its times are known."""
    return None if times.isna().any() else (float(times.min()), float(times.max()))


def _identity(rows: pd.DataFrame, root: Path, rules: IngestRules) -> str:
    """Name the crops by their boxes and by size and time of change of what they are cut from."""
    sources = {}
    for path in sorted(set(rows["path"])):
        try:
            state = (root / path).stat()
        except OSError:
            continue  # a fault that is named when it is cut
        sources[path] = [state.st_size, state.st_mtime_ns]
    cuts = rows[["tracklet", "frame", "path"]].to_numpy().tolist()
    boxes = rows[list(BOX)].to_numpy().astype(str).tolist()  # JSON has no NaN
    return fingerprint([_VERSION, rules.convert, cuts, boxes, sources])


def _cut_all(
    rows: pd.DataFrame, root: Path, crops: Path, rules: IngestRules, dataset: str
) -> list[_Fault]:
    """Cut the crops that are missing, each picture or video in one thread."""
    if rows["is_video"].any():
        first = rows.loc[rows["is_video"], "path"].iloc[0]
        require_av(f"reader {dataset}: there are videos ({first})")
    edges = _edges(rows).fillna(0).clip(-_FAR, _FAR).astype(int)
    missing = rows.assign(edges=edges.to_numpy().tolist())
    missing = missing[[not (crops / place).is_file() for place in rows["place"]]]
    ordered = missing.sort_values("path", kind="stable").itertuples()
    sources = (list(of_one) for _, of_one in itertools.groupby(ordered, lambda row: row.path))

    def cut(wanted: list[Any]) -> tuple[int, list[_Fault]]:
        return len(wanted), list(_cut(root / wanted[0].path, wanted, crops, rules))

    faults: list[_Fault] = []
    with tqdm(total=len(missing), desc="cut", unit="crop", disable=not rules.progress) as bar:
        for count, found in in_threads(cut, sources, rules.threads, 4 * rules.threads):
            bar.update(count)
            faults += found
    return faults


def _cut(source: Path, wanted: list[Any], crops: Path, rules: IngestRules) -> Iterator[_Fault]:
    """Cut the crops of one file and yield its faults."""
    path, pictures = wanted[0].path, video_pictures
    by_number: dict[int, list[Any]] = {}
    for row in wanted:  # a picture is one, whatever numbers its crops have
        by_number.setdefault(row.frame if row.is_video else 0, []).append(row)
    if not wanted[0].is_video:
        pictures = partial(_picture, modes=rules.modes)
    left = set(by_number)
    last = -1
    try:
        for number, picture in pictures(source, sorted(by_number)):
            last = number
            if number in left:
                left.remove(number)
                yield from _cut_boxes(picture, by_number[number], crops)
    except IngestError:  # a crop that can't be written is not the picture's fault
        raise
    except Exception as error:  # what a decoder raises on broken bytes differs by format
        place = f" after frame {last}" if last >= 0 else ""
        lost = sum(len(by_number[number]) for number in left)
        fault = f"{why_unreadable(source, error)}{place}; {lost} crops of it are lost"
        yield {"path": path, "fault": fault}
        return
    if left:
        asked = listed([str(number) for number in sorted(left)])
        fault = f"ends after frame {last}, but {wanted[0].list} asks for {asked}"
        yield {"path": path, "fault": fault}


def _edges(rows: pd.DataFrame) -> pd.DataFrame:
    """Return left, top, right and bottom edge of every box, rounded to pixels."""
    left, top = rows["left"], rows["top"]
    edges = pd.concat([left, top, left + rows["width"], top + rows["height"]], axis=1)
    return np.floor(edges + 0.5).set_axis(["left", "top", "right", "bottom"], axis=1)


def _cut_boxes(picture: Image.Image, rows: list[Any], crops: Path) -> Iterator[_Fault]:
    """Clip the boxes to the picture and write their crops; an empty box is a fault."""
    for row in rows:
        left, top, right, bottom = row.edges
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, picture.width), min(bottom, picture.height)
        if not row.boxed:
            _write(picture, crops / row.place)
        elif left < right and top < bottom:
            _write(picture.crop((left, top, right, bottom)), crops / row.place)
        else:
            yield {
                "path": row.path,
                "fault": f"{row.list}, line {row.line}: the box {row.width:g}x{row.height:g} at "
                f"{row.left:g}, {row.top:g} shows nothing of the picture of "
                f"{picture.width}x{picture.height}",
            }


def _note_clipped_boxes(ingested: Ingested, rows: pd.DataFrame, places: pd.Series) -> None:
    """Count the crops that are smaller than their boxes, in the report and in the log."""
    edges = _edges(rows).assign(path=places, list=rows["list"], line=rows["line"])[rows["boxed"]]
    frames = ingested.frames.merge(edges, on="path")
    smaller = (frames["width"] != frames["right"] - frames["left"]) | (
        frames["height"] != frames["bottom"] - frames["top"]
    )
    ingested.report["clipped_boxes"] = int(smaller.sum())
    for name, clipped in frames[smaller].groupby("list"):
        lines = [str(line) for line in sorted(clipped["line"])]
        note = f"{len(lines)} boxes of {name} are clipped to their pictures: lines {listed(lines)}"
        ingested.report["notes"].append(note)
        _log.warning("%s: %s", ingested.report["dataset"], note)


def _write(crop: Image.Image, place: Path) -> None:
    """Write a crop under a temporary name; a killed process leaves no half of it."""
    unfinished = place.with_name(f".{place.name}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        crop.convert(MODE).save(unfinished, "PNG", compress_level=3)
        unfinished.replace(place)
    except OSError as error:
        raise IngestError(
            f"the crop {place} can't be written: {reason(error)}. Expected a folder to cut crops "
            "to: set ingest.unpack_to to one that can be written to, or rename the tracklet if its "
            "name is that of another's frame"
        ) from error


def _picture(
    path: Path, numbers: Sequence[int], modes: Sequence[str]
) -> Iterator[tuple[int, Image.Image]]:
    content = read_content(path)
    picture = decode_picture(content, modes)
    # Pillow raises on broken EXIF data, which is no orientation
    yield 0, ImageOps.exif_transpose(picture) if orientation(picture, content) != 1 else picture
