"""Samplers of pairs of clips from different cameras (V-B)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from wherewhen.tracklets.clips import spread_positions, training_window
from wherewhen.tracklets.windows import Clip, SpreadFrames, Window
from wherewhen.training.config import TrainingConfig


class View(NamedTuple):
    """A tracklet, its person and camera."""

    tracklet: str
    person: str
    camera: str


@dataclass(frozen=True)
class Batch:
    """Clips and pairs of them."""

    windows: list[Clip]
    """N windows, or frames that are spread, of which the clips are read."""
    left: np.ndarray
    """``[P]``: index of the first clip of each pair."""
    right: np.ndarray
    """``[P]``: index of the second clip, from another camera."""
    same: np.ndarray
    """``[P]`` bool: whether both show one person (Sim and Dis of Eq 9)."""
    persons: np.ndarray
    """``[N]``: index of each clip's person in the sampler's `everybody`."""
    cameras: np.ndarray
    """``[N]``: name of each clip's camera."""


class PairSampler(ABC):
    """Draws the batches of an epoch; subclasses choose tracklets and pairs.

    Parameters
    ----------
    tracklets
        Table with the columns ``tracklet, person, camera``.
    lengths
        Frames of each tracklet.
    frames
        Frames T of a clip.
    spread
        Take a clip's frames from all over its tracklet, not consecutive ones.

    Raises
    ------
    ValueError
        If fewer than two persons are seen by two cameras.

    See Also
    --------
    build_sampler : Builds the sampler of a configuration.
    """

    def __init__(
        self,
        tracklets: pd.DataFrame,
        lengths: Mapping[str, int],
        frames: int,
        spread: bool = False,
    ) -> None:
        self.lengths = lengths
        self.frames = frames
        self.spread = spread
        # sorted: draws must not depend on the order of the rows
        ordered = tracklets.sort_values("tracklet")
        self.views: dict[str, dict[str, list[str]]] = {}  # person -> camera -> tracklets
        for tracklet, person, camera in zip(
            ordered["tracklet"], ordered["person"], ordered["camera"], strict=True
        ):
            self.views.setdefault(person, {}).setdefault(camera, []).append(tracklet)
        self.views = dict(sorted(self.views.items()))
        self.everybody = list(self.views)
        self.numbers = {person: number for number, person in enumerate(self.everybody)}
        self.persons = [person for person, cameras in self.views.items() if len(cameras) > 1]
        if len(self.persons) < 2:
            raise ValueError(
                f"{len(self.persons)} of {len(self.views)} persons are seen by two cameras; pairs "
                f"need at least two such persons: use more persons, or hold out fewer"
            )

    @property
    @abstractmethod
    def batches_per_epoch(self) -> int:
        """Steps of an epoch."""

    @abstractmethod
    def epoch(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Draw the batches of an epoch."""

    @abstractmethod
    def most_pairs(self, clips: int) -> int:
        """Return the maximum number of pairs of a batch of so many clips."""

    def _window(self, tracklet: str, generator: np.random.Generator) -> Clip:
        length = self.lengths[tracklet]
        if self.spread:
            positions = spread_positions(length, self.frames, generator)
            return SpreadFrames(tracklet, tuple(positions.tolist()))
        start = training_window(length, self.frames, generator)
        return Window(tracklet, start, min(start + self.frames, length))

    def _some_of(self, person: str, count: int, generator: np.random.Generator) -> list[View]:
        """Tracklets of a person, at least two: of as many cameras as there are, then others.

        Where there are no others, tracklets are repeated, of which other clips are drawn.
        """
        cameras = list(self.views[person])
        chosen = generator.choice(len(cameras), min(count, len(cameras)), replace=False)
        drawn = [self._one_of(person, cameras[index], generator) for index in chosen]
        everything = [
            View(tracklet, person, camera)
            for camera, tracklets in self.views[person].items()
            for tracklet in tracklets
        ]
        others = [view for view in everything if view not in drawn]
        while len(drawn) < count:
            order = generator.permutation(len(others))[: count - len(drawn)]
            drawn += [others[index] for index in order]
            others = everything
        return drawn

    def _one_of(self, person: str, camera: str, generator: np.random.Generator) -> View:
        tracklets = self.views[person][camera]
        return View(tracklets[generator.integers(len(tracklets))], person, camera)

    def _batch(
        self,
        drawn: Sequence[View],
        generator: np.random.Generator,
        left: np.ndarray,
        right: np.ndarray,
    ) -> Batch:
        """Draw a window of every tracklet, and form a batch of them."""
        windows = [self._window(view.tracklet, generator) for view in drawn]
        persons = np.array([self.numbers[view.person] for view in drawn])
        cameras = np.array([view.camera for view in drawn])
        return Batch(windows, left, right, persons[left] == persons[right], persons, cameras)


class AllInBatch(PairSampler):
    """K tracklets of each of P persons, and all pairs from different cameras (``modern``).

    Parameters
    ----------
    tracklets, lengths, frames, spread
        See `PairSampler`.
    persons_per_batch
        Maximum number P of persons in a batch; the batches of an epoch are equally large.
    tracklets_per_person
        K, at least 2.

    References
    ----------
    Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss", 2 (P x K batches).
    """

    def __init__(
        self,
        tracklets: pd.DataFrame,
        lengths: Mapping[str, int],
        frames: int,
        persons_per_batch: int,
        tracklets_per_person: int = 2,
        spread: bool = False,
    ) -> None:
        super().__init__(tracklets, lengths, frames, spread)
        self.persons_per_batch = persons_per_batch
        self.tracklets_per_person = tracklets_per_person

    @property
    def batches_per_epoch(self) -> int:
        """Steps that show every person once."""
        full = -(-len(self.persons) // self.persons_per_batch)
        return min(full, len(self.persons) // 2)  # at least two persons, for negative pairs

    def most_pairs(self, clips: int) -> int:
        """Return the number of pairs between two cameras, or of all pairs for more cameras."""
        cameras = {camera for views in self.views.values() for camera in views}
        return clips**2 // 4 if len(cameras) == 2 else clips * (clips - 1) // 2

    def epoch(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Draw the batches of an epoch: every person once."""
        order = generator.permutation(len(self.persons))
        for members in np.array_split(order, self.batches_per_epoch):
            persons = [self.persons[index] for index in members]
            count = self.tracklets_per_person
            drawn = [view for person in persons for view in self._some_of(person, count, generator)]
            cameras = np.array([view.camera for view in drawn])
            left, right = np.triu_indices(len(drawn), 1)
            across = cameras[left] != cameras[right]
            yield self._batch(drawn, generator, left[across], right[across])


class DrawnPairs(PairSampler):
    """Positive and negative pairs in a fixed ratio, each of two other clips (``paper``).

    Parameters
    ----------
    tracklets, lengths, frames, spread
        See `PairSampler`.
    pairs_per_batch
        Pairs in a batch, a multiple of ``1 + negatives``.
    negatives
        Negative pairs for every positive one.
    """

    def __init__(
        self,
        tracklets: pd.DataFrame,
        lengths: Mapping[str, int],
        frames: int,
        pairs_per_batch: int,
        negatives: int = 1,
        spread: bool = False,
    ) -> None:
        super().__init__(tracklets, lengths, frames, spread)
        self.positives_per_batch = pairs_per_batch // (1 + negatives)
        self.negatives = negatives

    @property
    def batches_per_epoch(self) -> int:
        """Steps in which every person with two cameras has one positive pair."""
        return -(-len(self.persons) // self.positives_per_batch)

    def most_pairs(self, clips: int) -> int:
        """Return the number of pairs: every clip is in one."""
        return clips // 2

    def epoch(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Draw the batches of an epoch: a positive pair a person, and its negative ones."""
        order = generator.permutation(len(self.persons))
        for first in range(0, len(order), self.positives_per_batch):
            members = order[first : first + self.positives_per_batch]
            positives = [self._some_of(self.persons[index], 2, generator) for index in members]
            count = self.negatives * len(members)
            negatives = [self._negative(generator) for _ in range(count)]
            drawn = [view for pair in positives + negatives for view in pair]
            pairs = np.arange(len(positives) + len(negatives))
            yield self._batch(drawn, generator, 2 * pairs, 2 * pairs + 1)

    def _negative(self, generator: np.random.Generator) -> list[View]:
        """Tracklets of two persons from different cameras, by rejection sampling."""
        while True:
            chosen = generator.choice(len(self.everybody), 2, replace=False)
            pair = []
            for index in chosen:
                person = self.everybody[index]
                cameras = list(self.views[person])
                camera = cameras[generator.integers(len(cameras))]
                pair.append(self._one_of(person, camera, generator))
            if pair[0].camera != pair[1].camera:
                return pair


def build_sampler(
    config: TrainingConfig, tracklets: pd.DataFrame, lengths: Mapping[str, int]
) -> PairSampler:
    """Build the sampler of a configuration.

    Parameters
    ----------
    config
        ``pairs`` and its settings; see `TrainingConfig`.
    tracklets, lengths
        See `PairSampler`.

    Examples
    --------
    >>> rows = [(f"{camera}/{person}", person, camera) for person in "123" for camera in "ab"]
    >>> tracklets = pd.DataFrame(rows, columns=["tracklet", "person", "camera"])
    >>> sampler = build_sampler(TrainingConfig(frames=4), tracklets, {row[0]: 8 for row in rows})
    >>> batch = next(sampler.epoch(np.random.default_rng(0)))
    >>> len(batch.windows), len(batch.left), int(batch.same.sum())
    (6, 9, 3)
    """
    if config.pairs == "drawn":
        return DrawnPairs(
            tracklets,
            lengths,
            config.frames,
            config.pairs_per_batch,
            config.negatives_per_positive,
            config.clips == "spread",
        )
    return AllInBatch(
        tracklets,
        lengths,
        config.frames,
        config.persons_per_batch,
        config.tracklets_per_person,
        config.clips == "spread",
    )
