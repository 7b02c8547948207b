"""Random windows of cubes: the store beside safetensors' slices and mapped .npy files.

    uv run python benchmarks/cube_store.py --json FILE

Every variant copies the same windows of 20 frames (GoogLeNet's 7 x 7 x 1024, float16) from the same
120 tracklets into the same batch buffer of 20 clips (the paper's 10 pairs), warm: from the page
cache, which is what an epoch after the first sees when memory allows.  ``ratio`` is against the
mapped .npy files.

A copy is bound by the memory, so the ratio shrinks where others use it: the last variant, a plain
copy of memory that was read before, is the most that is possible.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import _record
import numpy as np
from safetensors import safe_open

from wherewhen.features.cube_store import CubeStore

CUBE = (7, 7, 1024)
FRAMES = 20
WINDOWS = 20
LENGTH = 73  # frames of a tracklet, iLIDS-VID's mean


def make(folder: Path, tracklets: int) -> CubeStore:
    """Write the same cubes as a store and as .npy files."""
    store = CubeStore.create(folder, {"benchmark": "cube_store"})
    generator = np.random.default_rng(0)
    for number in range(tracklets):
        cubes = generator.integers(0, 15_000, (LENGTH, *CUBE), np.uint16).view(np.float16)
        store.write(f"t{number:03d}", cubes)
        np.save(folder / f"t{number:03d}.npy", cubes)
    store.seal()
    return store


def variants(store: CubeStore, folder: Path) -> dict[str, Callable[[str, int, np.ndarray], None]]:
    """Ways to read a window into a slice of the batch."""

    def preadv(tracklet: str, start: int, out: np.ndarray) -> None:
        store.read(tracklet, start, start + FRAMES, out=out)

    def slices(tracklet: str, start: int, out: np.ndarray) -> None:
        with safe_open(store.folder / "cubes" / f"{tracklet}.safetensors", "numpy") as file:
            out[:] = file.get_slice("cubes")[0, start : start + FRAMES]

    def mapped(tracklet: str, start: int, out: np.ndarray) -> None:
        out[:] = np.load(folder / f"{tracklet}.npy", mmap_mode="r")[start : start + FRAMES]

    return {"cube store (preadv)": preadv, "safetensors slices": slices, "npy, mapped": mapped}


def copy_of(batch: np.ndarray) -> Callable[[], None]:
    """Copy as many bytes from memory to memory."""
    source = batch.copy()
    return lambda: np.copyto(batch, source)


def read_all(read: Callable, windows: list[tuple[str, int]], batch: np.ndarray) -> None:
    """Fill a batch."""
    for (tracklet, start), out in zip(windows, batch, strict=True):
        read(tracklet, start, out)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tracklets", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()

    generator = np.random.default_rng(1)
    windows = [
        (f"t{generator.integers(arguments.tracklets):03d}", generator.integers(LENGTH - FRAMES))
        for _ in range(WINDOWS)
    ]
    batch = np.zeros((WINDOWS, FRAMES, *CUBE), np.float16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make(folder, arguments.tracklets)
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


if __name__ == "__main__":
    main()
