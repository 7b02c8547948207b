"""Nodes of `learn_metric`."""

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd

from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.pipelines.logged import warnings_logged
from wherewhen.pipelines.types import Metrics
from wherewhen.pipelines.vectors import centred
from wherewhen.project import from_root
from wherewhen.tracklets.threads import one_thread

log = logging.getLogger(__name__)


def learn(
    embeddings: pd.DataFrame, parameters: LearnMetricParameters
) -> tuple[Metrics, pd.DataFrame]:
    """Fit PCA, and each metric after it, on the training persons' clips.

    The table has what was tried for values that are to be chosen, and which ones are used.
    """
    from wherewhen.metric_learning.pipeline import fit_metrics
    from wherewhen.metric_learning.selection import choose, in_words

    embeddings = centred(embeddings, parameters.centre)
    training = embeddings[embeddings.role == "train"]
    trial = training.trial.iloc[0]
    samples = (
        np.stack(training.vector.to_list()).astype(np.float64),
        training.person.to_numpy(),
        training.camera.to_numpy(),
    )
    asked = {kind: getattr(parameters, kind) for kind in parameters.metrics}
    with warnings_logged(log, trial), one_thread():
        options, candidates = choose(*samples, asked, parameters.dimension)
        metrics = fit_metrics(*samples, options)
    for each in candidates:
        if each.chosen and not math.isnan(each.mean_ap):
            log.info("%s: %s", trial, in_words(each))
    return metrics, pd.DataFrame(candidates).assign(trial=trial)


def borrow(path: Path) -> tuple[Metrics, pd.DataFrame]:
    """Read metrics that were learned elsewhere; nothing was tried."""
    from wherewhen.metric_learning.files import read_metrics

    return read_metrics(from_root(path)), _nothing_tried()


def leave_out(embeddings: pd.DataFrame) -> tuple[Metrics, pd.DataFrame]:
    """Learn nothing: these features are measured without a learned metric."""
    return {}, _nothing_tried()


def _nothing_tried() -> pd.DataFrame:
    from wherewhen.metric_learning.selection import Candidate

    return pd.DataFrame(columns=[*Candidate._fields, "trial"])
