"""Clips of cubes from wherever they are kept, padded into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from wherewhen.tracklets.clips import cyclic_positions

Window = tuple[str, int, int]
"""A tracklet and the first and the past-the-last position of its frames."""


class CubeReader(Protocol):
    """Where cubes are read from: a store on disk, or arrays in memory.

    One with an attribute ``reads_into`` that is true takes a buffer to fill, ``read(..., out=)``.
    """

    @property
    def lengths(self) -> Mapping[str, int]:
        """Frames of each tracklet."""

    def read(self, tracklet: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Cubes ``[stop - start, K, K, D]`` (float16) of a window of a tracklet."""


def gather(
    reader: CubeReader,
    windows: Sequence[Window],
    frames: int | None = None,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Read clips into one batch, the short ones repeated cyclically and masked.

    Parameters
    ----------
    reader : CubeReader
        Reads the cubes.
    windows : sequence of Window
        N windows.
    frames : int, optional
        Frames T of the batch; None for those of the longest window.
    out : Tensor [N, T, K, K, D], optional
        Is written into; on the CPU, in the reader's dtype. None for a new tensor.

    Returns
    -------
    cubes : Tensor [N, T, K, K, D]
        In the reader's dtype.
    mask : Tensor of bool [N, T]
        Valid frames.

    Raises
    ------
    ValueError
        If a window is empty or not inside its tracklet.
    """
    frames = frames or max(stop - start for _, start, stop in windows)
    lengths = reader.lengths  # once: a store may have to look them up
    cubes, masks = None if out is None else out.numpy(), []
    for index, (tracklet, start, stop) in enumerate(windows):
        if not 0 <= start < stop <= lengths[tracklet]:
            raise ValueError(
                f"window {start}:{stop} of tracklet {tracklet} is empty or not inside its "
                f"{lengths[tracklet]} frames"
            )
        positions, mask = cyclic_positions(0, stop - start, frames)
        masks.append(mask)
        if cubes is not None and stop - start <= frames and getattr(reader, "reads_into", False):
            window = reader.read(tracklet, start, stop, out=cubes[index, : stop - start])
            cubes[index, stop - start :] = window[positions[stop - start :]]
            continue
        window = reader.read(tracklet, start, stop)
        if cubes is None:
            cubes = np.empty((len(windows), frames, *window.shape[1:]), window.dtype)
        np.take(window, positions, axis=0, out=cubes[index], mode="clip")
    return torch.from_numpy(cubes), torch.from_numpy(np.stack(masks))
