"""The task that a protocol makes of a distance matrix: each probe, its gallery and its matches.

Ranks, rankings, open-set measures and calibration all read the task, so that junk, cameras and
probes without a match are handled in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wherewhen.retrieval.labels import paired_labels, plain_values
from wherewhen.retrieval.protocols import Protocol, protocol_named


class Probe(NamedTuple):
    """One probe and its gallery.

    Attributes
    ----------
    number : int
        Its row in the distance matrix.
    distances : numpy.ndarray [K]
        To the gallery that is kept for all probes.
    matches : numpy.ndarray of int [m]
        Indices into `distances` of its true matches, rising.
    dropped : numpy.ndarray of int
        Indices into `distances` of its person in its own camera, which this probe's ranking leaves
        out.

    See Also
    --------
    Task.probes : Yields these.
    """

    number: int
    distances: np.ndarray
    matches: np.ndarray
    dropped: np.ndarray


class Task:
    """A distance matrix with labels and a protocol, checked once.

    Parameters
    ----------
    distances : array_like [P, G]
        From every probe to every gallery tracklet; smaller is more alike. Compared in its own
        precision.
    probe_persons, gallery_persons : array_like of str or int [P], [G]
        The person of each. Probes and gallery have labels of the same type.
    probe_cameras, gallery_cameras : array_like of str or int [P], [G]
        The camera of each, likewise.
    protocol : str
        A key of `protocols.PROTOCOLS`.
    gallery_junk : array_like of bool [G], optional
        Gallery tracklets that no ranking contains, beside the persons that the protocol drops.
    gallery_queries : array_like of bool [G], optional
        Gallery tracklets that are also probes. A protocol that keeps probes out of the gallery
        drops them; without this argument they count as left out already.

    Attributes
    ----------
    rules : Protocol
        The protocol.
    distances : numpy.ndarray [P, G]
        The distance matrix.
    columns : numpy.ndarray of int [K]
        The columns of the matrix that are kept for all probes.

    Raises
    ------
    ValueError
        If shapes do not fit, a distance is NaN, a label can't be compared, the protocol is unknown,
        or nothing is left of the gallery.

    See Also
    --------
    wherewhen.retrieval.score : All measures of a task.
    wherewhen.retrieval.rankings : Its rankings as a table.

    Examples
    --------
    >>> task = Task([[0.2, 0.1, 0.3]], ["x"], ["x", "y", "-1"], ["1"], ["2", "2", "2"], "official")
    >>> task.columns.tolist()
    [0, 1]
    >>> [probe.matches.tolist() for probe in task.probes()]
    [[0]]
    """

    def __init__(
        self,
        distances: ArrayLike,
        probe_persons: Sequence[str | int],
        gallery_persons: Sequence[str | int],
        probe_cameras: Sequence[str | int],
        gallery_cameras: Sequence[str | int],
        protocol: str = "single_match",
        gallery_junk: ArrayLike | None = None,
        gallery_queries: ArrayLike | None = None,
    ):
        self.rules: Protocol = protocol_named(protocol)
        self.distances = _checked_distances(distances)
        gallery = self.distances.shape[1]
        shape = self.distances.shape
        self._persons, persons = paired_labels("persons", probe_persons, gallery_persons, shape)
        cameras = paired_labels("cameras", probe_cameras, gallery_cameras, shape)
        junk = np.array([str(person) in self.rules.dropped_persons for person in persons])
        junk |= _flags("gallery_junk", gallery_junk, gallery)
        if self.rules.drops_queries:
            junk |= _flags("gallery_queries", gallery_queries, gallery)
        self.columns = np.flatnonzero(~junk)
        if not len(self.columns):
            raise ValueError(
                f"protocol {protocol}: all {gallery} gallery tracklets are junk or probes. "
                "Expected some to search in"
            )
        # Integer codes are faster to compare than labels.
        self._probe_person, person = _codes(self._persons, persons)
        self._probe_camera, camera = _codes(*cameras)
        self._camera = camera[self.columns]
        # Grouped by person, so that the matches of a probe are found without a search.
        person = person[self.columns]
        self._by_person = np.argsort(person, kind="stable")
        self._ends = np.cumsum(np.bincount(person, minlength=self._probe_person.max() + 1))

    @classmethod
    def of_tables(
        cls, distances: ArrayLike, probes: pd.DataFrame, gallery: pd.DataFrame, protocol: str
    ) -> Self:
        """Take the labels from tables with the columns ``tracklet, person, camera``.

        Raises
        ------
        ValueError
            As above; or if the tables were made for another protocol (`Protocol.check_roles`).
        """
        protocol_named(protocol).check_roles(probes.tracklet, gallery.tracklet)
        return cls(
            distances,
            probes.person,
            gallery.person,
            probes.camera,
            gallery.camera,
            protocol,
            gallery_queries=gallery.tracklet.isin(probes.tracklet),
        )

    def probes(self) -> Iterator[Probe]:
        """Yield the probes in the order of the matrix.

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
        """Return the distances to true matches [N] and those to other persons [M], of all probes.

        They are in no particular order. What the protocol drops is in neither.
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


def _checked_distances(distances: ArrayLike) -> np.ndarray:
    distances = np.asarray(distances)
    if distances.ndim != 2 or distances.size == 0:
        raise ValueError(
            f"distances have shape {distances.shape}: expected [probes, gallery], neither empty"
        )
    if np.isnan(distances.min()):  # NaN if any value is; allocates nothing
        broken = np.argwhere(np.isnan(distances))
        raise ValueError(
            f"distances: {len(broken)} are NaN, first in row {broken[0, 0]}, column "
            f"{broken[0, 1]}. Expected numbers: check the embeddings"
        )
    return distances


def _flags(name: str, flags: ArrayLike | None, gallery: int) -> np.ndarray:
    if flags is None:
        return np.zeros(gallery, dtype=bool)
    flags = np.array(plain_values(name, flags, gallery))
    if flags.dtype != bool:
        raise ValueError(f"{name} holds {flags.dtype}: expected True or False for each column")
    return flags


def _codes(probes: list, gallery: list) -> tuple[np.ndarray, np.ndarray]:
    codes = pd.factorize(np.array([*probes, *gallery], dtype=object))[0]
    return codes[: len(probes)], codes[len(probes) :]
