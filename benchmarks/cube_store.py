"""Random windows of cubes: the store beside safetensors' slices and mapped .npy files.

    uv run python benchmarks/cube_store.py --json FILE
    uv run python benchmarks/cube_store.py --store data/04_feature/NAME/cubes/KEY --json FILE

Every variant copies the same windows of 20 frames (GoogLeNet's 7 x 7 x 1024, float16) from the same
120 tracklets into the same batch buffer of 20 clips (the paper's 10 pairs), warm: from the page
cache, which is what an epoch after the first sees when memory allows.  ``ratio`` is against the
mapped .npy files.

A copy is bound by the memory, so the ratio shrinks where others use it: the last variant, a plain
copy of memory that was read before, is the most that is possible.

With ``--store`` an epoch is read from that store: of every tracklet as many random windows as cover
its length. ``first epoch`` opens the store anew, so that every file is compared with its checksum;
``later epoch`` is of a store that has done so. ``checksums alone`` hashes every file.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import _record
import numpy as np
from safetensors import safe_open

from wherewhen.features import cube_files
from wherewhen.features.cube_store import CubeStore
from wherewhen.tracklets.windows import Window

CHANNELS = 1024
FRAMES = 20
WINDOWS = 20
LENGTH = 73  # frames of a tracklet, iLIDS-VID's mean


def make(folder: Path, tracklets: int, grid: int) -> CubeStore:
    """Write the same cubes as a store and as .npy files."""
    store = CubeStore.create(folder, {"benchmark": "cube_store"})
    generator = np.random.default_rng(0)
    for number in range(tracklets):
        cubes = generator.integers(0, 15_000, (LENGTH, grid, grid, CHANNELS), np.uint16).view(
            np.float16
        )
        store.write(f"t{number:03d}", cubes)
        np.save(folder / f"t{number:03d}.npy", cubes)
    store.seal()
    return store


def variants(store: CubeStore, folder: Path) -> dict[str, Callable[[str, int, np.ndarray], None]]:
    """Ways to read a window into a slice of the batch."""

    def stored(tracklet: str, start: int, out: np.ndarray) -> None:
        store.read_into(Window(tracklet, start, start + FRAMES), out)

    def stored_preadv(tracklet: str, start: int, out: np.ndarray) -> None:
        seek_and_read, cube_files._read_into = cube_files._read_into, preadv_into
        store.read_into(Window(tracklet, start, start + FRAMES), out)
        cube_files._read_into = seek_and_read

    def slices(tracklet: str, start: int, out: np.ndarray) -> None:
        with safe_open(store.folder / "cubes" / f"{tracklet}.safetensors", "numpy") as file:
            out[:] = file.get_slice("cubes")[0, start : start + FRAMES]

    def mapped(tracklet: str, start: int, out: np.ndarray) -> None:
        out[:] = np.load(folder / f"{tracklet}.npy", mmap_mode="r")[start : start + FRAMES]

    return {
        "cube store": stored,
        "cube store, with preadv": stored_preadv,
        "safetensors slices": slices,
        "npy, mapped": mapped,
    }


def preadv_into(path: str, *pieces: tuple[int, np.ndarray]) -> None:
    """Read as the store does, with a call that only POSIX systems have."""
    descriptor = os.open(path, os.O_RDONLY)
    for offset, out in pieces:
        rest = memoryview(out).cast("B")
        while rest:
            got = os.preadv(descriptor, [rest], offset)
            rest, offset = rest[got:], offset + got
    os.close(descriptor)


def copy_of(batch: np.ndarray) -> Callable[[], None]:
    """Copy as many bytes from memory to memory."""
    source = batch.copy()
    return lambda: np.copyto(batch, source)


def read_all(read: Callable, windows: list[tuple[str, int]], batch: np.ndarray) -> None:
    """Fill a batch."""
    for (tracklet, start), out in zip(windows, batch, strict=True):
        read(tracklet, start, out)


def measure_windows(arguments: argparse.Namespace) -> None:
    """Compare ways to read windows."""
    generator = np.random.default_rng(1)
    windows = [
        (f"t{generator.integers(arguments.tracklets):03d}", generator.integers(LENGTH - FRAMES))
        for _ in range(WINDOWS)
    ]
    grid = arguments.grid
    batch = np.zeros((WINDOWS, FRAMES, grid, grid, CHANNELS), np.float16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make(folder, arguments.tracklets, grid)
        readers = variants(store, folder)
        results = []
        for read in readers.values():
            batch[:] = 0
            read_all(read, windows, batch)
            results.append(batch.copy())
        if not all(np.array_equal(results[0], other) for other in results):
            raise SystemExit("the variants read different cubes: the timings mean nothing")
        del results
        seconds = _record.interleaved(
            {name: partial(read_all, read, windows, batch) for name, read in readers.items()}
            | {"memory to memory": copy_of(batch)},
            arguments.repeats,
        )
    rows = _record.rows(seconds, baseline="npy, mapped", dtype="float16")
    for row in rows:
        row["gb_per_second"] = batch.nbytes / row["seconds"] / 1e9
    _record.write(arguments.json, "cube_store", rows, packages=("numpy", "safetensors"))


def read_epoch(store: CubeStore, windows: Iterable[Window], out: np.ndarray) -> None:
    """Read windows, one after the other, into the same buffer."""
    for window in windows:
        store.read_into(window, out[: window.length])


def measure_checksums(arguments: argparse.Namespace) -> None:
    """Compare the first epoch that is read from a store with later ones."""
    store = CubeStore(arguments.store)
    generator = np.random.default_rng(1)
    windows = [
        Window(tracklet, start, start + frames)
        for tracklet, length in store.lengths.items()
        for frames in [min(arguments.frames, length)]
        for start in generator.integers(length - frames + 1, size=-(-length // frames)).tolist()
    ]
    generator.shuffle(windows)
    out = np.empty((arguments.frames, *store.shape), np.float16)
    seconds = _record.interleaved(
        {
            "later epoch": lambda: read_epoch(store, windows, out),
            "first epoch": lambda: read_epoch(CubeStore(arguments.store), windows, out),
            "checksums alone": store.verify,
        },
        arguments.repeats,
    )
    rows = _record.rows(seconds, baseline="later epoch", dtype="float16")
    hashed = sum(path.stat().st_size for path in (store.folder / "cubes").rglob("*.safetensors"))
    rows[-1]["gib_per_second"] = hashed / rows[-1]["seconds"] / 2**30
    _record.write(arguments.json, "checksums", rows, packages=("numpy",), gib=hashed / 2**30)
    print(f"  checksums: {rows[-1]['gib_per_second']:.2f} GiB/s of {hashed / 2**30:.2f} GiB")  # noqa: T201


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracklets", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--grid", type=int, default=7, help="1: cubes of pooled features")
    parser.add_argument("--store", type=Path, help="measure checksums in this store instead")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of a window, with --store")
    arguments = parser.parse_args()
    if arguments.store is None:
        measure_windows(arguments)
    else:
        measure_checksums(arguments)


if __name__ == "__main__":
    main()
