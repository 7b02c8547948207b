"""Videos, pictures or crops that a CSV file lists: the layout for existing material.

``manifest.csv`` has a row a frame: ``tracklet, person, camera, frame, path`` and, where crops are
cut from whole pictures, ``left, top, width, height`` (pixels; all four or none in a row). A path is
relative to the manifest's folder; of a video, `frame` is the number of the picture in it, from 0.
The columns ``subset, query, kind`` mean the same as in the table of tracklets.

Rows that name whole crops are read in place. If any row has a box or names a video, all crops are
cut once into PNG files under the folder for unpacked data, and read from there. Boxes and crops are
those of the upright picture, as viewers show it. The edges of a box are rounded to pixels, and a
box is clipped to its picture. Tracklets of one video have its times.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from wherewhen.tracklets.crops import BOX, found_tracklets, ingest_crops
from wherewhen.tracklets.files import entries, expand_home, is_file, is_leaving, read_csv
from wherewhen.tracklets.folders import IMAGE_SUFFIXES, find_folder
from wherewhen.tracklets.ingest import Ingested, IngestError, ingest
from wherewhen.tracklets.names import LONGEST_NAME, control_fault, name_fault, normalised
from wherewhen.tracklets.picture_files import is_video
from wherewhen.tracklets.readers.record import Footage, NameOrPath, Options, Reader
from wherewhen.tracklets.schema import FIXED, listed_rows
from wherewhen.tracklets.videos import picture_times

COLUMNS = ("tracklet", "person", "camera", "frame", "path")
LAYOUT = f"a CSV file with the columns {', '.join(COLUMNS)} [, {', '.join(BOX)}]"

_DERIVED = ("list", "line", "boxed", "is_video", "time")
"""Columns that are computed here; columns of these names in a manifest are ignored."""

_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_WHOLE = r"[0-9]{1,15}(?:\.0*)?"
"""A whole number, also as programs write it that keep numbers as floats: ``6.0``."""
_NUMBER = r"(?i:[+-]?(?:[0-9]{1,15}(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?|nan|inf))"
_HEADER_SHOWN = 200
_LONGEST_PATH = 1000
"""Characters of a tracklet's whole name: systems stop at 4096 bytes of a path."""


class ManifestOptions(Options):
    """Options of manifests."""

    manifest: NameOrPath = "manifest.csv"
    """The manifest's name in the root folder, or its path."""


def _locate(root: Path, options: ManifestOptions) -> tuple[Path, ManifestOptions]:
    """Take a manifest that is named as the root for its folder.

    The content of the root counts without hidden files: a manifest that is one, or lies elsewhere,
    becomes a path and counts by itself.
    """
    manifest = expand_home(options.manifest)
    if root.suffix.lower() == ".csv" and is_file(root):
        root, manifest = root.parent, Path(root.name)
    elsewhere = manifest.is_absolute() or ".." in manifest.parts
    hidden = any(map(is_leaving, manifest.parts))
    counts_apart = (elsewhere or hidden) and is_file(root / manifest)
    place = root / manifest if counts_apart else str(manifest)
    return root, options.model_copy(update={"manifest": place})


def read(footage: Footage) -> Ingested:
    """Read what a manifest lists.

    Raises
    ------
    FileNotFoundError
        If the manifest is not there.
    IngestError
        Naming column or lines of what is impossible; if frames are faulty, a box shows nothing of
        its picture, or a video can't be decoded; if videos are listed and PyAV is not installed.
    """
    holder, manifest = _find(footage.root, str(footage.options.manifest))
    rules, rows = footage.rules, _read_rows(holder / manifest, holder)
    if not (rows["boxed"] | rows["is_video"]).any():
        found = found_tracklets(rows, rows["path"], holder)
        return ingest("manifest", holder, found, rules)
    return ingest_crops("manifest", rows, holder, footage.unpack_to, rules)


def _find(root: Path, manifest: str) -> tuple[Path, str]:
    """Find the folder that paths are relative to, and the manifest in any case of letters."""
    names = {entry.name.lower(): entry.name for entry in entries(root)}
    for name in (manifest, names.get(manifest.lower(), manifest)):
        if (holder := find_folder(root, [name])) is not None:
            return holder, name
    raise FileNotFoundError(
        f"data set folder: {root} has no {manifest}. Expected {LAYOUT}: write it, or correct "
        "the root or the option manifest"
    )


def _read_rows(path: Path, root: Path) -> pd.DataFrame:
    """Read and check the manifest, and add the columns of `_DERIVED`."""
    rows = read_csv(path, "manifest", f"expected {LAYOUT} in UTF-8")
    rows = rows.rename_axis("line").drop(columns=[name for name in _DERIVED if name in rows])
    rows = rows.reset_index()
    missing = [column for column in COLUMNS if column not in rows]
    box = [column for column in BOX if column in rows]
    if box:
        missing += [column for column in BOX if column not in rows]
    if missing:
        raise IngestError(
            f"{path.name}: no column {', '.join(missing)}. Expected {LAYOUT}; it has "
            f"{', '.join(rows.columns.drop('line'))[:_HEADER_SHOWN]}"
        )
    if rows.empty:
        raise IngestError(f"{path.name}: has no rows. Expected one a frame")
    texts = rows.columns.drop("line")
    rows[texts] = rows[texts].apply(lambda column: column.str.strip())
    for column in ("tracklet", "person", "camera"):
        rows[column] = rows[column].map(normalised)
    booleans = [column for column in FIXED if column in rows and FIXED[column] is bool]
    for column in booleans:
        rows[column] = rows[column].map(lambda word: _BOOLEANS.get(word.lower(), word))
    for column in set(BOX) - set(box):
        rows[column] = ""
    _check_rows(path.name, rows)
    rows["boxed"] = rows["left"] != ""
    rows["frame"] = rows["frame"].str.partition(".")[0].astype("int64")
    for column in BOX:
        rows[column] = rows[column].replace("", "nan").astype("float64")
    for column in booleans:
        rows[column] = rows[column].astype(bool)
    videos = {
        place
        for place in rows["path"].unique()
        if not place.lower().endswith(IMAGE_SUFFIXES) and is_video(root / place)
    }
    rows["is_video"] = rows["path"].isin(videos)
    return rows.assign(list=path.name, time=_times(rows, root))


def _times(rows: pd.DataFrame, root: Path) -> pd.Series:
    """Return the seconds at which videos show the frames; NaN for tracklets of several files."""
    times = pd.Series(np.nan, index=rows.index)
    for path, group in rows[rows["is_video"]].groupby("path"):
        with suppress(IngestError):  # a fault, which is named when the video is cut
            shown = picture_times(root / path)
            there = group[group["frame"] < len(shown)]
            times[there.index] = shown[there["frame"]]
    return times.mask(rows.groupby("tracklet")["path"].transform("nunique") > 1)


def _check_rows(name: str, rows: pd.DataFrame) -> None:
    """Refuse a manifest with rows that have no meaning, naming their lines."""
    boxes = rows[list(BOX)]
    empty = (boxes == "").all(axis=1)
    numbers = boxes.apply(lambda column: column.str.fullmatch(_NUMBER)).all(axis=1)
    whole = rows["frame"].str.fullmatch(_WHOLE)
    frame = rows["frame"].str.partition(".")[0].str.lstrip("0")
    paths = rows["path"].unique()
    passed_over = [path for path in paths if any(map(is_leaving, PurePosixPath(path).parts))]
    long = [tracklet for tracklet in rows["tracklet"].unique() if _is_long(tracklet)]
    rules: list[tuple[pd.Series, str, Sequence[str]]] = [
        *((rows[column] == "", f"{column} is empty", [column]) for column in COLUMNS),
        (~whole, "frame is not a number from 0", ["frame"]),
        (~empty & ~numbers, f"the box is not made of four numbers ({', '.join(BOX)})", BOX),
        (
            rows["path"].str.contains(r"^/|^[A-Za-z]:|\\|(?:^|/)\.\.(?:/|$)"),
            "path leaves the manifest's folder, to which it must be relative (with /)",
            ["path"],
        ),
        (
            rows["path"].isin(passed_over),
            "path is hidden, or left by an operating system, so its changes are not noticed: "
            "expected files and folders whose names begin with no dot",
            ["path"],
        ),
        (
            rows["tracklet"].str.contains(r"(?:^|/)\.{0,2}(?:/|$)|[\\\x00-\x1f]"),
            "tracklet is no name that a folder can bear (parts between / are not empty, . or ..)",
            ["tracklet"],
        ),
        *(
            (
                rows[column].isin([each for each in rows[column].unique() if control_fault(each)]),
                f"{column} has a control character, or one that turns the writing direction",
                [column],
            )
            for column in ("tracklet", "person", "camera")
        ),
        (
            rows["tracklet"].isin(long),
            f"tracklet is too long a name: at most {LONGEST_NAME} characters between two /, where "
            "a sign or space takes three and a letter beyond a-z six or more, and at most "
            f"{_LONGEST_PATH} in all",
            ["tracklet"],
        ),
        (
            rows.assign(frame=frame).duplicated(["tracklet", "frame"]),
            "tracklet and frame have occurred before",
            ["tracklet", "frame"],
        ),
    ]
    for column in ("person", "camera", *(fixed for fixed in FIXED if fixed in rows)):
        first = rows.groupby("tracklet")[column].transform("first")
        rules.append(
            (rows[column] != first, f"{column} differs inside the tracklet", ["tracklet", column])
        )
    for column, column_type in FIXED.items():
        if column in rows and column_type is bool:
            words = rows[column].map(lambda word: isinstance(word, str))
            rules.append((words, f"{column} is neither true nor false", [column]))
    for wrong, what, columns in rules:
        if len(at := rows[wrong.astype(bool)]):
            shown = listed_rows(at.set_index("line"), columns)
            raise IngestError(f"{name}: {what}: {shown}. Correct the manifest")


def _is_long(tracklet: str) -> bool:
    return len(tracklet) > _LONGEST_PATH or name_fault(tracklet) is not None


READER = Reader(
    "manifest",
    "pictures and videos listed in a manifest",
    LAYOUT,
    read,
    ManifestOptions,
    locate=_locate,
)
