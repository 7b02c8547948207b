"""Walk cycles: where in a clip a person's steps begin, by the motion of the legs.

The flow energy profile (FEP) of Wang et al., "Person Re-Identification by Video Ranking", ECCV
2014: how much the lower half of the body moves, frame by frame. It rises and falls once a step; two
steps are a cycle. Made regular as in Liu et al., "A Spatio-Temporal Appearance Representation for
Video-Based Pedestrian Re-Identification", ICCV 2015: of the profile's frequencies only those around
the strongest at which people step are kept, so that its minima are steps and not noise. Section V-E
of the paper names both.

Deviations. The flow is OpenCV's dense inverse search. Each frame's median flow is taken away first,
because the box around a person trembles. The frequencies are a cosine transform's, which does not
take the clip to begin where it ended. A cycle starts at every minimum, at those of the other leg's
step too: which leg is in front cannot be told. Maxima start none.

A clip without a whole cycle is one fragment, as it is. At 25 frames a second a cycle is about 25
frames, and many tracklets are shorter; their fragments are not aligned in phase.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.fft import dct, idct
from scipy.signal import argrelmin

from wherewhen.baselines.pixels import grey

STEP_FRAMES = (8, 20)
"""Frames that the fastest and the slowest step last, at 25 frames a second."""

_AROUND = 1.3
"""Steps that last so many times longer or shorter than this person's are somebody else's."""

_RIPPLE = 0.01
"""A profile that rises and falls by less than this share of its mean shows nobody walking."""


def flow_energy(frames: np.ndarray, legs_from: float = 0.5) -> np.ndarray:
    """Flow energy profile of a clip.

    Parameters
    ----------
    frames
        uint8, [T, H, W, 3], RGB.
    legs_from
        Share of the height, from the top, below which the legs are.

    Returns
    -------
    numpy.ndarray
        float64, [T]: mean length of the flow below there, in pixels. A frame's flow is the mean of
        those from the frame before and to the frame after.
    """
    import cv2

    if len(frames) == 1:
        return np.zeros(1)
    legs = grey(frames[:, int(legs_from * frames.shape[1]) :])
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    between = []
    for before, after in pairwise(legs):
        flow = engine.calc(before, after, None)
        between.append(np.linalg.norm(flow - np.median(flow, axis=(0, 1)), axis=-1).mean())
    return (np.array([between[0], *between]) + np.array([*between, between[-1]])) / 2


def regular_energy(energy: np.ndarray, step_frames: tuple[int, int] = STEP_FRAMES) -> np.ndarray:
    """Keep of a flow energy profile what is as fast as steps.

    Parameters
    ----------
    energy
        float, [T].
    step_frames
        Frames that the fastest and the slowest step last.

    Returns
    -------
    numpy.ndarray
        float64, [T], around 0; 0 throughout where nobody walks.

    Raises
    ------
    ValueError
        If the slowest step is no slower than the fastest, or that is no motion.
    """
    shortest, longest = step_frames
    if not 2 <= shortest < longest:
        raise ValueError(f"step_frames are {list(step_frames)}: expected 2 <= fastest < slowest")
    energy = np.asarray(energy, np.float64)
    lasts = _step(energy, shortest, longest)
    waves = dct(energy, norm="ortho")
    periods = 2 * len(energy) / np.maximum(np.arange(len(energy)), 1e-9)
    steps = (lasts / _AROUND <= periods) & (periods <= lasts * _AROUND)
    kept = idct(np.where(steps, waves, 0.0), norm="ortho")
    return kept if np.ptp(kept) > _RIPPLE * np.mean(energy) else np.zeros(len(energy))


def _step(energy: np.ndarray, shortest: int, longest: int) -> float:
    """Frames that this person's steps last: the strongest of the profile's periods in between."""
    # at any period, not at those alone that fit the clip a whole number of times
    periods = np.linspace(shortest, longest, 100)
    faded = (energy - energy.mean()) * np.hanning(len(energy) + 2)[1:-1]
    waves = np.exp(2j * np.pi * np.arange(len(energy)) / periods[:, None])
    return periods[np.abs(waves @ faded).argmax()]


def walk_cycles(
    energy: np.ndarray, step_frames: tuple[int, int] = STEP_FRAMES
) -> list[tuple[int, int]]:
    """Walk cycles of a flow energy profile.

    Parameters
    ----------
    energy
        float, [T].
    step_frames
        Frames that the fastest and the slowest step last.

    Returns
    -------
    list of (int, int)
        Start and stop (excluded) of each: from a minimum of the regular profile to the next but
        one. Where there is none, the clip.
    """
    (minima,) = argrelmin(regular_energy(energy, step_frames))
    cycles = [(int(start), int(stop)) for start, stop in zip(minima, minima[2:], strict=False)]
    return cycles or [(0, len(energy))]
