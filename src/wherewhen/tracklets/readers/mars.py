"""MARS: six cameras on a campus, tracklets from a detector and a tracker, a million frames.

``bbox_{train,test}/PPPP/PPPPC{c}T{tttt}F{fff}.jpg`` and a folder ``info``: in it,
``{train,test}_name.txt`` name the images, ``tracks_{train,test}_info.mat`` say which rows of them
are a tracklet, of whom and in which camera, and ``query_IDX.mat`` which test tracklets are probes.
Rows are counted from 1 and both ends are included. Person -1 (folder ``00-1``) is junk: detections
of nobody; person 0 (``0000``) are distractors: people of whom no camera pair is known.

L. Zheng, Z. Bie, Y. Sun, J. Wang, C. Su, S. Wang, Q. Tian: MARS: A Video Benchmark for Large-Scale
Person Re-Identification. ECCV 2016.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wherewhen.tracklets.files import FileError, entries, expand_home, open_file
from wherewhen.tracklets.folders import expected_folder, find_folder, hint_at_links, listed
from wherewhen.tracklets.frame_numbers import frame_number
from wherewhen.tracklets.ingest import FoundTracklet, Ingested, IngestError, ingest, published
from wherewhen.tracklets.matlab import whole_numbers
from wherewhen.tracklets.readers.record import Footage, PathOrNumber, Reader
from wherewhen.tracklets.readers.record import Options as BaseOptions
from wherewhen.tracklets.schema import listed_rows

LAYOUT = "bbox_{train,test}/PPPP/*.jpg and info/*.{mat,txt} under the root, or their archives"
CAMERAS = range(1, 7)
JUNK, DISTRACTOR = "-1", "0000"
"""MARS's two pseudo-persons, as the table of tracklets names them."""

TABLES = {
    "train": ("tracks_train_info.mat", "track_train_info"),
    "test": ("tracks_test_info.mat", "track_test_info"),
}
"""File and variable of the tables of tracklets, by subset."""

QUERY = ("query_IDX.mat", "query_IDX")
PUBLISHED = {
    "train tracklets": 8298,
    "train persons": 625,
    "train images": 509_914,
    "test tracklets": 12_180,
    "test persons": 634,
    "test images": 681_089,
    "junk tracklets": 870,
    "distractor tracklets": 3248,
    "queries": 1980,
}
_NAME = re.compile(r"(00-1|[0-9]{4,})C([0-9]+)T([0-9]+)F([0-9]+)\.(?:jpe?g|png)", re.IGNORECASE)
_COLUMNS = ["first", "last", "person", "camera"]
"""Columns of the tables of tracklets."""
_AGAIN = (
    "get all of MARS's lists again, of the same release: the authors publish them with their "
    "evaluation code"
)
_SHOWN = 5


class Options(BaseOptions):
    """Options of MARS."""

    info: PathOrNumber | None = None
    """The folder of the name files and ``.mat`` files, relative to the root, if it is elsewhere:
    the authors publish it apart from the images."""


def read(footage: Footage) -> Ingested:
    """Read MARS or a set in its layout.

    The root holds ``bbox_train``, ``bbox_test`` and ``info``. The table of tracklets has `subset`,
    `query` and `kind`. A part of MARS can be read: tracklets without any image are left out, and
    the report counts them; of the others every image must be there.

    Raises
    ------
    FileNotFoundError
        If a list or all images are missing.
    IngestError
        If the lists contradict themselves, each other or the names, or frames are faulty.
    """
    root = footage.root
    tracklets, names = _lists(_info_folder(footage))
    images = {subset: _images(root, subset) for subset in TABLES}
    if not any(images.values()):
        raise FileNotFoundError(
            f"MARS: {root} has neither bbox_train nor bbox_test.{hint_at_links(root)} Expected: "
            f"{LAYOUT}. Get them from the authors and correct the root"
        )
    kept = _with_images(tracklets, names, images)
    there, left_out = tracklets[kept], tracklets["tracklet"][~kept].tolist()
    facts = {
        "differs_from_published": published(PUBLISHED, _counts(there)),
        "left_out": {"not one image is there": left_out},
        "notes": _notes(tracklets, names, images, left_out),
    }
    if not len(there):
        raise IngestError(
            f"MARS at {root}: of {len(tracklets)} tracklets not one has an image. Expected: "
            f"{LAYOUT}; check that the folders of persons lie right under bbox_train and bbox_test",
            facts,
        )
    found = list(_found(there, names, images))
    return ingest("mars", root, found, footage.rules, facts, known={"info"})


def _locate(root: Path, options: Options) -> tuple[Path, Options]:
    """Resolve the option info, which is relative to the root or to its archive's folder."""
    if options.info is None:
        return root, options
    beside = root if root.is_dir() else root.parent
    return root, options.model_copy(update={"info": beside / expand_home(options.info)})


def read_info(info: Path | str) -> pd.DataFrame:
    """Read the tables of tracklets and the list of queries, without any image or name.

    Parameters
    ----------
    info : path
        Folder of ``tracks_train_info.mat``, ``tracks_test_info.mat`` and ``query_IDX.mat``.

    Returns
    -------
    pandas.DataFrame
        `schema.TRACKLETS` with `subset`, `query` and `kind`, and ``first``, ``last``: the rows of
        the subset's name file, from 1, both included. In the order of the .mat files, training
        first; a tracklet is named by subset, row, person and camera: ``test/04130_0002C1``.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    IngestError
        Naming file, row and value of what is impossible.
    """
    info, tables = Path(info), {}
    for subset, (file, variable) in TABLES.items():
        values = _integers(info / file, variable)
        if values.ndim != 2 or values.shape[1] != len(_COLUMNS) or not len(values):
            raise IngestError(
                f"MARS: {file}: {variable} has shape {list(values.shape)}, expected [tracklets, 4] "
                f"with columns {', '.join(_COLUMNS)}: {_AGAIN}"
            )
        rows = pd.DataFrame(values, pd.RangeIndex(1, len(values) + 1, name="row"), _COLUMNS)
        _check_rows(rows, file, subset)
        tables[subset] = _as_tracklets(rows, subset)
    both = sorted({*tables["train"]["person"]} & {*tables["test"]["person"]})
    if both:
        raise IngestError(
            f"MARS: {len(both)} persons are in {TABLES['train'][0]} and in {TABLES['test'][0]}: "
            f"{listed(both)}. Nobody may train and be tested: {_AGAIN}"
        )
    queries = _queries(info / QUERY[0], tables["test"])
    tables["test"]["query"] = np.isin(np.arange(1, len(tables["test"]) + 1), queries)
    return pd.concat(tables.values(), ignore_index=True)


def read_names(info: Path | str, subset: str) -> list[str]:
    """Read the names of a subset's images.

    Parameters
    ----------
    info : path
        Folder of ``train_name.txt`` and ``test_name.txt``.
    subset : {"train", "test"}
        Which.

    Returns
    -------
    list of str
        In the file's order; row 1 of the .mat files is the first.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If the file can't be read, a line is no image's name, or one occurs twice.
    """
    file = f"{subset}_name.txt"
    with open_file(Path(info) / file, "MARS's list", _AGAIN) as listing:
        text = listing.read().decode("utf-8-sig", errors="replace")
    names = pd.Series(text.rstrip().split("\n"), name="name").str.strip()
    names.index = pd.RangeIndex(1, len(names) + 1, name="line")
    expected = "expected PPPPC{camera}T{tracklet}F{frame}.jpg, every image once"
    wrong = ~names.str.fullmatch(_NAME)
    _refuse(names[wrong].to_frame(), file, f"is no image's name, {expected}")
    _refuse(names[names.duplicated()].to_frame(), file, f"occurs twice, {expected}")
    return names.tolist()


def _lists(info: Path) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Read tables and names, and check that they agree."""
    tracklets = read_info(info)
    names = {subset: read_names(info, subset) for subset in TABLES}
    for subset, table in tracklets.groupby("subset"):
        _check_names(table, names[subset], subset)
    return tracklets, names


def _info_folder(footage: Footage) -> Path:
    if footage.options.info is not None:
        title = "MARS's lists (option info)"
        return expected_folder(footage.options.info, title, "*.mat and *_name.txt")
    given = footage.given
    for base in (footage.root, given if given.is_dir() else given.parent):
        folder = find_folder(base, [TABLES["test"][0]], depth=3, passing=["bbox_"])
        if folder is not None:
            return folder
    raise FileNotFoundError(
        f"MARS: {given} has no folder with {TABLES['test'][0]}. Expected: {LAYOUT}. The authors "
        "hand out info with their evaluation code: put it beside the images, or set the option info"
    )


def _integers(path: Path, variable: str, largest: int = 0) -> np.ndarray:
    """Read one variable as int64, and check that its type can hold the largest index.

    MATLAB may save indices as unsigned integers of few bits, which wrap around.
    """
    try:
        values = whole_numbers(path, variable, _AGAIN)
    except FileError as error:
        raise IngestError(f"MARS: {error}") from error
    if values.dtype.kind in "iu" and np.iinfo(values.dtype).max < largest:
        raise IngestError(
            f"MARS: {path.name}: {variable} is saved as {values.dtype}, which can't name all "
            f"{largest} rows: indices may have wrapped. Save it with more bits"
        )
    return values.astype(np.int64)


def _check_rows(rows: pd.DataFrame, file: str, subset: str) -> None:
    by_first = rows.sort_values("first", kind="stable")
    overlap = by_first["first"] <= by_first["last"].shift(fill_value=0)
    least = -1 if subset == "test" else 1
    for wrong, what in (
        (rows["first"] < 1, "first is below 1, where rows are counted from 1"),
        (rows["last"] < rows["first"], "last is below first"),
        (~rows["camera"].isin(CAMERAS), f"camera is outside {CAMERAS.start}..{CAMERAS[-1]}"),
        (
            rows["person"] < least,
            "person is below -1" if least < 0 else "junk and distractors do not train",
        ),
        (overlap.sort_index(), "shares images with another tracklet"),
    ):
        _refuse(rows[wrong], file, what)


def _refuse(rows: pd.DataFrame, file: str, fault: str) -> None:
    """Raise an error that shows the rows, if there are any."""
    if len(rows):
        columns = list(rows.columns)
        raise IngestError(
            f"MARS: {file}: {fault} ({', '.join(columns)}): {listed_rows(rows, columns)}. "
            f"{_AGAIN.capitalize()}"
        )


def _as_tracklets(rows: pd.DataFrame, subset: str) -> pd.DataFrame:
    """Convert a checked table of MARS to `schema.TRACKLETS`, in its order."""
    person = rows["person"]
    names = [JUNK if label < 0 else f"{label:04d}" for label in person]
    cameras = rows["camera"].astype(str)
    return pd.DataFrame(
        {
            "tracklet": [
                f"{subset}/{row:05d}_{_folder_name(name)}C{camera}"
                for row, name, camera in zip(rows.index, names, cameras, strict=True)
            ],
            "person": names,
            "camera": cameras.to_numpy(),
            "length": (rows["last"] - rows["first"] + 1).to_numpy(),
            "subset": subset,
            "query": False,
            "kind": np.select([person < 0, person == 0], ["junk", "distractor"], "person"),
            "first": rows["first"].to_numpy(),
            "last": rows["last"].to_numpy(),
        }
    )


def _folder_name(person: str) -> str:
    """Return a person as in MARS's names of folders and files, where junk is 00-1."""
    return "00-1" if person == JUNK else person


def _queries(path: Path, test: pd.DataFrame) -> np.ndarray:
    """Read the rows of the test tracklets that are queries, from 1."""
    values = _integers(path, QUERY[1], largest=len(test)).ravel()
    if not len(values):
        raise IngestError(
            f"MARS: {path.name}: {QUERY[1]} is empty, expected the rows of {TABLES['test'][1]} "
            f"that are queries: {_AGAIN}"
        )
    entries = pd.RangeIndex(1, len(values) + 1, name="entry")
    rows = pd.DataFrame({"row": values}, entries)
    persons = np.flatnonzero(test["kind"] == "person") + 1
    for wrong, what in (
        (rows["row"] < 1, "a query is below 1, where rows are counted from 1"),
        (rows["row"] > len(test), f"a query is past the end: {TABLES['test'][0]} has {len(test)}"),
        (rows["row"].duplicated(), "a query occurs twice"),
        (~rows["row"].isin(persons), "a query is junk or a distractor, expected persons"),
    ):
        _refuse(rows[wrong], path.name, what)
    return values


def _check_names(table: pd.DataFrame, names: Sequence[str], subset: str) -> None:
    """Compare every image's name with its row, which finds shifted lists."""
    file = TABLES[subset][0]
    beyond = table[table["last"] > len(names)]
    if len(beyond):
        row = beyond.iloc[0]
        raise IngestError(
            f"MARS: {file}: {len(beyond)} tracklets reach past the end of {subset}_name.txt, which "
            f"has {len(names)} names; {row.tracklet} ends at {row['last']}. {_AGAIN.capitalize()}"
        )
    wrong = [
        f"{name} in row {row.tracklet} (person {row.person}, camera {row.camera})"
        for row in table.itertuples()
        for name in _strangers(row, names)
    ]
    if wrong:
        raise IngestError(
            f"MARS: {subset}_name.txt and {file} contradict each other: {len(wrong)} names say "
            f"another person or camera than their row, for instance {'; '.join(wrong[:_SHOWN])}. "
            f"{_AGAIN.capitalize()}"
        )


def _strangers(row: Any, names: Sequence[str]) -> Iterator[str]:
    """Yield the names of a row's images that name another person or camera."""
    start = f"{_folder_name(row.person)}C{row.camera}T"
    for name in names[row.first - 1 : row.last]:
        if not name.upper().startswith(start):
            yield name


def _holds_images(folder: Path) -> bool:
    return any(_images(folder, subset) is not None for subset in TABLES)


def _images(root: Path, subset: str) -> Path | None:
    """Find the folder of a subset's persons; an archive's own folder may bear the same name."""
    name = f"bbox_{subset}"
    holder = find_folder(root, [name], depth=2, passing=["bbox_"])
    if holder is None:
        return None
    folder = holder / name
    while (folder / name).is_dir():
        folder = folder / name
    return folder


def _with_images(
    tracklets: pd.DataFrame, names: Mapping[str, Sequence[str]], images: Mapping[str, Path | None]
) -> np.ndarray:
    """Tell which tracklets have at least one image."""
    kept = np.zeros(len(tracklets), dtype=bool)
    for (subset, person), rows in tracklets.groupby(["subset", "person"]):
        folder = images[subset] and images[subset] / _folder_name(person)
        there = {entry.name for entry in entries(folder)} if folder and folder.is_dir() else set()
        for row in rows.itertuples():
            kept[row.Index] = not there.isdisjoint(names[subset][row.first - 1 : row.last])
    return kept


def _found(
    tracklets: pd.DataFrame, names: Mapping[str, Sequence[str]], images: Mapping[str, Path | None]
) -> Iterator[FoundTracklet]:
    for row in tracklets.itertuples():
        files = names[row.subset][row.first - 1 : row.last]
        yield FoundTracklet(
            row.tracklet,
            row.person,
            row.camera,
            files,
            images[row.subset] / _folder_name(row.person),
            {"subset": row.subset, "query": row.query, "kind": row.kind},
            [frame_number(file) for file in files],
        )


def _counts(tracklets: pd.DataFrame) -> list[int]:
    """Count what `PUBLISHED` counts."""
    subset, kind = tracklets["subset"], tracklets["kind"]
    persons = tracklets[kind == "person"].groupby("subset")["person"].nunique()
    images = tracklets.groupby("subset")["length"].sum()
    return [
        *(
            count
            for side in ("train", "test")
            for count in ((subset == side).sum(), persons.get(side, 0), images.get(side, 0))
        ),
        (kind == "junk").sum(),
        (kind == "distractor").sum(),
        tracklets["query"].sum(),
    ]


def _notes(
    tracklets: pd.DataFrame,
    names: Mapping[str, Sequence[str]],
    images: Mapping[str, Path | None],
    left_out: Sequence[str],
) -> list[str]:
    notes = [
        f"there is no bbox_{subset}: its tracklets are left out. To have them, put it, or its "
        "archive beside the others"
        for subset, folder in images.items()
        if folder is None
    ]
    if left_out and not notes:
        notes.append(
            f"{len(left_out)} tracklets are left out, because not one of their images is there: "
            f"{listed(left_out)}. To have them, get the whole archives again"
        )
    for subset, rows in tracklets.groupby("subset"):
        if spare := len(names[subset]) - int(rows["length"].sum()):
            notes.append(f"{spare} names of {subset}_name.txt are in no tracklet: passed over")
    return notes


READER = Reader(
    "mars",
    "MARS",
    LAYOUT,
    read,
    Options,
    common_size=True,
    holds_data=_holds_images,
    locate=_locate,
)
