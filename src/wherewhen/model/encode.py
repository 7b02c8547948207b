"""Embeddings of whole tracklets: clips of any length in padded batches, without gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from wherewhen.devices import usable_device
from wherewhen.execution.engine import LOCAL, Engine
from wherewhen.memory import WithinMemory
from wherewhen.model.convolution import full_float32
from wherewhen.model.cubes import gather
from wherewhen.model.siamese import SiameseNetwork
from wherewhen.model.threads import torch_threads
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.threads import in_threads, processors
from wherewhen.tracklets.windows import Window

MOST_THREADS = 8
"""Batches that are encoded at once on a CPU, each in its own memory."""

MOST_READERS = 4
"""Threads that read the next batches while a GPU computes."""

LARGEST_BATCH = 2**30
"""The most bytes of cubes that a GPU is given at once: larger batches are no faster."""

SHARE = 0.05
"""Share of a GPU's free memory that a batch of cubes may take: the network needs six times that."""

Values = tuple[Sequence[np.ndarray], ...]
"""Kinds of results, each with a value for every window of a batch."""


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
    network: SiameseNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    batch_size: int = 8,
    progress: bool = True,
    attention: bool = False,
    pooling: FramePooling | None = None,
    device: str | None = None,
    engine: Engine = LOCAL,
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
        Windows a batch; 8 windows of 128 frames of 7 x 7 x 1024 take 0.6 GB. On a GPU a batch has
        more where its memory allows; everywhere fewer where memory does not hold so many.
    progress
        Show a progress bar (frames).
    attention
        Also return attention maps and frame weights.
    pooling
        What pools the frames' states (`SiameseNetwork.frame_states`) instead of the
        network, such as a fitted `wherewhen.model.fisher_vector.FisherVector` (Eq 10).
    device
        Where to compute (`wherewhen.devices.Device`): the network is moved there for the time
        being. None: where it is.
    engine
        Where the work is done; the same batches are computed, whoever does.

    Returns
    -------
    Encodings

    Raises
    ------
    ValueError
        If attention is asked for with another pooling, which has no frame weights; if there is no
        such device.
    MemoryError
        If memory, or a GPU's, can't hold a single window.
    """
    if attention and pooling is not None:
        raise ValueError("attention: only the network's own pooling has frame weights")
    windows = list(windows)
    embeddings: list[np.ndarray] = [np.empty(0)] * len(windows)
    maps: list[np.ndarray] = [np.empty(0)] * len(windows)
    weights: list[np.ndarray] = [np.empty(0)] * len(windows)

    def encode(cubes: Tensor, mask: Tensor) -> Values:
        if pooling is not None:
            states = _valid_frames(network.frame_states(cubes, mask), mask)
            return (pooling.transform(states).astype(np.float32),)
        encoding = network.encode(cubes, mask)
        vectors = encoding.embedding.float().cpu().numpy()
        if not attention:
            return (vectors,)
        seen = (encoding.attention, encoding.frame_weights)
        return (vectors, *(_valid_frames(values, mask) for values in seen))

    made = _by_batch(network, reader, windows, batch_size, progress, encode, device, engine)
    for batch, found in made:
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
    network: SiameseNetwork,
    reader: CubeReader,
    windows: Sequence[Window],
    batch_size: int = 8,
    progress: bool = True,
    device: str | None = None,
) -> list[np.ndarray]:
    """Give the states of every frame of windows of tracklets, unpooled.

    Parameters
    ----------
    network, reader, windows, batch_size, progress, device
        As for `encode_tracklets`.

    Returns
    -------
    list of numpy.ndarray
        Of each window ``[stop - start, E]`` float32 (`SiameseNetwork.frame_states`).
    """
    windows = list(windows)
    states: list[np.ndarray] = [np.empty(0)] * len(windows)

    def encode(cubes: Tensor, mask: Tensor) -> Values:
        return (_valid_frames(network.frame_states(cubes, mask), mask),)

    made = _by_batch(network, reader, windows, batch_size, progress, encode, device)
    for batch, (found,) in made:
        for index, frames in zip(batch, found, strict=True):
            states[index] = frames
    return states


@contextmanager
def evaluating(network: SiameseNetwork) -> Iterator[None]:
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


@contextmanager
def _moved(network: SiameseNetwork, there: torch.device) -> Iterator[None]:
    """Move a network to a device for the time being."""
    before = next(network.parameters()).device
    try:
        network.to(there)
        yield
    finally:
        network.to(before)


def _by_batch(
    network: SiameseNetwork,
    reader: CubeReader,
    windows: list[Window],
    batch_size: int,
    progress: bool,
    encode: Callable[[Tensor, Tensor], Values],
    device: str | None,
    engine: Engine = LOCAL,
) -> Iterator[tuple[list[int], Values]]:
    """Encode batches of windows of like length; give the windows' places and what came out."""
    lengths = [window.length for window in windows]
    before = next(network.parameters()).device
    there = before if device is None else torch.device(usable_device(device))
    frames = 0 if there.type == "cpu" else _frames_that_fit(reader, free_memory(there))
    batches = list(_batches(lengths, batch_size, frames))

    def read(batch: list[int]) -> tuple[Tensor, Tensor]:
        return gather(reader, [windows[index] for index in batch])

    def encode_there(cubes: Tensor, mask: Tensor) -> Values:
        return encode(cubes.to(there), mask.to(there))

    def work(batches: Iterable[list[int]]) -> Iterator[tuple[list[int], list[Values]]]:
        run = _in_all_threads if there.type == "cpu" else _read_ahead
        with _moved(network, there), evaluating(network):
            yield from run(read, encode_there, batches)

    with (
        closing(engine.map(work, batches)) as encoded,
        tqdm(total=sum(lengths), desc="embed", unit="frame", disable=not progress) as bar,
    ):
        for batch, found in encoded:
            yield batch, _joined(found)
            bar.update(sum(lengths[index] for index in batch))


def free_memory(device: torch.device) -> int:
    """Return the bytes that a GPU has left."""
    return torch.cuda.mem_get_info(device)[0]


def _frames_that_fit(reader: CubeReader, free: int) -> int:
    """Return how many frames a batch may have on a GPU with so many bytes left."""
    frame = math.prod(reader.shape) * np.dtype(reader.dtype).itemsize
    return int(min(LARGEST_BATCH, SHARE * free) // frame)


def _batches(lengths: Sequence[int], batch_size: int, frames: int = 0) -> Iterator[list[int]]:
    """Divide windows into batches of like length, the longest first.

    A batch has `batch_size` windows, or more where they have at most `frames` frames in all.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    first = 0
    while first < len(order):
        size = max(batch_size, frames // lengths[order[first]])
        yield order[first : first + size]
        first += size


def _in_all_threads(
    read: Callable[[list[int]], tuple[Tensor, Tensor]],
    encode: Callable[[Tensor, Tensor], Values],
    batches: Iterable[list[int]],
) -> Iterator[tuple[list[int], list[Values]]]:
    """Let several threads each take whole batches and compute in one thread.

    The numbers are the same on any machine.
    """

    def work(batch: list[int]) -> tuple[list[int], list[Values]]:
        with torch.no_grad():  # each thread has a switch of its own
            return batch, within_memory(batch)

    within_memory = WithinMemory(
        lambda batch: encode(*read(batch)),
        lambda batch: (
            "memory does not hold a window of a tracklet: take a shorter one "
            "(embed.frames), close other programs, or take a machine with more"
        ),
    )
    workers = min(processors(), MOST_THREADS)
    yield from in_threads(work, batches, workers, ahead=workers)


def _read_ahead(
    read: Callable[[list[int]], tuple[Tensor, Tensor]],
    encode: Callable[[Tensor, Tensor], Values],
    batches: Iterable[list[int]],
) -> Iterator[tuple[list[int], list[Values]]]:
    """Let several threads read the next batches while a GPU computes one."""

    def work(batch: list[int]) -> tuple[list[int], Tensor, Tensor]:
        return batch, *read(batch)

    within_memory = WithinMemory(
        encode,
        lambda cubes, mask: (
            f"the GPU can't hold a window of {cubes.shape[1]} frames: take a "
            "shorter one (embed.frames), or device: cpu"
        ),
    )
    workers = min(processors(), MOST_READERS)
    for batch, cubes, mask in in_threads(work, batches, workers, ahead=workers + 1):
        yield batch, within_memory(cubes, mask)


def _joined(parts: list[Values]) -> Values:
    """Put together what was made of the parts of a batch."""
    return tuple(list(chain(*each)) for each in zip(*parts, strict=True))


def _valid_frames(values: Tensor, mask: Tensor) -> list[np.ndarray]:
    """Split ``[N, T, ...]`` into the valid frames of each clip."""
    return [value[valid].float().cpu().numpy() for value, valid in zip(values, mask, strict=True)]
