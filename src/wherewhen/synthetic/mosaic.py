"""A contact sheet of persons, each seen by every camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wherewhen.synthetic import layouts
from wherewhen.synthetic.planning import SyntheticSet
from wherewhen.synthetic.shots import PERSON, Shot

PAPER = (250, 250, 248)


def mosaic(
    synthetic_set: SyntheticSet,
    home: Path | str | None = None,
    persons: int | Sequence[int] = 16,
    columns: int = 8,
    frames: int = 1,
    zoom: int = 2,
) -> Image.Image:
    """Draw a grid of persons: a row a camera, a column a person.

    Where each person has been filmed by some `views` of the cameras, those stand one below another.

    Parameters
    ----------
    synthetic_set : SyntheticSet
        A planned set.
    home : path, optional
        The folder that it was written into (`writer.home_of`), to read the pictures from; without
        it, the first frames are rendered.
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
        RGB. A person whom a camera did not see leaves its place empty; of several tracklets the
        first is shown.

    Raises
    ------
    FileNotFoundError
        If the set has no such person, or the folder not their pictures.
    """
    first = {
        (shot.person, shot.camera): shot
        for shot in reversed(synthetic_set.shots)
        if shot.kind == PERSON
    }
    known = sorted({person for person, _ in first})
    numbers = known[:persons] if isinstance(persons, int) else list(persons)
    cameras = range(len(synthetic_set.config.camera_list))
    wanted = [first[key] for key in sorted(first) if key[0] in numbers]
    if not wanted:
        raise FileNotFoundError(
            f"nobody of {numbers[:10]} is in this set: expected numbers from 1 to {known[-1]}"
        )
    strips = (
        _rendered(synthetic_set, wanted, frames)
        if home is None
        else _read(synthetic_set, Path(home), wanted, frames)
    )
    empty = np.full_like(next(iter(strips.values())), PAPER)
    seen = {number: [key for key in sorted(strips) if key[0] == number] for number in numbers}
    if synthetic_set.config.views is None:
        seen = {
            number: [(number, camera) for camera in cameras] if seen[number] else []
            for number in numbers
        }
    cells = [
        _stack([strips.get(key, empty) for key in keys], zoom) for keys in seen.values() if keys
    ]
    columns = min(columns, len(cells))
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
    """Stack a person's strips of all cameras and enlarge them."""
    picture = Image.fromarray(np.concatenate(cameras, axis=0))
    size = (picture.width * zoom, picture.height * zoom)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def _spread(length: int, count: int) -> list[int]:
    """Choose evenly spread positions, the middle one if it is one."""
    return [int((index + 0.5) * length / count) for index in range(count)]


def _rendered(
    synthetic_set: SyntheticSet, shots: Sequence[Shot], frames: int
) -> dict[tuple[int, int], np.ndarray]:
    filmed = synthetic_set.render_all([shot.tracklet for shot in shots])
    return {
        (shot.person, shot.camera): np.concatenate(
            list(tracklet[_spread(len(tracklet), frames)]), axis=1
        )
        for shot, (_, tracklet) in zip(shots, filmed, strict=True)
    }


def _read(
    synthetic_set: SyntheticSet, home: Path, shots: Sequence[Shot], frames: int
) -> dict[tuple[int, int], np.ndarray]:
    config = synthetic_set.config
    form = layouts.layout_named(config.layout)
    places = form.places(synthetic_set.shots, [camera.name for camera in config.camera_list])
    strips = {}
    for shot in shots:
        files = [
            (home / places[shot.tracklet][number], number)
            for number in _spread(shot.length, frames)
        ]
        if not all(file.is_file() for file, _ in files):
            raise FileNotFoundError(
                f"no picture of tracklet {shot.tracklet} at {files[0][0]}: write the set with "
                "write_set first"
            )
        crops = [
            layouts.read_frame(file, number, (config.width, config.height), form.boxed)
            for file, number in files
        ]
        strips[shot.person, shot.camera] = np.concatenate(crops, axis=1)
    return strips
