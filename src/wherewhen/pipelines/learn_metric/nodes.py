"""Nodes of `learn_metric`."""

import logging
import warnings

import numpy as np
import pandas as pd

from wherewhen.pipelines.parameters import LearnMetricParameters
from wherewhen.pipelines.types import Metrics

log = logging.getLogger(__name__)

KINDS = ("kissme", "lfda")
"""The metrics that are learned."""


def learn(embeddings: pd.DataFrame, parameters: LearnMetricParameters) -> Metrics:
    """Fit PCA with KISSME, and with LFDA, on the training persons' clips."""
    from wherewhen.metric_learning.pipeline import metric_pipeline

    training = embeddings[embeddings.role == "train"]
    vectors = np.stack(training.vector.to_list()).astype(np.float64)
    metrics = {
        kind: metric_pipeline(kind, dimension=parameters.dimension, **getattr(parameters, kind))
        for kind in KINDS
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        for metric in metrics.values():
            metric.fit(vectors, training.person.to_numpy())
    for message in sorted({str(warning.message) for warning in caught}):
        log.info("%s: %s", training.trial.iloc[0], message)
    return metrics
