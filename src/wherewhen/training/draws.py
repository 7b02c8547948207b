"""Batches of a training in the order of its steps, drawn again where a run is resumed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from wherewhen.tracklets.windows import Clip
from wherewhen.training.pairs import Batch, PairSampler


class Epoch(NamedTuple):
    """RNG state at the start of an epoch."""

    first_step: int
    """Steps taken before the epoch."""
    generator: dict[str, Any]
    """State of the NumPy generator."""


class Draw(NamedTuple):
    """The batch of a step, and the epoch it belongs to."""

    batch: Batch
    epoch: Epoch

    @property
    def windows(self) -> list[Clip]:
        """Clips of the batch."""
        return self.batch.windows


class Draws:
    """Draws batches epoch by epoch, with a variant for every clip.

    Parameters
    ----------
    sampler
        Draws the batches of an epoch.
    seed
        Seed of pairs, clips and variants.
    variants
        Number of variants of every tracklet.
    """

    def __init__(self, sampler: PairSampler, seed: int, variants: int) -> None:
        self.sampler = sampler
        self.seed = seed
        self.variants = variants
        self._generator = np.random.default_rng(seed)
        self.epoch = self._begin_epoch(0)
        """Epoch of the last batch of which a step was taken."""

    def from_step(self, step: int, total_steps: int) -> Iterator[Draw]:
        """Draw the batches of steps; those of the epoch before `step` are skipped."""
        epoch = self.epoch
        self._generator.bit_generator.state = copy.deepcopy(epoch.generator)
        while epoch.first_step < total_steps:
            for number, batch in enumerate(self.sampler.epoch(self._generator), epoch.first_step):
                if number == total_steps:
                    return
                if number >= step:
                    windows = self._in_variants(batch.windows, number)
                    yield Draw(replace(batch, windows=windows), epoch)
            epoch = self._begin_epoch(epoch.first_step + self.sampler.batches_per_epoch)

    def _begin_epoch(self, first_step: int) -> Epoch:
        return Epoch(first_step, copy.deepcopy(self._generator.bit_generator.state))

    def _in_variants(self, windows: list[Clip], step: int) -> list[Clip]:
        """Draw a variant for every clip, from the step's own seed."""
        if self.variants == 1:
            return windows
        drawn = np.random.default_rng([self.seed, step]).integers(self.variants, size=len(windows))
        return [
            window._replace(variant=variant)
            for window, variant in zip(windows, drawn.tolist(), strict=True)
        ]
