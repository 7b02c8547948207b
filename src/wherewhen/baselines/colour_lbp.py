"""Colour and texture of horizontal stripes: what RankSVM ranks in Table VI.

B. Prosser, W.-S. Zheng, S. Gong, T. Xiang: Person Re-Identification by Support Vector Ranking. BMVC
2010, take histograms of several colour spaces in six stripes. Their texture filters are replaced by
local binary patterns (T. Ojala, M. Pietikainen, T. Maenpaa. PAMI 24, 2002), as the paper of this
project has it (Section V-F, "Color, LBP").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wherewhen.baselines.base import Baseline
from wherewhen.baselines.pixels import grey, intervals, to_size

COLOUR_SPACES = {
    "rgb": None,
    "hsv": "COLOR_RGB2HSV_FULL",
    "ycrcb": "COLOR_RGB2YCrCb",
    "lab": "COLOR_RGB2LAB",
}
"""OpenCV's conversion to each colour space; all give three channels from 0 to 255."""


def stripe_histograms(
    frames: np.ndarray,
    stripes: int = 6,
    bins: int = 16,
    colour_spaces: Sequence[str] = ("rgb", "hsv", "ycrcb"),
    points: int = 8,
    radius: float = 1.0,
) -> np.ndarray:
    """Describe every frame by histograms of its stripes.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB, any size: they are brought to 64 x 128 first.
    stripes
        Horizontal stripes, equal as far as 128 rows allow.
    bins
        Bins of a colour channel's histogram.
    colour_spaces
        Names of `COLOUR_SPACES`, three histograms each.
    points, radius
        Neighbours of a pixel that make its local binary pattern, and how far they are, in pixels.
        Uniform patterns have a bin each, all others share one: P (P - 1) + 3 bins.

    Returns
    -------
    numpy.ndarray
        float64, [T, stripes, F] with F = 3 x spaces x bins + patterns; each histogram sums to 1.
    """
    frames = to_size(frames)
    channels = [_coloured(frames, name) for name in colour_spaces]
    codes = np.concatenate(channels, axis=3).astype(np.int64) * bins // 256
    patterns, kinds = _patterns(grey(frames), points, radius)
    described = []
    for top, bottom in intervals(frames.shape[1], stripes):
        colours = _histograms(codes[:, top:bottom], bins)
        texture = _histograms(patterns[:, top:bottom, :, None], kinds)
        described.append(np.concatenate([colours, texture], axis=1))
    return np.stack(described, axis=1)


class ColourLBP(Baseline):
    """Histograms of colours and of local binary patterns in horizontal stripes, frames' mean.

    There is nothing to learn; the paper has RankSVM learn from it (metric ``rank_svm``).

    Parameters
    ----------
    stripes, bins, colour_spaces, points, radius
        See `stripe_histograms`. Six stripes of 16 bins as in Prosser et al.; with the defaults a
        vector has 6 x (9 x 16 + 59) = 1,218 entries.
    """

    def __init__(
        self,
        stripes: int = 6,
        bins: int = 16,
        colour_spaces: Sequence[str] = ("rgb", "hsv", "ycrcb"),
        points: int = 8,
        radius: float = 1.0,
    ):
        check_stripes(stripes, bins, colour_spaces)
        self.options = {
            "stripes": stripes,
            "bins": bins,
            "colour_spaces": tuple(colour_spaces),
            "points": points,
            "radius": radius,
        }

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """Average `stripe_histograms` over frames; stripe by stripe from the top."""
        return stripe_histograms(frames, **self.options).mean(axis=0).ravel()


def check_stripes(stripes: int, bins: int, colour_spaces: Sequence[str]) -> None:
    """Refuse options of `stripe_histograms` that make no histograms.

    Raises
    ------
    ValueError
        If one is out of range or unknown.
    """
    if not 1 <= stripes <= 128:
        raise ValueError(f"stripes is {stripes}: expected 1 to 128, the rows of a frame")
    if not 2 <= bins <= 256:
        raise ValueError(f"bins is {bins}: expected 2 to 256, the values of a channel")
    unknown = sorted(set(colour_spaces) - set(COLOUR_SPACES))
    if unknown or not colour_spaces:
        raise ValueError(
            f"colour_spaces holds {', '.join(unknown) or 'nothing'}: expected some of "
            + ", ".join(COLOUR_SPACES)
        )


def _coloured(frames: np.ndarray, space: str) -> np.ndarray:
    import cv2

    conversion = COLOUR_SPACES[space]
    if conversion is None:
        return frames
    return np.stack([cv2.cvtColor(frame, getattr(cv2, conversion)) for frame in frames])


def _patterns(frames: np.ndarray, points: int, radius: float) -> tuple[np.ndarray, int]:
    """Return the local binary pattern of every pixel as a number, and how many there can be."""
    from skimage.feature import local_binary_pattern

    patterns = [local_binary_pattern(frame, points, radius, "nri_uniform") for frame in frames]
    return np.stack(patterns).astype(np.int64), points * (points - 1) + 3


def _histograms(codes: np.ndarray, kinds: int) -> np.ndarray:
    """Count codes [T, H, W, C] below `kinds` a frame and channel: [T, C kinds], sums of 1."""
    count, height, width, channels = codes.shape
    place = np.arange(count)[:, None] * channels + np.arange(channels)
    flat = place[:, None, None, :] * kinds + codes
    counts = np.bincount(flat.ravel(), minlength=count * channels * kinds)
    return counts.reshape(count, channels * kinds) / (height * width)
