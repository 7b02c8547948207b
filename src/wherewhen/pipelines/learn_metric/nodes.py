"""Nodes of `learn_metric`."""

import logging
import warnings

import numpy as np
import pandas as pd

from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.pipelines.types import Metrics
from wherewhen.tracklets.threads import one_thread

log = logging.getLogger(__name__)


def learn(embeddings: pd.DataFrame, parameters: LearnMetricParameters) -> Metrics:
    """Fit PCA, and each metric after it, on the training persons' clips."""
    from wherewhen.metric_learning.pipeline import fit_metrics

    training = embeddings[embeddings.role == "train"]
    with warnings.catch_warnings(record=True) as caught, one_thread():
        warnings.simplefilter("always", UserWarning)
        metrics = fit_metrics(
            np.stack(training.vector.to_list()).astype(np.float64),
            training.person.to_numpy(),
            training.camera.to_numpy(),
            {kind: getattr(parameters, kind) for kind in parameters.metrics},
            dimension=parameters.dimension,
        )
    for message in sorted({str(warning.message) for warning in caught}):
        log.info("%s: %s", training.trial.iloc[0], message)
    return metrics
