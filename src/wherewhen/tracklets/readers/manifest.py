"""Videos, pictures or crops that a CSV file lists: the layout for existing material.

``manifest.csv`` has a row a frame: ``tracklet, person, camera, frame, path`` and, where crops are
cut from whole pictures, ``left, top, width, height`` (pixels; all four or none in a row). A path is
relative to the manifest's folder; of a video, `frame` is the number of the picture in it, from 0.
The columns ``subset, query, kind`` mean the same as in the table of tracklets.

Rows that name whole crops are read in place. If any row has a box or names a video, all crops are
cut once into PNG files under the folder for unpacked data, and read from there. Boxes and crops are
those of the upright picture, as viewers show it. The edges of a box are rounded to pixels, and a
box is clipped to its picture.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps
from tqdm import tqdm

from wherewhen.tracklets.archives import CROPS, UNPACKED
from wherewhen.tracklets.files import (
    entries,
    expand_home,
    is_file,
    is_leaving,
    read_csv,
    reason,
)
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.folders import IMAGE_SUFFIXES, find_folder, listed
from wherewhen.tracklets.ingest import (
    FoundTracklet,
    Ingested,
    IngestError,
    IngestRules,
    ingest,
    unreadable,
)
from wherewhen.tracklets.names import LONGEST_NAME, name_fault, normalised
from wherewhen.tracklets.picture_files import (
    MODE,
    PictureError,
    check_size,
    decode_picture,
    is_video,
    orientation,
    read_content,
)
from wherewhen.tracklets.readers.record import Footage, NameOrPath, Options, Reader
from wherewhen.tracklets.schema import FIXED, listed_rows
from wherewhen.tracklets.threads import in_threads

COLUMNS = ("tracklet", "person", "camera", "frame", "path")
BOX = ("left", "top", "width", "height")
LAYOUT = f"a CSV file with the columns {', '.join(COLUMNS)} [, {', '.join(BOX)}]"

_DERIVED = ("line", "boxed", "is_video")
"""Columns that are computed here; columns of these names in a manifest are ignored."""

_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_WHOLE = r"[0-9]{1,15}(?:\.0*)?"
"""A whole number, also as programs write it that keep numbers as floats: ``6.0``."""
_NUMBER = r"(?i:[+-]?(?:[0-9]{1,15}(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?|nan|inf))"
_HEADER_SHOWN = 200
_LONGEST_PATH = 1000
"""Characters of a tracklet's whole name: systems stop at 4096 bytes of a path."""

_VERSION = 2
"""Of the way in which crops are cut: part of the name of their folder."""

_Fault = dict[str, str]
_log = logging.getLogger(__name__)


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
        return ingest("manifest", holder, _tracklets(rows, rows["path"], holder), rules)
    crops = (footage.unpack_to or holder / UNPACKED) / f"{CROPS}{_identity(rows, holder, rules)}"
    faults = _cut_all(rows, holder, crops, rules)
    places = rows.apply(_place, axis=1)
    there = rows[[(crops / place).is_file() for place in places]]
    videos = rows.loc[rows["is_video"], "path"].nunique()
    facts = {"cut_from": {"pictures": int((~rows["is_video"]).sum()), "videos": videos}}
    if rules.convert is not None:
        facts["notes"] = [f"pictures of other modes were converted to {MODE} before they were cut"]
    found = _tracklets(there, places[there.index], crops)
    ingested = ingest("manifest", crops, found, rules, facts, faults)
    _note_clipped_boxes(ingested, rows, places)
    return ingested


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
    return rows


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


def _tracklets(rows: pd.DataFrame, paths: pd.Series, folder: Path) -> list[FoundTracklet]:
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
        )
        for tracklet, group in rows.groupby("tracklet")
    ]


def _place(row: Any) -> str:
    """Return the path of a row's crop among the crops."""
    return f"{row.tracklet}/{row.frame:06d}.png"


def _identity(rows: pd.DataFrame, root: Path, rules: IngestRules) -> str:
    """Name the crops by the manifest and by size and time of change of what they are cut from."""
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


def _cut_all(rows: pd.DataFrame, root: Path, crops: Path, rules: IngestRules) -> list[_Fault]:
    """Cut the crops that are missing, each picture or video in one thread."""
    if rows["is_video"].any():
        _require_av(rows.loc[rows["is_video"], "path"].iloc[0])
    missing = rows[[not (crops / place).is_file() for place in rows.apply(_place, axis=1)]]
    sources = [(root / path, group) for path, group in missing.groupby("path")]

    def cut(source: tuple[Path, pd.DataFrame]) -> tuple[int, list[_Fault]]:
        path, wanted = source
        return len(wanted), list(_cut(path, wanted, crops, rules))

    faults: list[_Fault] = []
    with tqdm(total=len(missing), desc="cut", unit="crop", disable=not rules.progress) as bar:
        for count, found in in_threads(cut, sources, rules.threads, 4 * rules.threads):
            bar.update(count)
            faults += found
    return faults


def _cut(source: Path, wanted: pd.DataFrame, crops: Path, rules: IngestRules) -> Iterator[_Fault]:
    """Cut the crops of one file and yield its faults."""
    path, pictures = wanted["path"].iloc[0], _video_pictures
    by_number = dict(iter(wanted.groupby("frame")))
    if not wanted["is_video"].iloc[0]:  # one picture, whatever numbers its crops have
        by_number, pictures = {0: wanted}, partial(_picture, modes=rules.modes)
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
        yield {"path": path, "fault": f"{_why(source, error)}; {_lost(left, by_number)}"}
        return
    if left:
        yield {
            "path": path,
            "fault": f"ends after frame {last}, but the manifest asks for "
            f"{listed([str(number) for number in sorted(left)])}",
        }


def _why(source: Path, error: Exception) -> str:
    # errors of PyAV are subclasses of OSError, too
    if isinstance(error, OSError) and not type(error).__module__.startswith("av"):
        return unreadable(source, error)
    if isinstance(error, PictureError):
        return str(error)
    cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be decoded: {cause}"


def _lost(left: Iterable[int], by_number: Mapping[int, pd.DataFrame]) -> str:
    return f"{sum(len(by_number[number]) for number in left)} crops of it are lost"


def _edges(rows: pd.DataFrame) -> pd.DataFrame:
    """Return left, top, right and bottom edge of every box, rounded to pixels."""
    left, top = rows["left"], rows["top"]
    edges = pd.concat([left, top, left + rows["width"], top + rows["height"]], axis=1)
    return np.floor(edges + 0.5).set_axis(["left", "top", "right", "bottom"], axis=1)


def _cut_boxes(picture: Image.Image, rows: pd.DataFrame, crops: Path) -> Iterator[_Fault]:
    """Clip the boxes to the picture and write their crops; an empty box is a fault."""
    edges = _edges(rows).fillna(0).clip(lower=0)
    edges["right"] = edges["right"].clip(upper=picture.width)
    edges["bottom"] = edges["bottom"].clip(upper=picture.height)
    for row, box in zip(rows.itertuples(), edges.to_numpy().tolist(), strict=True):
        if row.boxed and not (box[0] < box[2] and box[1] < box[3]):
            yield {
                "path": row.path,
                "fault": f"line {row.line}: the box {row.width:g}x{row.height:g} at {row.left:g}, "
                f"{row.top:g} shows nothing of the picture of {picture.width}x{picture.height}",
            }
        else:
            crop = picture.crop(tuple(map(int, box))) if row.boxed else picture
            _write(crop, crops / _place(row))


def _note_clipped_boxes(ingested: Ingested, rows: pd.DataFrame, places: pd.Series) -> None:
    """Count the crops that are smaller than their boxes, in the report and in the log."""
    edges = _edges(rows).assign(path=places, line=rows["line"])[rows["boxed"]]
    frames = ingested.frames.merge(edges, on="path")
    smaller = (frames["width"] != frames["right"] - frames["left"]) | (
        frames["height"] != frames["bottom"] - frames["top"]
    )
    ingested.report["clipped_boxes"] = int(smaller.sum())
    if smaller.any():
        lines = [str(line) for line in sorted(frames.loc[smaller, "line"])]
        note = f"{len(lines)} boxes are clipped to their pictures: lines {listed(lines)}"
        ingested.report["notes"].append(note)
        _log.warning("manifest: %s", note)


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


def _video_pictures(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
    """Decode a video from its beginning to the last picture that is wanted."""
    import av

    wanted = set(numbers)
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError("it has no video stream")
        stream = container.streams.video[0]
        if stream.codec_context.name == "ansi":  # FFmpeg draws texts as pictures of a terminal
            raise ValueError("it is text")
        check_size(stream.width, stream.height)
        for number, picture in enumerate(container.decode(stream)):
            yield number, _upright(picture) if number in wanted else None
            if number >= numbers[-1]:
                return


_TURNS = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""Pillow's transposition for a display matrix (a, b, c, d): x' = ax + cy, y' = bx + dy."""


def _upright(picture: Any) -> Image.Image:
    """Convert a video's picture as players show it: turned or mirrored by its display matrix."""
    image = picture.to_image()
    for data in picture.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32) / 2**16
            matrix = tuple(round(value) for value in (a, b, c, d))
            if matrix not in _TURNS or max(abs(np.subtract(matrix, (a, b, c, d)))) > 0.01:
                raise ValueError(
                    f"its pictures are turned by {picture.rotation} degrees, expected a multiple "
                    "of 90: convert it"
                )
            image = image if _TURNS[matrix] is None else image.transpose(_TURNS[matrix])
    return image


def _require_av(path: str) -> None:
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise IngestError(
            f"the manifest lists videos ({path}), and PyAV, which decodes them, is not installed: "
            "install the package av (`uv pip install av`), or cut the videos into pictures"
        ) from error


READER = Reader(
    "manifest",
    "pictures and videos listed in a manifest",
    LAYOUT,
    read,
    ManifestOptions,
    locate=_locate,
)
