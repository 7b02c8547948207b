"""Vectors of a table of embeddings as metrics and distances take them."""

import numpy as np
import pandas as pd


def centred(embeddings: pd.DataFrame, centre: str) -> pd.DataFrame:
    """Remove from all vectors of a table what `learn_metric.centre` says."""
    if centre == "none":
        return embeddings
    from wherewhen.metric_learning.centring import without_camera_means

    vectors = without_camera_means(
        np.stack(embeddings.vector.to_list()), embeddings.camera, embeddings.role == "train"
    )
    return embeddings.assign(vector=list(vectors))
