"""Pasting: parts of a clip show what another clip of the batch shows, as if it stood in front.

A network is given a reason to look at the right frames and cells if it is compared by clips in
which others hide the person for a while. Source: CutMix (Yun et al., ICCV 2019), here with frames
and cells of cubes, and without mixing the labels: the clip still shows its person.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wherewhen.tracklets.sizes import Size
from wherewhen.training.config import TrainingConfig
from wherewhen.training.pairs import Batch
from wherewhen.training.transfer import move

FRAMES = 0.4
"""The largest share of a clip's valid frames that show somebody else: the person has the majority.
Of fewer than three frames none is replaced."""


class Paste(NamedTuple):
    """A block of frames, rows and columns of one clip that replaces the same block of another."""

    clip: int
    """In which it is replaced."""
    source: int
    """From which it comes."""
    frames: slice
    rows: slice
    columns: slice


def draw_pastes(
    batch: Batch, config: TrainingConfig, grid: Size, generator: np.random.Generator
) -> list[Paste]:
    """Draw what is pasted in a batch.

    Parameters
    ----------
    batch
        From a sampler.
    config
        ``frames``; ``pasted_frames``: share of the clips in which a run of whole frames is
        replaced, ``pasted_cells``: in which a block of cells is, in a run of frames.
    grid
        Height and width of the cubes.
    generator
        The source of randomness.

    Returns
    -------
    list of Paste
        Sources show another person, of the same camera where the batch has one.
    """
    height, width = grid
    pastes = []
    for clip, window in enumerate(batch.windows):
        valid = min(window.length, config.frames)
        most = int(FRAMES * valid)
        frames, cells = generator.random(2) < (config.pasted_frames, config.pasted_cells)
        if frames and most:
            run = _run(valid, most, generator)
            source = _source(batch, clip, generator)
            pastes.append(Paste(clip, source, run, slice(0, height), slice(0, width)))
        if cells:
            run = _run(valid, valid, generator)
            rows = _run(height, height, generator)
            columns = _run(width, (width + 1) // 2, generator)
            pastes.append(Paste(clip, _source(batch, clip, generator), run, rows, columns))
    return pastes


def of_share(pastes: list[Paste], share: slice) -> tuple[list[int], list[Paste]]:
    """Choose what a share of a batch needs.

    Parameters
    ----------
    pastes
        Of the whole batch.
    share
        Clips of the batch.

    Returns
    -------
    clips : list of int
        Those of the share, then others of the batch that are pasted into them.
    pastes : list of Paste
        Into the share, with the clips numbered by their places in `clips`.

    Examples
    --------
    >>> everything = slice(None)
    >>> pastes = [Paste(clip, source, *3 * [everything]) for clip, source in ((2, 0), (0, 3))]
    >>> clips, own = of_share(pastes, slice(2, 4))
    >>> clips, [(each.clip, each.source) for each in own]
    ([2, 3, 0], [(0, 2)])
    """
    own = range(share.start, share.stop)
    into = [each for each in pastes if each.clip in own]
    clips = [*own, *sorted({each.source for each in into} - {*own})]
    place = {clip: at for at, clip in enumerate(clips)}
    return clips, [each._replace(clip=place[each.clip], source=place[each.source]) for each in into]


def paste(cubes: Tensor, pastes: list[Paste]) -> Tensor:
    """Return cubes ``[N, T, H, W, D]`` with the blocks replaced; sources are as they were.

    The cubes are not changed.
    """
    if not pastes:
        return cubes
    own = np.arange(len(cubes))[:, None, None, None]
    sources = np.broadcast_to(own, tuple(cubes.shape[:4])).copy()
    for each in pastes:
        sources[each.clip, each.frames, each.rows, each.columns] = each.source
    where = np.nonzero(sources != own)
    index = [move(torch.from_numpy(axis), cubes.device) for axis in where]
    taken = move(torch.from_numpy(sources[where]), cubes.device)
    pasted = cubes.clone()
    pasted[tuple(index)] = cubes[(taken, *index[1:])]
    return pasted


def _run(length: int, most: int, generator: np.random.Generator) -> slice:
    """Draw a run of 1 to `most` of `length`."""
    count = int(generator.integers(1, most + 1))
    start = int(generator.integers(length - count + 1))
    return slice(start, start + count)


def _source(batch: Batch, clip: int, generator: np.random.Generator) -> int:
    """Draw a clip of another person; where people pass, one camera films them both."""
    others = batch.persons != batch.persons[clip]
    same_camera = others & (batch.cameras == batch.cameras[clip])
    choices = np.flatnonzero(same_camera if same_camera.any() else others)
    return int(choices[generator.integers(len(choices))])
