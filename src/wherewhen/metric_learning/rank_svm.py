"""RankSVM: weights of the absolute differences of features, learned to rank true matches first.

B. Prosser, W.-S. Zheng, S. Gong, T. Xiang: Person Re-Identification by Support Vector Ranking. BMVC
2010, in the primal form of O. Chapelle, S. S. Keerthi: Efficient Algorithms for Ranking with SVMs.
Information Retrieval 13, 2010. In the paper of this project: Section V-F, on colour and LBP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from wherewhen.metric_learning.base import MetricLearner
from wherewhen.metric_learning.matrices import check_number


@dataclass(frozen=True)
class RankingProblem:
    """The objective of RankSVM over triplets (query, relevant, irrelevant).

    A triplet is a pair of rows of `differences`. Triplets of one query share their rows, so each
    absolute difference is held once, as in the sparse products of Chapelle and Keerthi.

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
        """Compute 1/2 |w|^2 + C mean(max(0, 1 - w' z)^2) and its gradient by w [D].

        z is the relevant row minus the irrelevant one.
        """
        scores = self.differences @ weights
        short = np.maximum(0, 1 - (scores[self.relevant] - scores[self.irrelevant]))
        share = self.penalty / len(short)
        slopes = -2 * share * short
        by_row = np.bincount(self.relevant, slopes, len(scores))
        by_row -= np.bincount(self.irrelevant, slopes, len(scores))
        value = weights @ weights / 2 + share * (short @ short)
        return value, weights + self.differences.T @ by_row


class RankSVM(MetricLearner):
    """A ranking by the score w' |x - y|, which is larger for the same person.

    For a query, a sample of the same person (relevant) should score above one of another person
    (irrelevant) by a margin of 1, with a squared hinge loss:
    1/2 |w|^2 + C mean(max(0, 1 - w' (|x - x_rel| - |x - x_irr|))^2).

    Chapelle and Keerthi sum over triplets. The mean, and differences divided by the root mean
    square length of |x - y|, make C independent of the number of triplets and of the scale of
    features; the family of solutions is the published one. The objective is strictly convex: L-BFGS
    finds the same minimum as their Newton steps.

    n samples have of the order of n^3 triplets. A sample is drawn: at most `queries` queries, as
    equally over persons as possible, and for each at most `relevant` samples of its person and
    `irrelevant` others, in all combinations; from other cameras, where cameras are given. Time and
    memory are proportional to queries (relevant + irrelevant) D: 8 bytes each, 240 MB for the
    defaults and 2,500 dimensions.

    Parameters
    ----------
    penalty : float
        C, the weight of the ranking errors; the paper chose it by cross-validation.
    queries, relevant, irrelevant : int
        The most that are drawn, see above.
    max_iter : int
        The most steps of L-BFGS; if they do not suffice, `fit` raises a RuntimeError.
    random_state : int, numpy.random.RandomState or None
        The seed of the draw.

    Attributes
    ----------
    weights_ : numpy.ndarray [D]
        w, for features as they come in.
    triplets_ : int
        The number of triplets.
    n_features_in_ : int
        D.

    See Also
    --------
    KISSME, LFDA, XQDA : Learn a metric.

    Examples
    --------
    >>> X = [[0.0, 1.0], [0.2, 0.1], [3.0, 0.8], [3.1, 0.2]]  # the second feature is noise
    >>> RankSVM().fit(X, ["p", "p", "q", "q"]).distance(X[:1], X).argsort()[0].tolist()
    [0, 1, 2, 3]
    """

    FITTED: ClassVar[Mapping[str, str]] = {"weights_": "D", "triplets_": ""}

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

    def _fit(self, X: np.ndarray, person: np.ndarray, camera: np.ndarray | None) -> None:
        for name in ("penalty", "queries", "relevant", "irrelevant", "max_iter"):
            check_number(getattr(self, name), name, Real, min_val=0, include_boundaries="neither")
        problem, scale = self._problem(X, person, camera)
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

    def distance(self, probes: ArrayLike, gallery: ArrayLike) -> np.ndarray:
        """Compute -w' |x - y|: smaller is more alike; it may be negative and is no metric.

        Parameters
        ----------
        probes, gallery : array_like [P, D], [G, D]
            The vectors.

        Returns
        -------
        numpy.ndarray, float64 [P, G]
            The distances; 0 between equal vectors.
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
        """Yield queries with samples of their person and of others."""
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
