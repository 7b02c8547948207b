"""Frames of one size, their colours and derivatives, for the baselines without a network."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = (64, 128)
"""Width and height to which frames are resized: that of the crops of iLIDS-VID and PRID 2011."""


def to_size(frames: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Resize frames, uint8 [T, H, W, 3] in RGB, to a width and height.

    So vectors of large and small crops can be compared. Frames that have that size are returned
    as they are.

    Raises
    ------
    ValueError
        If the frames have another shape or dtype.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size or frames.dtype != np.uint8:
        raise ValueError(
            f"frames are {frames.dtype} {list(frames.shape)}: expected uint8 [T, H, W, 3], T >= 1"
        )
    width, height = size
    if frames.shape[1:3] == (height, width):
        return frames
    method = cv2.INTER_AREA if frames.shape[1] > height else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (width, height), interpolation=method) for frame in frames])


def grey(frames: np.ndarray) -> np.ndarray:
    """Convert frames, uint8 [T, H, W, 3] RGB, to lightness, uint8 [T, H, W]."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def hsv(frames: np.ndarray) -> np.ndarray:
    """Convert frames, uint8 [T, H, W, 3] RGB, to hue, saturation and value, float32 in [0, 1]."""
    colours = [cv2.cvtColor(frame, cv2.COLOR_RGB2HSV_FULL) for frame in frames]
    return np.stack(colours).astype(np.float32) / 255


def first_derivative(values: np.ndarray, axis: int) -> np.ndarray:
    """`numpy.gradient` along an axis (central differences); 0 where the axis has one entry."""
    if values.shape[axis] == 1:
        return np.zeros_like(values)
    return np.gradient(values, axis=axis)


def second_derivative(values: np.ndarray, axis: int) -> np.ndarray:
    """Second differences ``v[i + 1] - 2 v[i] + v[i - 1]`` along an axis; 0 at its ends."""
    values = np.moveaxis(values, axis, 0)
    second = np.zeros_like(values)
    second[1:-1] = values[2:] - 2 * values[1:-1] + values[:-2]
    return np.moveaxis(second, 0, axis)


def place(extent: int) -> np.ndarray:
    """Centres of the pixels (or frames) of an axis from 0 to 1: float32 [extent]."""
    return (np.arange(extent, dtype=np.float32) + 0.5) / extent


def intervals(extent: int, parts: int) -> list[tuple[int, int]]:
    """Return start and stop (excluded) of parts of an axis, whose lengths differ by at most 1.

    Where there are more parts than pixels (or frames), some are empty.

    Raises
    ------
    ValueError
        If there is no part.

    Examples
    --------
    >>> intervals(10, 3)
    [(0, 3), (3, 7), (7, 10)]
    """
    if parts < 1:
        raise ValueError(
            f"an axis of {extent} can't be cut into {parts} parts: expected at least 1"
        )
    edges = np.linspace(0, extent, parts + 1).round().astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
