"""Embeddings of whole tracklets: clips of any length in padded batches, without gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tqdm.auto import tqdm

from wherewhen.model.cubes import CubeReader, Window, gather
from wherewhen.model.siamese import SiameseAttentionNetwork


@dataclass(frozen=True)
class Encodings:
    """What the network makes of N windows, in the order they were asked for."""

    windows: list[Window]
    """Tracklet, start and stop of each."""
    embeddings: np.ndarray
    """``[N, E]`` float32."""
    attention: list[np.ndarray] | None
    """Of each window ``[stop - start, K, K]`` float32, if it was asked for."""
    frame_weights: list[np.ndarray] | None
    """Of each window ``[stop - start]`` float32, if attention was asked for."""


def encode_tracklets(
    network: SiameseAttentionNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    batch_size: int = 8,
    progress: bool = True,
    attention: bool = False,
) -> Encodings:
    """Encode windows of tracklets, in batches of windows of like length.

    Parameters
    ----------
    network
        Put into evaluation mode for the time being.
    reader
        Where the cubes are.
    windows
        Tracklet, start and stop of each; lengths may differ.
    batch_size
        Windows a batch; 8 windows of 128 frames of 7 x 7 x 1024 take 0.6 GB.
    progress
        Show a progress bar (frames).
    attention
        Also return attention maps and frame weights.

    Returns
    -------
    Encodings
    """
    windows = list(windows)
    lengths = [stop - start for _, start, stop in windows]
    embeddings = np.empty((len(windows), network.embedding_size), np.float32)
    maps: list[np.ndarray] = [np.empty(0)] * len(windows)
    weights: list[np.ndarray] = [np.empty(0)] * len(windows)
    order = sorted(range(len(windows)), key=lambda index: (-lengths[index], index))
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    try:
        with (
            torch.no_grad(),
            tqdm(total=sum(lengths), desc="embed", unit="frame", disable=not progress) as bar,
        ):
            for first in range(0, len(order), batch_size):
                batch = order[first : first + batch_size]
                cubes, mask = gather(reader, [windows[index] for index in batch])
                encoding = network.encode(cubes.to(device), mask.to(device))
                embeddings[batch] = encoding.embedding.float().cpu().numpy()
                for row, index in enumerate(batch if attention else ()):
                    kept = slice(0, lengths[index])
                    maps[index] = encoding.attention[row, kept].float().cpu().numpy()
                    weights[index] = encoding.frame_weights[row, kept].float().cpu().numpy()
                bar.update(sum(lengths[index] for index in batch))
    finally:
        network.train(was_training)
    return Encodings(
        windows, embeddings, maps if attention else None, weights if attention else None
    )
