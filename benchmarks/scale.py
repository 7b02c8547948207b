"""What a gallery of a billion frames would take: arithmetic on measured numbers, no measurement.

    uv run python benchmarks/scale.py                     the tables of docs/explanation/scale.md
    uv run python benchmarks/scale.py --frames 1e8 --gpus 4
    uv run python benchmarks/scale.py --euros-per-gpu-hour 2.1 --json FILE

Every number that goes in is a field of `Inputs` with its source; each has an option. Seconds and
FLOPs of a frame come from `docs/results/cost_frozen.json` (its row of MARS), bytes and times of
indexes from a million vectors (docs/explanation/performance.md). How they grow with the number of
tracklets N follows from how indexes work: `exact` compares all N; `ivf` compares with 4 √N means
and the vectors of 32 of the 4 √N groups, and is built by comparing N vectors with 4 √N means.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

RECORDED = Path(__file__).resolve().parents[1] / "docs/results/cost_frozen.json"
ROW = "mars, frozen"
MILLION, HOUR, MONTH = 1e6, 3600, 730
"""Vectors of the measured indexes; seconds; hours."""


def recorded() -> dict[str, dict[str, float]]:
    """Return the row of MARS: seconds on a core and FLOPs, of a frame."""
    rows = json.loads(RECORDED.read_text(encoding="utf-8"))["rows"]
    (row,) = [row for row in rows if row["variant"] == ROW]
    return {"seconds": row["seconds"], "flop": row["flop"]}


@dataclass(frozen=True)
class Inputs:
    """What goes in."""

    frames: float = 1e9
    """Crops of people."""
    frames_per_tracklet: float = 58.2
    """MARS: 1,191,003 frames of 20,478 tracklets."""
    cube_values: float = 7 * 7 * 1280
    """Activations of a frame: EfficientNet-Lite0 at 224 x 224."""
    crop_bytes: float = 4000.0
    """A JPEG file of 128 x 256: assumed, measure your own."""
    dimensions: float = 128
    """Of an embedding, float32."""
    gpus: float = 8
    """H100s that work at the same time."""
    cores: float = 64
    """Processor cores that work at the same time, where no GPU does."""
    gpu_flops: float = 67e12
    """FLOP/s of an H100 in float32 by its data sheet (benchmarks/cost.py)."""
    gpu_utilisation: float = 0.3
    """Share of it that is reached: assumed (benchmarks/cost.py)."""
    decode_seconds: float = 0.0004
    """Core seconds to decode a JPEG file of 128 x 256 (docs/explanation/performance.md)."""
    queries_per_day: float = 100_000
    """Searches in the gallery."""
    euros_per_gpu_hour: float = 3.0
    """Assumed: put in your own."""
    euros_per_core_hour: float = 0.05
    """Assumed."""
    euros_per_tib_month: float = 22.0
    """Of an object store: assumed."""
    euros_per_gib_memory_month: float = 3.5
    """Of a machine's memory: assumed."""
    extract_seconds: float = recorded()["seconds"]["extracted"]
    """Core seconds of a frame, measured on random pictures without decoding."""
    embed_seconds: float = recorded()["seconds"]["embedded"]
    """Core seconds of a frame, measured."""
    extract_flop: float = recorded()["flop"]["extracted"]
    """Of a frame, counted."""
    embed_flop: float = recorded()["flop"]["embedded"]
    """Of a frame, counted."""
    exact_bytes: float = 687 * 2**20 / MILLION
    """Memory of a tracklet in an index `exact` of 128 dimensions, measured with a million."""
    ivf_bytes: float = 1111 * 2**20 / MILLION
    """The same of `ivf`."""
    exact_query_seconds: float = 1 / 206
    """Core seconds of a query among a million in batches of 1,000, measured."""
    ivf_query_seconds: float = 1 / 1749
    """The same of `ivf`."""
    ivf_build_seconds: float = 68.0
    """Core seconds to build `ivf` of a million, measured."""


def outcome(given: Inputs) -> dict[str, float]:
    """Return what comes out, by name: the unit is the last word of the name."""
    tracklets = given.frames / given.frames_per_tracklet
    times = tracklets / MILLION
    tib, gib = 2**40, 2**30
    flop = given.frames * (given.extract_flop + given.embed_flop)
    gpu_hours = flop / (given.gpu_flops * given.gpu_utilisation) / HOUR
    core_hours = given.frames * (given.extract_seconds + given.embed_seconds) / HOUR
    decode_hours = given.frames * given.decode_seconds / HOUR
    crops, vectors = given.frames * given.crop_bytes, tracklets * 4 * given.dimensions
    wide = given.dimensions / 128
    memory = tracklets * given.ivf_bytes * wide / gib
    queries = given.queries_per_day * MONTH / 24
    ivf_query = given.ivf_query_seconds * math.sqrt(times) * wide
    exact_query = given.exact_query_seconds * times * wide
    storage_month = (crops + vectors) / tib * given.euros_per_tib_month
    return {
        "tracklets": tracklets,
        "crops_tib": crops / tib,
        "cubes_float16_tib": given.frames * 2 * given.cube_values / tib,
        "cubes_uint8_tib": given.frames * given.cube_values / tib,
        "embeddings_gib": vectors / gib,
        "gpu_hours": gpu_hours,
        "elapsed_hours": max(gpu_hours / given.gpus, decode_hours / given.cores),
        "decode_core_hours": decode_hours,
        "core_hours": core_hours,
        "elapsed_hours_without_gpus": (core_hours + decode_hours) / given.cores,
        "exact_gib": tracklets * given.exact_bytes * wide / gib,
        "ivf_gib": memory,
        "exact_query_core_seconds": exact_query,
        "ivf_query_core_seconds": ivf_query,
        "ivf_build_core_hours": given.ivf_build_seconds * times**1.5 * wide / HOUR,
        "euros_once": gpu_hours * given.euros_per_gpu_hour
        + decode_hours * given.euros_per_core_hour,
        "euros_once_without_gpus": (core_hours + decode_hours) * given.euros_per_core_hour,
        "euros_a_month": storage_month
        + memory * given.euros_per_gib_memory_month
        + queries * ivf_query / HOUR * given.euros_per_core_hour,
        "euros_a_month_for_kept_cubes": given.frames
        * 2
        * given.cube_values
        / tib
        * given.euros_per_tib_month,
    }


ROWS = {
    "tracklets": "tracklets, N = frames / frames_per_tracklet",
    "crops_tib": "crops, TiB",
    "cubes_float16_tib": "cubes in float16 if they were kept, TiB",
    "cubes_uint8_tib": "cubes in 8 bits, TiB",
    "embeddings_gib": "embeddings of tracklets, GiB",
    "gpu_hours": "extraction and embedding, GPU hours",
    "elapsed_hours": "hours with all GPUs (or until all is decoded)",
    "decode_core_hours": "decoding, core hours",
    "core_hours": "extraction and embedding without GPUs, core hours",
    "elapsed_hours_without_gpus": "hours with all cores and no GPU",
    "exact_gib": "memory of an index `exact`, GiB",
    "ivf_gib": "memory of an index `ivf`, GiB",
    "exact_query_core_seconds": "a query, `exact`, core seconds",
    "ivf_query_core_seconds": "a query, `ivf`, core seconds",
    "ivf_build_core_hours": "building `ivf`, core hours",
    "euros_once": "euros, once",
    "euros_once_without_gpus": "euros, once, without GPUs",
    "euros_a_month": "euros a month: crops, embeddings, `ivf` in memory, queries",
    "euros_a_month_for_kept_cubes": "euros a month more, if cubes were kept in float16",
}


def shown(value: float) -> str:
    """Write a number with three digits."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def tables(given: Inputs) -> str:
    """Return both tables in Markdown."""
    notes = _notes()
    inputs = [
        f"| `{name}` | {shown(value)} | {notes[name]} |" for name, value in vars(given).items()
    ]
    found = outcome(given)
    results = [f"| {title} | {shown(found[name])} |" for name, title in ROWS.items()]
    heads = ("| input | value | from |\n|---|---:|---|", "\n| outcome | |\n|---|---:|")
    return "\n".join([heads[0], *inputs, heads[1], *results])


def _notes() -> dict[str, str]:
    """Return the text under each field of `Inputs`."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    notes = {}
    for number, line in enumerate(lines):
        name = line.strip().partition(":")[0]
        if name in Inputs.__dataclass_fields__ and name not in notes:
            notes[name] = lines[number + 1].strip().strip('"')
    return notes


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for field in fields(Inputs):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=float, default=field.default, metavar="X"
        )
    parser.add_argument("--json", type=Path, help="write inputs and outcome there, too")
    options = vars(parser.parse_args())
    path = options.pop("json")
    given = Inputs(**options)
    sys.stdout.write(f"{tables(given)}\n")
    if path:
        path.write_text(
            json.dumps({"name": "scale", "inputs": asdict(given), "outcome": outcome(given)})
        )


if __name__ == "__main__":
    main()
