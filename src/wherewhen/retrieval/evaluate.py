"""Evaluation: ranks, CMC and mAP of a distance matrix under a protocol, and rankings as a table.

Ties are resolved by the order of the gallery, and counted: where a true match is as far away as
another person's tracklet, its rank depends on the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wherewhen.retrieval.average_precision import AVERAGE_PRECISIONS, MEASURES
from wherewhen.retrieval.cmc import cmc
from wherewhen.retrieval.labels import plain_values
from wherewhen.retrieval.nearest import nearest
from wherewhen.retrieval.task import Probe, Task

_COUNTED = 128
"""True matches up to which counting nearer tracklets is about as fast as sorting the gallery."""


@dataclass(frozen=True)
class Evaluation:
    """Ranks of the true matches and what follows from them.

    Attributes
    ----------
    protocol, average_precision : str
        The protocol and the definition of average precision.
    cmc : numpy.ndarray, float64 [max_rank]
        At index k - 1 the fraction of valid probes with a true match at rank k or better.
    mean_ap : float
        The mean of the average precisions over valid probes.
    first_ranks : numpy.ndarray, int64 [P]
        Every probe's rank of its best placed true match, from 1; 0 without one.
    average_precisions : numpy.ndarray, float64 [P]
        Every probe's average precision; NaN without a true match.
    ties : int
        True matches at exactly the distance of a tracklet of another person, so that their rank
        depends on the order of the gallery.
    match_ranks : tuple of numpy.ndarray
        For every probe the ranks of all its true matches, rising.

    See Also
    --------
    evaluate : Makes one.
    """

    protocol: str
    average_precision: str
    cmc: np.ndarray
    mean_ap: float
    first_ranks: np.ndarray
    average_precisions: np.ndarray
    ties: int
    match_ranks: tuple[np.ndarray, ...] = field(repr=False)

    @property
    def valid(self) -> np.ndarray:
        """Which probes have a true match, bool [P]. The others are in no mean."""
        return self.first_ranks > 0

    @property
    def probes_without_match(self) -> int:
        """How many probes are not valid."""
        return int((~self.valid).sum())

    def measures(self) -> dict[str, float]:
        """Return ``rank-1`` to ``rank-<max_rank>`` and ``mAP`` or ``mAP-trapezoid``, fractions."""
        ranks = {f"rank-{rank}": float(value) for rank, value in enumerate(self.cmc, start=1)}
        return ranks | {MEASURES[self.average_precision]: self.mean_ap}

    def average_precisions_by(self, definition: str) -> np.ndarray:
        """Compute `average_precisions` of the same ranks by either definition."""
        return _average_precisions(self.match_ranks, definition)


def evaluate(
    distances: ArrayLike,
    probe_persons: Sequence[str | int],
    gallery_persons: Sequence[str | int],
    probe_cameras: Sequence[str | int],
    gallery_cameras: Sequence[str | int],
    protocol: str = "single_match",
    average_precision: str = "mean_precision",
    max_rank: int = 20,
    gallery_junk: ArrayLike | None = None,
    gallery_queries: ArrayLike | None = None,
) -> Evaluation:
    """Evaluate a distance matrix (Section V-C).

    Parameters
    ----------
    average_precision : {"mean_precision", "trapezoid"}
        The definition of average precision.
    max_rank : int
        The last rank of the CMC curve.
    distances, probe_persons, gallery_persons, probe_cameras, gallery_cameras, protocol
        See `Task`.
    gallery_junk, gallery_queries
        See `Task`.

    Returns
    -------
    Evaluation
        The curve, the mean average precision and what each probe contributes.

    Raises
    ------
    ValueError
        If shapes do not fit, a distance is NaN, a label can't be compared, a name is unknown, the
        data contradict the protocol, or no probe has a true match.

    See Also
    --------
    wherewhen.retrieval.score : Also intervals and open-set measures.

    Examples
    --------
    >>> result = evaluate([[0.1, 0.3], [0.2, 0.4]], ["x", "y"], ["x", "y"], [1, 1], [2, 2])
    >>> result.first_ranks.tolist(), result.mean_ap
    ([1, 2], 0.75)
    """
    task = Task(
        distances,
        probe_persons,
        gallery_persons,
        probe_cameras,
        gallery_cameras,
        protocol,
        gallery_junk,
        gallery_queries,
    )
    return evaluate_task(task, average_precision, max_rank)


def evaluate_task(
    task: Task, average_precision: str = "mean_precision", max_rank: int = 20
) -> Evaluation:
    """Evaluate a task: `evaluate` without the checks that `Task` makes."""
    if average_precision not in AVERAGE_PRECISIONS:
        raise ValueError(
            f"no average precision {average_precision!r}: expected one of "
            + ", ".join(AVERAGE_PRECISIONS)
        )
    match_ranks, ties = [], 0
    for probe in task.probes():
        ranks, tied = _ranks_of(probe)
        match_ranks.append(ranks)
        ties += tied
    first_ranks = np.array([ranks[0] if len(ranks) else 0 for ranks in match_ranks], dtype=np.int64)
    valid = first_ranks > 0
    if not valid.any():
        raise ValueError(
            f"none of {len(valid)} probes has a true match under the protocol {task.rules.name}: "
            "expected persons that both probes and gallery contain; check the names and cameras"
        )
    average_precisions = _average_precisions(match_ranks, average_precision)
    return Evaluation(
        protocol=task.rules.name,
        average_precision=average_precision,
        cmc=cmc(first_ranks[valid], max_rank),
        mean_ap=float(average_precisions[valid].mean()),
        first_ranks=first_ranks,
        average_precisions=average_precisions,
        ties=ties,
        match_ranks=tuple(match_ranks),
    )


def rankings(
    task: Task,
    probe_ids: Sequence[str],
    gallery_ids: Sequence[str],
    max_rank: int | None = 20,
    all_matches: bool = False,
) -> pd.DataFrame:
    """List the ranking of every probe.

    Parameters
    ----------
    task : Task
        Distances, labels and protocol; what the protocol drops stands in no ranking.
    probe_ids, gallery_ids : array_like of str [P], [G]
        The names of the tracklets.
    max_rank : int or None
        The last rank to list; None for all, a table of P x G rows.
    all_matches : bool
        List true matches beyond `max_rank` too, at their ranks.

    Returns
    -------
    pandas.DataFrame
        Columns ``probe, rank, gallery, distance, correct``: the probes in their order, ranks from 1
        rising, ties in the order of the gallery, as in `evaluate`. Probes without a true match are
        listed too.

    Raises
    ------
    ValueError
        If names do not fit the matrix, or the data contradict the protocol.

    Examples
    --------
    >>> task = Task([[0.4, 0.1]], ["x"], ["x", "y"], ["1"], ["2", "2"])
    >>> rankings(task, ["1/x"], ["2/x", "2/y"]).gallery.tolist()
    ['2/y', '2/x']
    """
    if max_rank is not None and max_rank < 1:
        raise ValueError(f"max_rank is {max_rank}: expected at least 1, or None for all")
    probes, gallery = task.distances.shape
    probe_names = np.array(plain_values("probe_ids", probe_ids, probes), dtype=object)
    gallery_names = np.array(plain_values("gallery_ids", gallery_ids, gallery), dtype=object)
    ranks, places, correct = zip(
        *(_listed(probe, max_rank, all_matches) for probe in task.probes()), strict=True
    )
    rows = np.repeat(np.arange(probes), [len(each) for each in ranks])
    columns = task.columns[np.concatenate(places)]
    return pd.DataFrame(
        {
            "probe": probe_names[rows],
            "rank": np.concatenate(ranks),
            "gallery": gallery_names[columns],
            "distance": task.distances[rows, columns].astype(np.float64),
            "correct": np.concatenate(correct),
        }
    ).astype({"probe": str, "gallery": str})


def _listed(
    probe: Probe, max_rank: int | None, all_matches: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the listed ranks, their indices into the probe's distances, and which are matches."""
    row, dropped = probe.distances, probe.dropped
    order = nearest(row, None if max_rank is None else max_rank + len(dropped))
    order = order[~np.isin(order, dropped)][:max_rank]
    ranks = np.arange(1, len(order) + 1, dtype=np.int64)
    correct = np.isin(order, probe.matches)
    if all_matches and correct.sum() < len(probe.matches):
        found = _ranks_of(probe)[0]
        far = found > len(order)
        # Ranks rise; sorted by distance, then by index, the matches stand in the same order.
        matches = probe.matches[nearest(row[probe.matches])]
        order, ranks = np.append(order, matches[far]), np.append(ranks, found[far])
        correct = np.append(correct, np.ones(np.count_nonzero(far), dtype=bool))
    return ranks, order, correct


def _ranks_of(probe: Probe) -> tuple[np.ndarray, int]:
    """Return the ranks of the true matches, rising, and the number of tied matches."""
    if not len(probe.matches):
        return np.empty(0, dtype=np.int64), 0
    return _counted(probe) if len(probe.matches) <= _COUNTED else _sorted(probe)


def _sorted(probe: Probe) -> tuple[np.ndarray, int]:
    """Rank by a sort: its cost hardly depends on the number of matches."""
    row, matches = probe.distances, probe.matches
    order = np.argsort(row, kind="stable")
    order = order[~np.isin(order, probe.dropped)]
    found = np.isin(order, matches)
    tied = np.isin(row[matches], row[order[~found]])
    return np.flatnonzero(found) + 1, int(np.count_nonzero(tied))


def _counted(probe: Probe) -> tuple[np.ndarray, int]:
    """Rank by counting: a rank is one more than the tracklets nearer, or as near and earlier.

    Its cost is matches x gallery, without a sort.
    """
    row, matches = probe.distances, probe.matches
    distances = row[matches]
    ranks = 1 + _count_rows(row < distances[:, None])
    if len(probe.dropped):
        ranks -= (row[probe.dropped] < distances[:, None]).sum(axis=1)
    equal = row == distances[:, None]
    if np.count_nonzero(equal) == len(matches):  # each equals itself alone
        return np.sort(ranks), 0
    equal[:, probe.dropped] = False
    ranks += [np.count_nonzero(found[:place]) for found, place in zip(equal, matches, strict=True)]
    tied = _count_rows(equal) > equal[:, matches].sum(axis=1)
    return np.sort(ranks), int(np.count_nonzero(tied))


def _count_rows(found: np.ndarray) -> np.ndarray:
    """Count the true values of each row; counting bits is twice as fast as counting booleans."""
    return np.bitwise_count(np.packbits(found, axis=1)).sum(axis=1, dtype=np.int64)


def _average_precisions(match_ranks: Sequence[np.ndarray], definition: str) -> np.ndarray:
    of_ranks = AVERAGE_PRECISIONS[definition]
    return np.array([of_ranks(ranks) if len(ranks) else np.nan for ranks in match_ranks])
