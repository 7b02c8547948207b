"""Synthetic room: one picture of the people, each seen by every camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wherewhen.synthetic.planning import SyntheticSet

PAPER = (250, 250, 248)


def mosaic(
    source: SyntheticSet | Path | str,
    persons: int | Sequence[int] = 16,
    columns: int = 8,
    frames: int = 1,
    zoom: int = 2,
) -> Image.Image:
    """Lay people out on one picture: the cameras below each other, a person in each column.

    Parameters
    ----------
    source : SyntheticSet or path
        A planned set, of which the first frames are rendered, or the folder `prid_2011` of a
        written one (`multi_shot` inside, or the folder of cameras itself).
    persons : int or sequence of int
        The first so many people, or their numbers.
    columns : int
        People in a row of the picture.
    frames : int
        Frames of each tracklet side by side, evenly spread.
    zoom : int
        Pixels of the picture for one of a crop, each way.

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    FileNotFoundError
        If the folder holds no tracklets of such persons.
    """
    numbers = list(range(1, persons + 1)) if isinstance(persons, int) else list(persons)
    strips = _rendered(source, numbers, frames) if isinstance(source, SyntheticSet) else _read(
        Path(source), numbers, frames
    )  # fmt: skip
    columns = min(columns, len(strips))
    cells = [_stack(strip, zoom) for strip in strips]
    height, width = cells[0].shape[:2]
    gap = 3 * zoom
    rows = -(-len(cells) // columns)
    size = (rows * (height + gap) + gap, columns * (width + gap) + gap, 3)
    picture = np.full(size, PAPER, dtype=np.uint8)
    for index, cell in enumerate(cells):
        top = gap + (index // columns) * (height + gap)
        left = gap + (index % columns) * (width + gap)
        picture[top : top + height, left : left + width] = cell
    return Image.fromarray(picture)


def _stack(cameras: list[np.ndarray], zoom: int) -> np.ndarray:
    """Put a person's strips from all cameras below each other and enlarge them."""
    picture = Image.fromarray(np.concatenate(cameras, axis=0))
    size = (picture.width * zoom, picture.height * zoom)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def _spread(length: int, count: int) -> list[int]:
    """Choose evenly spread positions, the middle one if it is one."""
    return [int((index + 0.5) * length / count) for index in range(count)]


def _rendered(source: SyntheticSet, numbers: list[int], frames: int) -> list[list[np.ndarray]]:
    names = [camera.name for camera in source.config.camera_list]
    wanted = [f"{name}/person_{number:04d}" for number in numbers for name in names]
    strips = {
        name: np.concatenate(list(tracklet[_spread(len(tracklet), frames)]), axis=1)
        for name, tracklet in source.render_all(wanted)
    }
    return [[strips[f"{name}/person_{number:04d}"] for name in names] for number in numbers]


def _read(folder: Path, numbers: list[int], frames: int) -> list[list[np.ndarray]]:
    shots = folder / "multi_shot" if (folder / "multi_shot").is_dir() else folder
    cameras = sorted(path for path in shots.glob("cam_*") if path.is_dir())
    strips = []
    for number in numbers:
        found = []
        for camera in cameras:
            files = sorted((camera / f"person_{number:04d}").glob("*.png"))
            if files:
                chosen = [np.asarray(Image.open(files[i])) for i in _spread(len(files), frames)]
                found.append(np.concatenate(chosen, axis=1))
        if found and len(found) == len(cameras):
            strips.append(found)
    if not strips:
        raise FileNotFoundError(
            f"no pictures of persons {numbers[0]} to {numbers[-1]} below {shots}: expected "
            "cam_*/person_NNNN/*.png; write the set with write_prid2011 first"
        )
    return strips
