"""Occlusion sensitivity: how a similarity changes when regions of the frames are hidden."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def occlusion_sensitivity(
    frames: NDArray[np.uint8],
    similarity: Callable[[NDArray[np.uint8]], float],
    patch: tuple[int, int],
    stride: tuple[int, int] | None = None,
    colour: tuple[int, int, int] | None = None,
) -> NDArray[np.float64]:
    """Measure how much a similarity drops when a region of all frames is hidden.

    Parameters
    ----------
    frames
        A clip, uint8 ``[T, H, W, 3]``.
    similarity
        Similarity of a clip of that form to another one. Called once for the clip itself and once
        for each patch.
    patch
        Height and width of the patches, in pixels.
    stride
        Distance between patches; None: the size of a patch, without overlap.
    colour
        Colour of a patch; None: the mean of the frames.

    Returns
    -------
    numpy.ndarray
        ``[H, W]``: the drop of the similarity, a mean over the patches that cover a pixel. Negative
        where hiding the region increases the similarity.

    Raises
    ------
    ValueError
        If the patch is not inside the frames.

    Notes
    -----
    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, IV-B.
    """
    sides = frames.shape[1:3]
    stride = stride or patch
    if not all(
        0 < size <= side and step > 0 for size, side, step in zip(patch, sides, stride, strict=True)
    ):
        raise ValueError(
            f"patch {patch} at stride {stride}: expected height and width from 1 to the frames' "
            f"{sides}, and a stride of at least 1"
        )
    fill = frames.mean((0, 1, 2)).round() if colour is None else np.array(colour)
    plain = similarity(frames)
    lost, covered = np.zeros(sides), np.zeros(sides)
    for top in _starts(sides[0], patch[0], stride[0]):
        for left in _starts(sides[1], patch[1], stride[1]):
            region = np.s_[top : top + patch[0], left : left + patch[1]]
            hidden = frames.copy()
            hidden[:, *region] = fill
            lost[region] += plain - similarity(hidden)
            covered[region] += 1
    return lost / covered


def _starts(side: int, size: int, stride: int) -> list[int]:
    """Return the starts of the patches; the last one ends with the frame."""
    return sorted({*range(0, side - size, stride), side - size})
