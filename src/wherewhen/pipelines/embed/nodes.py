"""Nodes of `embed`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wherewhen.devices import usable_device
from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import engine_of
from wherewhen.features import pooling
from wherewhen.model.config import FisherConfig
from wherewhen.pipelines.types import Network, Root
from wherewhen.project import from_root
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.pictures import TrackletPictures
from wherewhen.tracklets.threads import one_thread
from wherewhen.tracklets.windows import Window, as_windows, embedding_windows


def choose_windows(
    split: pd.DataFrame,
    tracklets: pd.DataFrame,
    frames: int | None,
    clips: int,
    clip_frames: int,
) -> pd.DataFrame:
    """Choose the frames that stand for each tracklet."""
    lengths = dict(zip(tracklets.tracklet, tracklets.length, strict=True))
    return embedding_windows(split, lengths, limit=frames, clips=clips, clip_frames=clip_frames)


def encode(
    network: Network,
    cubes: CubeReader,
    windows: pd.DataFrame,
    batch_size: int,
    average_variants: str,
    frames: int | None,
    device: str = "auto",
    execution: ExecutionConfig = ExecutionConfig(),  # noqa: B008
) -> pd.DataFrame:
    """Give every clip the network's embedding.

    Where it is averaged over variants, those of fewer than `frames` frames are ``short``.
    """
    from wherewhen.model.encode import encode_tracklets

    engine = engine_of(execution, usable_device(device))

    def embed(asked: Sequence[Window]) -> np.ndarray:
        encodings = encode_tracklets(
            network, cubes, asked, batch_size, device=device, engine=engine
        )
        return encodings.embeddings

    vectors = embed(as_windows(windows))
    if average_variants != "off":
        averaged = windows.role.ne("train")
        if average_variants == "short" and frames is not None:
            averaged &= windows.stop - windows.start < frames
        vectors = _average(embed, cubes, windows, averaged, vectors)
    return windows.assign(vector=list(vectors))


def _average(
    embed: Callable[[Sequence[Window]], np.ndarray],
    cubes: CubeReader,
    windows: pd.DataFrame,
    averaged: pd.Series,
    vectors: np.ndarray,
) -> np.ndarray:
    """Average some embeddings over the cubes' variants; their lengths stay."""
    if cubes.variants == 1:
        raise ValueError(
            "embed.average_variants is not off, but the cubes have no augmented variants; set "
            "extract.augmentation.variants to 2 or more, or this to off"
        )
    rows, plain_windows = np.flatnonzero(averaged), as_windows(windows[averaged])
    total = vectors[rows].copy()
    for variant in range(1, cubes.variants):
        augmented = [window._replace(variant=variant) for window in plain_windows]
        total += embed(augmented)
    plain, summed = (np.linalg.norm(each, axis=1, keepdims=True) for each in (vectors[rows], total))
    vectors = vectors.copy()
    vectors[rows] = total * (plain / np.maximum(summed, np.finfo(np.float32).tiny))
    return vectors


def encode_fisher(
    network: Network,
    cubes: CubeReader,
    windows: pd.DataFrame,
    config: FisherConfig,
    batch_size: int,
    device: str = "auto",
) -> pd.DataFrame:
    """Give every clip the Fisher vector of its frames, by a mixture of the training clips'."""
    from wherewhen.model.encode import encode_tracklets
    from wherewhen.model.fisher import fit_fisher

    training, asked = as_windows(windows[windows.role == "train"]), as_windows(windows)
    with one_thread():
        fisher = fit_fisher(network, cubes, training, config, batch_size, device=device)
        vectors = encode_tracklets(
            network, cubes, asked, batch_size, pooling=fisher, device=device
        ).embeddings
    return windows.assign(vector=list(vectors))


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


def pool(cubes: CubeReader, windows: pd.DataFrame, features: Sequence[str]) -> list[pd.DataFrame]:
    """Give every clip pooled cubes as its vector, by each of the asked-for ways to pool."""
    means, rows = pooling.pool_windows(cubes, as_windows(windows))
    vectors = {"mean_pooled": means, "row_pooled": rows}
    return [windows.assign(vector=vectors[name]) for name in features]


def pool_by_attention(
    network: Network,
    cubes: CubeReader,
    windows: pd.DataFrame,
    batch_size: int,
    device: str = "auto",
) -> pd.DataFrame:
    """Give every clip row-pooled cubes, weighted by the network's attention."""
    from wherewhen.model.encode import encode_tracklets

    asked = as_windows(windows)
    maps = encode_tracklets(
        network, cubes, asked, batch_size, attention=True, device=device
    ).attention
    return windows.assign(vector=pooling.pool_by_attention(cubes, asked, maps))


def describe(
    root: Root,
    frames: pd.DataFrame,
    windows: pd.DataFrame,
    options: dict[str, Any],
    device: str,
    features: str,
) -> pd.DataFrame:
    """Give every clip a baseline's vector, from its frames; the training clips teach it."""
    from wherewhen.baselines.describe import build_baseline, describe_windows, options_of

    if "device" in options_of(features):
        options = {**options, "device": usable_device(device)}
    baseline = build_baseline(features, options)
    pictures = TrackletPictures(from_root(root), frames)
    return windows.assign(vector=describe_windows(baseline, windows, pictures, title=features))
