"""Augmentation of frames: variants that are drawn once, by seed and name.

Cubes are made once, so a frame can't be changed anew at every step of the training.  Instead every
frame is stored in N variants, of which training draws one a sequence; or nothing is stored, and
what is drawn is made (``extract.tracklets: none``).  What a variant does to a frame depends on the
seed and on the frame's name alone: extraction can stop, go on, and be repeated elsewhere.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from wherewhen.tracklets.fingerprint import fingerprint

GREY = (124, 116, 104)
"""ImageNet's mean colour: 0 after a backbone's normalisation."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of the colours in brightness (ITU-R BT.601)."""


class Colours(NamedTuple):
    """Factors on what an image's colours are like; 1 leaves them."""

    brightness: float
    contrast: float
    saturation: float

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Change an image [H, W, 3]: brightness, then contrast, then saturation."""
        pixels = image.astype(np.float64) * self.brightness
        mean = (pixels @ LUMA).mean()
        pixels = mean + self.contrast * (pixels - mean)
        grey = (pixels @ LUMA)[..., None]
        pixels = grey + self.saturation * (pixels - grey)
        return pixels.round().clip(0, 255).astype(np.uint8)


class Box(NamedTuple):
    """A box in an image, in shares of its height and width."""

    top: float
    left: float
    height: float
    width: float


class View(NamedTuple):
    """What of a frame is seen: a box, in shares of its height and width, and from which side."""

    top: float
    left: float
    height: float
    width: float
    mirrored: bool
    colours: Colours | None = None
    """How its colours are changed."""
    erased: Box | None = None
    """What of the view is covered, by grey."""

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the view out of an image; what lies beyond its border repeats the border.

        Parameters
        ----------
        image
            Shape [H, W, 3].

        Returns
        -------
        ndarray
            Shape [height * H, width * W, 3], rounded.
        """
        rows, columns = (
            np.clip(round(first * length) + np.arange(round(share * length)), 0, length - 1)
            for first, share, length in zip(self[:2], self[2:4], image.shape, strict=False)
        )
        seen = image[np.ix_(rows, columns[::-1] if self.mirrored else columns)]
        if self.colours is not None:
            seen = self.colours.of(seen)
        if self.erased is not None:
            rows, columns = (
                slice(round(first * length), round((first + share) * length))
                for first, share, length in zip(
                    self.erased[:2], self.erased[2:], seen.shape, strict=False
                )
            )
            seen = seen.copy()
            seen[rows, columns] = GREY
        return seen


PLAIN = View(0.0, 0.0, 1.0, 1.0, False)


class Augmentation(BaseModel):
    """Which variants of a frame are stored: variant 0 is the plain frame, the others are drawn.

    Source: "Where-and-When to Look", section V-B (crops, mirroring, translations of 5 %).
    How far it crops, and N, are not said there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    variants: int = Field(1, ge=1, le=10_000)
    """N, with the plain frame; disk and time grow with it where cubes are stored."""
    mirror: bool = False
    """Mirror half of the drawn variants, as the paper does."""
    translation: float = Field(0.05, ge=0, le=0.5)
    """The view's centre moves by up to this share of height and width."""
    crop: float = Field(0.05, ge=0, lt=1)
    """The view's height and width shrink, each by up to this share."""
    colour: float = Field(0.0, ge=0, lt=1)
    """Brightness, contrast and saturation change, each by a factor of up to 1 plus or minus this.
    Not in the paper."""
    erase: float = Field(0.0, ge=0, le=1)
    """Share of the drawn variants of which a box is covered: 2 to 40 % of the view, of a height
    0.3 to 3.3 times its width in shares of the view's, in the mean colour of ImageNet (random
    erasing: Zhong et al. 2020). Not in the paper."""
    each: Literal["tracklet", "frame"] = "tracklet"
    """Whether all frames of a tracklet move alike, so that a walk stays a walk, or each anew."""
    seed: int = Field(0, ge=0)
    """Seed of the draws."""

    def view(self, tracklet: str, position: int, variant: int) -> View:
        """Draw the view of one frame.

        Parameters
        ----------
        tracklet, position
            The frame: its tracklet's name and its place in it.
        variant
            0 to ``variants - 1``.

        Returns
        -------
        View
            The same for the same arguments, everywhere.
        """
        if variant == 0:
            return PLAIN
        frame = position if self.each == "frame" else None
        draws = np.random.default_rng(int(fingerprint([self.seed, tracklet, frame, variant]), 16))
        sides = 1 - draws.uniform(0, self.crop, 2)
        centre = 0.5 + draws.uniform(-self.translation, self.translation, 2)
        top, left = (centre - sides / 2).tolist()
        view = View(top, left, *sides.tolist(), self.mirror and bool(draws.random() < 0.5))
        return view._replace(colours=self._colours(draws), erased=self._erased(draws))

    @property
    def identity(self) -> dict[str, Any]:
        """What the variants depend on; JSON can hold it."""
        if self.variants == 1:
            return {"variants": 1}
        # what is off is left out, as in the keys of earlier stores
        off = {name for name in ("colour", "erase") if not getattr(self, name)}
        return self.model_dump(exclude=off)

    def _colours(self, draws: np.random.Generator) -> Colours | None:
        if not self.colour:
            return None
        return Colours(*(1 + draws.uniform(-self.colour, self.colour, 3)).tolist())

    def _erased(self, draws: np.random.Generator) -> Box | None:
        if not self.erase or draws.random() >= self.erase:
            return None
        area, ratio = draws.uniform(0.02, 0.4), np.exp(draws.uniform(*np.log([0.3, 1 / 0.3])))
        sides = np.minimum(np.sqrt([area * ratio, area / ratio]), 1)
        return Box(*(draws.random(2) * (1 - sides)).tolist(), *sides.tolist())
