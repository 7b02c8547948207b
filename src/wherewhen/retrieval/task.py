"""The task that a protocol makes of a distance matrix: each probe, its gallery and its matches.

Everything that judges distances (ranks, rankings, open-set figures, calibration) reads the task, so
that junk, cameras and probes without a match are handled in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wherewhen.retrieval.protocols import Protocol, protocol_named


class Probe(NamedTuple):
    """One probe before its gallery.

    Attributes
    ----------
    number : int
        Its row in the distance matrix.
    distances : numpy.ndarray [K]
        To the gallery that is kept for all probes.
    matches : numpy.ndarray of int [m]
        Where in `distances` its true matches stand, rising.
    dropped : numpy.ndarray of int
        Where in `distances` its person in its own camera stands: in no ranking of this probe.
    """

    number: int
    distances: np.ndarray
    matches: np.ndarray
    dropped: np.ndarray


class Task:
    """Distances, names and a protocol, checked once and served probe by probe.

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
    gallery_junk : array_like of bool [G], optional
        Gallery tracklets that no ranking contains, beside the persons that the protocol drops.
    gallery_queries : array_like of bool [G], optional
        Gallery tracklets that are probes too. A protocol that keeps probes out of the gallery
        drops them; without this argument it takes them to be left out already.

    Raises
    ------
    ValueError
        If shapes do not fit, a distance is NaN, the protocol is unknown, or nothing is left of the
        gallery.
    """

    def __init__(
        self,
        distances: ArrayLike,
        probe_persons: Sequence[str],
        gallery_persons: Sequence[str],
        probe_cameras: Sequence[str],
        gallery_cameras: Sequence[str],
        protocol: str = "single_match",
        gallery_junk: ArrayLike | None = None,
        gallery_queries: ArrayLike | None = None,
    ):
        self.rules: Protocol = protocol_named(protocol)
        self.distances = _checked_distances(distances)
        probes, gallery = self.distances.shape
        expect_length("probe_persons", probe_persons, probes)
        expect_length("probe_cameras", probe_cameras, probes)
        expect_length("gallery_persons", gallery_persons, gallery)
        expect_length("gallery_cameras", gallery_cameras, gallery)
        self._persons = probe_persons
        junk = _flags("gallery_junk", gallery_junk, gallery)
        if self.rules.drops_queries:
            junk |= _flags("gallery_queries", gallery_queries, gallery)
        junk |= pd.Series(list(gallery_persons)).astype(str).isin(self.rules.dropped_persons)
        self.columns = np.flatnonzero(~junk)
        """The gallery that is kept for all probes: columns of the matrix."""
        if not len(self.columns):
            raise ValueError(
                f"protocol {protocol}: all {gallery} gallery tracklets are junk or probes. "
                "Expected some to search in"
            )
        # Names become numbers once: comparing those is fast in a gallery of any size.
        self._probe_person, person = _codes(probe_persons, gallery_persons)
        self._probe_camera, camera = _codes(probe_cameras, gallery_cameras)
        self._camera = camera[self.columns]
        # Grouped by person, so that the matches of a probe are found without looking at the rest.
        person = person[self.columns]
        self._by_person = np.argsort(person, kind="stable")
        self._ends = np.cumsum(np.bincount(person, minlength=self._probe_person.max() + 1))

    def probes(self) -> Iterator[Probe]:
        """Serve the probes one by one, in the order of the matrix.

        Yields
        ------
        Probe
            Its distances, its true matches and what it alone drops.

        Raises
        ------
        ValueError
            If the data contradict the protocol.
        """
        whole = len(self.columns) == self.distances.shape[1]
        for number, row in enumerate(self.distances):
            code = self._probe_person[number]
            start = self._ends[code - 1] if code else 0
            of_person = self._by_person[start : self._ends[code]]
            own = self._camera[of_person] == self._probe_camera[number]
            if self.rules.single_match:
                self._check_single(number, of_person, own)
            own &= self.rules.drops_same_camera
            kept = row if whole else row.take(self.columns)
            yield Probe(number, kept, of_person[~own], of_person[own])

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Part the distances of all probes: those to true matches, and those to other persons.

        Returns
        -------
        genuine, impostor : numpy.ndarray [N], [M]
            In no order that means anything. What a protocol drops is in neither.
        """
        genuine = []
        impostor = np.empty(len(self.distances) * len(self.columns), self.distances.dtype)
        filled = 0
        for probe in self.probes():
            genuine.append(probe.distances[probe.matches])
            others = np.delete(probe.distances, np.concatenate([probe.matches, probe.dropped]))
            impostor[filled : filled + len(others)] = others
            filled += len(others)
        return np.concatenate(genuine), impostor[:filled]

    def _check_single(self, probe: int, of_person: np.ndarray, own: np.ndarray) -> None:
        if len(of_person) > 1 or own.any():
            raise ValueError(
                f"protocol {self.rules.name}: probe {probe} (person {self._persons[probe]!r}) has "
                f"gallery rows {self.columns[of_person][:5].tolist()} of its person, "
                f"{int(own.sum())} of them from its own camera. Expected at most one, from another "
                "camera: use the protocol cross_camera, or one tracklet a person"
            )


def expect_length(name: str, values: Sequence[object], expected: int) -> None:
    """Refuse names that are not one for each row or column of the distances."""
    if len(values) != expected:
        raise ValueError(
            f"{name} has {len(values)} entries: expected {expected}, one for each of them in "
            "distances"
        )


def _checked_distances(distances: ArrayLike) -> np.ndarray:
    distances = np.asarray(distances)
    if distances.ndim != 2 or distances.size == 0:
        raise ValueError(
            f"distances have shape {distances.shape}: expected [probes, gallery], neither empty"
        )
    if np.isnan(distances.min()):  # NaN if any is; takes no memory
        broken = np.argwhere(np.isnan(distances))
        raise ValueError(
            f"distances: {len(broken)} are NaN, first in row {broken[0, 0]}, column "
            f"{broken[0, 1]}. Expected numbers: check the embeddings"
        )
    return distances


def _flags(name: str, flags: ArrayLike | None, gallery: int) -> np.ndarray:
    if flags is None:
        return np.zeros(gallery, dtype=bool)
    flags = np.array(flags)
    expect_length(name, flags, gallery)
    if flags.dtype != bool:
        raise ValueError(f"{name} holds {flags.dtype}: expected True or False for each column")
    return flags


def _codes(probes: Sequence[str], gallery: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    names = [*probes, *gallery]
    codes = pd.factorize(np.asarray(names, dtype=object), use_na_sentinel=False)[0]
    return codes[: len(probes)], codes[len(probes) :]
