"""Variants, of the features room: augmented cubes under names of their own.

Whoever draws clips names a tracklet and a window.  `Variants` makes a tracklet of every variant of
a tracklet, so that drawing a variant is drawing a name, and nothing else has to know of variants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class VariantReader(Protocol):
    """What is needed of a cube store."""

    variants: int
    lengths: Mapping[str, int]

    def read(
        self, tracklet: str, start: int = 0, stop: int | None = None, *, variant: int = 0
    ) -> NDArray[np.float16]:
        """Read the cubes of a window of one variant, [stop - start, K, K, D]."""


class Variants:
    """Every variant of every tracklet, as tracklets.

    Parameters
    ----------
    reader
        A cube store; one that knows no variants has one.
    flip
        Also offer every variant's cubes with left and right exchanged.  That costs nothing, but is
        not what a mirrored frame's cubes are (they differ by some 46 % for GoogLeNet): a network
        does not see left and right alike.
    stored
        Whether to offer the stored variants; false offers the plain ones alone.

    Attributes
    ----------
    count : int
        Variants of a tracklet, the plain one included.
    reads_into : bool
        Whether `read` takes a buffer.
    """

    def __init__(self, reader: VariantReader, flip: bool = False, stored: bool = True):
        self._reader = reader
        self._stored = getattr(reader, "variants", 1) if stored else 1
        self.count = self._stored * (2 if flip else 1)
        self.reads_into = getattr(reader, "reads_into", False)
        self.lengths = {
            self.name(tracklet, variant): length
            for tracklet, length in reader.lengths.items()
            for variant in range(self.count)
        }
        self._known = {
            self.name(tracklet, variant): (tracklet, variant)
            for tracklet in reader.lengths
            for variant in range(self.count)
        }

    @staticmethod
    def name(tracklet: str, variant: int) -> str:
        """Name a variant of a tracklet; the plain one keeps the tracklet's name."""
        return f"{tracklet} variant {variant}" if variant else tracklet

    def keeps(self, name: str) -> bool:
        """Whether a tracklet's cubes are read, and not made when they are asked for."""
        keeps = getattr(self._reader, "keeps", None)
        return keeps is None or keeps(self._known[name][0])

    def read(
        self,
        name: str,
        start: int = 0,
        stop: int | None = None,
        out: NDArray[np.float16] | None = None,
    ) -> NDArray[np.float16]:
        """Read the cubes of a window.

        Parameters
        ----------
        name
            As `name` gives it.
        start, stop
            First frame and the one after the last; None reads to the end.
        out
            Buffer to fill, where the reader can (``reads_into``).

        Returns
        -------
        ndarray
            float16, shape [stop - start, K, K, D].
        """
        tracklet, variant = self._known[name]
        options = {} if self._stored == 1 else {"variant": variant % self._stored}
        if variant < self._stored:
            options |= {} if out is None else {"out": out}
            return self._reader.read(tracklet, start, stop, **options)
        # [T, height, width, D]: the width is turned round
        flipped = self._reader.read(tracklet, start, stop, **options)[:, :, ::-1]
        if out is None:
            return np.ascontiguousarray(flipped)
        out[:] = flipped
        return out
