"""The learned metrics: one record each. Imports no scikit-learn, so that names cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any


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

    def estimator(self) -> type[Any]:
        """Import and return the class."""
        return resolve_name(self.path)


METRICS = {
    kind.name: kind
    for kind in (
        MetricKind("kissme", "KISSME", "wherewhen.metric_learning.kissme:KISSME"),
        MetricKind("lfda", "LFDA", "wherewhen.metric_learning.lfda:LFDA"),
        # RankSVM weighs single features: PCA would replace them by mixtures.
        MetricKind(
            "rank_svm",
            "RankSVM",
            "wherewhen.metric_learning.rank_svm:RankSVM",
            after_pca=False,
            across_cameras=True,
            is_distance=False,
        ),
        MetricKind("xqda", "XQDA", "wherewhen.metric_learning.xqda:XQDA", across_cameras=True),
    )
}
"""The metrics by name. A new one is a module with its estimator, and its record here."""
