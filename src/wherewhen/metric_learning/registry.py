"""The learned metrics: one record each. Imports no scikit-learn, so that names cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, NamedTuple

AUTO = "auto"
"""Stands for a value that is chosen from the training persons."""


class Shrinkage(NamedTuple):
    """The parameter by which a metric makes up for few samples.

    Attributes
    ----------
    name : str
        The estimator's parameter.
    tried : tuple of float
        What `wherewhen.metric_learning.choose` tries.
    fallback : float
        What it uses where there are too few persons to choose by.
    """

    name: str
    tried: tuple[float, ...]
    fallback: float


@dataclass(frozen=True)
class MetricKind:
    """A learned metric: the record of its estimator.

    Attributes
    ----------
    name : str
        The name in parameters and tables of scores.
    label : str
        The name in figures and printed tables.
    path : str
        The estimator, as ``module:class``; it is imported when it is used.
    after_pca : bool
        Whether PCA comes before it.
    across_cameras : bool
        Whether it is fitted with the cameras.
    is_distance : bool
        Whether it is never negative, as re-ranking needs it.
    shrinkage : Shrinkage or None
        The parameter that may be ``auto``.

    See Also
    --------
    wherewhen.metric_learning.fit_metrics : Fits metrics by name.
    wherewhen.metric_learning.base.MetricLearner : The base of the estimators.

    Examples
    --------
    >>> METRICS["xqda"].label, METRICS["xqda"].across_cameras
    ('XQDA', True)
    """

    name: str
    label: str
    path: str
    after_pca: bool = True
    across_cameras: bool = False
    is_distance: bool = True
    shrinkage: Shrinkage | None = None

    def estimator(self) -> type[Any]:
        """Import and return the class."""
        return resolve_name(self.path)


_SHARE = Shrinkage("shrinkage", (0.001, 0.01, 0.03, 0.1, 0.3, 0.5), fallback=0.01)

METRICS = {
    kind.name: kind
    for kind in (
        MetricKind("kissme", "KISSME", "wherewhen.metric_learning.kissme:KISSME", shrinkage=_SHARE),
        MetricKind("lfda", "LFDA", "wherewhen.metric_learning.lfda:LFDA", shrinkage=_SHARE),
        # RankSVM weighs single features: PCA would replace them by mixtures.
        MetricKind(
            "rank_svm",
            "RankSVM",
            "wherewhen.metric_learning.rank_svm:RankSVM",
            after_pca=False,
            across_cameras=True,
            is_distance=False,
        ),
        MetricKind(
            "xqda",
            "XQDA",
            "wherewhen.metric_learning.xqda:XQDA",
            across_cameras=True,
            shrinkage=Shrinkage("regularisation", (1e-4, 1e-3, 3e-3, 1e-2, 3e-2), fallback=0.001),
        ),
    )
}
"""The metrics by name. A new one is a module with its estimator, and its record here."""
