"""Where and when, measured: attention and frame weights against what is known of every pixel.

Rendered footage says which pixels show the person and which an occluder
(`wherewhen.synthetic.truth`). A measure comes with the value that a network would reach that looks
nowhere in particular. It is all arrays; nothing here knows networks or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

VARIES = 0.05
"""How far apart the least and the greatest visible share of a tracklet are, at least, for its frame
weights to be compared with them."""


class Measured(NamedTuple):
    """A measure, its value by chance, and what it is a mean of."""

    value: float
    """The measure; NaN if nothing entered."""
    chance: float
    """What attention or weights that prefer nothing would have."""
    count: int
    """The frames or tracklets that entered."""


class Foreign(NamedTuple):
    """A run of frames of one tracklet that replaces as many of another."""

    tracklet: str
    """Whose frames come in."""
    start: int
    """The first of them, in their tracklet."""
    at: int
    """The first that they replace."""
    frames: int
    """How many."""


def cell_shares(covered: ArrayLike, rows: int, columns: int) -> NDArray[np.float64]:
    """Average maps over the cells of a grid that is laid over the frame.

    Parameters
    ----------
    covered : array_like [..., H, W]
        Share of each pixel, 0 to 1.
    rows, columns : int
        Cells of the grid. Pixels on the border of two cells count for both, by area, so that any
        grid is exact.

    Returns
    -------
    numpy.ndarray
        float64 [..., rows, columns].

    Examples
    --------
    >>> cell_shares([[1, 0, 0], [1, 0, 0]], 1, 2).round(3).tolist()
    [[0.667, 0.0]]
    """
    covered = np.asarray(covered, dtype=np.float64)
    height, width = covered.shape[-2:]
    return _overlaps(rows, height) @ covered @ _overlaps(columns, width).T


def weight_on(
    attention: Sequence[NDArray], shares: Sequence[NDArray], shown: Sequence[NDArray]
) -> Measured:
    """Measure how much of the attention lies on something, against its share of the area.

    Parameters
    ----------
    attention : sequence of numpy.ndarray
        Of each tracklet [n, rows, columns], m of Eq 3, summing to 1 over a frame.
    shares : sequence of numpy.ndarray
        Of each tracklet [n, rows, columns], the share of each cell that the person, or an occluder,
        covers: attention counts as spread evenly over its cell.
    shown : sequence of numpy.ndarray
        Of each tracklet bool [n], the frames that enter.

    Returns
    -------
    Measured
        Means over these frames of all tracklets; `chance`: the mean share of the area.

    Examples
    --------
    >>> weight_on([np.array([[[0.75, 0.25]]])], [np.array([[[1.0, 0.0]]])], [np.array([True])])
    Measured(value=0.75, chance=0.5, count=1)
    """
    return _over_frames(lambda maps, cells: (maps * cells).sum((1, 2)), attention, shares, shown)


def pointing_game(
    attention: Sequence[NDArray], shares: Sequence[NDArray], shown: Sequence[NDArray]
) -> Measured:
    """Measure how often the strongest cell of a frame points at the person.

    A cell that the person covers in part counts for the covered part: it is the chance that a point
    in the cell is on the person. Where several cells are the strongest, they are averaged, so that
    uniform attention scores what chance does.

    Parameters
    ----------
    attention, shares, shown
        As for `weight_on`.

    Returns
    -------
    Measured
        `chance`: the same for a cell drawn at random, which is the mean share of the area.

    Notes
    -----
    Source: Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, Section
    4.1. There a hit is a maximum within 15 pixels of the object; a cell is larger than that.

    Examples
    --------
    >>> pointing_game([np.array([[[0.6, 0.4]]])], [np.array([[[0.5, 0.3]]])], [np.array([True])])
    Measured(value=0.5, chance=0.4, count=1)
    """

    def hit(maps: NDArray, cells: NDArray) -> NDArray:
        strongest = maps == maps.max((1, 2), keepdims=True)
        return (cells * strongest).sum((1, 2)) / strongest.sum((1, 2))

    return _over_frames(hit, attention, shares, shown)


def visibility_correlation(weights: Sequence[NDArray], visible: Sequence[NDArray]) -> Measured:
    """Correlate frame weights with how much of the person each frame shows.

    Parameters
    ----------
    weights : sequence of numpy.ndarray
        Of each tracklet [n], alpha of Eq 6.
    visible : sequence of numpy.ndarray
        Of each tracklet [n], visible share of the person; frames with NaN are left out.

    Returns
    -------
    Measured
        The mean over tracklets of Spearman's rank correlation inside each. Tracklets enter whose
        visible share varies by `VARIES` or more; one of constant weights enters with 0, because
        its weights tell nothing. `chance` is 0.

    Examples
    --------
    >>> visibility_correlation([np.array([0.2, 0.3, 0.5])], [np.array([0.4, 0.6, 1.0])]).value
    1.0
    """
    found = []
    for each, share in zip(weights, visible, strict=True):
        known = ~np.isnan(share)
        if known.any() and np.ptp(share[known]) >= VARIES:
            found.append(_spearman(each[known], share[known]))
    return Measured(float(np.mean(found)) if found else np.nan, 0.0, len(found))


def draw_foreign(
    lengths: Mapping[str, int],
    persons: Mapping[str, str],
    cameras: Mapping[str, str],
    seed: int,
    share: float = 1 / 3,
) -> dict[str, Foreign]:
    """Draw for each tracklet somebody else, whose frames replace a part of its own.

    As where a tracker jumps to another person for a while: the frames are a run, of a tracklet of
    the same camera.

    Parameters
    ----------
    lengths, persons, cameras : mapping
        Frames, person and camera by tracklet.
    seed : int
        Decides whose frames, which, and where.
    share : float
        Share of the frames that are replaced, rounded; fewer if the other tracklet has fewer.

    Returns
    -------
    dict of str to Foreign
        Without the tracklets that are too short, or whose camera shows nobody else.

    Examples
    --------
    >>> lengths, persons = {"a/1": 9, "a/2": 6}, {"a/1": "1", "a/2": "2"}
    >>> drawn = draw_foreign(lengths, persons, {"a/1": "a", "a/2": "a"}, seed=0)
    >>> [(each.tracklet, each.frames) for each in drawn.values()]
    [('a/2', 3), ('a/1', 2)]
    """
    generator = np.random.default_rng(seed)
    drawn = {}
    for tracklet, length in lengths.items():
        others = [
            other
            for other in lengths
            if cameras[other] == cameras[tracklet] and persons[other] != persons[tracklet]
        ]
        if not others:
            continue
        other = others[int(generator.integers(len(others)))]
        frames = min(round(share * length), lengths[other])
        if 0 < frames < length:
            start = int(generator.integers(lengths[other] - frames + 1))
            at = int(generator.integers(length - frames + 1))
            drawn[tracklet] = Foreign(other, start, at, frames)
    return drawn


def weight_on_foreign(weights: Sequence[NDArray], foreign: Sequence[Foreign]) -> Measured:
    """Measure how much of the frame weights lies on somebody else's frames.

    Parameters
    ----------
    weights : sequence of numpy.ndarray
        Of each tracklet [n], alpha of Eq 6.
    foreign : sequence of Foreign
        Of each tracklet.

    Returns
    -------
    Measured
        The mean over tracklets; `chance`: the mean share of frames that are somebody else's.

    Examples
    --------
    >>> weight_on_foreign([np.array([0.5, 0.25, 0.25])], [Foreign("b", 0, at=1, frames=1)])
    Measured(value=0.25, chance=0.3333333333333333, count=1)
    """
    if not weights:
        return Measured(np.nan, np.nan, 0)
    pairs = list(zip(weights, foreign, strict=True))
    on = [each[run.at : run.at + run.frames].sum() for each, run in pairs]
    chance = [run.frames / len(each) for each, run in pairs]
    return Measured(float(np.mean(on)), float(np.mean(chance)), len(weights))


def _overlaps(cells: int, pixels: int) -> NDArray[np.float64]:
    """Return the weights of pixels in the mean over each cell, [cells, pixels]."""
    edges = np.arange(cells + 1)[:, None] * pixels / cells
    inside = np.clip(edges - np.arange(pixels), 0, 1)  # of each pixel, what lies before the edge
    return np.diff(inside, axis=0) * cells / pixels


def _over_frames(measure, *arrays: Iterable[NDArray]) -> Measured:
    values, chances = [], []
    for maps, cells, chosen in zip(*arrays, strict=True):
        values.append(measure(maps[chosen], cells[chosen]))
        chances.append(cells[chosen].mean((1, 2)))
    values, chances = np.concatenate(values or [[]]), np.concatenate(chances or [[]])
    if not len(values):
        return Measured(np.nan, np.nan, 0)
    return Measured(float(values.mean()), float(chances.mean()), len(values))


def _spearman(first: NDArray, second: NDArray) -> float:
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(each)) for each in (first, second)]
    if any(np.ptp(each) == 0 for each in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])
