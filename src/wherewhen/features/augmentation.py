"""Augmentation of frames: variants that are drawn once, by seed and name.

Cubes are made once, so a frame can't be changed anew at every step of the training.  Instead every
frame is stored in N variants, of which training draws one a sequence; or nothing is stored, and
what is drawn is made (``extract.tracklets: none``).  What a variant does to a frame depends on the
seed and on the frame's name alone: extraction can stop, go on, and be repeated elsewhere.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from wherewhen.tracklets.fingerprint import fingerprint


class View(NamedTuple):
    """What of a frame is seen: a box, in shares of its height and width, and from which side."""

    top: float
    left: float
    height: float
    width: float
    mirrored: bool

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
        return image[np.ix_(rows, columns[::-1] if self.mirrored else columns)]


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
        return View(top, left, *sides.tolist(), self.mirror and bool(draws.random() < 0.5))
