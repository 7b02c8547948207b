"""RankSVM: weights for the absolute differences of features, so that the right ones rank first.

B. Prosser, W.-S. Zheng, S. Gong, T. Xiang: Person Re-Identification by Support Vector Ranking. BMVC
2010, in the primal form of O. Chapelle, S. S. Keerthi: Efficient Algorithms for Ranking with SVMs.
Information Retrieval 13, 2010. In the paper of this project: Section V-F, on colour and LBP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from wherewhen.metric_learning.pairs import numbered_cameras


@dataclass(frozen=True)
class RankingProblem:
    """Who should rank before whom, and how badly given weights rank them.

    A triplet (query, relevant, irrelevant) is a pair of rows of `differences`. Triplets of one
    query share their rows, so each absolute difference is made and held once, as the sparse
    products of Chapelle and Keerthi do.

    Attributes
    ----------
    differences : numpy.ndarray [R, D]
        Absolute differences |x - y| of a query and another sample.
    relevant, irrelevant : numpy.ndarray of int [P]
        For every triplet the row with the same person and the row with another.
    penalty : float
        C.
    """

    differences: np.ndarray
    relevant: np.ndarray
    irrelevant: np.ndarray
    penalty: float

    def objective(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Compute 1/2 |w|^2 + C mean(max(0, 1 - w' z)^2) and its gradient.

        Parameters
        ----------
        weights : numpy.ndarray [D]
            w; z is the relevant row minus the irrelevant one.

        Returns
        -------
        value : float
            The objective.
        gradient : numpy.ndarray [D]
            Its derivative after w.
        """
        scores = self.differences @ weights
        short = np.maximum(0, 1 - (scores[self.relevant] - scores[self.irrelevant]))
        share = self.penalty / len(short)
        slopes = -2 * share * short
        by_row = np.bincount(self.relevant, slopes, len(scores))
        by_row -= np.bincount(self.irrelevant, slopes, len(scores))
        value = weights @ weights / 2 + share * (short @ short)
        return value, weights + self.differences.T @ by_row


class RankSVM(BaseEstimator):
    """A ranking by w' |x - y|: the larger the score, the more likely the same person.

    For a query, a sample of the same person (relevant) should score above one of another person
    (irrelevant) by a margin of 1; what falls short counts squared:
    1/2 |w|^2 + C mean(max(0, 1 - w' (|x - x_rel| - |x - x_irr|))^2).

    Chapelle and Keerthi sum over triplets. The mean, with differences divided by the root mean
    square length of |x - y|, makes C mean the same however many triplets are drawn and however
    features are scaled. Both are a change of units: the family of solutions is the published one.
    The objective is strictly convex, so that its minimum is found by L-BFGS as well as by their
    Newton steps.

    All triplets of n samples are of the order of n^3. Some are drawn: at most `queries` queries,
    the same number for every person as far as they have some, and for each at most `relevant` of
    its person's samples and `irrelevant` of the others', every one of the former against every one
    of the latter. Time and memory grow with queries (relevant + irrelevant) D and no longer with n:
    8 bytes each, 240 MB for the defaults and 2,500 dimensions.

    Parameters
    ----------
    penalty : float
        C, the weight of the ranking errors; the paper chose it by cross-validation.
    queries, relevant, irrelevant : int
        How many are drawn at most, as said above.
    max_iter : int
        Steps of L-BFGS at most; stopping there is an error, not a result.
    random_state : int, numpy.random.RandomState or None
        The seed of the draw.

    Attributes
    ----------
    weights_ : numpy.ndarray [D]
        w, for features as they come in.
    triplets_ : int
        How many were learned from.
    n_features_in_ : int
        D.
    """

    def __init__(
        self,
        penalty: float = 1000.0,
        queries: int = 500,
        relevant: int = 4,
        irrelevant: int = 20,
        max_iter: int = 1000,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.penalty = penalty
        self.queries = queries
        self.relevant = relevant
        self.irrelevant = irrelevant
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, cameras: ArrayLike | None = None) -> Self:
        """Learn from labelled vectors.

        Parameters
        ----------
        X : array_like [N, D]
            The vectors.
        y : array_like [N]
            The person of each.
        cameras : array_like [N], optional
            The camera of each; when given, a query is ranked against other cameras only, as the
            test does.

        Returns
        -------
        RankSVM
            This estimator.

        Raises
        ------
        ValueError
            If a parameter is out of range, or no sample has both a relevant and an irrelevant one.
        RuntimeError
            If the minimum is not found within `max_iter` steps.
        """
        for name in ("penalty", "queries", "relevant", "irrelevant", "max_iter"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: expected more than 0")
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        persons, person = np.unique(y, return_inverse=True)
        if len(persons) < 2:
            raise ValueError(
                "RankSVM learns to tell persons apart: expected 2 classes or more, got 1 class"
            )
        problem, scale = self._problem(X, person, numbered_cameras(cameras, len(X)))
        found = minimize(
            problem.objective,
            np.zeros(X.shape[1]),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter, "maxfun": 10 * self.max_iter},
        )
        if found.status == 1:  # the limit on steps
            raise RuntimeError(
                f"RankSVM found no minimum in {self.max_iter} steps: lower penalty "
                f"({self.penalty}) or raise max_iter"
            )
        self.weights_ = found.x / scale
        self.triplets_ = len(problem.relevant)
        return self

    def distance(self, probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
        """Measure -w' |x - y|: no metric, it may be negative, but small is near.

        Parameters
        ----------
        probes : array_like [P, D]
            One vector a probe.
        gallery : array_like [G, D]
            One vector a gallery tracklet.

        Returns
        -------
        numpy.ndarray, float64 [P, G]
            The distances. That of equal vectors is 0.
        """
        check_is_fitted(self)
        probes, gallery = (
            validate_data(self, part, dtype=np.float64, reset=False) for part in (probes, gallery)
        )
        # A sum of weighted absolute differences; cdist takes no negative weights.
        distances = np.zeros((len(probes), len(gallery)))
        for sign in (1, -1):
            part = np.flatnonzero(sign * self.weights_ > 0)
            if part.size:
                apart = cdist(
                    probes[:, part], gallery[:, part], "cityblock", w=abs(self.weights_[part])
                )
                distances -= sign * apart
        return distances

    def _problem(
        self, X: np.ndarray, person: np.ndarray, camera: np.ndarray | None
    ) -> tuple[RankingProblem, float]:
        """Draw triplets, and scale their differences to a root mean square length of 1."""
        differences, relevant, irrelevant, rows = [], [], [], 0
        for query, same, others in self._drawn(person, camera):
            differences.append(np.abs(X[np.concatenate([same, others])] - X[query]))
            first = np.arange(rows, rows + len(same))
            second = np.arange(first[-1] + 1, first[-1] + 1 + len(others))
            relevant.append(first.repeat(len(others)))
            irrelevant.append(np.tile(second, len(same)))
            rows += len(same) + len(others)
        if not differences:
            raise ValueError(
                "there is nothing to rank: expected a person with several samples, and another "
                "person (in another camera, when cameras are given)"
            )
        stacked = np.concatenate(differences)
        scale = np.sqrt((stacked**2).sum(axis=1).mean()) or 1.0
        stacked /= scale
        ranked = np.concatenate(relevant), np.concatenate(irrelevant)
        return RankingProblem(stacked, *ranked, self.penalty), scale

    def _drawn(
        self, person: np.ndarray, camera: np.ndarray | None
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield queries with the samples that are and are not of their person."""
        generator = check_random_state(self.random_state)
        chosen = 0
        for query in _in_turns(person, generator):
            if chosen == self.queries:
                return
            candidates = np.arange(len(person)) != query
            if camera is not None:
                candidates &= camera != camera[query]
            same, others = (
                np.flatnonzero(candidates & who)
                for who in (person == person[query], person != person[query])
            )
            if same.size and others.size:
                chosen += 1
                yield (
                    query,
                    _some(same, self.relevant, generator),
                    _some(others, self.irrelevant, generator),
                )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _in_turns(person: np.ndarray, generator: np.random.RandomState) -> np.ndarray:
    """Order the samples: one of every person, then a second one of every person, and so on."""
    mixed = generator.permutation(len(person))
    turn = np.empty(len(person), dtype=np.int64)
    for one in np.unique(person):
        own = mixed[person[mixed] == one]
        turn[own] = np.arange(len(own))
    return mixed[np.argsort(turn[mixed], kind="stable")]


def _some(items: np.ndarray, count: int, generator: np.random.RandomState) -> np.ndarray:
    return items if len(items) <= count else generator.choice(items, count, replace=False)
