"""Scores of linked tracklets: how well groups and persons agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def link_scores(
    persons: ArrayLike, groups: ArrayLike, lengths: ArrayLike | None = None
) -> dict[str, float]:
    """Score groups of tracklets against the persons that they show.

    Parameters
    ----------
    persons, groups : array_like [N]
        The person and the group of each tracklet.
    lengths : array_like of int [N], optional
        Frames of each; None: all weigh alike.

    Returns
    -------
    dict of str to float
        ``pairwise precision``: of the pairs of tracklets in one group, the share that shows one
        person (NaN if no group has two tracklets). ``pairwise recall``: of the pairs of one person,
        the share in one group (NaN if no person has two). ``pairwise F1``: their harmonic mean.
        ``IDF1``: frames weigh, not pairs. Groups and persons are matched one to one such that the
        most frames belong to matched ones, by the Hungarian method; it is the share of these
        frames. All frames are in tracklets here, so the identification precision and recall equal
        it.

    Raises
    ------
    ValueError
        If there is no tracklet, or the arrays differ in length.

    Notes
    -----
    IDF1: E. Ristani, F. Solera, R. Zou, R. Cucchiara, C. Tomasi: Performance Measures and a Data
    Set for Multi-Target, Multi-Camera Tracking. ECCV Workshops, 2016, equations 8 to 10.

    Examples
    --------
    >>> scores = link_scores(["anna", "anna", "anna", "bert"], [1, 1, 2, 2], [10, 10, 20, 10])
    >>> {name: round(value, 2) for name, value in scores.items()}
    {'pairwise precision': 0.5, 'pairwise recall': 0.33, 'pairwise F1': 0.4, 'IDF1': 0.6}
    """
    persons, groups = np.asarray(persons), np.asarray(groups)
    lengths = np.ones(len(persons)) if lengths is None else np.asarray(lengths)
    if not len(persons) or not len(persons) == len(groups) == len(lengths):
        raise ValueError(
            f"{len(persons)} persons, {len(groups)} groups, {len(lengths)} lengths: expected one "
            "of each for every tracklet"
        )
    person, group = (np.unique(each, return_inverse=True)[1] for each in (persons, groups))
    both = np.unique(np.stack([person, group]), axis=1, return_inverse=True)[1]
    right, linked, true = (_pairs(each) for each in (both, group, person))
    return {
        "pairwise precision": right / linked if linked else float("nan"),
        "pairwise recall": right / true if true else float("nan"),
        "pairwise F1": 2 * right / (linked + true) if linked + true else float("nan"),
        "IDF1": _matched(person, group, lengths) / float(lengths.sum()),
    }


def _pairs(labels: np.ndarray) -> int:
    """Count the pairs with equal labels."""
    counts = np.bincount(labels)
    return int((counts * (counts - 1) // 2).sum())


def _matched(person: np.ndarray, group: np.ndarray, lengths: np.ndarray) -> float:
    """Return the most frames of persons and groups that are matched one to one."""
    from scipy.optimize import linear_sum_assignment

    frames = np.zeros((person.max() + 1, group.max() + 1))
    np.add.at(frames, (person, group), lengths)
    return float(frames[linear_sum_assignment(frames, maximize=True)].sum())
