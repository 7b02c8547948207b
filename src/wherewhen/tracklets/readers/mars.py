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
from wherewhen.tracklets.ingest import FoundTracklet, Ingested, IngestError, ingest, published
from wherewhen.tracklets.matlab import whole_numbers
from wherewhen.tracklets.readers.record import Footage, PathOrNumber, Reader
from wherewhen.tracklets.readers.record import Options as BaseOptions

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
    there, left_out, unlisted = _with_images(tracklets, names, images)
    facts = {
        "differs_from_published": published(PUBLISHED, _counts(there)),
        "left_out": {"not one image is there": left_out},
        "images_in_no_tracklet": unlisted,
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
    info = Path(info)
    tables = []
    for subset, (file, variable) in TABLES.items():
        rows = _integers(info / file, variable)
        if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
            raise IngestError(
                f"MARS: {file}: {variable} has shape {list(rows.shape)}, expected [tracklets, 4] "
                "with columns first, last, person, camera: get the file again"
            )
        _check_rows(rows, file, subset)
        tables.append(_as_tracklets(rows, subset))
    train, test = tables
    if both := sorted({*train["person"]} & {*test["person"]}):
        raise IngestError(
            f"MARS: {len(both)} persons are in {TABLES['train'][0]} and in {TABLES['test'][0]}: "
            f"{listed(both)}. Nobody may train and be tested: get both files again"
        )
    test["query"] = _queries(info / QUERY[0], test)
    return pd.concat([train, test], ignore_index=True)


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
    with open_file(_existing(Path(info), file), "MARS's list", "get the file again") as listing:
        text = listing.read().decode("utf-8-sig", errors="replace")
    names = [name.strip() for name in text.split("\n")]
    while names and not names[-1]:
        names.pop()
    for row, name in enumerate(names, start=1):
        if _NAME.fullmatch(name) is None:
            raise IngestError(
                f"MARS: {file}, line {row}: {name[:100]!r} is no image's name. Expected "
                "PPPPC{camera}T{tracklet}F{frame}.jpg: get the file again"
            )
    if len(set(names)) != len(names):
        name = pd.Series(names)[pd.Series(names).duplicated()].iloc[0]
        raise IngestError(
            f"MARS: {file}: {name} and {len(names) - len(set(names)) - 1} more occur twice. "
            "Expected every image once: get the file again"
        )
    return names


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


def _existing(info: Path, file: str) -> Path:
    path = info / file
    if not path.is_file():
        raise FileNotFoundError(
            f"MARS: {path} is missing. Expected {', '.join(_all_lists())} in that folder: the "
            "authors hand them out with their evaluation code"
        )
    return path


def _all_lists() -> list[str]:
    return [*(file for file, _ in TABLES.values()), QUERY[0], "train_name.txt", "test_name.txt"]


def _integers(path: Path, variable: str, largest: int = 0) -> np.ndarray:
    """Read one variable as int64, and check that its type can hold the largest index.

    MATLAB may save indices as unsigned integers of few bits, which wrap around.
    """
    try:
        values = whole_numbers(_existing(path.parent, path.name), variable, "get the file again")
    except FileError as error:
        raise IngestError(f"MARS: {error}") from error
    if values.dtype.kind in "iu" and np.iinfo(values.dtype).max < largest:
        raise IngestError(
            f"MARS: {path.name}: {variable} is saved as {values.dtype}, which can't name all "
            f"{largest} rows: indices may have wrapped. Save it with more bits"
        )
    return values.astype(np.int64)


def _check_rows(rows: np.ndarray, file: str, subset: str) -> None:
    first, last, person, camera = rows.T
    least = -1 if subset == "test" else 1
    for wrong, what in (
        (first < 1, "first is below 1, where rows are counted from 1"),
        (last < first, "last is below first"),
        (
            ~np.isin(camera, CAMERAS),
            f"camera is outside {CAMERAS.start}..{CAMERAS.stop - 1}",
        ),
        (
            person < least,
            "person is below 1, but junk and distractors do not train"
            if subset == "train"
            else "person is below -1",
        ),
    ):
        _refuse_rows(file, rows, wrong, what)
    order = np.argsort(first, kind="stable")
    overlap = np.zeros(len(rows), dtype=bool)
    overlap[order[1:]] = first[order[1:]] <= last[order[:-1]]
    _refuse_rows(file, rows, overlap, "shares images with another tracklet")


def _refuse_rows(file: str, rows: np.ndarray, wrong: np.ndarray, what: str) -> None:
    at = np.flatnonzero(wrong)
    if len(at):
        shown = "; ".join(f"row {row + 1} {rows[row].tolist()}" for row in at[:_SHOWN])
        raise IngestError(
            f"MARS: {file}: {what} ([first, last, person, camera]): {shown}"
            f"{f' and {len(at) - _SHOWN} more' if len(at) > _SHOWN else ''}. Get the file again"
        )


def _as_tracklets(rows: np.ndarray, subset: str) -> pd.DataFrame:
    first, last, person, camera = rows.T
    persons = [JUNK if label < 0 else f"{label:04d}" for label in person.tolist()]
    return pd.DataFrame(
        {
            "tracklet": [
                f"{subset}/{row:05d}_{_folder_name(label)}C{seen_by}"
                for row, (label, seen_by) in enumerate(
                    zip(persons, camera.tolist(), strict=True), start=1
                )
            ],
            "person": persons,
            "camera": camera.astype(str),
            "length": last - first + 1,
            "subset": subset,
            "query": False,
            "kind": np.select([person < 0, person == 0], ["junk", "distractor"], "person"),
            "first": first,
            "last": last,
        }
    )


def _folder_name(person: str) -> str:
    """Return a person as in MARS's names of folders and files, where junk is 00-1."""
    return "00-1" if person == JUNK else person


def _queries(path: Path, test: pd.DataFrame) -> np.ndarray:
    """Mark the queries among the test tracklets."""
    rows = _integers(path, QUERY[1], largest=len(test)).ravel()
    if not len(rows):
        raise IngestError(
            f"MARS: {path.name}: {QUERY[1]} is empty, expected the rows of {TABLES['test'][1]} "
            "that are queries: get the file again"
        )
    for wrong, what in (
        (rows < 1, "is below 1, where rows are counted from 1"),
        (rows > len(test), f"is past the end: {TABLES['test'][0]} has {len(test)} rows"),
        (pd.Series(rows).duplicated().to_numpy(), "occurs twice"),
    ):
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise IngestError(
                f"MARS: {path.name}: entry {at + 1} ({rows[at]}) {what}. Expected rows of "
                f"{TABLES['test'][1]}: get both files again, of the same release"
            )
    no_person = [row for row in rows.tolist() if test["kind"].iloc[row - 1] != "person"]
    if no_person:
        raise IngestError(
            f"MARS: {path.name}: {len(no_person)} queries are junk or distractors, for instance "
            f"row {no_person[0]} of {TABLES['test'][0]}. A query shows a labelled person: get both "
            "files again, of the same release"
        )
    marked = np.zeros(len(test), dtype=bool)
    marked[rows - 1] = True
    return marked


def _check_names(table: pd.DataFrame, names: Sequence[str], subset: str) -> None:
    """Compare every image's name with its row, which finds shifted lists."""
    file = TABLES[subset][0]
    beyond = table[table["last"] > len(names)]
    if len(beyond):
        row = beyond.iloc[0]
        raise IngestError(
            f"MARS: {file}: {len(beyond)} tracklets reach past the end of {subset}_name.txt, which "
            f"has {len(names)} names; {row.tracklet} ends at {row['last']}. Get both files again, "
            "of the same release"
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
            "Get both files again, of the same release"
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
) -> tuple[pd.DataFrame, list[str], int]:
    """Return tracklets with images, the names of the others, and the count of unlisted images."""
    kept, unlisted = np.zeros(len(tracklets), dtype=bool), 0
    for (subset, person), rows in tracklets.groupby(["subset", "person"]):
        there = _files(images[subset], person)
        for row in rows.itertuples():
            mine = there.intersection(names[subset][row.first - 1 : row.last])
            kept[row.Index] = bool(mine)
            there -= mine
        unlisted += len(there)
    return tracklets[kept], tracklets["tracklet"][~kept].tolist(), unlisted


def _files(images: Path | None, person: str) -> set[str]:
    folder = images / _folder_name(person) if images is not None else None
    if folder is None or not folder.is_dir():
        return set()
    return {entry.name for entry in entries(folder)}


def _found(
    tracklets: pd.DataFrame, names: Mapping[str, Sequence[str]], images: Mapping[str, Path | None]
) -> Iterator[FoundTracklet]:
    for row in tracklets.itertuples():
        yield FoundTracklet(
            row.tracklet,
            row.person,
            row.camera,
            names[row.subset][row.first - 1 : row.last],
            images[row.subset] / _folder_name(row.person),
            {"subset": row.subset, "query": row.query, "kind": row.kind},
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
    queries = tracklets[tracklets["query"]]
    if several := int(queries.duplicated(["person", "camera"]).sum()):
        notes.append(f"{several} queries are not the only one of their person and camera")
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
