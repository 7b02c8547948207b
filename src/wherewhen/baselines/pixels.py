"""Pixels as the classical baselines see them: frames of one size, their colours and derivatives."""

from __future__ import annotations

import numpy as np

SIZE = (64, 128)
"""Width and height to which frames are brought, the size of iLIDS-VID's and PRID 2011's crops."""


def to_size(frames: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Bring frames to one size, so that vectors of large and small crops can be compared.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB, T at least 1.
    size
        Width and height wanted.

    Returns
    -------
    numpy.ndarray
        uint8, [T, height, width, 3].

    Raises
    ------
    ValueError
        If the frames are of another shape or type.
    """
    import cv2

    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size or frames.dtype != np.uint8:
        raise ValueError(
            f"frames are {frames.dtype} {list(frames.shape)}: expected uint8 [T, H, W, 3], T >= 1"
        )
    width, height = size
    if frames.shape[1:3] == (height, width):
        return frames
    smaller = frames.shape[1] > height
    by = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (width, height), interpolation=by) for frame in frames])


def grey(frames: np.ndarray) -> np.ndarray:
    """Lightness of frames.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB.

    Returns
    -------
    numpy.ndarray
        uint8, [T, H, W].
    """
    import cv2

    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def hsv(frames: np.ndarray) -> np.ndarray:
    """Hue, saturation and value of frames.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB.

    Returns
    -------
    numpy.ndarray
        float32, [T, H, W, 3], from 0 to 1.
    """
    import cv2

    colours = [cv2.cvtColor(frame, cv2.COLOR_RGB2HSV_FULL) for frame in frames]
    return np.stack(colours).astype(np.float32) / 255


def first_derivative(values: np.ndarray, axis: int) -> np.ndarray:
    """Half the difference of a pixel's two neighbours; at the rim, that to the one there is.

    Parameters
    ----------
    values
        float, any shape.
    axis
        Along which.

    Returns
    -------
    numpy.ndarray
        Of the same shape; 0 where the axis has one entry.
    """
    if values.shape[axis] == 1:
        return np.zeros_like(values)
    return np.gradient(values, axis=axis)


def second_derivative(values: np.ndarray, axis: int) -> np.ndarray:
    """Sum of a pixel's two neighbours less twice itself; 0 at the rim.

    Parameters
    ----------
    values
        float, any shape.
    axis
        Along which.

    Returns
    -------
    numpy.ndarray
        Of the same shape.
    """
    values = np.moveaxis(values, axis, 0)
    second = np.zeros_like(values)
    second[1:-1] = values[2:] - 2 * values[1:-1] + values[:-2]
    return np.moveaxis(second, 0, axis)


def place(extent: int) -> np.ndarray:
    """Centres of pixels, or frames, of an axis from 0 to 1.

    Parameters
    ----------
    extent
        How many there are.

    Returns
    -------
    numpy.ndarray
        float32, [extent].
    """
    return (np.arange(extent, dtype=np.float32) + 0.5) / extent


def intervals(extent: int, parts: int) -> list[tuple[int, int]]:
    """Cut an axis into parts as equal as can be.

    Parameters
    ----------
    extent
        Pixels, or frames.
    parts
        How many; more than there are pixels leave some empty.

    Returns
    -------
    list of (int, int)
        Start and stop (excluded) of each.

    Raises
    ------
    ValueError
        If there is no part.
    """
    if parts < 1:
        raise ValueError(
            f"an axis of {extent} can't be cut into {parts} parts: expected at least 1"
        )
    edges = np.linspace(0, extent, parts + 1).round().astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
