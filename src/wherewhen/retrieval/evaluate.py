"""Evaluation: ranks, CMC and mAP of a distance matrix under a protocol, and rankings as a table.

Ties are resolved by the order of the gallery, and counted: where a true match is as far away as
another tracklet, its rank says something about the order of rows, and the reader should know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wherewhen.retrieval.average_precision import AVERAGE_PRECISIONS, MEASURES
from wherewhen.retrieval.cmc import cmc
from wherewhen.retrieval.protocols import Protocol, protocol_named


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

    def measures(self) -> dict[str, float]:
        """Name every number as tables of scores do.

        Returns
        -------
        dict of str to float
            ``rank-1`` to ``rank-<max_rank>``, and ``mAP`` or ``mAP-trapezoid``; fractions.
        """
        ranks = {f"rank-{rank}": float(value) for rank, value in enumerate(self.cmc, start=1)}
        return ranks | {MEASURES[self.average_precision]: self.mean_ap}


def evaluate(
    distances: ArrayLike,
    probe_persons: Sequence[str],
    gallery_persons: Sequence[str],
    probe_cameras: Sequence[str],
    gallery_cameras: Sequence[str],
    protocol: str = "single_match",
    average_precision: str = "mean_precision",
    max_rank: int = 20,
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
    rules = protocol_named(protocol)
    if average_precision not in AVERAGE_PRECISIONS:
        raise ValueError(
            f"no average precision {average_precision!r}: expected one of "
            + ", ".join(AVERAGE_PRECISIONS)
        )
    task = _Task(distances, probe_persons, gallery_persons, probe_cameras, gallery_cameras, rules)
    first_ranks = np.zeros(len(task.distances), dtype=np.int64)
    average_precisions = np.full(len(task.distances), np.nan)
    ties = 0
    for probe, _, row, matches in task.probes():
        if matches.any():
            ranks, tied = _ranks_of(row, matches)
            first_ranks[probe] = ranks[0]
            average_precisions[probe] = AVERAGE_PRECISIONS[average_precision](ranks)
            ties += tied
    valid = first_ranks > 0
    if not valid.any():
        raise ValueError(
            f"none of {len(valid)} probes has a true match under the protocol {protocol}: expected "
            "persons that both probes and gallery contain; check the names and cameras"
        )
    return Evaluation(
        protocol=protocol,
        average_precision=average_precision,
        cmc=cmc(first_ranks[valid], max_rank),
        mean_ap=float(average_precisions[valid].mean()),
        first_ranks=first_ranks,
        average_precisions=average_precisions,
        valid=valid,
        probes_without_match=int((~valid).sum()),
        ties=ties,
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
        The last rank to list; None for all.

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
    rules = protocol_named(protocol)
    task = _Task(distances, probe_persons, gallery_persons, probe_cameras, gallery_cameras, rules)
    gallery_names = np.asarray(gallery_ids, dtype=object)
    probe_names = np.asarray(probe_ids, dtype=object)
    _expect_length("probe_ids", len(probe_names), len(task.distances))
    _expect_length("gallery_ids", len(gallery_names), task.distances.shape[1])
    parts = []
    for probe, columns, row, matches in task.probes():
        order = np.argsort(row, kind="stable")[:max_rank]
        parts.append(
            pd.DataFrame(
                {
                    "probe": probe_names[probe],
                    "rank": np.arange(1, len(order) + 1, dtype=np.int64),
                    "gallery": gallery_names[columns[order]],
                    "distance": row[order].astype(np.float64),
                    "correct": matches[order],
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"probe": str, "gallery": str})


class _Task:
    """The inputs of an evaluation, checked once, and served probe by probe."""

    def __init__(
        self,
        distances: ArrayLike,
        probe_persons: Sequence[str],
        gallery_persons: Sequence[str],
        probe_cameras: Sequence[str],
        gallery_cameras: Sequence[str],
        rules: Protocol,
    ):
        distances = np.asarray(distances)
        if distances.ndim != 2 or distances.size == 0:
            raise ValueError(
                f"distances have shape {distances.shape}: expected [probes, gallery], neither empty"
            )
        broken = np.argwhere(np.isnan(distances))
        if broken.size:
            raise ValueError(
                f"distances: {len(broken)} are NaN, first in row {broken[0, 0]}, column "
                f"{broken[0, 1]}. Expected numbers: check the embeddings"
            )
        probes, gallery = distances.shape
        _expect_length("probe_persons", len(probe_persons), probes)
        _expect_length("probe_cameras", len(probe_cameras), probes)
        _expect_length("gallery_persons", len(gallery_persons), gallery)
        _expect_length("gallery_cameras", len(gallery_cameras), gallery)
        self.distances = distances
        self.rules = rules
        self.persons = probe_persons
        # Names become numbers once: comparing those is fast in a gallery of any size.
        self.probe_person, self.gallery_person = _codes(probe_persons, gallery_persons)
        self.probe_camera, self.gallery_camera = _codes(probe_cameras, gallery_cameras)
        self.kept = ~np.isin(
            np.asarray(gallery_persons, dtype=object), sorted(rules.dropped_persons)
        )

    def probes(self) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield a probe's number, its gallery's columns, their distances and which are matches."""
        for probe, row in enumerate(self.distances):
            same_person = self.gallery_person == self.probe_person[probe]
            same_camera = self.gallery_camera == self.probe_camera[probe]
            kept = self.kept
            if self.rules.drops_same_camera:
                kept = kept & ~(same_person & same_camera)
            if self.rules.single_match:
                self._check_single(probe, same_person, same_camera)
            columns = np.flatnonzero(kept)
            yield probe, columns, row[columns], same_person[columns]

    def _check_single(self, probe: int, same_person: np.ndarray, same_camera: np.ndarray) -> None:
        matches = np.flatnonzero(same_person)
        if len(matches) > 1 or same_camera[matches].any():
            raise ValueError(
                f"protocol {self.rules.name}: probe {probe} (person {self.persons[probe]!r}) has "
                f"gallery rows {matches[:5].tolist()} of its person, "
                f"{int(same_camera[matches].sum())} of them from its own camera. Expected at most "
                "one, from another camera: use the protocol cross_camera, or one tracklet a person"
            )


def _ranks_of(distances: np.ndarray, matches: np.ndarray) -> tuple[np.ndarray, int]:
    """Rank the true matches without sorting the gallery, and count those that are tied.

    A rank is one more than the tracklets that are nearer, or as near and earlier in the gallery.
    """
    places = np.flatnonzero(matches)
    ranks = np.empty(len(places), dtype=np.int64)
    tied = 0
    for index, place in enumerate(places):
        distance = distances[place]
        equal = distances == distance
        ranks[index] = 1 + np.count_nonzero(distances < distance) + np.count_nonzero(equal[:place])
        tied += bool(np.any(equal & ~matches))
    return np.sort(ranks), tied


def _codes(probes: Sequence[str], gallery: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    names = [*probes, *gallery]
    codes = pd.factorize(np.asarray(names, dtype=object), use_na_sentinel=False)[0]
    return codes[: len(probes)], codes[len(probes) :]


def _expect_length(name: str, length: int, expected: int) -> None:
    if length != expected:
        raise ValueError(
            f"{name} has {length} entries: expected {expected}, one for each of them in distances"
        )
