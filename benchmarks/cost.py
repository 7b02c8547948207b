"""What a full run costs on PRID 2011, iLIDS-VID and MARS: steps, frames and hours of each setting.

    uv run python benchmarks/cost.py --json FILE
    uv run python benchmarks/cost.py --sets prid2011 --presets frozen
    uv run python benchmarks/cost.py --count                      steps, frames and FLOPs alone

Steps and frames are counted by the functions that choose them in a run, on tables of as many people
and tracklets as the data set has, all of its mean length. Seconds are measured: processor time on
one thread, of random pictures and cubes at full size; a step is measured on the clips of two
people, of which its time is taken to be a multiple. Hours on two cores are half of that. Hours on
an H100 are arithmetic (`gpu_hours`), not measurements. Metric learning, evaluation and pictures are
not counted, nor is decoding.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import _record
import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from wherewhen.features.backbones import Backbone, build_backbone, build_trunk
from wherewhen.features.backbones.parts import ALL, FROZEN, NORMS
from wherewhen.features.weights import WeightsSource
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.siamese import SiameseNetwork, build_network
from wherewhen.pipelines.embed.features import FEATURES
from wherewhen.pipelines.parameters import Parameters, check_parameters
from wherewhen.sessions import environment_parameters
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window, embedding_windows
from wherewhen.training.loop import calibrate, train
from wherewhen.training.pairs import build_sampler
from wherewhen.training.roofline import network_flops

PRESETS = ("frozen", "finetuned", "paper")

PEOPLE = 2
"""In a step that is measured."""

FRAMES = 16
"""Of a tracklet whose embedding is measured."""

PEAK = {"float32": 67e12, "bfloat16": 989e12}
"""FLOP/s of an H100 SXM without sparsity, by its data sheet (nvidia.com/en-us/data-center/h100):
float32 on its ordinary cores, since nothing here takes TF32; bfloat16 on tensor cores."""

UTILISATION = 0.3
"""Share of it that is reached: a guess. Small kernels reach less."""

SHORTEST = 0.02
"""Seconds of a step whose kernels are small: a guess at what it takes to start them."""

RANDOM = WeightsSource(source="random", seed=0)

CORES = 2
HOUR = 3600.0


@dataclass(frozen=True)
class DataSet:
    """Numbers of a data set, of one trial where trials have splits of their own."""

    frames: int
    """All frames, of which cubes are made."""
    length: int
    """Mean frames of a tracklet."""
    people: int
    """Training people."""
    tracklets: int
    """Training tracklets."""
    cameras: int
    """Cameras that film them."""
    alone: int
    """Of the people, those that one camera films alone."""
    probes: int
    """Tracklets that are searched for."""
    gallery: int
    """Tracklets that are searched in."""

    def split(self) -> pd.DataFrame:
        """Return a table of as many tracklets, as splits have it."""
        rows = [
            (
                f"train/{number}",
                f"p{number % self.people}",
                0 if number % self.people < self.alone else number // self.people % self.cameras,
                "train",
            )
            for number in range(self.tracklets)
        ]
        for role, count in (("probe", self.probes), ("gallery", self.gallery)):
            rows += [(f"{role}/{number}", f"t{number}", 0, role) for number in range(count)]
        table = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role"])
        return table.assign(trial="trial_00", camera=table.camera.astype(str))


SETS = {
    "prid2011": DataSet(40_033, 100, 100, 200, 2, 0, 100, 100),
    "ilids_vid": DataSet(43_800, 73, 150, 300, 2, 0, 150, 150),
    "mars": DataSet(1_191_003, 58, 625, 8_298, 6, 6, 1_980, 12_180),
}
"""Sections V-A and V-B; MARS by its own tables: a mean of 61 frames in training, 56 in testing."""


@dataclass(frozen=True)
class Work:
    """What a run does, in all trials."""

    extracted: int
    """Frames that the backbone sees."""
    steps: int
    """Training steps."""
    clips: int
    """Clips of a step."""
    embedded: int
    """Frames that a network embeds."""


def work_of(parameters: Parameters, data: DataSet) -> Work:
    """Count what a run does."""
    split, training = data.split(), parameters.train.training
    lengths = dict.fromkeys(split.tracklet, data.length)
    learners = split[split.role == "train"]
    sampler = build_sampler(training, learners, lengths)
    batch = next(sampler.epoch(np.random.default_rng(0)))
    embed, trials = parameters.embed, parameters.split.trials
    windows = embedding_windows(split, lengths, embed.frames, embed.clips, embed.clip_frames)
    tested = windows[windows.role != "train"]
    once = int((windows.stop - windows.start).sum())
    pixels = parameters.train.backbone in (NORMS, ALL)  # read anew whenever they are needed
    variants = parameters.extract.augmentation.variants
    if embed.average_variants != "off" and data.length < (embed.frames or 0):
        once += (variants - 1) * int((tested.stop - tested.start).sum())
    networks = [name for name in embed.features if FEATURES[name].network or FEATURES[name].trains]
    steps = training.steps or training.epochs * sampler.batches_per_epoch
    return Work(
        extracted=0 if pixels else variants * data.frames,
        steps=trials * steps,
        clips=len(batch.windows),
        embedded=trials * len(networks) * once,
    )


@dataclass(frozen=True)
class Cost:
    """Of a frame of the extraction, a step, and an embedded frame."""

    extracted: float
    step: float
    embedded: float

    def hours(self, work: Work) -> dict[str, float]:
        """Return the hours of each stage, for costs in seconds."""
        return {
            "extract": work.extracted * self.extracted / HOUR,
            "train": work.steps * self.step / HOUR,
            "embed": work.embedded * self.embedded / HOUR,
        }


def gpu_hours(flops: Cost, work: Work, precision: str) -> dict[str, float]:
    """Return the hours of each stage on an H100: FLOPs / (peak * utilisation).

    Steps take `SHORTEST` at least.
    """
    rate = UTILISATION * PEAK[precision]
    hours = {stage: hours / rate for stage, hours in flops.hours(work).items()}
    return {**hours, "train": max(hours["train"], work.steps * SHORTEST / HOUR)}


@cache
def build(name: str, size: tuple[int, int] | None) -> Backbone:
    """Build a backbone with random weights."""
    return build_backbone(name, RANDOM, size=size)


def backbone_of(parameters: Parameters) -> Backbone:
    """Build a setting's backbone."""
    return build(parameters.extract.backbone, parameters.extract.size)


def network_of(parameters: Parameters) -> SiameseNetwork:
    """Build a setting's network, with what is trained of the backbone."""
    extract, config = parameters.extract, parameters.train.network
    if parameters.train.backbone == FROZEN:
        backbone = backbone_of(parameters)
        return build_network(config, backbone.channels, backbone.grid)
    trunk = build_trunk(extract.backbone, RANDOM, parameters.train.backbone, extract.size)
    return build_network(config, trunk.gives[2], trunk.gives[:2], trunk)


def random_cubes(network: SiameseNetwork, tracklets: list[str], frames: int) -> ArrayCubes:
    """Draw cubes, the same memory for each tracklet."""
    shape = (frames, *network.takes)
    cubes = np.random.default_rng(0).random(shape, dtype=np.float32).astype(np.float16)
    return ArrayCubes(dict.fromkeys(tracklets, cubes))


def measure(parameters: Parameters, clips: int, steps: int) -> Cost:
    """Measure processor seconds of a setting, on one thread; settings of one size once."""
    training = parameters.train.training.model_copy(update={"epochs": 1}).model_dump_json()
    key = (
        parameters.extract.backbone,
        parameters.extract.size,
        parameters.train.network,
        training,
        clips,
    )
    if key not in _measured:
        _measured[key] = Cost(
            _seconds_of_extraction(parameters),
            _seconds_of_a_step(parameters, clips, steps),
            _seconds_of_embedding(parameters),
        )
    return _measured[key]


_measured: dict[tuple[Any, ...], Cost] = {}


def _seconds_of_extraction(parameters: Parameters) -> float:
    if parameters.train.backbone in (NORMS, ALL):
        return 0.0
    images = torch.rand(_pictures(parameters))
    backbone = backbone_of(parameters)
    backbone.compute(images)
    began = time.process_time()
    backbone.compute(images)
    return (time.process_time() - began) / len(images)


def _pictures(parameters: Parameters) -> tuple[int, ...]:
    return (parameters.extract.batch_size, 3, *backbone_of(parameters).preprocess.size)


def _seconds_of_a_step(parameters: Parameters, clips: int, steps: int) -> float:
    """Train for some steps on the clips of a few people; all steps but the first count."""
    rows = [(f"{camera}/{person}", str(person), camera) for person in range(PEOPLE)
            for camera in "ab"]  # fmt: skip
    people = pd.DataFrame(rows, columns=["tracklet", "person", "camera"])
    config = parameters.train.training.model_copy(
        update={
            "steps": steps,
            "threads": 1,
            "validation_fraction": 0.0,
            "checkpoint_every": 10**9,
        }
    )
    network = network_of(parameters)
    cubes = random_cubes(network, people.tracklet.to_list(), config.frames)
    batch = next(build_sampler(config, people, cubes.lengths).epoch(np.random.default_rng(0)))
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            network, cubes, people, None, config, folder,
            lambda row: ends.append(time.process_time()), progress=False, device="cpu",
        )  # fmt: skip
    return statistics.median(np.diff(ends).tolist()) * clips / len(batch.windows)


def _seconds_of_embedding(parameters: Parameters) -> float:
    network = network_of(parameters)
    cubes = random_cubes(network, ["1"], FRAMES)
    calibrate(network, cubes, ["1"])
    began = time.process_time()
    encode_tracklets(network, cubes, [Window("1", 0, FRAMES)], 1, progress=False, device="cpu")
    return (time.process_time() - began) / FRAMES


def flops_of(parameters: Parameters, clips: int) -> Cost:
    """Count FLOPs of a setting, with convolutions in their direct form."""
    network, frames = network_of(parameters), parameters.train.training.frames
    backbone = backbone_of(parameters)
    with FlopCounterMode(display=False) as counter:
        backbone.compute(torch.zeros(1, *_pictures(parameters)[1:]))
    return Cost(
        counter.get_total_flops(),
        network_flops(network, clips, frames),
        network_flops(network, 1, 1, backward=False),
    )


def cost_of(env: str, preset: str, steps: int | None) -> dict[str, Any]:
    """Return what a setting of a data set costs, measured in so many steps, or not measured."""
    parameters = check_parameters({**environment_parameters(env), "preset": preset})
    work = work_of(parameters, SETS[env])
    seconds = None if steps is None else measure(parameters, work.clips, steps)
    hours = {} if seconds is None else seconds.hours(work)
    flops = flops_of(parameters, work.clips)
    precision = "float32" if parameters.train.training.precision == "float32" else "bfloat16"
    return {
        "variant": f"{env}, {preset}",
        "trials": parameters.split.trials,
        "frames_extracted": work.extracted,
        "steps": work.steps,
        "frames_trained": work.steps * work.clips * parameters.train.training.frames,
        "frames_embedded": work.embedded,
        "clips": work.clips,
        "seconds": None if seconds is None else asdict(seconds),
        "flop": asdict(flops),
        "hours_two_cores": {stage: each / CORES for stage, each in hours.items()},
        "hours_h100": gpu_hours(flops, work, precision),
    }


def main() -> None:
    """Measure every setting, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--steps", type=int, default=4, help="of a training; the first is left out")
    parser.add_argument("--count", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for env in arguments.sets:
        for preset in arguments.presets:
            rows.append(cost_of(env, preset, None if arguments.count else arguments.steps))
            sys.stderr.write(f"{rows[-1]}\n")
    sys.stdout.write(f"{table(rows)}\n")
    _record.save(
        arguments.json, _record.record("cost", rows, packages=("torch",), clock="processor")
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown."""
    head = ["setting", "frames extracted", "steps", "frames trained on", "frames embedded",
            "two cores: extract, train, embed (h)", "all (h)", "H100 (h)"]  # fmt: skip
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in rows:
        cpu = row["hours_two_cores"]
        counts = ("frames_extracted", "steps", "frames_trained", "frames_embedded")
        lines.append(
            [
                row["variant"],
                *(f"{row[name]:,}" for name in counts),
                ", ".join(_rounded(hours) for hours in cpu.values()),
                _rounded(sum(cpu.values())) if cpu else "",
                _rounded(sum(row["hours_h100"].values())),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rounded(hours: float) -> str:
    """Write hours with two digits, but whole ones in full."""
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


if __name__ == "__main__":
    main()
