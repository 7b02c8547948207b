"""Batches of clips, padded to one length, from any reader of cubes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wherewhen.tracklets.clips import cyclic_positions
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.windows import Clip


def gather(
    reader: CubeReader,
    windows: Sequence[Clip],
    frames: int | None = None,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Read clips into one batch, the short ones repeated cyclically and masked.

    Parameters
    ----------
    reader : CubeReader
        Reads the cubes.
    windows : sequence of Window or SpreadFrames
        N clips.
    frames : int, optional
        Frames T of a clip; None for those of the longest window. Of a longer one the first T.
    out : Tensor [N, T, H, W, D], optional
        Is written into; on the CPU, in the reader's dtype. None for a new tensor.

    Returns
    -------
    cubes : Tensor [N, T, H, W, D]
        In the reader's dtype.
    mask : Tensor of bool [N, T]
        Valid frames.

    Raises
    ------
    ValueError
        If a window is empty.
    IndexError
        If a window is not inside its tracklet.
    """
    frames = frames or max(window.length for window in windows)
    shape = (len(windows), frames, *reader.shape)
    cubes = np.empty(shape, reader.dtype) if out is None else out.numpy()
    masks = []
    for clip, window in zip(cubes, windows, strict=True):
        reader.require(window)  # all of it, though no more than T frames are read
        positions, mask = cyclic_positions(0, window.length, frames)
        read = min(window.length, frames)
        reader.read_into(window.first(read), clip[:read])
        clip[read:] = clip[positions[read:]]
        masks.append(mask)
    return torch.from_numpy(cubes), torch.from_numpy(np.stack(masks))
