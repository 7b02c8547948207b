"""Clips: which frames of a tracklet are looked at, in training, testing and metric learning.

Only numbers go in and out (lengths, starts, positions), so the same rules serve frames, cubes and
tables. Positions count from 0 inside a tracklet; a stop is excluded, as in Python's slices.
"""

from __future__ import annotations

import numpy as np

from wherewhen.tracklets import ROLES


def training_window(length: int, frames: int, generator: np.random.Generator) -> int:
    """Draw the start of a training clip of consecutive frames.

    Parameters
    ----------
    length : int
        Frames in the tracklet, at least 1.
    frames : int
        Frames in a clip (T of the paper, 20 in Section V-B), at least 1.
    generator : numpy.random.Generator
        The source of randomness; advanced by one draw whatever the length, so that the length of
        one tracklet does not shift the draws for the next.

    Returns
    -------
    int
        A start, uniform over all windows that fit; 0 for a tracklet shorter than a clip, which
        `cyclic_positions` then fills up.
    """
    _at_least_one(length=length, frames=frames)
    return int(generator.random() * (max(length - frames, 0) + 1))


def spread_positions(length: int, frames: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the frames of a training clip from all over a tracklet: restricted random sampling.

    The tracklet is cut into as many equal parts as the clip has frames, and one frame of each is
    drawn.

    Parameters
    ----------
    length : int
        Frames in the tracklet, at least 1.
    frames : int
        Frames in a clip, at least 1.
    generator : numpy.random.Generator
        The source of randomness; advanced by `frames` draws whatever the length.

    Returns
    -------
    numpy.ndarray, int64 [n]
        Increasing, distinct positions; all of a tracklet that is shorter than a clip.

    Examples
    --------
    >>> spread_positions(6, 3, np.random.default_rng(0)).tolist()
    [1, 2, 4]

    References
    ----------
    Li et al. 2018, "Diversity Regularized Spatiotemporal Attention for Video-Based Person
    Re-Identification", restricted random sampling.
    """
    _at_least_one(length=length, frames=frames)
    draws = generator.random(frames)
    if length <= frames:
        return np.arange(length, dtype=np.int64)
    edges = np.arange(frames + 1, dtype=np.int64) * length // frames
    return edges[:-1] + (draws * np.diff(edges)).astype(np.int64)


def cyclic_positions(start: int, stop: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill a clip of fixed length from a window, repeating a short one from its beginning.

    Parameters
    ----------
    start, stop : int
        The window inside the tracklet, ``0 <= start < stop``; of a longer one the first `frames`.
    frames : int
        Frames in the clip.

    Returns
    -------
    positions : numpy.ndarray, int64 [frames]
        The positions in the tracklet to read.
    mask : numpy.ndarray, bool [frames]
        True for frames, False for repeats, which pooling and penalty leave out
        (decision 19).
    """
    if not 0 <= start < stop:
        raise ValueError(f"window [{start}, {stop}) is empty: expected 0 <= start < stop")
    _at_least_one(frames=frames)
    steps = np.arange(frames, dtype=np.int64)
    return start + steps % (stop - start), steps < stop - start


def test_window(length: int, limit: int | None, role: str) -> tuple[int, int]:
    """Choose the frames by which a tracklet is represented in testing.

    Parameters
    ----------
    length : int
        Frames in the tracklet.
    limit : int or None
        The most frames to use (128 in Section V-C); None for all of them.
    role : {"probe", "gallery", "train"}
        Of a gallery tracklet the last `limit` frames are taken, of any other the first
        (the setting of RCN, which the paper follows; decision 24).

    Returns
    -------
    start, stop : int
        The window; `stop` is excluded.
    """
    _at_least_one(length=length)
    if role not in ROLES:
        raise ValueError(f"role {role!r} is unknown: expected one of {', '.join(ROLES)}")
    if limit is None:
        return 0, length
    _at_least_one(limit=limit)
    if role == "gallery":
        return max(length - limit, 0), length
    return 0, min(length, limit)


test_window.__test__ = False  # its name makes pytest take it for a test


def spread_windows(length: int, frames: int, count: int) -> np.ndarray:
    """Spread several clips evenly over a tracklet: the samples of metric learning.

    Parameters
    ----------
    length : int
        Frames in the tracklet.
    frames : int
        Frames in a clip.
    count : int
        The clips wanted.

    Returns
    -------
    numpy.ndarray, int64 [n]
        Increasing, distinct starts, from the first to the last window that fits (the middle one if
        one is wanted). There are fewer than `count` where the tracklet has no more windows: the
        same clip twice would be a pair without any difference, and pull covariances to zero.
    """
    _at_least_one(length=length, frames=frames, count=count)
    last = max(length - frames, 0)
    if count == 1:
        return np.array([last // 2], dtype=np.int64)
    return np.unique(np.arange(count, dtype=np.int64) * last // (count - 1))


def _at_least_one(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} is {value}: expected at least 1")
