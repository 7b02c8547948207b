"""Nodes of `embed`."""

import numpy as np
import pandas as pd

from wherewhen.features.cube_store import CubeStore
from wherewhen.features.pooling import pool_windows
from wherewhen.pipelines.parameters import EmbedParameters
from wherewhen.pipelines.types import Network
from wherewhen.tracklets.windows import embedding_windows


def choose_windows(
    split: pd.DataFrame, cubes: CubeStore, parameters: EmbedParameters
) -> pd.DataFrame:
    """Choose the frames that stand for each tracklet."""
    return embedding_windows(
        split,
        cubes.lengths,
        limit=parameters.frames,
        clips=parameters.clips,
        clip_frames=parameters.clip_frames,
    )


def encode(
    network: Network,
    cubes: CubeStore,
    windows: pd.DataFrame,
    parameters: EmbedParameters,
) -> pd.DataFrame:
    """Give every clip the network's embedding."""
    from wherewhen.model.encode import encode_tracklets

    encodings = encode_tracklets(
        network,
        cubes,
        list(windows[["tracklet", "start", "stop"]].itertuples(index=False, name=None)),
        batch_size=parameters.batch_size,
    )
    return windows.assign(vector=list(encodings.embeddings))


def compare(network: Network, embeddings: pd.DataFrame) -> np.ndarray:
    """Let the network say how alike probes and gallery are: the logits of Eq 8, [P, G].

    Done here, where the network is at hand: what evaluates needs no torch.
    """
    import torch

    probes, gallery = (
        torch.from_numpy(np.stack(embeddings[embeddings.role == role].vector.to_list())).float()
        for role in ("probe", "gallery")
    )
    with torch.inference_mode():
        return network.pairwise_logits(probes, gallery).numpy()


def pool(cubes: CubeStore, windows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every clip the baselines' vectors: cubes averaged, with and without their rows."""
    means, rows = pool_windows(
        cubes, windows[["tracklet", "start", "stop"]].itertuples(index=False, name=None)
    )
    return windows.assign(vector=means), windows.assign(vector=rows)
