"""Any set of videos, pictures or crops, listed in a CSV file: the layout for existing material.

``manifest.csv`` has a row a frame: ``tracklet, person, camera, frame, path`` and, where crops are
to be taken from whole pictures, ``left, top, width, height`` (pixels; all four or none in a row). A
path is relative to the manifest's folder; of a video file, `frame` is the number of the picture in
it, from 0. The columns ``subset, query, kind`` may say what the table of tracklets can say.

Rows that name crops as they are are read in place. If any row has a box or names a video, all crops
are cut once into PNG files under the folder for unpacked data, and read from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from tqdm import tqdm

from wherewhen.tracklets.archives import CROPS, UNPACKED, find_folder, opened
from wherewhen.tracklets.files import (
    expand_home,
    is_file,
    open_regular,
    read_csv,
    reason,
    shortened,
)
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.ingest import (
    LONGEST_NAME,
    FoundTracklet,
    Ingested,
    IngestError,
    IngestRules,
    expected_folder,
    ingest,
    listed,
    name_fault,
    unreadable,
)
from wherewhen.tracklets.picture_files import (
    PictureError,
    check_size,
    decode_picture,
    read_content,
)
from wherewhen.tracklets.schema import FIXED
from wherewhen.tracklets.threads import in_threads

COLUMNS = ("tracklet", "person", "camera", "frame", "path")
BOX = ("left", "top", "width", "height")
LAYOUT = f"a CSV file with the columns {', '.join(COLUMNS)} [, {', '.join(BOX)}]"
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v")
"""Files that are read as videos, in any case of letters."""

_OWN = ("line", "boxed", "is_video")
"""Columns that are made here: those of a manifest under these names are passed over as others."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_SHOWN, _HEADER_SHOWN = 5, 200
_LONGEST_PATH = 1000
"""Characters of a tracklet's whole name: systems stop at 4096 bytes of a path."""

_Fault = dict[str, str]


def read(
    root: Path,
    rules: IngestRules | None = None,
    unpack_to: Path | None = None,
    *,
    manifest: str = "manifest.csv",
) -> Ingested:
    """Read what a manifest lists.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the manifest, the manifest itself, or an archive with it.
    rules : IngestRules, optional
        What frames must satisfy.
    unpack_to : pathlib.Path, optional
        Where an archive is unpacked and crops are cut to.
    manifest : str
        The manifest's name in the folder.

    Returns
    -------
    Ingested
        Tables and report.

    Raises
    ------
    FileNotFoundError
        If the manifest is not there.
    IngestError
        Naming column or lines of what is impossible; if frames are faulty, a box reaches outside
        its picture, or a video can't be decoded; if videos are listed and PyAV is not installed.
    """
    rules = rules or IngestRules()
    root, manifest = Path(root), str(expand_home(manifest))
    if is_file(root) and root.suffix.lower() == ".csv":
        root, manifest = root.parent, root.name
    root = opened(
        root,
        unpack_to,
        lambda folder: is_file(folder / manifest),
        progress=rules.progress,
    )
    root = expected_folder(root, "data set folder", LAYOUT)
    holder = find_folder(root, [manifest])
    if holder is None:
        raise FileNotFoundError(
            f"data set folder: {root} has no {manifest}. Expected {LAYOUT}: write it, or correct "
            "the root or the option manifest"
        )
    rows = _read_rows(holder / manifest)
    if not (rows["boxed"] | rows["is_video"]).any():
        return ingest("manifest", holder, _tracklets(rows, rows["path"], holder), rules)
    crops = (unpack_to or holder / UNPACKED) / f"{CROPS}{_identity(rows, holder)}"
    faults = _cut_all(rows, holder, crops, rules)
    places = rows.apply(_place, axis=1)
    there = rows[[(crops / place).is_file() for place in places]]
    facts = {"cut_from": {"pictures": int((~rows.is_video).sum()), "videos": _videos(rows)}}
    return ingest(
        "manifest", crops, _tracklets(there, places[there.index], crops), rules, facts, faults
    )


def _read_rows(path: Path) -> pd.DataFrame:
    """Read and check the manifest; its rows get ``line``, ``boxed`` and ``is_video``."""
    rows = read_csv(path, "manifest", f"expected {LAYOUT} in UTF-8")
    rows = rows.rename_axis("line").drop(columns=[name for name in _OWN if name in rows])
    rows = rows.reset_index()
    missing = [column for column in COLUMNS if column not in rows]
    box = [column for column in BOX if column in rows]
    if box and len(box) < len(BOX):
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
    booleans = [column for column in FIXED if column in rows and FIXED[column] is bool]
    for column in booleans:
        rows[column] = rows[column].str.lower()
    for column in set(BOX) - set(box):
        rows[column] = ""
    _check_rows(path.name, rows)
    rows["boxed"] = rows["left"] != ""
    rows["is_video"] = rows["path"].str.lower().str.endswith(VIDEOS)
    for column in ("frame", *BOX):
        rows[column] = rows[column].replace("", "0").astype("int64")
    for column in booleans:
        rows[column] = rows[column].map(_BOOLEANS).astype(bool)
    return rows


def _check_rows(name: str, rows: pd.DataFrame) -> None:
    number = r"[0-9]{1,15}"
    boxes = rows[list(BOX)]
    empty, whole = (boxes == "").all(axis=1), boxes.apply(lambda c: c.str.fullmatch(number))
    parts = rows["path"].str.split("/")
    rules: list[tuple[pd.Series, str, Sequence[str]]] = [
        (rows[column] == "", f"{column} is empty", [column]) for column in COLUMNS
    ]
    rules += [
        (~rows["frame"].str.fullmatch(number), "frame is not a number from 0", ["frame"]),
        (
            ~empty & ~whole.all(axis=1),
            f"the box is not made of four numbers from 0 ({', '.join(BOX)})",
            BOX,
        ),
        (
            ~empty & boxes[["width", "height"]].apply(lambda c: c.str.fullmatch("0+")).any(axis=1),
            "the box is empty",
            BOX,
        ),
        (
            rows["path"].str.contains(r"^/|^[A-Za-z]:|\\") | parts.map(lambda p: ".." in p),
            "path leaves the manifest's folder, to which it must be relative (with /)",
            ["path"],
        ),
        (
            ~rows["tracklet"].map(_is_plain),
            "tracklet is no name that a folder can bear (parts between / are not empty, . or ..)",
            ["tracklet"],
        ),
        (
            rows["tracklet"].isin([name for name in rows["tracklet"].unique() if _is_long(name)]),
            f"tracklet is too long a name: at most {LONGEST_NAME} characters between two /, where "
            "a sign or space takes three and a letter beyond a-z six or more, and at most "
            f"{_LONGEST_PATH} in all",
            ["tracklet"],
        ),
        (
            rows.assign(frame=rows["frame"].str.lstrip("0")).duplicated(["tracklet", "frame"]),
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
            known = rows[column].isin(_BOOLEANS)
            rules.append((~known, f"{column} is neither true nor false", [column]))
    for wrong, what, columns in rules:
        at = rows[wrong.astype(bool)]
        if len(at):
            shown = "; ".join(
                f"line {row.line} ({', '.join(shortened(getattr(row, name)) for name in columns)})"
                for row in at.head(_SHOWN).itertuples()
            )
            more = f" and {len(at) - _SHOWN} more" if len(at) > _SHOWN else ""
            raise IngestError(f"{name}: {what}: {shown}{more}. Correct the manifest")


def _is_long(tracklet: str) -> bool:
    return len(tracklet) > _LONGEST_PATH or name_fault(tracklet) is not None


def _is_plain(tracklet: str) -> bool:
    parts = tracklet.split("/")
    return not any(part in ("", ".", "..") for part in parts) and not re.search(
        r"[\\\x00-\x1f]", tracklet
    )


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
    """Say where the crop of a row lies among the crops."""
    return f"{row.tracklet}/{row.frame:06d}.png"


def _videos(rows: pd.DataFrame) -> int:
    return int(rows.loc[rows["is_video"], "path"].nunique())


def _identity(rows: pd.DataFrame, root: Path) -> str:
    """Name the crops by the manifest and by size and time of change of what they are cut from."""
    sources = {}
    for path in sorted(set(rows["path"])):
        try:
            state = (root / path).stat()
        except OSError:
            continue  # a fault that is named when it is cut
        sources[path] = [state.st_size, state.st_mtime_ns]
    return fingerprint([rows[["tracklet", "frame", "path", *BOX]].to_numpy().tolist(), sources])


def _cut_all(rows: pd.DataFrame, root: Path, crops: Path, rules: IngestRules) -> list[_Fault]:
    """Cut the crops that are not there yet, a thread a picture or video."""
    if rows["is_video"].any():
        _require_av()
    missing = rows[[not (crops / place).is_file() for place in rows.apply(_place, axis=1)]]
    sources = [(root / path, group) for path, group in missing.groupby("path")]

    def cut(source: tuple[Path, pd.DataFrame]) -> tuple[int, list[_Fault]]:
        path, wanted = source
        pictures = _video_pictures if wanted["is_video"].iloc[0] else _picture
        return len(wanted), list(_cut(path, wanted, crops, pictures))

    faults: list[_Fault] = []
    with tqdm(total=len(missing), desc="cut", unit="crop", disable=not rules.progress) as bar:
        for count, found in in_threads(cut, sources, rules.threads, 4 * rules.threads):
            bar.update(count)
            faults += found
    return faults


def _cut(
    source: Path,
    wanted: pd.DataFrame,
    crops: Path,
    pictures: Callable[[Path, Sequence[int]], Iterable[tuple[int, Image.Image]]],
) -> Iterator[_Fault]:
    """Cut the crops of one file and yield what went wrong."""
    path, by_number = wanted["path"].iloc[0], dict(iter(wanted.groupby("frame")))
    if not wanted["is_video"].iloc[0]:  # one picture, whatever numbers its crops have
        by_number = {0: wanted}
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
    except OSError as error:
        yield {"path": path, "fault": f"{unreadable(source, error)}; {_lost(left, by_number)}"}
        return
    except PictureError as error:
        yield {"path": path, "fault": f"{error}; {_lost(left, by_number)}"}
        return
    except Exception as error:  # whatever a decoder raises on broken bytes: it differs by format
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        yield {"path": path, "fault": f"cannot be decoded: {cause}; {_lost(left, by_number)}"}
        return
    if left:
        yield {
            "path": path,
            "fault": f"ends after frame {last}, but the manifest asks for "
            f"{listed([str(number) for number in sorted(left)])}",
        }


def _lost(left: Iterable[int], by_number: Mapping[int, pd.DataFrame]) -> str:
    return f"{sum(len(by_number[number]) for number in left)} crops of it are lost"


def _cut_boxes(picture: Image.Image, rows: pd.DataFrame, crops: Path) -> Iterator[_Fault]:
    for row in rows.itertuples():
        box = (row.left, row.top, row.left + row.width, row.top + row.height)
        if row.boxed and (box[2] > picture.width or box[3] > picture.height):
            yield {
                "path": row.path,
                "fault": f"line {row.line}: the box {row.width}x{row.height} at {row.left}, "
                f"{row.top} reaches outside the picture of {picture.width}x{picture.height}",
            }
            continue
        _write(picture.crop(box) if row.boxed else picture, crops / _place(row))


def _write(crop: Image.Image, place: Path) -> None:
    """Write a crop under a temporary name; a killed process leaves no half of it."""
    unfinished = place.with_name(f".{place.name}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        crop.save(unfinished, "PNG", compress_level=3)
        unfinished.replace(place)
    except OSError as error:
        raise IngestError(
            f"the crop {place} can't be written: {reason(error)}. Expected a folder to cut crops "
            "to: set ingest.unpack_to to one that can be written to, or rename the tracklet if its "
            "name is that of another's frame"
        ) from error


def _picture(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
    yield 0, decode_picture(read_content(path))


def _video_pictures(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
    """Decode a video from its beginning to the last picture that is wanted."""
    import av

    open_regular(path).close()  # a missing file, a folder or a pipe is told from a broken video
    wanted = set(numbers)
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError("it has no video stream")
        stream = container.streams.video[0]
        check_size(stream.width, stream.height)
        for number, picture in enumerate(container.decode(stream)):
            yield number, picture.to_image() if number in wanted else None
            if number >= numbers[-1]:
                return


def _require_av() -> None:
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise IngestError(
            "the manifest lists videos, and PyAV, which decodes them, is not installed: install "
            "the package av (`uv pip install av`), or cut the videos into pictures yourself"
        ) from error
