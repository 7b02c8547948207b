"""Rendering of one tracklet: gait, view, bounding box, background, occluders, lens."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from PIL import Image

from wherewhen.synthetic import bodies, gait, occluders, persons
from wherewhen.synthetic.compositing import Backdrop, Lens, composite, cut_backdrop, degrade
from wherewhen.synthetic.config import CameraConfig, SyntheticConfig
from wherewhen.synthetic.rendering import Layers, Renderer, View
from wherewhen.synthetic.scenes import draw_scene
from wherewhen.synthetic.tailoring import Dressed, dress_body
from wherewhen.synthetic.truth import Truth
from wherewhen.synthetic.wardrobe import Wardrobe
from wherewhen.synthetic.worlds import WORLDS

FILL = 0.92
"""Share of the box's height that the person takes."""

SPRITES = 8
"""Phases of the gait in which somebody who walks through is rendered."""


ACTORS = 16
"""People who stay dressed after their tracklet, for the other cameras."""


@dataclass(frozen=True)
class Detection:
    """How a tracklet was detected: where, by what box, in what picture."""

    place: int = 0
    """Which of the camera's places."""
    size: float = 1.0
    """Size of the box, relative to one that fits."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Where its middle is, to the right and up (fractions of the size of one that fits)."""
    seen: int | None = None
    """Height (pixels) of the crop in the camera's picture; None: its own."""
    quality: int | None = None
    """Of the picture's JPEG; None: not compressed."""


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
        self._world = WORLDS[config.world]
        self._scenes: dict[tuple[int, int], Future[Image.Image]] = {}

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

    def _scene(self, camera: int, place: int) -> Image.Image:
        """Draw a place of a camera, once."""
        with self._lock:
            first = (camera, place) not in self._scenes
            waiting = self._scenes.setdefault((camera, place), Future())
        if first:
            config, kinds = self.config, self._world.places
            further = () if place == 0 else (place,)
            generator = persons.stream(config.seed, persons.CAMERA, camera, *further)
            elevation = config.camera_list[camera].elevation
            kind = kinds[(camera + place) % len(kinds)]
            try:
                waiting.set_result(draw_scene(config.height, elevation, generator, kind))
            except BaseException as error:
                with self._lock:
                    self._scenes.pop((camera, place), None)
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
        detection = draw_detection(config, number, camera, take)
        transforms, view, feet = self.stage(actor, setup, azimuths, phases, generator, detection)
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
        scene = self._scene(camera, detection.place)
        street = cut_backdrop(scene, backdrop, config.height, config.width)
        front = None
        if generator.random() < config.occluders:
            front = self._front(number, camera, float(across.mean()), length, generator)
        frames, truth = composite(street, layers, front, self._lens(setup, generator), generator)
        if detection.seen is not None or detection.quality is not None:
            frames = degrade(frames, detection.seen or config.height, detection.quality)
        return frames, truth

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
        detection: Detection = Detection(),
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
        detection : Detection
            The box's faults; by default it fits.

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
        middle = middle + size * np.array(detection.shift)
        size *= detection.size
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
        kinds = self._world.occluders
        kind = kinds[int(generator.integers(len(kinds)))]
        if kind != occluders.WALKER:
            # Nearer than the street, so it passes faster.
            speed = -1.5 * drift if abs(drift) > 0.6 else float(generator.choice([-1, 1]))
            columns = occluders.path(length, config.width, speed, generator)
            return occluders.draw(kind, columns, config.height, config.width, generator)
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


def draw_detection(config: SyntheticConfig, number: int, camera: int, take: int) -> Detection:
    """Draw how a tracklet is detected, from a stream of its own.

    Parameters
    ----------
    config : SyntheticConfig
        Places, share of faulty boxes, resolutions and qualities.
    number, camera, take : int
        Which tracklet; see `Studio.film`.

    Returns
    -------
    Detection
        The same one for the same seed and tracklet; no parameter shifts the draws of another.
    """
    generator = persons.stream(config.seed, persons.DETECTION, number, camera, take)
    place = int(generator.integers(config.places))
    faulty = generator.random() < config.faulty_boxes
    fault, amount, across, up = int(generator.integers(4)), *generator.uniform(0, 1, 3)
    size, shift = 1.0, (0.0, 0.0)
    if faulty:
        side = 1.0 if across < 0.5 else -1.0
        cut = (0.12 + 0.23 * amount, 0.06 + 0.10 * amount, -0.15 - 0.35 * amount, 0.0)[fault]
        size = 1.0 - cut
        # Feet are cut off, or the head; there is a margin on all sides; the box is to one side.
        shift = (
            (0.0, cut / 2),
            (0.0, -cut / 2),
            (0.6 * cut * (across - 0.5), 0.6 * cut * (up - 0.5)),
            (side * (0.06 + 0.10 * amount), 0.0),
        )[fault]
    of_size, of_quality = generator.uniform(0, 1, 2)
    seen = quality = None
    if config.resolution is not None:
        low, high = config.resolution
        seen = round(low * (high / low) ** of_size)  # small ones as often as large ones
    if config.jpeg_quality is not None:
        low, high = config.jpeg_quality
        quality = round(low + (high - low) * of_quality)
    return Detection(place, float(size), shift, seen, quality)


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
