"""The learned metrics: one record each. Imports no scikit-learn, so that names cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class MetricKind:
    """A learned metric.

    Every metric is fitted on labelled vectors. The fitted attributes that its file holds are named
    by its estimator: see `wherewhen.metric_learning.base.MetricLearner`.

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
        Whether its ``fit`` takes the cameras.

    See Also
    --------
    wherewhen.metric_learning.fit_metrics : Fits metrics by name.

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

    def estimator(self) -> type[Any]:
        """Import and return the class."""
        module, _, name = self.path.partition(":")
        return getattr(import_module(module), name)


METRICS = {
    kind.name: kind
    for kind in (
        MetricKind("kissme", "KISSME", "wherewhen.metric_learning.kissme:KISSME"),
        MetricKind("lfda", "LFDA", "wherewhen.metric_learning.lfda:LFDA"),
        # RankSVM weighs single features: PCA would replace them by mixtures.
        MetricKind(
            "rank_svm", "RankSVM", "wherewhen.metric_learning.rank_svm:RankSVM", False, True
        ),
        MetricKind("xqda", "XQDA", "wherewhen.metric_learning.xqda:XQDA", across_cameras=True),
    )
}
"""The metrics by name. A new one is a module with its estimator, and its record here."""
