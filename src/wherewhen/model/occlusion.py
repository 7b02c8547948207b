"""What a comparison rests on: it is made again and again, each time with another region hidden."""

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
    """Measure how much of a similarity is lost when a region of all frames is hidden.

    Parameters
    ----------
    frames
        A clip, uint8 ``[T, H, W, 3]``.
    similarity
        Says how alike a clip of that form is to whatever it is compared with. Called once for the
        plain clip and once a patch.
    patch
        Height and width, in pixels, of what is hidden.
    stride
        From patch to patch; None: the patch's own size, so that patches don't overlap.
    colour
        Of what hides; None: the mean of the frames, which is nobody's.

    Returns
    -------
    numpy.ndarray
        ``[H, W]``: of each pixel, the mean over the patches that cover it of the similarity of the
        plain clip less that of the hidden one. Positive where the similarity rests on what stands
        there, negative where hiding it makes the two more alike.

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
    """Where patches begin; the last one ends with the frame."""
    return sorted({*range(0, side - size, stride), side - size})
