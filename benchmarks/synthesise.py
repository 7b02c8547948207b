"""Speed of synthetic people: refitted against rebuilt meshes, compositing, threads.

Run `uv run python benchmarks/synthesise.py --json synthesise.json`. The variants of a group take
turns in one process; `seconds` is the median for one frame, `ratio` the group's plain variant's
time over this one's.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wherewhen.synthetic import SyntheticConfig, filming, persons, plan
from wherewhen.synthetic.compositing import composite
from wherewhen.synthetic.rendering import Renderer


def interleave(variants: dict[str, Callable[[], int]], rounds: int) -> list[dict]:
    """Time variants in turns.

    Parameters
    ----------
    variants : dict
        Name to a function that makes some frames and says how many; the first is the plain one.
    rounds : int
        Turns.

    Returns
    -------
    list of dict
        Rows of the project's benchmark format.
    """
    times: dict[str, list[float]] = {name: [] for name in variants}
    for function in variants.values():
        function()
    for _ in range(rounds):
        for name, function in variants.items():
            start = time.perf_counter()
            frames = function()
            times[name].append((time.perf_counter() - start) / frames)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    plain = next(iter(seconds.values()))
    return [
        {
            "variant": name,
            "device": "cpu",
            "dtype": "float32",
            "seconds": value,
            "ratio": plain / value,
        }
        for name, value in seconds.items()
    ]


def measure(rounds: int, frames: int) -> list[dict]:
    """Measure the groups of variants.

    Parameters
    ----------
    rounds : int
        Turns of each group.
    frames : int
        Length of the tracklets.

    Returns
    -------
    list of dict
        Rows.
    """
    config = SyntheticConfig(persons=4, min_frames=frames, max_frames=frames, workers=1)
    people = plan(config)
    studio = filming.Studio(config, persons.draw_wardrobe(config))
    actor, setup = studio.prepare(people.person(1)), config.camera_list[0]
    generator = np.random.default_rng(0)
    phases = np.linspace(0, 2, frames) % 1
    azimuths = np.full(frames, 0.3)

    def stage() -> int:
        studio.stage(actor, setup, azimuths, phases, generator)
        return frames

    transforms, view, _ = studio.stage(actor, setup, azimuths, phases, generator)

    def render(rebuild: bool) -> Callable[[], int]:
        renderer = Renderer(actor.dressed, rebuild=rebuild)
        return lambda: len(renderer.render(transforms, view, 128, 64, 2, setup.sunlight).shadow)

    layers = Renderer(actor.dressed).render(transforms, view, 128, 64, 2, setup.sunlight)
    street = np.full((frames, 128, 64, 3), 0.5, dtype=np.float32)
    lens = studio._lens(setup, generator)

    def lay() -> int:
        return len(composite(street, layers, None, lens, generator)[0])

    def whole(workers: int) -> Callable[[], int]:
        threaded = plan(config.model_copy(update={"workers": workers}))
        return lambda: sum(len(shot) for _, shot in threaded.render_all())

    return [
        *interleave({"mesh rebuilt": render(True), "mesh refitted": render(False)}, rounds),
        *interleave({"gait and box": stage}, rounds),
        *interleave({"compositing": lay}, rounds),
        *interleave({"whole, 1 thread": whole(1), "whole, 2 threads": whole(2)}, rounds),
    ]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=48)
    arguments = parser.parse_args()
    rows = measure(arguments.rounds, arguments.frames)
    for row in rows:
        print(  # noqa: T201
            f"{row['variant']:18s} {1e3 * row['seconds']:7.2f} ms a frame "
            f"{1 / row['seconds']:7.1f} frames/s  x{row['ratio']:.2f}"
        )
    if arguments.json:
        packages = ("anny", "warp-lang", "torch", "numpy")
        content = {
            "name": "synthesise",
            "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
            "versions": {name: importlib.metadata.version(name) for name in packages},
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
