"""Rendering of one tracklet: gait, view, bounding box, background, occluders, lens."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from wherewhen.synthetic import bodies, gait, occluders, persons
from wherewhen.synthetic.compositing import Backdrop, Lens, composite, cut_backdrop
from wherewhen.synthetic.config import CameraConfig, SyntheticConfig
from wherewhen.synthetic.rendering import Layers, Renderer, View
from wherewhen.synthetic.scenes import draw_scene
from wherewhen.synthetic.tailoring import Dressed, dress_body
from wherewhen.synthetic.truth import Truth
from wherewhen.synthetic.wardrobe import Wardrobe

FILL = 0.92
"""Share of the box's height that the person takes."""

SPRITES = 8
"""Phases of the gait in which somebody who walks through is rendered."""


ACTORS = 16
"""People who stay dressed after their tracklet, for the other cameras."""


@dataclass(frozen=True)
class Actor:
    """A dressed person: body, mesh, and points that fit the bounding box."""

    person: persons.Person
    body: bodies.Body
    dressed: Dressed
    outline: np.ndarray
    """Indices of vertices that stand for all, every 23rd."""


class Studio:
    """What the tracklets of a set share: body model, wardrobe, backgrounds.

    Parameters
    ----------
    config : SyntheticConfig
        The parameters.
    wardrobe : Wardrobe
        What passers-by wear, too.
    """

    def __init__(self, config: SyntheticConfig, wardrobe: Wardrobe) -> None:
        self.config = config
        self._wardrobe = wardrobe
        self._lock = threading.Lock()
        self._actors: OrderedDict[int, Future[Actor]] = OrderedDict()
        self._model = bodies.load_body_model()
        below = ("foot", "toe")
        self._soles = np.flatnonzero(
            np.char.startswith(np.array(self._model.bones)[self._model.dominant], below[0])
            | np.char.startswith(np.array(self._model.bones)[self._model.dominant], below[1])
        )[::5]
        self._scenes = [
            draw_scene(
                config.height, camera.elevation, persons.stream(config.seed, persons.CAMERA, index)
            )
            for index, camera in enumerate(config.camera_list)
        ]

    def prepare(self, person: persons.Person) -> Actor:
        """Create the body of a person and dress it.

        Parameters
        ----------
        person : Person
            From `draw_person`.

        Returns
        -------
        Actor
            The person, ready to walk.
        """
        body = bodies.shape_body(self._model, person.phenotype)
        dressed = dress_body(body, self._model, person.outfit)
        return Actor(person, body, dressed, np.arange(0, len(dressed.vertices), 23))

    def _actor(self, person: persons.Person, number: int) -> Actor:
        """Prepare a person; the last few are cached for their other cameras."""
        with self._lock:
            first = number not in self._actors
            waiting = self._actors.setdefault(number, Future())
            self._actors.move_to_end(number)
            if len(self._actors) > ACTORS:
                self._actors.popitem(last=False)
        if first:
            try:
                waiting.set_result(self.prepare(person))
            except BaseException as error:
                with self._lock:
                    self._actors.pop(number, None)
                waiting.set_exception(error)
        return waiting.result()

    def film(
        self, person: persons.Person, number: int, camera: int, length: int, take: int = 0
    ) -> tuple[np.ndarray, Truth]:
        """Render a tracklet.

        Parameters
        ----------
        person : Person
            Who walks.
        number : int
            Their number.
        camera : int
            Index of the camera.
        length : int
            Frames.
        take : int
            Which time it is that this camera films this person, from 0.

        Returns
        -------
        tuple of numpy.ndarray and Truth
            The pictures, uint8 [length, height, width, 3], and what they show.
        """
        config, setup = self.config, self.config.camera_list[camera]
        key = (number, camera, 1) if take == 0 else (number, camera, 1, take)
        generator = persons.stream(config.seed, persons.TRACKLET, *key)
        actor = self._actor(person, number)
        azimuths = _azimuths(setup, length, generator)
        phases = self._phases(actor, length, generator)
        transforms, view, feet = self.stage(actor, setup, azimuths, phases, generator)
        layers = self.cast(actor, transforms, view, setup)
        speed = gait.walking_speed(person.gait, actor.body, self._model) / config.frames_per_second
        pixel = 1 / (view.steps * setup.distance)  # pixels a metre
        across = -speed * np.sin(azimuths) * pixel
        nearer = speed * np.cos(azimuths) / setup.distance
        backdrop = Backdrop(
            place=np.stack(
                [
                    generator.uniform(0, 20 * config.width) + np.cumsum(across),
                    generator.uniform(-8, 8) + np.cumsum(0.3 * nearer * config.height),
                ],
                axis=1,
            ),
            zoom=np.clip(0.9 + generator.uniform(0, 0.2) - np.cumsum(0.5 * nearer), 0.7, 1.3),
            feet=feet,
        )
        street = cut_backdrop(self._scenes[camera], backdrop, config.height, config.width)
        front = None
        if generator.random() < config.occluders:
            front = self._front(number, camera, float(across.mean()), length, generator)
        return composite(street, layers, front, self._lens(setup, generator), generator)

    def _phases(self, actor: Actor, length: int, generator: np.random.Generator) -> np.ndarray:
        cycles = actor.person.gait.cadence / 2 / self.config.frames_per_second
        return (generator.random() + cycles * np.arange(length)) % 1.0

    def stage(
        self,
        actor: Actor,
        setup: CameraConfig,
        azimuths: np.ndarray,
        phases: np.ndarray,
        generator: np.random.Generator,
    ) -> tuple[np.ndarray, View, np.ndarray]:
        """Pose a person in every frame and point the camera's box at them.

        Parameters
        ----------
        actor : Actor
            From `prepare`.
        setup : CameraConfig
            The camera.
        azimuths, phases : numpy.ndarray
            Direction (rad) and phase of the gait in each frame, [frames].
        generator : numpy.random.Generator
            Source of the box's jitter.

        Returns
        -------
        tuple
            Transforms of the bones [frames, bones, 3, 4], the view, and the row of the feet in
            the crop, [frames].
        """
        rotations = gait.bone_rotations(actor.person.gait, actor.body, self._model, phases)
        transforms = gait.bone_transforms(rotations, actor.body, self._model, self._soles)
        origins, axes, suns = _camera_frames(setup, azimuths, float(actor.body.joints[0, 2]))
        points = _posed(actor, transforms) - origins[:, None]
        seen = np.einsum("fij,fpj->fpi", axes, points)
        planar = seen[..., :2] / seen[..., 2:]
        low, high = planar[..., 1].min(axis=1), planar[..., 1].max(axis=1)
        # The box follows the person's mean: a tracker does not see every step's rise.
        size = float((high - low).mean()) / FILL
        middle = np.stack(
            [np.zeros(len(low)), np.full(len(low), float((high + low).mean()) / 2)], axis=1
        )
        jitter = _wander(len(low), 3, self.config.box_jitter, generator)
        sizes = size * (1 + jitter[:, 2])
        middle = middle + size * jitter[:, :2]
        steps = sizes / self.config.height
        corners = middle + 0.5 * steps[:, None] * np.array([-self.config.width, self.config.height])
        feet = (corners[:, 1] - low) / steps
        return transforms, View(origins, axes, corners, steps, suns), feet

    def cast(self, actor: Actor, transforms: np.ndarray, view: View, setup: CameraConfig) -> Layers:
        """Cast the rays of a tracklet; see `Renderer.render`."""
        config = self.config
        return Renderer(actor.dressed).render(
            transforms, view, config.height, config.width, config.supersampling, setup.sunlight
        )

    def _front(
        self, number: int, camera: int, drift: float, length: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Choose and draw what passes in front, float32 [frames, height, width, 4]."""
        config = self.config
        kind = int(generator.integers(3))
        if kind != occluders.WALKER:
            # Nearer than the street, so it passes faster.
            speed = -1.5 * drift if abs(drift) > 0.6 else float(generator.choice([-1, 1]))
            columns = occluders.path(length, config.width, speed, generator)
            return occluders.post(
                columns, config.height, config.width, kind == occluders.SIGN, generator
            )
        setup = config.camera_list[camera]
        passer_by = persons.draw_person(
            config, self._wardrobe, 100 * number + camera, persons.PASSER_BY
        )
        actor = self.prepare(passer_by)
        side = float(generator.choice([-1, 1]))
        azimuths = np.full(SPRITES, side * generator.uniform(1.1, 1.9))
        phases = np.arange(SPRITES) / SPRITES
        transforms, view, _ = self.stage(actor, setup, azimuths, phases, generator)
        sprites = self.cast(actor, transforms, view, setup).colour
        speed = -side * float(generator.uniform(3.0, 6.0))
        columns = occluders.path(length, config.width, speed, generator)
        cadence = passer_by.gait.cadence / 2 / config.frames_per_second
        walk = (generator.random() + cadence * np.arange(length)) % 1.0
        return occluders.walker(sprites, walk, columns, drop=int(0.06 * config.height))

    def _lens(self, setup: CameraConfig, generator: np.random.Generator) -> Lens:
        config = self.config
        cast = 1 + config.colour_cast * (np.array(setup.cast) - 1)
        cast = cast * (1 + 0.06 * config.colour_cast * generator.standard_normal(3))
        exposure = setup.exposure * np.exp(
            0.2 * config.exposure_jitter * float(np.clip(generator.standard_normal(), -2, 2))
        )
        return Lens(
            gain=tuple(float(gain) for gain in cast * exposure),
            shutter=config.motion_blur,
            softness=config.softness,
            noise=config.noise,
        )


def _azimuths(setup: CameraConfig, length: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the walking direction of each frame, with small deviations."""
    mean = generator.normal(setup.azimuth, setup.azimuth_sd)
    turn = generator.normal(0, 0.12)
    return mean + turn * np.linspace(-1, 1, length)


def _camera_frames(
    setup: CameraConfig, azimuths: np.ndarray, middle: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the camera's position and axes and the sun's direction, person at the origin."""
    ahead = np.stack([np.sin(azimuths), -np.cos(azimuths), np.zeros_like(azimuths)], axis=1)
    upright = np.array([0.0, 0.0, 1.0])
    target = np.array([0.0, 0.0, middle])
    back = np.cos(setup.elevation) * ahead + np.sin(setup.elevation) * upright
    right = np.cross(upright, ahead)
    up = np.cross(back, right)
    angle, height = setup.sun
    level = np.cos(angle) * ahead + np.sin(angle) * right
    suns = np.cos(height) * level + np.sin(height) * upright
    return target + setup.distance * back, np.stack([right, up, -back], axis=1), suns


def _posed(actor: Actor, transforms: np.ndarray) -> np.ndarray:
    """Pose the points of the outline by the bone that moves each most, [frames, points, 3]."""
    bones = actor.dressed.weight_bones[actor.outline]
    dominant = np.take_along_axis(
        bones, actor.dressed.weights[actor.outline].argmax(axis=1)[:, None], axis=1
    )[:, 0]
    points = actor.dressed.vertices[actor.outline]
    chosen = transforms[:, dominant]
    return (chosen[..., :3] * points[None, :, None]).sum(axis=3) + chosen[..., 3]


def _wander(frames: int, columns: int, sd: float, generator: np.random.Generator) -> np.ndarray:
    """Draw autocorrelated jitter, like that of a tracker's box, [frames, columns]."""
    steps = generator.standard_normal((frames, columns)) * sd
    result = np.empty_like(steps)
    keep = 0.8
    result[0] = steps[0]
    for frame in range(1, frames):
        result[frame] = keep * result[frame - 1] + np.sqrt(1 - keep**2) * steps[frame]
    return result
