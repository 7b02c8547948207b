"""Embeddings of whole tracklets: clips of any length in padded batches, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from wherewhen.model.convolution import full_float32
from wherewhen.model.cubes import gather
from wherewhen.model.siamese import SiameseAttentionNetwork
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.threads import in_threads, processors
from wherewhen.tracklets.windows import Window

MOST_THREADS = 8
"""Batches that are encoded at once on a CPU, each in its own memory."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Encodings:
    """What the network makes of N windows, in the order they were asked for."""

    windows: list[Window]
    """N windows."""
    embeddings: np.ndarray
    """``[N, E]`` float32."""
    attention: list[np.ndarray] | None
    """Of each window ``[stop - start, H, W]`` float32, if it was asked for."""
    frame_weights: list[np.ndarray] | None
    """Of each window ``[stop - start]`` float32, if attention was asked for."""


class FramePooling(Protocol):
    """What pools the frames' states of clips in the place of the network's own Eq 6."""

    def transform(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Pool clips ``[T_n, E]`` into vectors ``[N, F]``."""


def encode_tracklets(
    network: SiameseAttentionNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    batch_size: int = 8,
    progress: bool = True,
    attention: bool = False,
    pooling: FramePooling | None = None,
) -> Encodings:
    """Encode windows of tracklets, in batches of windows of like length.

    Parameters
    ----------
    network
        Put into evaluation mode for the time being.
    reader
        Where the cubes are.
    windows
        N windows; lengths may differ.
    batch_size
        Windows a batch; 8 windows of 128 frames of 7 x 7 x 1024 take 0.6 GB.
    progress
        Show a progress bar (frames).
    attention
        Also return attention maps and frame weights.
    pooling
        What pools the frames' states (`SiameseAttentionNetwork.frame_states`) instead of the
        network, such as a fitted `wherewhen.model.fisher_vector.FisherVector` (Eq 10).

    Returns
    -------
    Encodings

    Raises
    ------
    ValueError
        If attention is asked for with another pooling, which has no frame weights.
    """
    if attention and pooling is not None:
        raise ValueError("attention: only the network's own pooling has frame weights")
    windows = list(windows)
    embeddings: list[np.ndarray] = [np.empty(0)] * len(windows)
    maps: list[np.ndarray] = [np.empty(0)] * len(windows)
    weights: list[np.ndarray] = [np.empty(0)] * len(windows)

    def encode(cubes: Tensor, mask: Tensor) -> tuple[Sequence[np.ndarray], ...]:
        if pooling is not None:
            states = _valid_frames(network.frame_states(cubes, mask), mask)
            return (pooling.transform(states).astype(np.float32),)
        encoding = network.encode(cubes, mask)
        vectors = encoding.embedding.float().cpu().numpy()
        if not attention:
            return (vectors,)
        seen = (encoding.attention, encoding.frame_weights)
        return (vectors, *(_valid_frames(values, mask) for values in seen))

    for batch, found in _by_batch(network, reader, windows, batch_size, progress, encode):
        for into, values in zip((embeddings, maps, weights), found, strict=False):
            for index, value in zip(batch, values, strict=True):
                into[index] = value
    return Encodings(
        windows,
        np.stack(embeddings) if windows else np.empty((0, network.embedding_size), np.float32),
        maps if attention else None,
        weights if attention else None,
    )


def encode_frames(
    network: SiameseAttentionNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    batch_size: int = 8,
    progress: bool = True,
) -> list[np.ndarray]:
    """Give the states of every frame of windows of tracklets, unpooled.

    Parameters
    ----------
    network, reader, windows, batch_size, progress
        As for `encode_tracklets`.

    Returns
    -------
    list of numpy.ndarray
        Of each window ``[stop - start, E]`` float32 (`SiameseAttentionNetwork.frame_states`).
    """
    windows = list(windows)
    states: list[np.ndarray] = [np.empty(0)] * len(windows)

    def encode(cubes: Tensor, mask: Tensor) -> list[np.ndarray]:
        return _valid_frames(network.frame_states(cubes, mask), mask)

    for batch, found in _by_batch(network, reader, windows, batch_size, progress, encode):
        for index, frames in zip(batch, found, strict=True):
            states[index] = frames
    return states


@contextmanager
def evaluating(network: SiameseAttentionNetwork) -> Iterator[None]:
    """Put a network into evaluation mode, without gradients and TF32, for the time being.

    On a CPU it computes in one thread, so that no digit depends on the machine.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), full_float32(), torch_threads(1):
            yield
    finally:
        network.train(was_training)


def _by_batch(
    network: SiameseAttentionNetwork,
    reader: CubeReader,
    windows: list[Window],
    batch_size: int,
    progress: bool,
    encode: Callable[[Tensor, Tensor], Result],
) -> Iterator[tuple[list[int], Result]]:
    """Encode batches of windows of like length; give the windows' places and what came out.

    On a CPU several threads each take whole batches and compute in one thread: the numbers are the
    same on any machine.
    """
    lengths = [window.length for window in windows]
    order = sorted(range(len(windows)), key=lambda index: (-lengths[index], index))
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    device = next(network.parameters()).device
    workers = min(processors(), MOST_THREADS) if device.type == "cpu" else 1

    def work(batch: list[int]) -> tuple[list[int], Result]:
        with torch.no_grad():  # each thread has a switch of its own
            cubes, mask = gather(reader, [windows[index] for index in batch])
            return batch, encode(cubes.to(device), mask.to(device))

    with (
        evaluating(network),
        tqdm(total=sum(lengths), desc="embed", unit="frame", disable=not progress) as bar,
    ):
        for batch, found in in_threads(work, batches, workers, ahead=workers):
            yield batch, found
            bar.update(sum(lengths[index] for index in batch))


def _valid_frames(values: Tensor, mask: Tensor) -> list[np.ndarray]:
    """Split ``[N, T, ...]`` into the valid frames of each clip."""
    return [value[valid].float().cpu().numpy() for value, valid in zip(values, mask, strict=True)]
