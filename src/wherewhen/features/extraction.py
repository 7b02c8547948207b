"""Extraction, of the features room: frames in, feature cubes out, tracklet by tracklet.

A `CubeExtraction` is a plan: it knows what its cubes depend on before it makes any.  `fill` carries
it out into a cube store and goes on where an earlier run stopped.  A tracklet is cut into batches
from its own first frame, never across tracklets, so that its cubes do not depend on what was
extracted before it, and a run that was killed and continued writes the same bytes as one that was
not.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from wherewhen.features.cube_store import CubeStore
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.ingest import frames_fingerprint

if TYPE_CHECKING:
    from torch import Tensor

    from wherewhen.features.backbones import Backbone

READ_AHEAD = 3
"""Batches that are decoded while the network computes."""


class ExtractionError(ValueError):
    """A frame that is not what the tables say."""


@dataclass(frozen=True, eq=False)
class CubeExtraction:
    """The cubes of a data set, not yet made.

    Parameters
    ----------
    backbone
        Makes cubes of images.
    root
        The data set's folder, to which the frames' paths are relative.
    tracklets
        Table `wherewhen.tracklets.schema.TRACKLETS`.
    frames
        Table `wherewhen.tracklets.schema.FRAMES`.
    batch_size
        Frames that go through the network at once.  Sums are taken in another order in batches of
        another size (the last digits of float32 differ), so it is a part of the identity.
    """

    backbone: Backbone
    root: str | Path
    tracklets: pd.DataFrame
    frames: pd.DataFrame
    batch_size: int = 16

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size: expected 1 or more, got {self.batch_size}")

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that the cubes depend on; JSON can hold it."""
        return {
            "backbone": self.backbone.record,
            "batch_size": self.batch_size,
            "dataset": frames_fingerprint(self.frames),
        }

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Frames of every tracklet."""
        return dict(zip(self.tracklets.tracklet, self.tracklets.length.astype(int), strict=True))

    @property
    def cube_shape(self) -> tuple[int, int, int]:
        """(K, K, D)."""
        return (self.backbone.grid, self.backbone.grid, self.backbone.channels)

    def cubes_of(self, tracklet: str) -> NDArray[np.float16]:
        """Make the cubes of one tracklet.

        Parameters
        ----------
        tracklet
            Its name.

        Returns
        -------
        ndarray
            float16, shape [length, K, K, D], frames in order.

        Raises
        ------
        KeyError
            If the tables have no such tracklet.
        FileNotFoundError, ExtractionError
            If a frame's file is missing or not what was ingested.
        """
        ((_, cubes),) = self.stream([tracklet])
        return cubes

    def stream(self, tracklets: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float16]]]:
        """Make the cubes of many tracklets; images are decoded while the network computes.

        Parameters
        ----------
        tracklets
            Their names.

        Yields
        ------
        tracklet : str
            In the given order.
        cubes : ndarray
            float16, shape [length, K, K, D].
        """
        batches = (
            (tracklet, start) for tracklet in tracklets for start in self._batch_starts(tracklet)
        )
        prepared = _ahead(lambda batch: (batch[0], self._prepare(*batch)), batches)
        for tracklet, parts in groupby(prepared, key=lambda part: part[0]):
            # values beyond float16 become infinite here and are refused by the store
            cubes = [self.backbone.compute(images).half().cpu().numpy() for _, images in parts]
            yield tracklet, np.concatenate(cubes)

    def _batch_starts(self, tracklet: str) -> range:
        if tracklet not in self.lengths:
            raise KeyError(f"the tables have no tracklet {tracklet}")
        return range(0, self.lengths[tracklet], self.batch_size)

    @cached_property
    def _frames_of(self) -> dict[str, list[tuple[str, str]]]:
        frames = self.frames.sort_values(["tracklet", "position"])
        rows = zip(frames.tracklet, frames.path, frames.sha256, strict=True)
        return {
            tracklet: [(path, sha256) for _, path, sha256 in group]
            for tracklet, group in groupby(rows, key=lambda row: row[0])
        }

    def _prepare(self, tracklet: str, start: int) -> Tensor:
        import torch

        frames = self._frames_of[tracklet][start : start + self.batch_size]
        images = [read_frame(Path(self.root, path), sha256) for path, sha256 in frames]
        if len({image.shape for image in images}) == 1:
            return self.backbone.preprocess(np.stack(images))
        return torch.cat([self.backbone.preprocess(image[None]) for image in images])


def read_frame(path: Path, sha256: str | None = None) -> NDArray[np.uint8]:
    """Read one image.

    Parameters
    ----------
    path
        The file.
    sha256
        Its hash when it was ingested; None does not check.

    Returns
    -------
    ndarray
        uint8, shape [H, W, 3], red first.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    ExtractionError
        If it changed or can't be decoded.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"frame {path} is gone since it was ingested; bring it back, or ingest again"
        ) from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ExtractionError(f"frame {path} changed since it was ingested; ingest again")
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:  # UnidentifiedImageError is one
        raise ExtractionError(
            f"frame {path} can't be decoded ({error}); replace it and ingest again"
        ) from error


def fill(store: CubeStore, extraction: CubeExtraction, progress: bool = True) -> None:
    """Make the cubes that a store lacks, then seal it.

    Parameters
    ----------
    store
        Of the extraction's identity; tracklets that it holds whole are not made again.
    extraction
        The plan.
    progress
        Whether to show a bar, in frames per second.

    Raises
    ------
    ValueError
        If the store is of another identity.
    CubeStoreError
        If the disk can't hold what is missing, or fills up on the way, or another process writes
        into the store.  Finished tracklets stay, and calling again goes on from there.
    """
    from tqdm import tqdm

    if fingerprint(extraction.identity) != store.key:
        raise ValueError(
            f"{store.folder} is the store of other cubes; make this extraction's own with "
            "CubeStore.create(root, extraction.identity)"
        )
    lengths = extraction.lengths
    with store.writing():
        missing = [tracklet for tracklet in lengths if tracklet not in store]
        if not missing and store.complete:
            return
        to_make = [lengths[tracklet] for tracklet in missing]
        store.require_space(store.bytes_needed(to_make, extraction.cube_shape))
        with tqdm(
            total=sum(lengths.values()),
            initial=sum(lengths.values()) - sum(to_make),
            desc="extract",
            unit=" frames",
            disable=not progress,
        ) as bar:
            for tracklet, cubes in extraction.stream(missing):
                store.write(tracklet, cubes)
                bar.update(len(cubes))
        store.seal()


def _ahead(work: Any, items: Iterable[Any]) -> Iterator[Any]:
    """Map in one background thread that stays a few items ahead of the consumer."""
    with ThreadPoolExecutor(1, thread_name_prefix="frames") as pool:
        waiting: deque[Future] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
