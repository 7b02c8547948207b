"""Evaluation: ranks, CMC and mAP of a distance matrix under a protocol, and rankings as a table.

Ties are resolved by the order of the gallery, and counted: where a true match is as far away as
another tracklet, its rank says something about the order of rows, and the reader should know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wherewhen.retrieval.average_precision import AVERAGE_PRECISIONS, MEASURES
from wherewhen.retrieval.cmc import cmc
from wherewhen.retrieval.nearest import nearest
from wherewhen.retrieval.task import Probe, Task, expect_length


@dataclass(frozen=True)
class Evaluation:
    """How well probes found their persons.

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
    valid : numpy.ndarray, bool [P]
        Which probes have a true match in their gallery. The others are in no mean.
    probes_without_match : int
        How many are not valid.
    ties : int
        True matches at exactly the distance of a tracklet of another person, so that their rank
        depends on the order of the gallery.
    match_ranks : tuple of numpy.ndarray
        For every probe the ranks of all its true matches, rising.
    """

    protocol: str
    average_precision: str
    cmc: np.ndarray
    mean_ap: float
    first_ranks: np.ndarray
    average_precisions: np.ndarray
    valid: np.ndarray
    probes_without_match: int
    ties: int
    match_ranks: tuple[np.ndarray, ...] = field(repr=False)

    def measures(self) -> dict[str, float]:
        """Name every number as tables of scores do.

        Returns
        -------
        dict of str to float
            ``rank-1`` to ``rank-<max_rank>``, and ``mAP`` or ``mAP-trapezoid``; fractions.
        """
        ranks = {f"rank-{rank}": float(value) for rank, value in enumerate(self.cmc, start=1)}
        return ranks | {MEASURES[self.average_precision]: self.mean_ap}

    def average_precisions_by(self, definition: str) -> np.ndarray:
        """Judge the same ranks by either definition of average precision.

        Parameters
        ----------
        definition : {"mean_precision", "trapezoid"}
            The definition.

        Returns
        -------
        numpy.ndarray, float64 [P]
            Every probe's average precision; NaN without a true match.
        """
        return _average_precisions(self.match_ranks, definition)


def evaluate(
    distances: ArrayLike,
    probe_persons: Sequence[str],
    gallery_persons: Sequence[str],
    probe_cameras: Sequence[str],
    gallery_cameras: Sequence[str],
    protocol: str = "single_match",
    average_precision: str = "mean_precision",
    max_rank: int = 20,
    gallery_junk: ArrayLike | None = None,
    gallery_queries: ArrayLike | None = None,
) -> Evaluation:
    """Judge a distance matrix (Section V-C).

    Parameters
    ----------
    distances : array_like [P, G]
        From every probe to every gallery tracklet; smaller is more alike. Compared in its own
        precision.
    probe_persons, gallery_persons : sequence of str [P], [G]
        Who they are.
    probe_cameras, gallery_cameras : sequence of str [P], [G]
        Where they were seen.
    protocol : str
        A key of `protocols.PROTOCOLS`.
    average_precision : {"mean_precision", "trapezoid"}
        The definition of average precision.
    max_rank : int
        The last rank of the CMC curve.
    gallery_junk : array_like of bool [G], optional
        Gallery tracklets that no ranking contains, beside the persons that the protocol drops.
    gallery_queries : array_like of bool [G], optional
        Gallery tracklets that are probes too: `query_excluded` drops them. Without this argument it
        takes them to be left out already.

    Returns
    -------
    Evaluation
        The curve, the mean average precision and what each probe contributes.

    Raises
    ------
    ValueError
        If shapes do not fit, a distance is NaN, a name is unknown, the data contradict the
        protocol, or no probe has a true match.
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
    """Judge a task: what `evaluate` does once distances and names are checked.

    Parameters
    ----------
    task : Task
        Distances, names and protocol.
    average_precision : {"mean_precision", "trapezoid"}
        The definition of average precision.
    max_rank : int
        The last rank of the CMC curve.

    Returns
    -------
    Evaluation
        The curve, the mean average precision and what each probe contributes.

    Raises
    ------
    ValueError
        If a name is unknown, the data contradict the protocol, or no probe has a true match.
    """
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
        valid=valid,
        probes_without_match=int((~valid).sum()),
        ties=ties,
        match_ranks=tuple(match_ranks),
    )


def rankings(
    distances: ArrayLike,
    probe_ids: Sequence[str],
    gallery_ids: Sequence[str],
    probe_persons: Sequence[str],
    gallery_persons: Sequence[str],
    probe_cameras: Sequence[str],
    gallery_cameras: Sequence[str],
    protocol: str = "single_match",
    max_rank: int | None = 20,
    all_matches: bool = False,
    gallery_junk: ArrayLike | None = None,
    gallery_queries: ArrayLike | None = None,
) -> pd.DataFrame:
    """List for every probe who stands at which rank.

    Parameters
    ----------
    distances : array_like [P, G]
        From every probe to every gallery tracklet.
    probe_ids, gallery_ids : sequence of str [P], [G]
        The names of the tracklets.
    probe_persons, gallery_persons : sequence of str [P], [G]
        Who they are.
    probe_cameras, gallery_cameras : sequence of str [P], [G]
        Where they were seen.
    protocol : str
        A key of `protocols.PROTOCOLS`; what it drops stands in no ranking.
    max_rank : int or None
        The last rank to list; None for all, a table of P x G rows.
    all_matches : bool
        List true matches beyond `max_rank` too, at their ranks.
    gallery_junk, gallery_queries : array_like of bool [G], optional
        As in `evaluate`.

    Returns
    -------
    pandas.DataFrame
        Columns ``probe, rank, gallery, distance, correct``: the probes in their order, ranks from 1
        rising, ties in the order of the gallery, as in `evaluate`. Probes without a true match are
        listed too.

    Raises
    ------
    ValueError
        As for `evaluate`, except that no probe needs to have a true match.
    """
    if max_rank is not None and max_rank < 1:
        raise ValueError(f"max_rank is {max_rank}: expected at least 1, or None for all")
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
    probe_names = np.asarray(probe_ids, dtype=object)
    gallery_names = np.asarray(gallery_ids, dtype=object)
    expect_length("probe_ids", probe_names, len(task.distances))
    expect_length("gallery_ids", gallery_names, task.distances.shape[1])
    listed = [_listed(probe, max_rank, all_matches) for probe in task.probes()]
    places = np.concatenate([order for _, order, _ in listed])
    rows = np.repeat(np.arange(len(listed)), [len(order) for _, order, _ in listed])
    columns = task.columns[places]
    return pd.DataFrame(
        {
            "probe": probe_names[rows],
            "rank": np.concatenate([ranks for ranks, _, _ in listed]),
            "gallery": gallery_names[columns],
            "distance": task.distances[rows, columns].astype(np.float64),
            "correct": np.concatenate([correct for _, _, correct in listed]),
        }
    ).astype({"probe": str, "gallery": str})


def _listed(
    probe: Probe, max_rank: int | None, all_matches: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ranks that a table lists, where in the probe's distances, and which are true."""
    row, dropped = probe.distances, probe.dropped
    order = nearest(row, None if max_rank is None else max_rank + len(dropped))
    order = order[~np.isin(order, dropped)][:max_rank]
    ranks = np.arange(1, len(order) + 1, dtype=np.int64)
    correct = np.isin(order, probe.matches)
    if all_matches and correct.sum() < len(probe.matches):
        found = _ranks_of(probe)[0]
        far = found > len(order)
        # Sorted alike by distance, then by place, ranks and matches belong together.
        matches = probe.matches[nearest(row[probe.matches])]
        order, ranks = np.append(order, matches[far]), np.append(ranks, found[far])
        correct = np.append(correct, np.ones(np.count_nonzero(far), dtype=bool))
    return ranks, order, correct


def _ranks_of(probe: Probe) -> tuple[np.ndarray, int]:
    """Rank the true matches without sorting the gallery, and count those that are tied.

    A rank is one more than the tracklets that are nearer, or as near and earlier in the gallery.
    """
    row, matches = probe.distances, probe.matches
    if not len(matches):
        return np.empty(0, dtype=np.int64), 0
    distances = row[matches]
    ranks = 1 + _count_rows(row < distances[:, None])
    if len(probe.dropped):
        ranks -= (row[probe.dropped] < distances[:, None]).sum(axis=1)
    equal = row == distances[:, None]
    if np.count_nonzero(equal) == len(matches):  # each to itself alone
        return np.sort(ranks), 0
    equal[:, probe.dropped] = False
    ranks += [np.count_nonzero(found[:place]) for found, place in zip(equal, matches, strict=True)]
    tied = _count_rows(equal) > equal[:, matches].sum(axis=1)
    return np.sort(ranks), int(np.count_nonzero(tied))


def _count_rows(found: np.ndarray) -> np.ndarray:
    """Count what is true in each row; counting bits is twice as fast as counting booleans."""
    return np.bitwise_count(np.packbits(found, axis=1)).sum(axis=1, dtype=np.int64)


def _average_precisions(match_ranks: Sequence[np.ndarray], definition: str) -> np.ndarray:
    of_ranks = AVERAGE_PRECISIONS[definition]
    return np.array([of_ranks(ranks) if len(ranks) else np.nan for ranks in match_ranks])
