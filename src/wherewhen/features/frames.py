"""Cubes of frames in memory: the same bytes as an extraction gives frames on a disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from wherewhen.features.backbones import Backbone


def cubes_of_frames(
    backbone: Backbone, frames: Sequence[NDArray[np.uint8]], batch_size: int = 16
) -> NDArray[np.float16]:
    """Make the cubes of a tracklet's frames.

    Parameters
    ----------
    backbone
        Makes cubes of images.
    frames
        T frames in order, each uint8 [H, W, 3], red first; sizes may differ.
    batch_size
        Frames that go through the backbone at once. The last digits of a cube depend on it.

    Returns
    -------
    ndarray
        float16, shape [T, H, W, D].

    Raises
    ------
    ValueError
        If there is no frame, one is no such array, or a cube is not finite.

    See Also
    --------
    wherewhen.features.extraction.CubeExtraction : Makes those of a data set.
    """
    if not len(frames):
        raise ValueError("frames: expected at least one, got none")
    for position, frame in enumerate(frames):
        require_frame(frame, f"frame {position}")
    parts = [
        backbone.compute(prepared(backbone, frames[start : start + batch_size]))
        for start in range(0, len(frames), batch_size)
    ]
    cubes = np.concatenate([part.half().cpu().numpy() for part in parts])
    if not np.isfinite(cubes).all():
        raise ValueError("frames: the backbone gives activations that are not finite numbers")
    return cubes


def prepared(backbone: Backbone, images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Turn images uint8 [H, W, 3] of any sizes into the backbone's input [N, 3, height, width]."""
    import torch

    if len({image.shape for image in images}) == 1:
        return backbone.preprocess(np.stack(images))
    return torch.cat([backbone.preprocess(image[None]) for image in images])


def require_frame(frame: object, name: str) -> None:
    """Refuse what is no picture.

    Raises
    ------
    ValueError
        Naming it, what it is, and what was expected.
    """
    kind = getattr(frame, "dtype", type(frame).__name__)
    shape = getattr(frame, "shape", ())
    if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"{name}: expected uint8 [height, width, 3], got {kind} {list(shape)}")
