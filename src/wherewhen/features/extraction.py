"""Extraction of feature cubes from frames, tracklet by tracklet.

A `CubeExtraction` is a plan: it knows what its cubes depend on before it makes any.  `fill` carries
it out into a cube store and goes on where an earlier run stopped.  A tracklet is cut into batches
from its own first frame, never across tracklets, so that its cubes do not depend on what was
extracted before it, and a run that was killed and continued writes the same bytes as one that was
not.

JPEG files are decoded by torchvision (twice as fast as Pillow, for the same pixels), PNG and BMP
files by Pillow.  On a CPU several threads each take whole batches from the file to the cubes, with
one intra-op thread each: the order of a sum, and with it the last digits of a cube, would otherwise
follow from the number of threads.  For a GPU they only decode.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wherewhen.execution.engine import LOCAL, Engine
from wherewhen.features.augmentation import Augmentation
from wherewhen.features.cube_files import Storage, as_stored, data_bytes
from wherewhen.features.cube_store import CubeStore, CubeStoreError, readable, require_finite
from wherewhen.features.frames import prepared
from wherewhen.features.weights import WeightsSource
from wherewhen.memory import WithinMemory
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.folders import listed
from wherewhen.tracklets.ingest import frames_fingerprint
from wherewhen.tracklets.picture_files import (
    CONVERTIBLE,
    FORMATS,
    MODE,
    PictureError,
    decode_picture,
)
from wherewhen.tracklets.threads import in_threads, processors
from wherewhen.tracklets.windows import Window

if TYPE_CHECKING:
    from torch import Tensor

    from wherewhen.features.backbones import Backbone

VERSION = 1
"""Raise it when the same frames, weights and settings give other cubes: a part of the identity."""
READ_AHEAD = 3
"""Batches that may be finished, or decoded, beside those that the threads are at."""
MOST_READERS = 8
"""Decoding threads that feed a GPU."""
BLOCK = 4096
"""Bytes of a file's header and of rounding up to what a file system hands out at once."""
PLAN_FILES = (PLAN := "plan.json", "tracklets.parquet", "frames.parquet")
"""What `CubeExtraction.save` writes: how cubes are made, and of which frames."""
# The name is a part of identities, and is from the time when torchvision decoded PNG files, too:
# Pillow gives them the same pixels, so cubes that were made then stay.
DECODER = "torchvision; Pillow for BMP"
MADE_BY = ("version", "backbone", "batch_size", "decoder", "augmentation", "storage")
"""Fields of the identity; cubes of the same frames and the same fields have the same bytes."""

log = logging.getLogger(__name__)


class ExtractionError(ValueError):
    """A frame that is not what the tables say."""


class _Batch(NamedTuple):
    """Frames of a tracklet that go through the network at once, once a variant."""

    tracklet: str
    start: int
    """Position of the first frame."""
    frames: list[tuple[str, str]]
    """Path and hash of each."""
    variants: Sequence[int]


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
    augmentation
        Which variants of every frame are made.
    storage
        How a store keeps them; see `CubeStore.write`.
    kept
        Tracklets that `fill` stores; None stores all.  `StreamedCubes` makes the others on demand.
    readers
        On a CPU, threads that decode and compute whole batches; None takes one a processor.  For a
        GPU, decoding threads; None takes up to eight.  Cubes do not depend on it.
    budget_gib
        The most that the whole store may take, in GiB; None: what the disk holds.
    recipe
        Arguments of `build_backbone` that make the backbone again; `save` needs it.
    engine
        Where `fill` makes cubes.  They do not depend on it.
    """

    backbone: Backbone
    root: str | Path
    tracklets: pd.DataFrame
    frames: pd.DataFrame
    batch_size: int = 16
    augmentation: Augmentation = field(default_factory=Augmentation)
    storage: Storage = "float16"
    kept: Collection[str] | None = None
    readers: int | None = None
    budget_gib: float | None = None
    recipe: dict[str, Any] | None = None
    engine: Engine = LOCAL

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size: expected 1 or more, got {self.batch_size}")
        if self.engine.distributed and self.backbone.compiled:
            raise ValueError(
                "extract.compiled: a compiled network can't be sent to workers: set it to false, "
                "or execution.engine to local"
            )

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that the cubes depend on; JSON can hold it."""
        return {
            "version": VERSION,
            "backbone": self.backbone.record,
            "batch_size": self.batch_size,
            "dataset": frames_fingerprint(self.frames),
            "decoder": DECODER,
            "storage": self.storage,
            "augmentation": self.augmentation.identity,
        }

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Frames of every tracklet."""
        return dict(zip(self.tracklets.tracklet, self.tracklets.length.astype(int), strict=True))

    @property
    def cube_shape(self) -> tuple[int, int, int]:
        """(H, W, D)."""
        return (*self.backbone.grid, self.backbone.channels)

    def save(self, folder: Path) -> None:
        """Write the plan down, so that another process can go on making cubes.

        Parameters
        ----------
        folder
            Gets ``plan.json``, ``tracklets.parquet`` and ``frames.parquet``.
        """
        if self.recipe is None:
            raise ValueError("an extraction without a recipe can't be saved: give its backbone's")
        plan = {
            "recipe": self.recipe,
            "root": str(self.root),
            "batch_size": self.batch_size,
            "augmentation": self.augmentation.model_dump(),
            "storage": self.storage,
            "readers": self.readers,
        }
        self.tracklets.to_parquet(folder / "tracklets.parquet")
        self.frames.to_parquet(folder / "frames.parquet")
        (folder / PLAN).write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Build the plan that `save` wrote down, its backbone included."""
        from wherewhen.features.backbones import build_backbone

        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        recipe = plan.pop("recipe")
        weights = WeightsSource(**recipe.pop("weights"))
        return cls(
            backbone=build_backbone(weights=weights, **recipe),
            tracklets=pd.read_parquet(folder / "tracklets.parquet"),
            frames=pd.read_parquet(folder / "frames.parquet"),
            augmentation=Augmentation(**plan.pop("augmentation")),
            **plan,
        )

    @property
    def to_keep(self) -> list[str]:
        """The tracklets that a store holds when it is complete."""
        if self.kept is None:
            return list(self.lengths)
        if unknown := sorted(set(self.kept) - set(self.lengths)):
            raise KeyError(f"the tables have no tracklet {unknown[0]}")
        return [tracklet for tracklet in self.lengths if tracklet in set(self.kept)]

    def source(self, tracklet: str) -> str:
        """Name the frames of a tracklet: the same for the same images in the same order."""
        return fingerprint([sha256 for _, sha256 in self._frames_of[tracklet]])

    def cubes_of(self, tracklet: str) -> NDArray[np.float16]:
        """Make the cubes of one tracklet.

        Parameters
        ----------
        tracklet
            Its name.

        Returns
        -------
        ndarray
            float16, shape [variants, length, H, W, D], frames in order.

        Raises
        ------
        KeyError
            If the tables have no such tracklet.
        FileNotFoundError, ExtractionError
            If a frame's file is missing or not what was ingested.
        """
        ((_, cubes),) = self.stream([tracklet])
        return cubes

    def cubes_in(self, window: Window) -> NDArray[np.float16]:
        """Make the cubes of a window: the bytes that `stream` gives these frames.

        Parameters
        ----------
        window
            Not empty.

        Returns
        -------
        ndarray
            float16, shape [stop - start, H, W, D].
        """
        tracklet, start, stop, variant = window
        first = start - start % self.batch_size  # batches begin where they do in `stream`
        starts = range(first, stop, self.batch_size)
        batches = (self._batch(tracklet, at, (variant,)) for at in starts)
        parts = [cubes for _, cubes in self._computed(batches)]
        return np.concatenate(parts, axis=1)[0, start - first : stop - first]

    def stream(self, tracklets: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float16]]]:
        """Make the cubes of many tracklets.

        Parameters
        ----------
        tracklets
            Their names.

        Yields
        ------
        tracklet : str
            In the given order.
        cubes : ndarray
            float16, shape [variants, length, H, W, D].
        """
        variants = range(self.augmentation.variants)
        batches = (
            self._batch(tracklet, start, variants)
            for tracklet in tracklets
            for start in self._batch_starts(tracklet)
        )
        with closing(self._computed(batches)) as computed:
            for tracklet, parts in groupby(computed, key=lambda part: part[0]):
                yield tracklet, np.concatenate([cubes for _, cubes in parts], axis=1)

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

    def _batch(self, tracklet: str, start: int, variants: Sequence[int]) -> _Batch:
        frames = self._frames_of[tracklet][start : start + self.batch_size]
        return _Batch(tracklet, start, frames, variants)

    def _computed(self, batches: Iterable[_Batch]) -> Iterator[tuple[str, NDArray[np.float16]]]:
        """Yield each batch's tracklet and its cubes, [variants, frames, H, W, D], in order."""

        def prepare(batch: _Batch) -> tuple[str, list[Tensor]]:
            return batch.tracklet, list(self._views(batch))

        def compute(prepared: tuple[str, Iterable[Tensor]]) -> tuple[str, NDArray[np.float16]]:
            return prepared[0], self._compute(prepared[1])

        def prepare_and_compute(batch: _Batch) -> tuple[str, NDArray[np.float16]]:
            return compute((batch.tracklet, self._views(batch)))

        threads = self._threads
        ahead = READ_AHEAD + threads
        if self.backbone.device.type != "cpu":
            with closing(in_threads(prepare, batches, threads, ahead)) as prepared:
                yield from map(compute, prepared)
            return
        with _intra_op_threads_restored():
            if self.backbone.compiled:  # torch's compiler is not thread-safe
                with closing(in_threads(prepare, batches, threads, ahead, _one_thread)) as prepared:
                    yield from in_threads(compute, prepared, 1, 2, _one_thread)
            else:
                yield from in_threads(prepare_and_compute, batches, threads, ahead, _one_thread)

    @property
    def _threads(self) -> int:
        if self.readers is not None:
            return self.readers
        on_cpu = self.backbone.device.type == "cpu"
        return processors() if on_cpu else min(MOST_READERS, processors())

    def _views(self, batch: _Batch) -> Iterator[Tensor]:
        """Yield a batch's frames once a variant, ready for the network."""
        images = [read_frame(Path(self.root, path), sha256) for path, sha256 in batch.frames]
        view = partial(self.augmentation.view, batch.tracklet)
        for variant in batch.variants:
            views = [
                view(position, variant).of(image) if variant else image
                for position, image in enumerate(images, batch.start)
            ]
            yield prepared(self.backbone, views)

    def _compute(self, prepared: Iterable[Tensor]) -> NDArray[np.float16]:
        """Turn a batch, prepared once a variant, into [variants, frames, H, W, D]."""
        made = [self._within_memory(images) for images in prepared]
        return np.stack([parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in made])

    @cached_property
    def _within_memory(self) -> WithinMemory[NDArray[np.float16]]:
        return WithinMemory(self._cubes, self._too_large)

    def _cubes(self, images: Tensor) -> NDArray[np.float16]:
        # values beyond float16 become infinite here and are refused by the store
        if not self.backbone.compiled:
            return self.backbone.compute(images).half().cpu().numpy()
        # compiled for one size of batch: the last of a tracklet, or a part, is filled up
        full = images[[*range(len(images)), *[0] * (self.batch_size - len(images))]]
        return self.backbone.compute(full)[: len(images)].half().cpu().numpy()

    def _too_large(self, images: Tensor) -> str:
        height, width = images.shape[2:]
        way_out = "extract.compiled: false, " if self.backbone.compiled else ""
        return (
            f"memory does not hold the activations of {self.backbone.record['name']} for one "
            f"frame of {width} x {height} on {self.backbone.device}. Ways out: {way_out}a smaller "
            "extract.size or extract.backbone, fewer extract.readers on a CPU, device: cpu on a "
            "GPU. Finished tracklets are kept"
        )


@contextmanager
def _intra_op_threads_restored() -> Iterator[None]:
    """Restore what `_one_thread` changes for threads that start later."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _one_thread() -> None:
    """Let torch compute in this thread alone, and in threads that start later."""
    import torch

    torch.set_num_threads(1)


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
        return decode(content)
    except PictureError as error:
        reason = str(error).removeprefix("cannot be decoded: ")
        raise ExtractionError(
            f"frame {path} can't be decoded ({reason}); replace it and ingest again"
        ) from error


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG or BMP file as extractions do: uint8 [H, W, 3], red first.

    A JPEG is decoded by torchvision, the others by Pillow: the same pixels, but torchvision's
    decoder ends the process at a damaged PNG.

    Raises
    ------
    wherewhen.tracklets.picture_files.PictureError
        If it is damaged, or of no format or mode that frames may have.
    """
    if not content.startswith(FORMATS["JPEG"][0]):
        return np.array(decode_picture(content, CONVERTIBLE).convert(MODE))
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    encoded = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    try:
        return decode_jpeg(encoded, ImageReadMode.RGB).permute(1, 2, 0).numpy()
    except RuntimeError as error:
        cause = str(error).splitlines()[0].rpartition(", ")[2]  # without the line of its source
        raise PictureError(f"cannot be decoded: {cause}") from error


def fill(store: CubeStore, extraction: CubeExtraction, progress: bool = True) -> None:
    """Make the cubes that a store lacks, then seal it.

    What a store beside it has of the same frames, made in the same way, is taken over from there:
    when a data set loses or gains people, only the new ones are computed.

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
        If budget or disk can't hold the cubes (before anything is made), if the disk fills up on
        the way, or another process writes into the store.  Finished tracklets stay, and calling
        again goes on from there.
    """
    from tqdm import tqdm

    if fingerprint(extraction.identity) != store.key:
        raise ValueError(
            f"{store.folder} is the store of other cubes; make this extraction's own with "
            "CubeStore.create(root, extraction.identity)"
        )
    lengths, wanted = extraction.lengths, extraction.to_keep
    with store.writing():
        if store.complete and store.lengths.keys() >= set(wanted):
            return
        if store.files.url is None:  # a bucket looks after its objects itself
            _discard_damaged(store, progress)
        missing = store.missing(wanted)
        missing = _adopt(store, extraction, missing)
        _require_room(store, extraction, wanted, missing)
        frames, to_make = (sum(lengths[t] for t in names) for names in (wanted, missing))
        with tqdm(
            total=frames,
            initial=frames - to_make,
            desc="extract",
            unit=" frames",
            disable=not progress,
        ) as bar:
            made = extraction.engine.map(partial(_write, store, extraction), missing)
            with closing(made):
                for tracklet in made:
                    bar.update(lengths[tracklet])
        store.seal()


def _write(store: CubeStore, extraction: CubeExtraction, tracklets: Iterable[str]) -> Iterator[str]:
    """Make the cubes of tracklets and write them; yield each that is written."""
    for tracklet, cubes in extraction.stream(tracklets):
        store.write(tracklet, cubes, extraction.storage, extraction.source(tracklet))
        yield tracklet


def _discard_damaged(store: CubeStore, progress: bool) -> None:
    """Compare what is there with its checksums, and take out what is damaged."""
    damaged = store.verify(progress)
    for tracklet in damaged:
        store.discard(tracklet)
    if damaged:
        log.warning("%d tracklets damaged or gone, made again: %s", len(damaged), listed(damaged))


def _adopt(store: CubeStore, extraction: CubeExtraction, missing: list[str]) -> list[str]:
    """Take over what stores beside this one have; return what is still missing."""
    made_alike = [
        other
        for other in CubeStore.stores_under(store.folder.parent, store.files)
        if other.key != store.key and _way_made(other.identity) == _way_made(extraction.identity)
    ]

    def adopt_from(other: CubeStore, tracklet: str) -> bool:
        try:
            return store.adopt(other, tracklet, extraction.source(tracklet))
        except CubeStoreError as error:  # its file is damaged
            log.warning("%s", error)
            return False

    left = [t for t in missing if not any(adopt_from(other, t) for other in made_alike)]
    if len(left) < len(missing):
        log.info("%d tracklets are taken over from other stores", len(missing) - len(left))
    return left


def _way_made(identity: dict[str, Any]) -> str:
    # by fingerprint: what was read from JSON has lists where the other has tuples
    return fingerprint([identity.get(part) for part in MADE_BY])


def _require_room(
    store: CubeStore, extraction: CubeExtraction, wanted: list[str], missing: list[str]
) -> None:
    """Say what the cubes will take, and refuse what budget or disk can't hold."""
    variants, budget = extraction.augmentation.variants, extraction.budget_gib

    def needed(tracklets: list[str]) -> int:
        shapes = ((variants, extraction.lengths[t], *extraction.cube_shape) for t in tracklets)
        return sum(data_bytes(shape, extraction.storage) + BLOCK for shape in shapes)

    whole, to_make = needed(wanted), needed(missing)
    log.info(
        "cubes of %d tracklets, %d frames in %d variant(s), %s: %.2f GiB, %.2f GiB to be made",
        len(wanted),
        sum(extraction.lengths[tracklet] for tracklet in wanted),
        variants,
        extraction.storage,
        whole / 2**30,
        to_make / 2**30,
    )
    if budget is not None and whole > budget * 2**30:
        raise CubeStoreError(
            f"the cubes need {whole / 2**30:.2f} GiB, the budget (extract.budget_gib) is "
            f"{budget:g} GiB. Ways out: a larger budget, `extract.storage: uint8` (half), "
            "`extract.tracklets: train` or `none`, fewer `extract.augmentation.variants`, or a "
            "backbone with fewer channels. Nothing was written"
        )
    free = store.files.room(store.folder)
    if free is not None and to_make > free:
        raise CubeStoreError(
            f"the cubes still to be made need {readable(to_make)}, {readable(free)} are free "
            f"under {store.folder}; free some space, or let the store lie on another disk. "
            "Nothing was written"
        )


class StreamedCubes(CubeReader):
    """Cubes from a store where it keeps them, otherwise made when they are asked for.

    For data sets whose test tracklets would not fit: training reads its tracklets many times, a
    test tracklet is needed once for every network.

    Parameters
    ----------
    store
        Of the extraction's identity, complete for the tracklets that are kept.
    extraction
        The plan of all.
    """

    def __init__(self, store: CubeStore, extraction: CubeExtraction):
        if fingerprint(extraction.identity) != store.key:
            raise ValueError(f"{store.folder} is the store of other cubes; run the extraction")
        self.store, self.extraction = store, extraction
        self.key, self.identity = store.key, extraction.identity
        self.lengths = extraction.lengths
        self.variants = extraction.augmentation.variants
        self.shape = extraction.cube_shape

    def is_stored(self, tracklet: str) -> bool:
        """Whether a tracklet is read from the store, and not computed."""
        return self.store.has_file(tracklet)

    def granule(self, tracklet: str) -> int:
        """Frames that are read at once: a batch, where they are computed."""
        return 1 if self.is_stored(tracklet) else self.extraction.batch_size

    def _fill(self, window: Window, out: NDArray[np.float16]) -> None:
        if self.is_stored(window.tracklet):
            self.store.read_into(window, out)
        else:
            cubes = self.extraction.cubes_in(window)
            require_finite(window.tracklet, cubes)
            out[:] = as_stored(cubes, self.extraction.storage)
