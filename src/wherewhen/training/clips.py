"""Clips on their way to the step: indexed where all cubes are kept, else read one batch ahead."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from wherewhen.model.cubes import gather
from wherewhen.model.projection import CubeInput
from wherewhen.tracklets.clips import cyclic_positions
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.windows import Clip, Window
from wherewhen.training.transfer import move


class Clips(NamedTuple):
    """Clips of cubes, on the device of the training."""

    cubes: Tensor
    """``[N, T, H, W, D]``; overwritten by one of the next batches."""
    mask: Tensor
    """``[N, T]``: valid frames."""
    whole: bool
    """Whether all frames are valid; known to the CPU, which need not ask the GPU."""
    copied: torch.cuda.Event | None = None
    """When they are there, if they are on the way to a GPU."""


class PreloadedCubes(CubeReader):
    """Cubes of some tracklets, in one tensor.

    Parameters
    ----------
    reader
        Where they are read from, once.
    windows
        Whole tracklets, as `CubeReader.whole` returns them.
    progress
        Show a progress bar.
    device
        Where they are kept.
    """

    def __init__(
        self,
        reader: CubeReader,
        windows: Sequence[Window],
        progress: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.lengths = {window.tracklet: window.length for window in windows}
        self.shape, self.dtype, self.variants = reader.shape, reader.dtype, reader.variants
        *starts, frames = np.cumsum([0, *(window.length for window in windows)]).tolist()
        self._starts = {
            (window.tracklet, window.variant): start
            for window, start in zip(windows, starts, strict=True)
        }
        self.cubes = torch.empty(
            (frames, *self.shape), dtype=torch_type(reader.dtype), device=device
        )
        for window in tqdm(windows, desc="load cubes", unit="tracklet", disable=not progress):
            self._rows(window).copy_(torch.from_numpy(reader.read(window)))

    def row(self, window: Clip) -> int:
        """Return the index of the first frame of a window's tracklet in `cubes`."""
        if (window.tracklet, window.variant) not in self._starts:
            raise KeyError(f"cubes of {window} were not preloaded")
        return self._starts[window.tracklet, window.variant]

    def _rows(self, window: Window) -> Tensor:
        return self.cubes[self.row(window) + window.start :][: window.length]

    def _fill(self, window: Window, out: np.ndarray) -> None:
        out[:] = self._rows(window).cpu().numpy()


class ReducedCubes(CubeReader):
    """Cubes in the frozen basis of a network, as its training reads them, in float16.

    Frames are reduced one by one on the CPU: a frame's digits do not depend on the window, the
    memory or the device.

    Parameters
    ----------
    reader
        Where the backbone's cubes are.
    part
        The network's input, calibrated; statistics and basis are those of now.

    See Also
    --------
    wherewhen.model.siamese.SiameseNetwork.encode_reduced : Encodes them.
    """

    def __init__(self, reader: CubeReader, part: CubeInput) -> None:
        self.reader = reader
        self.lengths, self.variants = reader.lengths, reader.variants
        self.shape = (*reader.shape[:2], part.reduced_channels)
        self.matrix, self.offset = (tensor.cpu() for tensor in part.reduction())

    def is_stored(self, tracklet: str) -> bool:
        """Whether the backbone's cubes are there."""
        return self.reader.is_stored(tracklet)

    def granule(self, tracklet: str) -> int:
        """Frames that are read at once."""
        return self.reader.granule(tracklet)

    @torch.no_grad()
    def _fill(self, window: Window, out: np.ndarray) -> None:
        for cube, frame in zip(self.reader.read(window), out, strict=True):
            values = torch.from_numpy(cube).to(self.matrix.dtype)
            frame[:] = torch.nn.functional.linear(values, self.matrix, self.offset).numpy()


def reduced(reader: CubeReader, part: CubeInput) -> CubeReader:
    """Return what a network's training reads: `ReducedCubes`, or the reader where it has no basis.

    Parameters
    ----------
    reader
        Where the backbone's cubes are.
    part
        The network's input, calibrated.
    """
    return reader if part.basis is None else ReducedCubes(reader, part)


def torch_type(dtype: np.dtype) -> torch.dtype:
    """Return torch's name of a NumPy type."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


def preload(
    reader: CubeReader,
    windows: Sequence[Window],
    gigabytes: float,
    progress: bool = False,
    device: torch.device | str = "cpu",
    device_share: float = 0.5,
) -> CubeReader:
    """Keep tracklets' cubes where there is room for them, unless they are made when asked for.

    Parameters
    ----------
    reader
        Where they are.
    windows
        Whole tracklets that will be needed, as `CubeReader.whole` returns them.
    gigabytes
        The most that they may take of the main memory.
    progress
        Show a progress bar.
    device
        Where they are needed.
    device_share
        The most that they may take of a GPU's free memory.

    Returns
    -------
    CubeReader
        `PreloadedCubes` on the GPU or in the main memory, or the reader itself.
    """
    device = torch.device(device)
    if isinstance(reader, PreloadedCubes) and reader.cubes.device == device:
        return reader
    if not all(reader.is_stored(window.tracklet) for window in windows):
        return reader
    cube = math.prod(reader.shape) * reader.dtype.itemsize
    needed = cube * sum(window.length for window in windows)
    if device.type == "cuda" and needed <= device_share * torch.cuda.mem_get_info(device)[0]:
        return PreloadedCubes(reader, windows, progress, device)
    if isinstance(reader, PreloadedCubes) or needed > gigabytes * 1e9:
        return reader
    return PreloadedCubes(reader, windows, progress)


class ClipSource(ABC):
    """Loads the clips of a step."""

    ahead: bool
    """Whether the next batch is to be loaded, by another thread, while a step is taken."""

    @abstractmethod
    def load(self, windows: Sequence[Clip]) -> Clips:
        """Load clips."""

    def hand_over(self, clips: Clips) -> Clips:
        """Make the current stream wait for what was loaded."""
        return clips


class ResidentClips(ClipSource):
    """Gathers clips by index from cubes that are on the device of the training.

    Parameters
    ----------
    cubes
        The cubes.
    frames
        Frames T of a clip.
    """

    ahead = False

    def __init__(self, cubes: PreloadedCubes, frames: int) -> None:
        self.cubes = cubes
        self.frames = frames
        self._buffer: Tensor | None = None

    def load(self, windows: Sequence[Clip]) -> Clips:
        """Copy clips into a buffer that is used again and again."""
        indices, masks = [], []
        for window in windows:
            self.cubes.require(window)
            positions, mask = cyclic_positions(0, window.length, self.frames)
            indices.append(self.cubes.row(window) + np.array(window.positions)[positions])
            masks.append(mask)
        kept = self.cubes.cubes
        needed = len(windows) * self.frames
        if self._buffer is None or len(self._buffer) < needed:
            self._buffer = kept.new_empty((needed, *kept.shape[1:]))
        index = move(torch.from_numpy(np.concatenate(indices)), kept.device)
        clips = torch.index_select(kept, 0, index, out=self._buffer[:needed])
        valid = np.stack(masks)
        return Clips(
            clips.unflatten(0, valid.shape),
            move(torch.from_numpy(valid), kept.device),
            bool(valid.all()),
        )


class StreamedClips(ClipSource):
    """Clips read into two buffers in turn, pinned and copied in a stream of its own for a GPU.

    While the step works on the one, a thread fills the other.

    Parameters
    ----------
    reader
        Where the cubes are.
    frames
        Frames T of a clip.
    device
        Where they are needed.
    """

    ahead = True

    def __init__(self, reader: CubeReader, frames: int, device: torch.device) -> None:
        self.reader = reader
        self.frames = frames
        self.device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._buffers: list[Tensor | None] = [None, None]
        self._copied: list[torch.cuda.Event | None] = [None, None]
        self._turn = 0

    def load(self, windows: Sequence[Clip]) -> Clips:
        """Read clips, and begin to copy them to the GPU."""
        self._turn = 1 - self._turn
        copied = self._copied[self._turn]
        if copied is not None:
            copied.synchronize()  # the GPU may still be fetching the buffer's last content
        cubes, mask = gather(self.reader, windows, self.frames, self._buffer(windows))
        whole = bool(mask.all())
        if self._stream is None:
            return Clips(cubes, mask, whole)
        with torch.cuda.stream(self._stream):
            on_gpu = cubes.to(self.device, non_blocking=True), move(mask, self.device)
            self._copied[self._turn] = self._stream.record_event()
        return Clips(*on_gpu, whole, self._copied[self._turn])

    def hand_over(self, clips: Clips) -> Clips:
        """Make the GPU's current stream wait for the copy (the CPU does not)."""
        if clips.copied is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(clips.copied)
            for tensor in (clips.cubes, clips.mask):
                tensor.record_stream(stream)  # its memory is not to be reused before
        return clips

    def _buffer(self, windows: Sequence[Clip]) -> Tensor:
        shape = (len(windows), self.frames)
        buffer = self._buffers[self._turn]
        if buffer is None or len(buffer) < math.prod(shape):
            buffer = torch.empty(
                (math.prod(shape), *self.reader.shape),
                dtype=torch_type(self.reader.dtype),
                pin_memory=self._stream is not None,
            )
            self._buffers[self._turn] = buffer
        return buffer[: math.prod(shape)].unflatten(0, shape)


def clip_source(reader: CubeReader, frames: int, device: torch.device) -> ClipSource:
    """Choose by where the cubes are.

    Parameters
    ----------
    reader
        From `preload`.
    frames
        Frames T of a clip.
    device
        Where the step is taken.
    """
    if isinstance(reader, PreloadedCubes) and reader.cubes.device == device:
        return ResidentClips(reader, frames)
    return StreamedClips(reader, frames, device)


class _HasWindows(Protocol):
    @property
    def windows(self) -> Sequence[Clip]: ...


Drawn = TypeVar("Drawn", bound=_HasWindows)


def load_clips(
    source: ClipSource, batches: Iterable[Drawn]
) -> Iterator[tuple[Drawn, Clips, float]]:
    """Load the clips of batches, in order, one batch ahead of the step if the source wants it.

    Parameters
    ----------
    source
        Loads them.
    batches
        What is drawn, with ``windows``.

    Yields
    ------
    tuple
        The batch, its clips, and the seconds that the caller was kept waiting.
    """

    def receive(batch: Drawn, load: Callable[[], Clips]) -> tuple[Drawn, Clips, float]:
        began = time.perf_counter()
        clips = source.hand_over(load())
        return batch, clips, time.perf_counter() - began

    if not source.ahead:
        for batch in batches:
            yield receive(batch, partial(source.load, batch.windows))
        return
    with ThreadPoolExecutor(1, "read cubes") as thread:
        coming: tuple[Drawn, Callable[[], Clips]] | None = None
        for batch in batches:
            following = batch, thread.submit(source.load, batch.windows).result
            if coming is not None:
                yield receive(*coming)
            coming = following
        if coming is not None:
            yield receive(*coming)
