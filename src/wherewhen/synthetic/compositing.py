"""Compositing of the rendered person, the background and occluders, with effects of the lens.

Street, shadow, person, whoever passes in front, then what the camera adds: shutter, lens, colour
cast, exposure, noise.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from wherewhen.synthetic.rendering import Layers
from wherewhen.synthetic.scenes import PEOPLE_ROW, SCALE
from wherewhen.synthetic.truth import Truth


@dataclass(frozen=True)
class Lens:
    """Photometric effects of a camera in one tracklet."""

    gain: tuple[float, float, float]
    """Gain of red, green and blue: colour cast times exposure."""
    shutter: float
    """Fraction of the time between two frames during which the shutter is open."""
    softness: float
    """Standard deviation of the blur (pixels)."""
    noise: float
    """Standard deviation of the noise (grey levels)."""


@dataclass(frozen=True)
class Backdrop:
    """The part of the background picture behind the person, frame by frame.

    Attributes
    ----------
    place : numpy.ndarray
        Where the crop's middle column and the person's feet stand in the street's picture,
        as shifts (pixels of the crop) from its left edge and from `PEOPLE_ROW`, [frames, 2].
    zoom : numpy.ndarray
        Size of the street in the crop, [frames].
    feet : numpy.ndarray
        Row of the person's feet in the crop, [frames].
    """

    place: np.ndarray
    zoom: np.ndarray
    feet: np.ndarray


def cut_backdrop(scene: Image.Image, backdrop: Backdrop, height: int, width: int) -> np.ndarray:
    """Crop the background of every frame from the camera's picture.

    Parameters
    ----------
    scene : PIL.Image.Image
        From `draw_scene`.
    backdrop : Backdrop
        Where to cut.
    height, width : int
        Size of the crop (pixels).

    Returns
    -------
    numpy.ndarray
        float32 [frames, height, width, 3], 0 to 1.
    """
    frames = np.empty((len(backdrop.zoom), height, width, 3), dtype=np.uint8)
    for frame, (place, zoom, feet) in enumerate(
        zip(backdrop.place, backdrop.zoom, backdrop.feet, strict=True)
    ):
        pixel = SCALE / zoom
        left = place[0] * SCALE - 0.5 * width * pixel
        left = float(np.mod(left, scene.width - width * pixel - 1))  # the street is round
        top = PEOPLE_ROW * scene.height + place[1] * SCALE - feet * pixel
        top = float(np.clip(top, 0, scene.height - height * pixel - 1))
        box = (left, top, left + width * pixel, top + height * pixel)
        frames[frame] = scene.transform(
            (width, height), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR
        )
    return frames.astype(np.float32) / 255


def composite(
    backdrop: np.ndarray,
    person: Layers,
    front: np.ndarray | None,
    lens: Lens,
    generator: np.random.Generator,
) -> tuple[np.ndarray, Truth]:
    """Blend all layers and apply the effects of the lens.

    Parameters
    ----------
    backdrop : numpy.ndarray
        The street, float32 [frames, height, width, 3].
    person : Layers
        The rendered person.
    front : numpy.ndarray or None
        What passes in front, colour (multiplied by coverage) and coverage, float32
        [frames, height, width, 4].
    lens : Lens
        What the camera adds.
    generator : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    tuple of numpy.ndarray and Truth
        The pictures, uint8 [frames, height, width, 3], and what they show.
    """
    scene = backdrop * (1 - person.shadow[..., None])
    colour = _open_shutter(person.colour, lens.shutter)
    picture = scene * (1 - colour[..., 3:]) + colour[..., :3]
    if front is not None:
        picture = picture * (1 - front[..., 3:]) + front[..., :3]
    truth = Truth.of(colour[..., 3], None if front is None else front[..., 3])
    picture = soften(picture, lens.softness) * np.asarray(lens.gain, dtype=np.float32)
    # A camera's highlights bend over before they clip.
    bright = picture > 0.8
    picture[bright] = 0.8 + 0.2 * np.tanh((picture[bright] - 0.8) / 0.2)
    picture *= 255
    if lens.noise > 0:
        picture += lens.noise * generator.standard_normal(picture.shape, dtype=np.float32)
    np.rint(picture, out=picture)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8), truth


def degrade(frames: np.ndarray, seen: int, quality: int | None) -> np.ndarray:
    """Return crops as if cut from a picture that was small and compressed.

    Parameters
    ----------
    frames : numpy.ndarray
        uint8 [frames, height, width, 3].
    seen : int
        Height (pixels) that the crop has in the camera's picture; it is enlarged from there.
    quality : int or None
        Quality of the JPEG that the small picture goes through; None: it is not compressed.

    Returns
    -------
    numpy.ndarray
        The same shape.
    """
    height, width = frames.shape[1:3]
    small = (max(1, round(width * seen / height)), seen)
    result = np.empty_like(frames)
    for frame, pixels in enumerate(frames):
        picture = Image.fromarray(pixels)
        if seen < height:
            picture = picture.resize(small, Image.Resampling.BOX)
        if quality is not None:
            packed = io.BytesIO()
            picture.save(packed, "JPEG", quality=quality)
            picture = Image.open(packed)
        if seen < height:
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        result[frame] = np.asarray(picture)
    return result


def _open_shutter(colour: np.ndarray, shutter: float) -> np.ndarray:
    """Blend each frame with the one before: limbs that move fast blur, a still trunk does not."""
    if shutter == 0 or len(colour) < 2:
        return colour
    before = np.concatenate([colour[:1], colour[:-1]])
    return (1 - 0.4 * shutter) * colour + 0.4 * shutter * before


def soften(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Blur rows and columns by a kernel of three pixels.

    Parameters
    ----------
    picture : numpy.ndarray
        [frames, height, width, channels].
    sigma : float
        Standard deviation (pixels); three pixels hold up to about 0.8 of it.

    Returns
    -------
    numpy.ndarray
        The same shape.
    """
    if sigma == 0:
        return picture
    side = float(np.exp(-0.5 / sigma**2))
    middle, side = np.float32(1 / (1 + 2 * side)), np.float32(side / (1 + 2 * side))
    for axis in (1, 2):
        result = middle * picture
        ahead, behind = [slice(None)] * 4, [slice(None)] * 4
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        result[tuple(behind)] += side * picture[tuple(ahead)]
        result[tuple(ahead)] += side * picture[tuple(behind)]
        ends = [slice(None)] * 4
        for end in (0, -1):
            ends[axis] = end
            result[tuple(ends)] += side * picture[tuple(ends)]
        picture = result
    return picture
