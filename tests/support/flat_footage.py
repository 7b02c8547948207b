"""Footage of flat colours in the official layouts: readers' test data of any size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wherewhen.synthetic.layouts import check, layout_named, write
from wherewhen.synthetic.shots import Shot, list_shots


def write_flat(
    layout: str,
    home: Path | str,
    persons: int = 4,
    cameras: int = 2,
    takes: int = 1,
    distractors: int = 0,
    junk: int = 0,
    single: int = 0,
    length: int | Callable[[int, int, int], int] = 2,
    size: tuple[int, int] = (4, 8),
    archive: bool = False,
) -> Path:
    """Write a set of flat colours, as test data of any size.

    Parameters
    ----------
    layout : str
        A key of `LAYOUTS`.
    home : path
        The folder to write into.
    persons, takes, distractors, junk, single : int
        As for `list_shots`.
    cameras : int
        How many cameras, named `cam_a`, `cam_b`, ...
    length : int or callable
        Frames of a tracklet, or from person, camera's index and take to that.
    size : (int, int)
        Width and height of a frame (pixels).
    archive : bool
        Pack it as its owners do.

    Returns
    -------
    pathlib.Path
        What a reader is pointed at.
    """
    names = [f"cam_{chr(ord('a') + camera)}" for camera in range(cameras)]
    frames_of = length if callable(length) else lambda *_: length
    form = layout_named(layout)
    check(form, cameras, takes, distractors, junk, archive)
    shots = list_shots(
        persons, names, frames_of, takes, distractors, junk, single, varied=form.varied
    )
    return write(layout, home, shots, names, lambda shot: flat_frames(shot, size), archive)


def flat_frames(shot: Shot, size: tuple[int, int] = (4, 8)) -> np.ndarray:
    """Paint a tracklet in flat colours, no two frames of a set alike.

    Parameters
    ----------
    shot : Shot
        The tracklet.
    size : (int, int)
        Width and height (pixels).

    Returns
    -------
    numpy.ndarray
        uint8 [length, height, width, 3].
    """
    colour = np.array([37 * shot.person, 40 * shot.camera + 9 * shot.take, 0]) % 256
    frames = np.empty((shot.length, size[1], size[0], 3), dtype=np.uint8)
    frames[:] = colour
    frames[..., 2] = (5 * np.arange(shot.length) % 256)[:, None, None]
    return frames
