r"""What makes the network learn: variants of the recipe, trained and tested side by side.

On the people of the environment ``population``, of whom no one is the demonstration's::

    uv run kedro run --env development --pipelines synthesise,ingest,split,extract
    uv run kedro run --env population --pipelines synthesise,ingest,split,extract
    uv run python benchmarks/learning.py --json learning.json

A trial is a split and a seed of its own. In each, some persons teach, others are for choosing
settings (validation) and others again for reporting (test): both are ranked the same way, and a
row shows both. A row is the mean and the standard deviation over trials; each variant changes of
the base recipe what its name says. What is in ``--json`` already is not computed again.

Cubes are reduced to 256 channels by a PCA of the people of ``development``, whom nobody here
knows: a step costs a third. With few persons to learn from, on ``development`` itself::

    uv run python benchmarks/learning.py --dataset development --basis population --validation 0 \
        --trials 6 --pooled 1000 --json few.json --variants "base: 1,000 persons" \
        "attention sees the features, full rate"
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _record
import numpy as np
import pandas as pd
import torch

from wherewhen.features.pooling import pool_windows
from wherewhen.metric_learning.pipeline import fit_metrics
from wherewhen.model.config import NetworkConfig
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.projection import CubeInput
from wherewhen.model.siamese import build_network
from wherewhen.retrieval.distances import cosine, euclidean
from wherewhen.retrieval.evaluate import evaluate
from wherewhen.sessions import View
from wherewhen.tracklets.cubes import ArrayCubes, CubeReader
from wherewhen.tracklets.splits import validation_split
from wherewhen.tracklets.windows import Window, as_windows, embedding_windows
from wherewhen.training.clips import PreloadedCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.loop import calibrate, train

CHANNELS = 256
SHRINKAGE = 0.01
CLIPS, CLIP_FRAMES = 2, 10
METRICS = ("cosine", "kissme", "lfda")

STEPS = 300
NETWORK: dict[str, dict[str, Any]] = {
    "modern": {"input_kernels": [1], "hidden_kernels": [1]},
    "paper": {"channels": [16, 32, 32]},
}
COMMON: dict[str, Any] = {"steps": STEPS, "frames": 6, "validation_fraction": 0.0}
TRAINING: dict[str, dict[str, Any]] = {
    "modern": COMMON | {"persons_per_batch": 40, "learning_rate_factors": {"attention": 0.2}},
    "paper": COMMON,
}


@dataclass(frozen=True)
class Variant:
    """What a row changes of the base recipe."""

    network: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    learners: int = 1000
    """Persons to learn from."""
    occluded: bool = False
    """Whether a third of every tracklet's frames show somebody else."""
    untrained: bool = False
    preset: str = "modern"
    """``paper``: by its letter, reduced in width, frames and steps."""


DEEP: dict[str, Any] = {"channels": [64, 64, 64]}
STEADY: dict[str, Any] = {"normalisation": "layer", "residual": True}
KERNEL_3: dict[str, Any] = {"input_kernels": [3], "hidden_kernels": [3]}
KERNEL_5: dict[str, Any] = {"input_kernels": [3], "hidden_kernels": [5]}
CENTRED: dict[str, Any] = {"initialisation": "centred"}
FULL_RATE: dict[str, Any] = {"learning_rate_factors": {}}
TENTH: dict[str, Any] = {"learning_rate_factors": {"attention": 0.2, "gru": 0.1}}
"""The stack at a tenth of the rate: RMSProp moves every tap of a kernel as far as a lone weight."""
FEATURES: dict[str, Any] = {"conditioned_on_features": True}
SELECTIVE: dict[str, Any] = FULL_RATE | {
    "entropy_weight": 10.0,
    "entropy_target": 1.0,
    "entropy_target_end": 0.8,
}

VARIANTS: dict[str, Variant] = {
    "untrained": Variant(untrained=True),
    "base: 1,000 persons": Variant(),
    "300 persons": Variant(learners=300),
    "100 persons": Variant(learners=100),
    "300 persons, attention sees the features, full rate": Variant(
        FEATURES, FULL_RATE, learners=300
    ),
    "100 persons, attention sees the features, full rate": Variant(
        FEATURES, FULL_RATE, learners=100
    ),
    # does attention matter, does recurrence?
    "attention muted": Variant({"attention": "muted"}),
    "no recurrence": Variant({"recurrence": "none"}),
    "no recurrence, attention muted": Variant({"recurrence": "none", "attention": "muted"}),
    "input not read out": Variant({"readout": "concatenated"}),
    # how do depth, kernels and long clips come to help?
    "12 frames a clip": Variant({}, {"frames": 12}),
    "20 frames a clip": Variant({}, {"frames": 20}),
    "three layers": Variant(DEEP),
    "three layers, rate 3e-4": Variant(DEEP, {"learning_rate": 3e-4}),
    "three layers, normalised, residual": Variant(DEEP | STEADY),
    "3x3 kernels": Variant(KERNEL_3),
    "three layers, a tenth of the rate": Variant(DEEP, TENTH),
    "1x1 kernels, a tenth of the rate": Variant({}, TENTH),
    "3x3 input kernels": Variant({"input_kernels": [3]}),
    "3x3 hidden kernels": Variant({"hidden_kernels": [3]}),
    "3x3 kernels, centred start": Variant(KERNEL_3 | CENTRED),
    "3x3 kernels, a tenth of the rate": Variant(KERNEL_3, TENTH),
    "3x3 kernels, centred, a tenth of the rate": Variant(KERNEL_3 | CENTRED, TENTH),
    "5x5 hidden kernels, centred start": Variant(KERNEL_5 | CENTRED),
    "5x5 hidden kernels, centred, a tenth of the rate": Variant(KERNEL_5 | CENTRED, TENTH),
    # how does attention become selective?
    "attention at the full rate": Variant({}, FULL_RATE),
    "attention sees the features": Variant(FEATURES),
    "attention sees the features, full rate": Variant(FEATURES, FULL_RATE),
    "attention sees the features, entropy led to 0.8": Variant(FEATURES, SELECTIVE),
    "temperature 0.3": Variant({"attention_temperature": 0.3}),
    # what do other losses add?
    "identity loss added": Variant({}, {"identity_weight": 1.0}),
    "triplet loss added": Variant({}, {"triplet_weight": 1.0}),
    "100 persons, triplet loss added": Variant({}, {"triplet_weight": 1.0}, learners=100),
    "hardest tenth of the negatives": Variant({}, {"hardest_negatives": 0.1}),
    "20 frames, triplet loss, attention sees the features": Variant(
        FEATURES, FULL_RATE | {"frames": 20, "triplet_weight": 1.0}
    ),
    "cosine schedule": Variant({}, {"schedule": "cosine", "warmup_steps": 50}),
    # when to look
    "frames averaged": Variant({"temporal_pooling": "average"}),
    "a third occluded": Variant(occluded=True),
    "a third occluded, frames averaged": Variant({"temporal_pooling": "average"}, occluded=True),
    "a third occluded, maxima over frames": Variant({"temporal_pooling": "max"}, occluded=True),
    "a third occluded, no recurrence": Variant({"recurrence": "none"}, occluded=True),
    "a third occluded, 20 frames a clip": Variant({}, {"frames": 20}, occluded=True),
    "a third occluded, 20 frames a clip, frames averaged": Variant(
        {"temporal_pooling": "average"}, {"frames": 20}, occluded=True
    ),
}

# the leads of the throw-away prototype: one part of the recipe taken away
RAW: dict[str, Any] = {"similarity": "weighted", "normalise": False}
TEN_PAIRS: dict[str, Any] = {"pairs": "drawn", "steps": 4 * STEPS}
"""Ten pairs are 20 clips, a quarter of the base recipe's."""

VARIANTS |= {
    "attention not rescaled": Variant({"attention_rescale": False}),
    "score of Eq 8": Variant(RAW),
    "score of Eq 8, ten pairs a batch": Variant(RAW, TEN_PAIRS),
    "ten pairs a batch": Variant({}, TEN_PAIRS),
    "pairs not balanced": Variant({}, {"balanced": False}),
    "three layers, the top one read out": Variant(DEEP | {"readout": "top"}),
    "dropout 0.5": Variant({"dropout": 0.5}),
    "cubes not standardised": Variant({"standardise": "none"}),
    "lambda = 1": Variant({}, {"penalty_weight": 1.0}),
    "cells kept": Variant({"location": "cells"}),
    "averaged over space": Variant({"location": "mean"}),
    "paper, untrained": Variant(untrained=True, preset="paper"),
    "paper": Variant(preset="paper"),
}

Scores = dict[str, tuple[float, float]]


class OccludedCubes(ArrayCubes):
    """Cubes of which a run of every tracklet's frames shows somebody else, as if he passed by.

    Parameters
    ----------
    cubes
        The cubes.
    share
        Of the frames of a tracklet.
    seed
        Decides where the run is and whom it shows.
    """

    def __init__(self, cubes: CubeReader, share: float = 1 / 3, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        names = sorted(cubes.lengths)
        arrays = {}
        for name in names:
            length = cubes.lengths[name]
            run = round(share * length)
            start = int(generator.integers(length - run + 1))
            other = names[generator.integers(len(names))]
            seen = cubes.read(cubes.whole(name))
            passing = np.resize(np.arange(cubes.lengths[other]), run)
            seen[start : start + run] = cubes.read(cubes.whole(other))[passing]
            arrays[name] = seen
        super().__init__(arrays)


class ReducedCubes(CubeReader):
    """Cubes seen through a PCA.

    Parameters
    ----------
    cubes
        What is reduced.
    basis
        Cubes that the PCA is fitted on.
    channels
        What is left.
    """

    def __init__(self, cubes: CubeReader, basis: CubeReader, channels: int) -> None:
        self.cubes, self.lengths = cubes, cubes.lengths
        self.shape = (*cubes.shape[:2], channels)
        self.input = CubeInput(basis.channels, channels, standardise="scale")
        firsts = (Window(name, 0, 4) for name in sorted(basis.lengths))
        self.input.calibrate(torch.from_numpy(basis.read(first)) for first in firsts)

    @torch.no_grad()
    def _fill(self, window: Window, out: np.ndarray) -> None:
        cubes = torch.from_numpy(self.cubes.read(window)).float()
        out[:] = self.input(cubes).to(torch.float16).numpy()


class Workbench:
    """The population in memory, and what is done to it again and again."""

    def __init__(self, dataset: str, basis: str, channels: int, validation: int) -> None:
        self.validation = validation
        view = View.of(dataset)
        catalog, self.protocol = view.catalog, view.parameters.evaluate.protocol
        store = catalog.load("cubes")
        if channels < store.channels:
            store = ReducedCubes(store, View.of(basis).catalog.load("cubes"), channels)
        whole = [store.whole(tracklet) for tracklet in store.lengths]
        self.cubes = PreloadedCubes(store, whole, progress=True)
        self.occluded: OccludedCubes | None = None
        self.splits = dict(list(catalog.load("splits").groupby("trial")))

    def reader(self, variant: Variant) -> CubeReader:
        """Return the cubes that a variant sees."""
        if not variant.occluded:
            return self.cubes
        self.occluded = self.occluded or OccludedCubes(self.cubes)
        return self.occluded

    def parts(self, trial: str, learners: int) -> dict[str, pd.DataFrame]:
        """Divide a trial: who teaches, who is for choosing, who is for reporting."""
        split, seed = self.splits[trial], _seed(trial)
        derived = split[split.role == "train"]
        if self.validation:
            share = self.validation / derived.person.nunique()
            derived = validation_split(split, share, seed, self.protocol)
        training = derived[derived.role == "train"]
        persons = sorted(training.person.unique())
        teaching = np.random.default_rng(seed).permutation(persons)[:learners]
        return {
            "train": training[training.person.isin(teaching)],
            "validation": derived[derived.role != "train"],
            "test": split[split.role != "train"],
        }

    def network(self, trial: str, variant: Variant) -> tuple[dict[str, Scores], dict[str, float]]:
        """Train a variant on one trial and score it; also say how its training ended."""
        seed = _seed(trial)
        name, same = variant.preset, {"seed": seed}
        config = TrainingConfig.from_preset(name, **{**TRAINING[name], **variant.training, **same})
        settings = NetworkConfig.from_preset(name, **{**NETWORK[name], **variant.network, **same})
        model = build_network(settings, self.cubes.channels, self.cubes.grid)
        parts = self.parts(trial, variant.learners)
        reader = self.reader(variant)
        calibrate(model, reader, parts["train"].tracklet.to_list())
        ended: dict[str, float] = {}
        if not variant.untrained:
            with tempfile.TemporaryDirectory() as folder:
                history = train(model, reader, parts["train"], None, config, folder, progress=False)
            last = history.tail(20)[["loss", "pair_accuracy", "attention_entropy"]].mean()
            ended = {name: float(value) for name, value in last.items()}
        windows = self.windows(parts)
        encodings = encode_tracklets(model, reader, as_windows(windows), 64, progress=False)
        return score(windows, encodings.embeddings), ended

    def windows(self, parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Return the windows by which the tracklets of a trial are embedded."""
        tables = [
            embedding_windows(part, self.cubes.lengths, 128, CLIPS, CLIP_FRAMES).assign(part=name)
            for name, part in parts.items()
            if len(part)
        ]
        return pd.concat(tables, ignore_index=True)

    def pooled(self, trial: str, learners: int) -> dict[str, dict[str, Scores]]:
        """Score the pooled cubes on one trial."""
        windows = self.windows(self.parts(trial, learners))
        means, rows = pool_windows(self.cubes, as_windows(windows))
        return {
            f"mean-pooled cubes, {learners} persons": score(windows, np.stack(means)),
            f"row-pooled cubes, {learners} persons": score(windows, np.stack(rows)),
        }


def _seed(trial: str) -> int:
    return int(trial.removeprefix("trial_"))


def score(windows: pd.DataFrame, vectors: np.ndarray) -> dict[str, Scores]:
    """Return rank-1 and mAP of the validation and the test persons under each metric."""
    vectors = vectors.astype(np.float64)
    learners = (windows.part == "train").to_numpy()
    fitted = fit_metrics(
        vectors[learners],
        windows.person[learners].to_numpy(),
        windows.camera[learners].to_numpy(),
        {kind: {"shrinkage": SHRINKAGE} for kind in METRICS[1:]},
    )
    return {
        part: _judge_all(windows, vectors, (windows.part == part).to_numpy(), fitted)
        for part in ("validation", "test")
        if (windows.part == part).any()
    }


def _judge_all(
    windows: pd.DataFrame, vectors: np.ndarray, chosen: np.ndarray, fitted: dict[str, Any]
) -> Scores:
    probe = chosen & (windows.role == "probe").to_numpy()
    gallery = chosen & (windows.role == "gallery").to_numpy()

    def judged(distances: np.ndarray) -> tuple[float, float]:
        result = evaluate(
            distances,
            windows.person[probe].to_list(),
            windows.person[gallery].to_list(),
            windows.camera[probe].to_list(),
            windows.camera[gallery].to_list(),
        )
        return float(result.cmc[0]), float(result.mean_ap)

    scores = {"cosine": judged(cosine(vectors[probe], vectors[gallery]))}
    for kind, metric in fitted.items():
        scores[kind] = judged(
            euclidean(metric.transform(vectors[probe]), metric.transform(vectors[gallery]))
        )
    return scores


class Results:
    """What was found, in a file that grows run by run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = json.loads(path.read_text()) if path.exists() else {"rows": []}
        self.rows: list[dict[str, Any]] = content["rows"]

    def has(self, variant: str, trial: str) -> bool:
        """Whether a run is there."""
        return any(row["variant"] == variant and row["trial"] == trial for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a run."""
        self.rows.append(row)
        record = _record.record("learning", self.rows, ("torch", "numpy", "scikit-learn"))
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(record, indent=1) + "\n")
        temporary.replace(self.path)

    def table(self) -> Iterable[str]:
        """Yield the lines of the table."""
        parts = [part for part in ("validation", "test") if part in self.rows[0]]
        heads = [f"{metric}, {part}" for metric in METRICS for part in parts]
        yield "| | trials | " + " | ".join(heads) + " |"
        yield "|---" * (len(heads) + 2) + "|"
        for name in dict.fromkeys(row["variant"] for row in self.rows):
            runs = [row for row in self.rows if row["variant"] == name]
            cells = [
                _cell([run[part][metric] for run in runs]) for metric in METRICS for part in parts
            ]
            yield f"| {name} | {len(runs)} | " + " | ".join(cells) + " |"


def _cell(scores: list[tuple[float, float]]) -> str:
    rank_1, mean_ap = np.array(scores).T * 100
    return f"{_record.spread(rank_1)} ({mean_ap.mean():.1f})"


def main() -> None:
    """Run the chosen variants on the chosen trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="population", help="an environment in conf/")
    parser.add_argument(
        "--basis", default="development", help="that whose cubes the PCA is fitted on"
    )
    parser.add_argument("--channels", type=int, default=CHANNELS, help="0: all, no PCA")
    parser.add_argument("--validation", type=int, default=100, help="persons to choose settings by")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--pooled", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--json", type=Path, default=Path("learning.json"))
    arguments = parser.parse_args()

    results = Results(arguments.json)
    bench = Workbench(
        arguments.dataset,
        arguments.basis,
        arguments.channels or sys.maxsize,
        arguments.validation,
    )
    trials = sorted(bench.splits)[: arguments.trials]
    for learners in arguments.pooled:
        for trial in trials:
            if not results.has(f"row-pooled cubes, {learners} persons", trial):
                for name, scores in bench.pooled(trial, learners).items():
                    results.add({"variant": name, "trial": trial, **scores})
    for name in arguments.variants:
        for trial in trials:
            if results.has(name, trial):
                continue
            start = time.perf_counter()
            scores, ended = bench.network(trial, VARIANTS[name])
            seconds = time.perf_counter() - start
            results.add({"variant": name, "trial": trial, **scores, **ended, "seconds": seconds})
            sys.stderr.write(f"{name}, {trial}: {seconds:.0f} s, {scores['test']}\n")
    sys.stdout.write("\n".join(results.table()) + "\n")


if __name__ == "__main__":
    main()
