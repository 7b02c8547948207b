"""Extraction from files to cubes: the way that is used beside the plain loop.

    uv run python benchmarks/extraction.py --json FILE

The plain loop is what one writes first: for every frame Pillow decodes, resizes and scales, and
torchvision's GoogLeNet computes in float32, in a batch of one.  ``extraction`` is `CubeExtraction`
as the pipeline runs it: a tracklet's frames in batches, resized as uint8, channels last, batch
norms folded; as many threads as processors, each of which takes whole batches from file to cubes
and computes with one intra-op thread.  ``one batch at a time`` is the same but for the threads: one
decodes, and the network computes one batch after the other with torch's intra-op threads.  All read
the same JPEG files of noise-free figures, 128 x 256 as MARS has them.

``checksum`` hashes a file of the cubes that the extraction made, as a store does when it first
reads them.

``ratio`` is the plain loop's time over the variant's, by the clock; ``processor_ratio`` the same in
seconds of the processor, which a busy machine distorts less.  ``error`` is the cubes' relative
difference from the plain loop's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import _record
import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw

from wherewhen.features.backbones import Backbone, build_backbone
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import CubeExtraction
from wherewhen.features.weights import WeightsSource
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.tracklets.threads import in_threads

WIDTH, HEIGHT = 128, 256


def draw(folder: Path, frames: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write one tracklet of a figure that walks through a gradient, and its tables."""
    generator = np.random.default_rng(0)
    ground = np.linspace(60, 200, HEIGHT)[:, None, None] + generator.normal(0, 12, (1, WIDTH, 3))
    rows = []
    for number in range(frames):
        image = Image.fromarray(
            ground.repeat(WIDTH // ground.shape[1], 1).clip(0, 255).astype("u1")
        )
        pen, x = ImageDraw.Draw(image), 40 + number % 20
        pen.ellipse((x, 20, x + 30, 55), fill=(190, 150, 120))
        pen.rectangle((x - 10, 55, x + 40, 140), fill=(40, 60 + number, 120))
        pen.polygon([(x - 8, 140), (x + 38, 140), (x + 45, 245), (x + 5, 245)], fill=(30, 30, 35))
        path = f"{number:04d}.jpg"
        image.save(folder / path, quality=90)
        rows.append(("t", number, path, fingerprint(path) * 4))
    table = pd.DataFrame(rows, columns=["tracklet", "position", "path", "sha256"])
    return pd.DataFrame({"tracklet": ["t"], "length": [frames]}), table


def plain_loop(backbone: Backbone, folder: Path, paths: list[str]) -> np.ndarray:
    """Compute the cubes as one would at first."""
    size = backbone.preprocess.size[::-1]  # Pillow's are widths and heights
    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in (backbone.preprocess.mean, backbone.preprocess.std)
    )
    cubes = []
    with torch.inference_mode():
        for path in paths:
            image = Image.open(folder / path).convert("RGB").resize(size, Image.Resampling.BILINEAR)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
            prepared = (pixels.float() / 255 - mean) / std
            cubes.append(backbone.module(prepared[None])[0].permute(1, 2, 0).half().numpy())
    return np.stack(cubes)


class Unhashed(CubeExtraction):
    """An extraction that trusts its files: hashing them belongs to neither side."""

    @property
    def _frames_of(self) -> dict[str, list[tuple[str, None]]]:
        return {"t": [(path, None) for path in self.frames.path]}


class OneBatchAtATime(Unhashed):
    """An extraction that decodes in a thread and computes in another, with intra-op threads."""

    def _computed(self, batches: Iterable[Any]) -> Iterator[tuple[str, np.ndarray]]:
        prepared = in_threads(
            lambda batch: (batch.tracklet, list(self._views(batch))), batches, 1, ahead=4
        )
        for tracklet, views in prepared:
            yield tracklet, self._compute(views)


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--backbone", default="googlenet")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--compiled", action="store_true", help="also compile: minutes at the start"
    )
    arguments = parser.parse_args()
    weights = WeightsSource(source="random", seed=0)

    def backbone(**options: object) -> Backbone:
        return build_backbone(arguments.backbone, weights, **options)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = draw(folder, arguments.frames)
        plain = backbone(fold=False)
        plain.module.to(memory_format=torch.contiguous_format)
        paths = tables[1].path.to_list()
        variants: dict[str, Callable[[], np.ndarray]] = {
            "plain loop, float32": lambda: plain_loop(plain, folder, paths)
        }
        for compiled in (False, True) if arguments.compiled else (False,):
            for precision in ("float32", "bfloat16"):
                made = backbone(precision=precision, compiled=compiled)
                what = f"{precision}{', compiled' if compiled else ''}"
                for kind, how in (
                    (OneBatchAtATime, "one batch at a time"),
                    (Unhashed, "extraction"),
                ):
                    plan = kind(made, folder, *tables)
                    variants[f"{how}, {what}"] = lambda plan=plan: plan.cubes_of("t")[0]
        results = {how: run().astype(np.float32) for how, run in variants.items()}
        store = CubeStore.create(folder, {"benchmark": "extraction"})
        store.write("t", results["extraction, float32"])
        variants["checksum"] = store.verify
        expected = results["plain loop, float32"]
        spent: dict[str, list[float]] = {how: [] for how in variants}

        def timed(how: str) -> None:
            start = time.process_time()
            variants[how]()
            spent[how].append(time.process_time() - start)

        seconds = _record.interleaved(
            {how: lambda how=how: timed(how) for how in variants}, arguments.repeats
        )
    rows = _record.rows(seconds, baseline="plain loop, float32")
    medians = {how: statistics.median(values) for how, values in spent.items()}
    for row in rows:
        how = row["variant"]
        row["frames_per_second"] = arguments.frames / row["seconds"]
        row["processor_ratio"] = medians["plain loop, float32"] / medians[how]
        if how in results:
            row["error"] = float(np.linalg.norm(results[how] - expected) / np.linalg.norm(expected))
    _record.write(
        arguments.json, "extraction", rows, packages=("torch", "torchvision", "numpy", "pillow")
    )
    for row in rows:
        differs = f", differs by {row['error']:.1e}" if "error" in row else ""
        print(  # noqa: T201
            f"  {row['variant']:<40} {row['frames_per_second']:6.1f} frames/s, "
            f"{row['processor_ratio']:.2f} x by processor time{differs}"
        )


if __name__ == "__main__":
    main()
