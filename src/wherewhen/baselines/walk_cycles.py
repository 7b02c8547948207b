"""Walk cycles: the steps of a person in a clip, found by the motion of the legs.

The flow energy profile (FEP) of Wang et al., "Person Re-Identification by Video Ranking", ECCV
2014, is the motion of the lower half of the body by frame. It has one period a step; two steps are
a cycle. As in Liu et al., "A Spatio-Temporal Appearance Representation for Video-Based Pedestrian
Re-Identification", ICCV 2015, only frequencies around the strongest one in the range of steps are
kept, so that minima are steps and not noise. Section V-E of the paper names both.

Deviations: the flow is OpenCV's dense inverse search. The median flow of each frame is subtracted,
because the box around a person is not steady. The frequencies are those of a cosine transform,
which does not assume that a clip is periodic. A cycle starts at every minimum, also at those of the
other leg's step, because the legs cannot be told apart; none starts at a maximum.

A clip without a whole cycle is one fragment. At 25 frames a second a cycle has about 25 frames, and
many tracklets are shorter; their fragments are not aligned in phase.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from scipy.fft import dct, idct
from scipy.signal import argrelmin

from wherewhen.baselines.pixels import grey

STEP_FRAMES = (8, 20)
"""Frames of the fastest and of the slowest step, at 25 frames a second."""

_AROUND = 1.3
"""Ratio of periods, both ways, within which frequencies are kept."""

_RIPPLE = 0.01
"""Smallest range of the filtered profile that is walking, as a share of the profile's mean."""


def flow_energy(frames: np.ndarray) -> np.ndarray:
    """Compute the flow energy profile, float64 [T], of frames, uint8 [T, H, W, 3] in RGB.

    It is the mean length of the optical flow in the lower half, in pixels: the mean of the flow
    from the frame before and of that to the frame after.
    """
    if len(frames) == 1:
        return np.zeros(1)
    legs = grey(frames[:, frames.shape[1] // 2 :])
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    between = []
    for before, after in pairwise(legs):
        flow = engine.calc(before, after, None)
        between.append(np.linalg.norm(flow - np.median(flow, axis=(0, 1)), axis=-1).mean())
    return (np.array([between[0], *between]) + np.array([*between, between[-1]])) / 2


def regular_energy(energy: np.ndarray, step_frames: tuple[int, int] = STEP_FRAMES) -> np.ndarray:
    """Filter a flow energy profile [T] to the frequencies of steps, float64 [T] with mean 0.

    `step_frames` are the frames of the fastest and of the slowest step. Where nobody walks the
    result is 0 throughout.

    Raises
    ------
    ValueError
        Unless 2 <= fastest < slowest.
    """
    shortest, longest = step_frames
    if not 2 <= shortest < longest:
        raise ValueError(f"step_frames are {list(step_frames)}: expected 2 <= fastest < slowest")
    energy = np.asarray(energy, np.float64)
    period = _step_period(energy, shortest, longest)
    waves = dct(energy, norm="ortho")
    periods = 2 * len(energy) / np.maximum(np.arange(len(energy)), 1e-9)
    near = (period / _AROUND <= periods) & (periods <= period * _AROUND)
    kept = idct(np.where(near, waves, 0.0), norm="ortho")
    return kept if np.ptp(kept) > _RIPPLE * np.mean(energy) else np.zeros(len(energy))


def _step_period(energy: np.ndarray, shortest: int, longest: int) -> float:
    """Return the strongest period in between, whether or not it divides the clip."""
    periods = np.linspace(shortest, longest, 100)
    faded = (energy - energy.mean()) * np.hanning(len(energy) + 2)[1:-1]
    waves = np.exp(2j * np.pi * np.arange(len(energy)) / periods[:, None])
    return periods[np.abs(waves @ faded).argmax()]


def walk_cycles(
    energy: np.ndarray, step_frames: tuple[int, int] = STEP_FRAMES
) -> list[tuple[int, int]]:
    """Find the walk cycles of a flow energy profile; arguments are those of `regular_energy`.

    Start and stop (excluded) of each are returned, from a minimum of the filtered profile to the
    next but one; the whole clip where there is none.
    """
    (minima,) = argrelmin(regular_energy(energy, step_frames))
    cycles = [(int(start), int(stop)) for start, stop in zip(minima, minima[2:], strict=False)]
    return cycles or [(0, len(energy))]
