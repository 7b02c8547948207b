"""Plan of a set, and rendering of its tracklets independently and in any order."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from wherewhen.synthetic import filming, layouts, persons
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.shots import JUNK, Shot, list_shots
from wherewhen.synthetic.truth import Truth
from wherewhen.tracklets.threads import in_threads

Result = TypeVar("Result")

BETA_SPREAD = 3.0
"""Concentration of the lengths' distribution; 3 gives iLIDS-VID's long tail."""


class SyntheticSet:
    """A planned set; frames are rendered on demand.

    Parameters
    ----------
    config : SyntheticConfig
        The parameters.
    """

    def __init__(self, config: SyntheticConfig) -> None:
        self.config = config
        self._shots = {shot.tracklet: shot for shot in _shots(config)}
        self._studio: filming.Studio | None = None
        self._lock = threading.Lock()

    @property
    def tracklets(self) -> tuple[str, ...]:
        """Names of the tracklets, camera by camera, `cam_a/person_0001`."""
        return tuple(self._shots)

    @property
    def shots(self) -> tuple[Shot, ...]:
        """The tracklets of the plan, in the order of `tracklets`."""
        return tuple(self._shots.values())

    @property
    def lengths(self) -> dict[str, int]:
        """Length of each tracklet (frames)."""
        return {name: shot.length for name, shot in self._shots.items()}

    def person_by_person(self, tracklets: Iterable[str]) -> list[str]:
        """Sort tracklets by person, so that each is dressed once for all cameras."""
        return sorted(tracklets, key=lambda name: (self._shots[name].person, name))

    @property
    def fingerprint(self) -> str:
        """Hash of all parameters that decide pixels and files."""
        return self.config.fingerprint

    def person(self, number: int) -> persons.Person:
        """Return a person by its number, from 1: body, clothes and gait."""
        return persons.draw_person(self.config, self._wardrobe, number)

    @functools.cached_property
    def _wardrobe(self):
        return persons.draw_wardrobe(self.config)

    def render(self, tracklet: str, frames: int | None = None) -> np.ndarray:
        """Render one tracklet.

        Parameters
        ----------
        tracklet : str
            One of `tracklets`.
        frames : int, optional
            Only that many from its beginning, for a picture; they are not always the same bytes
            as in the whole tracklet.

        Returns
        -------
        numpy.ndarray
            uint8 [length, height, width, 3]. The same bytes for the same config, whatever else
            was rendered before, after or beside it.

        Raises
        ------
        KeyError
            If the set has no such tracklet.

        See Also
        --------
        film : The frames and what they show.
        """
        return self.film(tracklet, frames)[0]

    def film(self, tracklet: str, frames: int | None = None) -> tuple[np.ndarray, Truth]:
        """Render one tracklet, and keep what its pixels show; as `render` otherwise."""
        if tracklet not in self._shots:
            raise KeyError(
                f"no tracklet {tracklet!r} in this synthetic set: expected a name like "
                f"{next(iter(self._shots))!r}; `tracklets` lists them"
            )
        shot = self._shots[tracklet]
        length = shot.length if frames is None else min(frames, shot.length)
        filmed, truth = self._open_studio().film(
            self.person(shot.person), shot.person, shot.camera, length, shot.take
        )
        if shot.kind != JUNK:
            return filmed, truth
        front = None if truth.front is None else _cut_badly(truth.front)
        return _cut_badly(filmed), Truth(_cut_badly(truth.person), front)

    def render_all(
        self, tracklets: Iterable[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Render tracklets, all by default, in parallel; yield their names and frames in order.

        Threads suffice: rays are cast by compiled kernels that run without Python's lock.
        """
        return self.work(self.render, self.tracklets if tracklets is None else tracklets)

    def work(
        self, task: Callable[[str], Result], tracklets: Iterable[str]
    ) -> Iterator[tuple[str, Result]]:
        """Call a function with the names of tracklets, in `workers` threads.

        Yields
        ------
        tuple of str and object
            Name and result, in the order of `tracklets`.
        """
        wanted = list(tracklets)
        workers = self.config.workers or os.cpu_count() or 1
        if workers == 1:
            yield from ((tracklet, task(tracklet)) for tracklet in wanted)
            return
        # twice as many as work: no more waits in memory than the workers need to stay busy
        yield from in_threads(lambda name: (name, task(name)), wanted, workers, 2 * workers)

    def _open_studio(self) -> filming.Studio:
        with self._lock:
            if self._studio is None:
                self._studio = filming.Studio(self.config, self._wardrobe)
            return self._studio


def plan(config: SyntheticConfig) -> SyntheticSet:
    """Plan the tracklets of a set (persons, cameras, lengths); nothing is rendered yet."""
    return SyntheticSet(config)


def _shots(config: SyntheticConfig) -> list[Shot]:
    share = (config.mean_length - config.min_frames) / max(1, config.max_frames - config.min_frames)

    def length(person: int, camera: int, take: int) -> int:
        # The first take's stream is that of sets in which there was no second one.
        further = () if take == 0 else (1 + take,)
        generator = persons.stream(config.seed, persons.TRACKLET, person, camera, *further)
        inside = 0 < share < 1
        drawn = generator.beta(BETA_SPREAD * share, BETA_SPREAD * (1 - share)) if inside else share
        return config.min_frames + round(float(drawn) * (config.max_frames - config.min_frames))

    def seen_by(person: int) -> list[int]:
        generator = persons.stream(config.seed, persons.VIEWS, person)
        return generator.choice(len(config.camera_list), config.views, replace=False).tolist()

    return list_shots(
        config.persons,
        [camera.name for camera in config.camera_list],
        length,
        takes=config.tracklets,
        distractors=config.distractors,
        junk=config.junk,
        varied=layouts.layout_named(config.layout).varied,
        seen_by=None if config.views is None else seen_by,
    )


def _cut_badly(frames: np.ndarray) -> np.ndarray:
    """Crop and enlarge a quarter of each frame, like a failed detection."""
    height, width = frames.shape[1:3]
    part = frames[:, : height - height // 2, width // 2 :]
    return part.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
