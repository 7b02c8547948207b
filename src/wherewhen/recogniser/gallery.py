"""A gallery of people to search: an index of their vectors, and the places of their frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from wherewhen.atomic import replacing
from wherewhen.recogniser.frames import Frame, frames_in
from wherewhen.recogniser.recogniser import Recogniser
from wherewhen.retrieval.link_scores import link_scores
from wherewhen.retrieval.linking import link_tracklets, seen_together
from wherewhen.search import GalleryError, Index
from wherewhen.search.files import HEAD
from wherewhen.search.gallery import refuse_other_model
from wherewhen.tracklets.fingerprint import fingerprint

INDEX, FOOTAGE = "index", "footage.json"
"""In a gallery's folder."""

FALSE_MATCH_RATE = 0.01
"""Share of the pairs of two persons that are taken for one."""

LINK_RATE = 0.1
"""The same where all pairs of a group have to be below the threshold, as by `Gallery.link`: chosen
on rendered people, ``docs/how-to/search.md`` has the scores."""

MOST_LINKED = 10_000
"""Tracklets that are linked at once."""


class Answer(NamedTuple):
    """The tracklets nearest to a probe.

    Attributes
    ----------
    found : pandas.DataFrame
        Columns ``rank, tracklet, person, camera, start, end``, ``distance`` by the recogniser's
        metric, ``probability`` (`Comparison.probability`) and ``match``: whether the distance is
        below the threshold.
    threshold : float
        The distance below which a tracklet is taken for the probe's person.
    false_match_rate : float
        Share of the pairs of two persons, of those that the model was calibrated on, that are below
        the threshold.
    """

    found: pd.DataFrame
    threshold: float
    false_match_rate: float

    @property
    def nobody(self) -> bool:
        """Whether no tracklet is taken for the probe's person."""
        return not self.found.match.any()


class Linked(NamedTuple):
    """The tracklets of a gallery, grouped into persons.

    Attributes
    ----------
    groups : pandas.DataFrame
        Columns ``group`` (from 1, the largest first), ``tracklet, person, camera, start, end``,
        ``size`` (tracklets of the group) and ``distance``, the mean between two tracklets of the
        group by the recogniser's metric (NaN for one alone); by group.
    threshold : float
        All pairs of a group are nearer than this.
    false_match_rate : float
        Of this threshold; see `Answer`.
    apart : int
        Pairs that can't be one person: of one camera at one time.
    scores : dict of str to float, or None
        `wherewhen.retrieval.link_scores.link_scores`, if the gallery knows a person of several
        tracklets.
    """

    groups: pd.DataFrame
    threshold: float
    false_match_rate: float
    apart: int
    scores: dict[str, float] | None


class Gallery:
    """Tracklets that a recogniser has embedded.

    Parameters
    ----------
    folder : Path
        Where it lies.
    index : wherewhen.search.Index
        Of vectors that `Recogniser.project` made; its column ``frames`` has the paths of each
        tracklet's frames, relative to `root`.
    footage : list of dict
        What is known of the footage that was embedded, first to last: ``footage`` (what was read),
        ``root`` (where its frames are), ``tracklets`` and ``difference``; where a run has embedded
        it, the ``identity`` of its vectors, the ``commit`` and the ``mlflow_run``.
    root : Path
        The folder to which paths are relative.

    See Also
    --------
    wherewhen.search.Index : What is kept on the disk.
    """

    def __init__(
        self, folder: Path, index: Index, footage: list[dict[str, Any]], root: Path
    ) -> None:
        self.folder, self.index, self.footage, self.root = folder, index, footage, root

    @classmethod
    def create(
        cls,
        folder: Path,
        embedded: pd.DataFrame,
        report: Mapping[str, Any],
        root: Path,
        kind: str = "auto",
    ) -> Self:
        """Make a gallery and write it, in the place of one that is there.

        Parameters
        ----------
        folder : Path
            Where.
        embedded : pandas.DataFrame
            Columns ``tracklet, person, camera, length``, maybe ``start`` and ``end``, ``frames``
            (paths) and ``vector``.
        report : mapping
            ``model``, the `Recogniser.identity` of what made the vectors, and an entry of
            `footage`.
        root : Path
            The folder to which the frames' paths are relative.
        kind : {"auto", "exact", "ivf", "hnsw"}
            See `wherewhen.search.Index.create`.

        Raises
        ------
        wherewhen.search.GalleryError
            If the table can't be used.
        """
        report = dict(report)
        index = Index.create(embedded, _vectors(embedded), about(report.pop("model")), kind)
        gallery = cls(folder, index, [report], root)
        gallery._save()
        return gallery

    @classmethod
    def open(cls, folder: Path, root: Path) -> Self:
        """Open a gallery.

        Raises
        ------
        FileNotFoundError
            If there is none.
        wherewhen.search.GalleryError
            If it is damaged.
        """
        index = Index.open(folder / INDEX)
        try:
            footage = json.loads((folder / FOOTAGE).read_text(encoding="utf-8"))
            if not footage or not all(float(each["difference"]) >= 0 for each in footage):
                raise ValueError("expected a list with the difference of each footage")
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise GalleryError(
                f"{folder / FOOTAGE} can't be read ({error}): index again"
            ) from error
        return cls(folder, index, footage, root)

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / FOOTAGE) as partial:
            partial.write_text(json.dumps(self.footage, indent=1) + "\n", encoding="utf-8")
        self.index.save(self.folder / INDEX)

    @property
    def head(self) -> Path:
        """The file that is written last whenever the gallery changes."""
        return self.folder / INDEX / HEAD

    @property
    def difference(self) -> float:
        """How far the footage, at its farthest, is from that of the training."""
        return max(each["difference"] for each in self.footage)

    def __len__(self) -> int:
        return len(self.index)

    def add(self, embedded: pd.DataFrame, report: Mapping[str, Any]) -> None:
        """Add tracklets, and write the gallery; see `create`."""
        report = dict(report)
        self.index.add(embedded, _vectors(embedded), about(report.pop("model")))
        self.footage.append(report)
        self._save()

    def remove(
        self, persons: Sequence[str] | None = None, tracklets: Sequence[str] | None = None
    ) -> list[str]:
        """Remove persons or tracklets, write the gallery, and check that nothing of them is left.

        Their frames stay where they are: the gallery only names them.

        Returns
        -------
        list of str
            The tracklets that were removed.
        """
        removed = self.index.remove(persons, tracklets)
        self._save()
        self.index.verify_removed([*(persons or ()), *removed])
        return removed

    def query(
        self,
        recogniser: Recogniser,
        probe: Any,
        top: int = 10,
        false_match_rate: float = FALSE_MATCH_RATE,
        **filters: Any,
    ) -> Answer:
        """Find the tracklets nearest to a probe.

        Parameters
        ----------
        recogniser : Recogniser
            The one that made the gallery's vectors.
        probe
            The name of a tracklet of the gallery, which is then left out of the answer; or frames,
            as `frames_in` takes them.
        top : int
            Ranks.
        false_match_rate : float
            One of the rates of the model's card.
        **filters
            ``persons``, ``cameras``, ``not_cameras``, ``after``, ``before``, ``exclude`` of
            `wherewhen.search.Index.search`.

        Raises
        ------
        wherewhen.search.GalleryError
            If another model made the vectors, or a filter names what is not there.
        wherewhen.pretrained.PretrainedError
            If the model has no threshold at this rate.
        FileNotFoundError, ValueError
            As `frames_in`.
        """
        at = recogniser.calibration.threshold(false_match_rate)
        if self.holds(probe):
            vectors = self.index.vectors_of([probe])
            filters["exclude"] = [*(filters.get("exclude") or ()), probe]
        else:
            vectors = recogniser.project(recogniser.embed([probe])).astype(np.float32)
        found = self.index.search(vectors, about(recogniser.identity), top, **filters)
        distances = recogniser.from_euclidean(found.distance)
        found = found.drop(columns="query").assign(
            distance=distances,
            probability=recogniser.probability(distances),
            match=distances < at.distance,
        )
        return Answer(found, at.distance, at.false_match_rate)

    def link(
        self,
        recogniser: Recogniser,
        false_match_rate: float = LINK_RATE,
        **filters: Any,
    ) -> Linked:
        """Group tracklets into persons.

        All pairs of a group are below the threshold, and none is of one camera at one time.

        Parameters
        ----------
        recogniser, false_match_rate, **filters
            See `query`.

        Raises
        ------
        wherewhen.search.GalleryError
            If another model made the vectors, a filter names what is not there, or more than
            `MOST_LINKED` tracklets are chosen.
        wherewhen.pretrained.PretrainedError
            If the model has no threshold at this rate.

        See Also
        --------
        wherewhen.retrieval.linking.link_tracklets : How.
        """
        at = recogniser.calibration.threshold(false_match_rate)
        refuse_other_model(about(recogniser.identity), self.index.about, "the model's vectors")
        chosen = self.index.select(**filters)
        if len(chosen) > MOST_LINKED:
            raise GalleryError(
                f"{len(chosen)} tracklets are to be linked: expected at most {MOST_LINKED}, whose "
                "distances take 3 GB of memory. Choose by camera or time"
            )
        vectors = self.index.vectors_of(chosen.tracklet)
        distances = recogniser.from_euclidean(cdist(vectors, vectors))
        apart = seen_together(chosen.camera, chosen.start, chosen.end)
        groups = link_tracklets(distances, at.distance, apart)
        known = chosen.person.duplicated().any()
        scores = link_scores(chosen.person, groups, chosen.length) if known else None
        table = _groups(chosen, groups, distances)
        return Linked(table, at.distance, at.false_match_rate, int(apart.sum()) // 2, scores)

    def holds(self, probe: Any) -> bool:
        """Whether a probe is the name of a tracklet of this gallery."""
        return isinstance(probe, str) and probe in self.index

    def frames_of(self, tracklet: str) -> list[Path]:
        """Return the paths of a tracklet's frames, in order.

        Raises
        ------
        wherewhen.search.GalleryError
            If there is no such tracklet.
        """
        return [self.root / path for path in self.index.frames_of(tracklet)]

    def picture_of(self, tracklet: str) -> Frame | None:
        """Read the frame in the middle of a tracklet; None if it is gone."""
        frames = self.frames_of(tracklet)
        middle = frames[len(frames) // 2]
        return frames_in(middle)[0] if middle.exists() else None


def about(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an index says of the model that made its vectors."""
    return {"model": fingerprint(dict(model)), **model}


def _groups(
    tracklets: pd.DataFrame, groups: NDArray[np.int64], distances: NDArray[np.float64]
) -> pd.DataFrame:
    """Return the table of groups of `Linked`."""
    sizes, inside = np.bincount(groups), np.full(groups.max() + 1, np.nan)
    for group in np.flatnonzero(sizes > 1):
        rows = np.flatnonzero(groups == group)
        inside[group] = distances[np.ix_(rows, rows)][np.triu_indices(len(rows), 1)].mean()
    table = tracklets[["tracklet", "person", "camera", "start", "end"]].assign(
        size=sizes[groups], distance=inside[groups]
    )
    table.insert(0, "group", groups)
    return table.sort_values("group", kind="stable", ignore_index=True)


def _vectors(embedded: pd.DataFrame) -> np.ndarray:
    return np.stack(embedded.vector.to_list()).astype(np.float32)
