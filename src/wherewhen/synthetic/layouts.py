"""Writers of the official layouts, from frames of any source.

A layout says which file holds which frame, which lists lie beside the frames (MARS's name files
and ``.mat`` tables, iLIDS-VID's splits, a manifest), and how its owners pack it. It takes shots and
frames for each of them: rendered people, or the tests' flat colours.
"""

from __future__ import annotations

import csv
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wherewhen.synthetic import mars
from wherewhen.synthetic.shots import DISTRACTOR, JUNK, Shot
from wherewhen.synthetic.truth import Truth, truth_file
from wherewhen.tracklets.readers import ilids_vid

ILIDS_TRIALS, ILIDS_SEED = 10, 2014
"""Rows of the file of splits, and the seed they are drawn from."""

UNFINISHED = ".unfinished"
"""Ending, or name, of what is being written."""


@dataclass(frozen=True)
class Layout:
    """Files and folders of a data set."""

    name: str
    """As the reader's."""
    cameras: int
    """The most cameras it has a place for."""
    kinds: frozenset[str]
    """What may be in it besides persons."""
    places: Callable[[Sequence[Shot], Sequence[str]], dict[str, list[str]]]
    """From shots and the cameras' names to the paths of each tracklet's frames, in order."""
    lists: Callable[[Path, Sequence[Shot], Sequence[str]], None]
    """Writes what lies beside the frames into the folder."""
    archives: Mapping[str, tuple[str, ...]]
    """The owners' archives and what each holds; none if the layout has no owner."""
    varied: bool = False
    """Whether people differ in the number of their cameras and tracklets."""
    several: bool = True
    """Whether a person may have several tracklets in a camera."""
    root: str = "."
    """What the reader is pointed at."""
    boxed: bool = False
    """Whether frames are whole pictures out of which a box is cut."""


def check(
    form: Layout, cameras: int, takes: int, distractors: int, junk: int, archive: bool = False
) -> None:
    """Refuse parameters that a layout can't represent.

    Parameters
    ----------
    form : Layout
        The layout.
    cameras, takes, distractors, junk : int
        Cameras, tracklets of a person in each, and how many tracklets of those kinds.
    archive : bool
        Whether it is to be packed.

    Raises
    ------
    ValueError
        Naming what is too much, and what to do.
    """
    if cameras > form.cameras:
        raise ValueError(
            f"layout {form.name} has places for {form.cameras} cameras, but there are {cameras}: "
            "take fewer, or another layout"
        )
    if takes > 1 and not form.several:
        raise ValueError(
            f"layout {form.name} has one tracklet a person and camera, but {takes} are asked for: "
            "take 1, or another layout (mars, folder, manifest)"
        )
    for kind, count in ((DISTRACTOR, distractors), (JUNK, junk)):
        if count and kind not in form.kinds:
            others = ", ".join(name for name, other in LAYOUTS.items() if kind in other.kinds)
            raise ValueError(
                f"layout {form.name} has no place for {kind}, but {count} are asked for: take 0, "
                f"or another layout ({others})"
            )
    if archive and not form.archives:
        raise ValueError(
            f"layout {form.name} has no official archive: leave archive out, or take one of "
            + ", ".join(name for name, other in LAYOUTS.items() if other.archives)
        )


def check_views(form: Layout, cameras: int, views: int) -> None:
    """Refuse a number of views that a layout or the cameras don't allow.

    Parameters
    ----------
    form : Layout
        The layout.
    cameras, views : int
        All cameras, and those that film one person.

    Raises
    ------
    ValueError
        Saying what is expected.
    """
    if views > cameras:
        raise ValueError(
            f"views is {views}, but there are {cameras} cameras: expected at most as many"
        )
    if not form.several:
        others = ", ".join(name for name, other in LAYOUTS.items() if other.several)
        raise ValueError(
            f"layout {form.name} has everybody in the same two cameras, but views is {views}: "
            f"leave it out, or take another layout ({others})"
        )


def layout_named(name: str) -> Layout:
    """Look up a layout.

    Parameters
    ----------
    name : str
        A key of `LAYOUTS`.

    Returns
    -------
    Layout
        The layout.

    Raises
    ------
    ValueError
        If there is none, naming those there are.
    """
    if name not in LAYOUTS:
        raise ValueError(f"no layout {name!r}: expected one of {', '.join(sorted(LAYOUTS))}")
    return LAYOUTS[name]


def write(
    layout: str,
    home: Path | str,
    shots: Sequence[Shot],
    camera_names: Sequence[str],
    frames: Callable[[Shot], np.ndarray],
    archive: bool = False,
) -> Path:
    """Write a whole set, one tracklet after the other.

    Parameters
    ----------
    layout : str
        A key of `LAYOUTS`.
    home : path
        The folder to write into.
    shots : sequence of Shot
        From `list_shots`.
    camera_names : sequence of str
        The cameras.
    frames : callable
        From a shot to its frames, uint8 [length, height, width, 3].
    archive : bool
        Pack it as its owners do.

    Returns
    -------
    pathlib.Path
        What a reader is pointed at: a folder, or the archive if it is a single one.
    """
    form, home = layout_named(layout), Path(home)
    places = form.places(shots, camera_names)
    for shot in shots:
        write_tracklet(home, places[shot.tracklet], frames(shot), form.boxed)
    finish(form, home, shots, camera_names, archive)
    return root_of(form, home, archive)


def finish(
    form: Layout, home: Path, shots: Sequence[Shot], camera_names: Sequence[str], archive: bool
) -> None:
    """Write the files beside the frames once all are written, and pack the set if asked to.

    Parameters
    ----------
    form : Layout
        The layout.
    home : pathlib.Path
        The set's folder.
    shots, camera_names, archive
        As for `write`.
    """
    shutil.rmtree(home / UNFINISHED, ignore_errors=True)
    form.lists(home, shots, camera_names)
    if archive:
        pack(form, home)


def root_of(form: Layout, home: Path, archive: bool) -> Path:
    """Return the path that a reader is given.

    Parameters
    ----------
    form : Layout
        The layout.
    home : pathlib.Path
        The set's folder.
    archive : bool
        Whether the set is packed.

    Returns
    -------
    pathlib.Path
        A folder, or the archive if it is a single one.
    """
    if not archive:
        return home / form.root
    folder = home / "archive"
    return folder / next(iter(form.archives)) if len(form.archives) == 1 else folder


def write_tracklet(
    home: Path,
    places: Sequence[str],
    frames: np.ndarray,
    boxed: bool,
    truth: Truth | None = None,
) -> None:
    """Write a tracklet's frames to a temporary place and move them when all are written.

    Parameters
    ----------
    home : pathlib.Path
        The set's folder.
    places : sequence of str
        The frames' paths in it; the last one moves last, so where it is the tracklet is whole.
    frames : numpy.ndarray
        uint8 [length, height, width, 3].
    boxed : bool
        Write pictures of which a frame is only the part that `box_of` names.
    truth : Truth, optional
        What the frames show, where they are rendered; its file moves before them.
    """
    aside = home / UNFINISHED / places[0].replace("/", "_")
    try:
        aside.mkdir(parents=True)
        parts = [aside / Path(place).name for place in places]
        for number, (part, frame) in enumerate(zip(parts, frames, strict=True)):
            options = {"quality": 95} if part.suffix == ".jpg" else {"compress_level": 3}
            Image.fromarray(_picture_around(frame, number) if boxed else frame).save(
                part, **options
            )
        (home / places[0]).parent.mkdir(parents=True, exist_ok=True)
        if truth is not None:
            known = truth_file(home, places[0])
            known.parent.mkdir(exist_ok=True)
            truth.write(aside / known.name)
            (aside / known.name).replace(known)
        for part, place in zip(parts, places, strict=True):
            part.replace(home / place)
    finally:  # an interrupt, too, leaves nothing half-written
        shutil.rmtree(aside, ignore_errors=True)


def read_frame(path: Path, number: int, size: tuple[int, int], boxed: bool) -> np.ndarray:
    """Read a frame that `write_tracklet` wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    number : int
        Its place in the tracklet, from 0.
    size : (int, int)
        Width and height of a frame (pixels).
    boxed : bool
        As for `write_tracklet`.

    Returns
    -------
    numpy.ndarray
        uint8 [height, width, 3].
    """
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    if not boxed:
        return pixels
    left, top, width, height = box_of(number, *size)
    return pixels[top : top + height, left : left + width]


def box_of(number: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the box of a crop in its whole picture: left, top, width, height (pixels)."""
    return 1 + number % width, 2 + number % height, width, height


def pack(form: Layout, home: Path) -> None:
    """Pack a written set as its owners do; equal sets give equal bytes.

    Parameters
    ----------
    form : Layout
        The layout.
    home : pathlib.Path
        The folder that it was written into; archives come into its folder ``archive``.
    """
    folder = home / "archive"
    folder.mkdir(exist_ok=True)
    for name, tops in form.archives.items():
        files = sorted(path for top in tops for path in (home / top).rglob("*") if path.is_file())
        unfinished = folder / (name + UNFINISHED)
        (_tar if name.endswith(".tar") else _zip)(unfinished, home, files)
        unfinished.replace(folder / name)


def _picture_around(frame: np.ndarray, number: int) -> np.ndarray:
    height, width = frame.shape[:2]
    left, top, _, _ = box_of(number, width, height)
    picture = np.full((2 * height + 2, 2 * width + 1, 3), 127, dtype=np.uint8)
    picture[top : top + height, left : left + width] = frame
    return picture


def _prid_places(shots: Sequence[Shot], camera_names: Sequence[str]) -> dict[str, list[str]]:
    return {
        shot.tracklet: [
            f"prid_2011/multi_shot/{camera_names[shot.camera]}/person_{shot.person:04d}/"
            f"{number:04d}.png"
            for number in range(1, shot.length + 1)
        ]
        for shot in shots
    }


def _ilids_places(shots: Sequence[Shot], camera_names: Sequence[str]) -> dict[str, list[str]]:
    places = {}
    for shot in shots:
        camera, person = f"cam{shot.camera + 1}", f"person{_with_holes(shot.person):03d}"
        first = 1 + 97 * shot.person + shot.camera  # a recording's own count, so never from 1
        places[shot.tracklet] = [
            f"i-LIDS-VID/sequences/{camera}/{person}/{camera}_{person}_{first + number:05d}.png"
            for number in range(shot.length)
        ]
    return places


def _with_holes(person: int) -> int:
    """Skip every sixteenth number, so that 300 persons end at 319, as in iLIDS-VID."""
    return person + (person - 1) // 15


def _folder_places(shots: Sequence[Shot], camera_names: Sequence[str]) -> dict[str, list[str]]:
    return {tracklet: [f"crops/{part}" for part in parts] for tracklet, parts in _by_name(shots)}


def _manifest_places(shots: Sequence[Shot], camera_names: Sequence[str]) -> dict[str, list[str]]:
    return {tracklet: [f"pictures/{part}" for part in parts] for tracklet, parts in _by_name(shots)}


def _by_name(shots: Sequence[Shot]) -> Iterable[tuple[str, list[str]]]:
    for shot in shots:
        numbers = range(1, shot.length + 1)
        yield shot.tracklet, [f"{shot.tracklet}/{number:04d}.png" for number in numbers]


def _no_lists(home: Path, shots: Sequence[Shot], camera_names: Sequence[str]) -> None:
    """Write nothing beside the frames."""


def _ilids_lists(home: Path, shots: Sequence[Shot], camera_names: Sequence[str]) -> None:
    from scipy.io import savemat

    persons = len({shot.person for shot in shots})
    generator = np.random.default_rng(ILIDS_SEED)
    rows = [1 + generator.permutation(persons) for _ in range(ILIDS_TRIALS)]
    path = home / ilids_vid.SPLITS
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"ls_set": np.array(rows, dtype=np.uint16)}, do_compression=True)


def _manifest_lists(home: Path, shots: Sequence[Shot], camera_names: Sequence[str]) -> None:
    places = _manifest_places(shots, camera_names)
    with (home / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        columns = ["tracklet", "person", "camera", "frame", "path"]
        writer.writerow([*columns, "left", "top", "width", "height"])
        for shot in shots:
            camera = camera_names[shot.camera]
            for number, place in enumerate(places[shot.tracklet]):
                with Image.open(home / place) as picture:
                    width, height = (picture.width - 1) // 2, (picture.height - 2) // 2
                who = [shot.tracklet, f"person_{shot.person:04d}", camera, number + 1, place]
                writer.writerow([*who, *box_of(number, width, height)])


def _tar(archive: Path, home: Path, files: Sequence[Path]) -> None:
    with tarfile.open(archive, "w") as packed:
        for path in files:
            entry = tarfile.TarInfo(path.relative_to(home).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                packed.addfile(entry, content)


def _zip(archive: Path, home: Path, files: Sequence[Path]) -> None:
    with zipfile.ZipFile(archive, "w") as packed:  # stored: pictures are compressed already
        for path in files:
            packed.writestr(zipfile.ZipInfo(path.relative_to(home).as_posix()), path.read_bytes())


LAYOUTS: dict[str, Layout] = {
    form.name: form
    for form in (
        Layout(
            "prid2011",
            cameras=26,  # two in PRID 2011, but people may be rendered under more
            kinds=frozenset({DISTRACTOR}),
            places=_prid_places,
            lists=_no_lists,
            archives={"prid_2011.zip": ("prid_2011",)},
            several=False,
        ),
        Layout(
            "ilids_vid",
            cameras=2,
            kinds=frozenset(),
            places=_ilids_places,
            lists=_ilids_lists,
            archives={"iLIDS-VID.tar": ("i-LIDS-VID", "train-test people splits")},
            several=False,
        ),
        Layout(
            "mars",
            cameras=6,
            kinds=frozenset({DISTRACTOR, JUNK}),
            places=mars.places,
            lists=mars.write_lists,
            archives={f"{top}.zip": (top,) for top in ("bbox_train", "bbox_test", "info")},
            varied=True,
        ),
        Layout(
            "folder",
            cameras=26,
            kinds=frozenset({DISTRACTOR}),
            places=_folder_places,
            lists=_no_lists,
            archives={},
            root="crops",
        ),
        Layout(
            "manifest",
            cameras=26,
            kinds=frozenset({DISTRACTOR}),
            places=_manifest_places,
            lists=_manifest_lists,
            archives={},
            boxed=True,
        ),
    )
}
"""The layouts by the name of the reader that reads them."""
