"""Nodes of `learn_metric`."""

import numpy as np
import pandas as pd

from wherewhen.pipelines.parameters import LearnMetricParameters
from wherewhen.pipelines.types import Metrics

KINDS = ("kissme", "lfda")
"""The metrics that are learned."""


def learn(embeddings: pd.DataFrame, parameters: LearnMetricParameters) -> Metrics:
    """Fit PCA with KISSME, and with LFDA, on the training persons' clips."""
    from wherewhen.metric_learning.pipeline import metric_pipeline

    training = embeddings[embeddings.role == "train"]
    vectors = np.stack(training.vector.to_list()).astype(np.float64)
    return {
        kind: metric_pipeline(
            kind, dimension=parameters.dimension, **getattr(parameters, kind)
        ).fit(vectors, training.person.to_numpy())
        for kind in KINDS
    }
