"""Shots: person, camera, take and length of every tracklet, before rendering."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

PERSON, DISTRACTOR, JUNK = "person", "distractor", "junk"
"""What a tracklet shows: somebody to be found, somebody who is nobody's match, or a bad crop."""


@dataclass(frozen=True)
class Shot:
    """One tracklet of a plan."""

    tracklet: str
    """Its name in the plan, `cam_a/person_0001`."""
    person: int
    """Number of who is seen, from 1. Distractors follow the persons; junk shows one of them."""
    camera: int
    """Index of the camera, from 0."""
    length: int
    """Frames."""
    take: int = 0
    """Which of the person's tracklets in this camera, from 0."""
    kind: str = PERSON
    """`PERSON`, `DISTRACTOR` or `JUNK`."""


def list_shots(
    persons: int,
    camera_names: Sequence[str],
    length: Callable[[int, int, int], int],
    takes: int = 1,
    distractors: int = 0,
    junk: int = 0,
    single: int = 0,
    varied: bool = False,
    seen_by: Callable[[int], Collection[int]] | None = None,
) -> list[Shot]:
    """List the shots of a set.

    Parameters
    ----------
    persons : int
        People to be found, numbered from 1.
    camera_names : sequence of str
        The cameras.
    length : callable
        From person, camera's index and take to a tracklet's length (frames).
    takes : int
        Tracklets of a person in a camera.
    distractors : int
        People seen once, by the last camera, who match nobody.
    junk : int
        Badly cut tracklets of persons with an even number, who are those to be tested in MARS.
    single : int
        So many persons, the last ones, are seen by the first of their cameras alone.
    varied : bool
        Let people differ, as in MARS: in the number of cameras that see them (from 2), and of their
        tracklets in each (up to `takes`); distractors are in any camera.
    seen_by : callable, optional
        From a person to the indices of the cameras that see them; by default all cameras or, where
        people differ, two or more in a row.

    Returns
    -------
    list of Shot
        Camera by camera, then person by person; distractors and junk last.
    """
    shots = []
    seen_by = seen_by or (lambda person: _cameras_of(person, len(camera_names), varied))
    cameras_of = {person: list(seen_by(person)) for person in range(1, persons + 1)}
    for person in range(persons - single + 1, persons + 1):
        del cameras_of[person][1:]
    for camera, name in enumerate(camera_names):
        for person in range(1, persons + 1):
            if camera not in cameras_of[person]:
                continue
            for take in range(1 + (person + camera) % takes if varied else takes):
                part = f"/{take + 1:02d}" if takes > 1 else ""
                frames = length(person, camera, take)
                shots.append(
                    Shot(f"{name}/person_{person:04d}{part}", person, camera, frames, take)
                )

    def odd(kind: str, index: int, person: int, camera: int, take: int) -> Shot:
        name = f"{camera_names[camera]}/{kind}_{index + 1:04d}"
        return Shot(name, person, camera, length(person, camera, take), take, kind)

    cameras = len(camera_names)
    tested = list(range(2, persons + 1, 2)) or [1]
    for index in range(distractors):
        camera = index % cameras if varied else cameras - 1
        shots.append(odd(DISTRACTOR, index, persons + 1 + index, camera, 0))
    for index in range(junk):
        # A take of its own, else it would show what one of the person's tracklets shows.
        person = tested[index % len(tested)]
        shots.append(odd(JUNK, index, person, index % cameras, takes + index))
    return shots


def _cameras_of(person: int, cameras: int, varied: bool) -> list[int]:
    """List a person's cameras: all of them or, where people differ, two or more in a row."""
    if not varied or cameras < 3:
        return list(range(cameras))
    index = (person - 1) // 2  # odd persons train, even ones are tested: the same variety in both
    return [(index + step) % cameras for step in range(2 + index % (cameras - 1))]
