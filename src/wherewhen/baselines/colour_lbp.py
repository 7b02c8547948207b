"""Colour and texture of horizontal stripes, to which the paper applies RankSVM (Table VI).

B. Prosser, W.-S. Zheng, S. Gong, T. Xiang: Person Re-Identification by Support Vector Ranking. BMVC
2010, take histograms of several colour spaces in six stripes. Their texture filters are replaced by
local binary patterns (T. Ojala, M. Pietikainen, T. Maenpaa. PAMI 24, 2002), as in the paper of this
project (Section V-F, "Color, LBP").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.feature import local_binary_pattern

from wherewhen.baselines.base import Baseline
from wherewhen.baselines.pixels import grey, intervals, to_size

COLOUR_SPACES = {
    "rgb": None,
    "hsv": cv2.COLOR_RGB2HSV_FULL,
    "ycrcb": cv2.COLOR_RGB2YCrCb,
    "lab": cv2.COLOR_RGB2LAB,
}
"""OpenCV's conversion to each colour space; all give three channels from 0 to 255."""


@dataclass(eq=False, kw_only=True)
class ColourLBP(Baseline):
    """Histograms of colours and of local binary patterns in horizontal stripes.

    Parameters
    ----------
    stripes : int
        Horizontal stripes, equal as far as 128 rows allow.
    bins : int
        Bins of the histogram of a colour channel.
    colour_spaces : sequence of str
        Keys of `COLOUR_SPACES`, three histograms each.
    points : int
        Neighbours P of a pixel that make its local binary pattern. Uniform patterns have a bin
        each, all others share one: P (P - 1) + 3 bins.
    radius : float
        Distance of the neighbours, in pixels.

    Raises
    ------
    ValueError
        If an option is out of range or unknown.

    See Also
    --------
    wherewhen.metric_learning.RankSVM : Learns from these vectors in the paper.

    Examples
    --------
    >>> frames = np.zeros((4, 128, 64, 3), np.uint8)
    >>> ColourLBP().describe(frames).shape  # 6 x (9 x 16 + 59)
    (1218,)
    """

    stripes: int = 6
    bins: int = 16
    colour_spaces: Sequence[str] = ("rgb", "hsv", "ycrcb")
    points: int = 8
    radius: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.stripes <= 128:
            raise ValueError(f"stripes is {self.stripes}: expected 1 to 128, the rows of a frame")
        if not 2 <= self.bins <= 256:
            raise ValueError(f"bins is {self.bins}: expected 2 to 256, the values of a channel")
        unknown = sorted(set(self.colour_spaces) - set(COLOUR_SPACES))
        if unknown or not self.colour_spaces:
            raise ValueError(
                f"colour_spaces holds {', '.join(unknown) or 'nothing'}: expected some of "
                + ", ".join(COLOUR_SPACES)
            )

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Mean of `histograms` over the frames: float64 [stripes F], from the top stripe down."""
        return self.histograms(frames).mean(axis=0).ravel()

    def histograms(self, frames: np.ndarray) -> np.ndarray:
        """Compute the histograms of every frame.

        Parameters
        ----------
        frames : numpy.ndarray, uint8 [T, H, W, 3]
            RGB, any size: they are resized to 64 x 128.

        Returns
        -------
        numpy.ndarray, float64 [T, stripes, F]
            F = 3 x colour spaces x bins + patterns; each histogram sums to 1.
        """
        frames = to_size(frames)
        channels = [_converted(frames, COLOUR_SPACES[name]) for name in self.colour_spaces]
        colours = np.concatenate(channels, axis=3).astype(np.int64) * self.bins // 256
        patterns, kinds = _patterns(grey(frames), self.points, self.radius)
        stripes = [
            np.concatenate(
                [
                    _histograms(colours[:, top:bottom], self.bins),
                    _histograms(patterns[:, top:bottom, :, None], kinds),
                ],
                axis=1,
            )
            for top, bottom in intervals(frames.shape[1], self.stripes)
        ]
        return np.stack(stripes, axis=1)


def _converted(frames: np.ndarray, conversion: int | None) -> np.ndarray:
    if conversion is None:
        return frames
    return np.stack([cv2.cvtColor(frame, conversion) for frame in frames])


def _patterns(frames: np.ndarray, points: int, radius: float) -> tuple[np.ndarray, int]:
    """Return the number of every pixel's local binary pattern, and how many there can be."""
    patterns = [local_binary_pattern(frame, points, radius, "nri_uniform") for frame in frames]
    return np.stack(patterns).astype(np.int64), points * (points - 1) + 3


def _histograms(codes: np.ndarray, kinds: int) -> np.ndarray:
    """Histograms [T, C kinds] of codes [T, H, W, C] below `kinds`, by frame and channel."""
    count, height, width, channels = codes.shape
    place = np.arange(count)[:, None] * channels + np.arange(channels)
    flat = place[:, None, None, :] * kinds + codes
    counts = np.bincount(flat.ravel(), minlength=count * channels * kinds)
    return counts.reshape(count, channels * kinds) / (height * width)
