"""The loop: batches of pairs, RMSProp, a validation curve, and going on after being killed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from wherewhen.model.attention import entropy_share
from wherewhen.model.cubes import CubeReader, gather
from wherewhen.model.loss import LossTerms, PairLoss
from wherewhen.model.siamese import SiameseAttentionNetwork
from wherewhen.tracklets.fingerprint import fingerprint
from wherewhen.training.checkpoints import Checkpoints
from wherewhen.training.config import TrainingConfig
from wherewhen.training.pairs import Batch, build_sampler

HISTORY = (
    "step",
    "epoch",
    "loss",
    "cross_entropy",
    "penalty",
    "gradient_norm",
    "pair_accuracy",
    "attention_entropy",
    "pairs_per_second",
    "validation_loss",
)
"""Columns of the history; step and epoch count from 1."""

Log = Callable[[dict[str, float]], None]


class TrainingDiverged(ArithmeticError):
    """The loss or its gradient is no longer a number."""


class PreloadedCubes:
    """Cubes of some tracklets, kept in memory.

    Parameters
    ----------
    reader
        Where they are read from, once.
    tracklets
        Which.
    progress
        Show a progress bar.
    """

    def __init__(self, reader: CubeReader, tracklets: list[str], progress: bool = False) -> None:
        bar = tqdm(tracklets, desc="load cubes", unit="tracklet", disable=not progress)
        self._cubes = {tracklet: np.array(reader.read(tracklet)) for tracklet in bar}
        self.lengths = {tracklet: len(cubes) for tracklet, cubes in self._cubes.items()}

    def read(self, tracklet: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """View a window of a tracklet."""
        return self._cubes[tracklet][start:stop]


def preload(
    reader: CubeReader, tracklets: list[str], gigabytes: float, progress: bool = False
) -> CubeReader:
    """Keep tracklets' cubes in memory if they take no more than so many gigabytes.

    Parameters
    ----------
    reader
        Where they are.
    tracklets
        Which will be needed.
    gigabytes
        The most they may take.
    progress
        Show a progress bar.

    Returns
    -------
    CubeReader
        `PreloadedCubes`, or the reader itself.
    """
    frame = reader.read(tracklets[0], 0, 1).nbytes
    lengths = reader.lengths
    needed = frame * sum(lengths[tracklet] for tracklet in tracklets)
    return PreloadedCubes(reader, tracklets, progress) if needed <= gigabytes * 1e9 else reader


def calibrate(
    network: SiameseAttentionNetwork, reader: CubeReader, tracklets: list[str], frames: int
) -> None:
    """Take the statistics of the network's input from frames spread over training tracklets.

    Deterministic, and so the untrained network can be had before training.

    Parameters
    ----------
    network
        Calibrated in place; its standardisation and the start of its projection.
    reader, tracklets
        The training cubes.
    frames
        About how many frames to read.
    """
    tracklets = sorted(tracklets)
    if len(tracklets) > frames:
        chosen = np.linspace(0, len(tracklets) - 1, frames).astype(int)
        tracklets = [tracklets[index] for index in chosen]
    share = -(-frames // len(tracklets))
    lengths = reader.lengths

    def portions() -> Iterator[np.ndarray]:
        for tracklet in tracklets:
            length = lengths[tracklet]
            positions = np.unique(np.linspace(0, length - 1, min(share, length)).astype(int))
            yield np.concatenate([reader.read(tracklet, at, at + 1) for at in positions.tolist()])

    network.calibrate(portions())


def run_fingerprint(
    network: SiameseAttentionNetwork,
    training_tracklets: pd.DataFrame,
    validation_tracklets: pd.DataFrame | None,
    config: TrainingConfig,
    identity: Any = None,
) -> str:
    """Name a training run by everything that has influence on its result.

    Parameters
    ----------
    network, training_tracklets, validation_tracklets, config, identity
        See `train`.
    """

    def rows(table: pd.DataFrame | None) -> list[list[str]]:
        if table is None:
            return []
        return sorted(table[["tracklet", "person", "camera"]].astype(str).values.tolist())

    return fingerprint(
        {
            "network": network.config,
            "cubes": [network.grid, network.channels],
            "training": config.identity(),
            "training_tracklets": rows(training_tracklets),
            "validation_tracklets": rows(validation_tracklets),
            "identity": identity,
        }
    )


def train(
    network: SiameseAttentionNetwork,
    cubes: CubeReader,
    training_tracklets: pd.DataFrame,
    validation_tracklets: pd.DataFrame | None,
    config: TrainingConfig,
    checkpoint_folder: Path | str,
    log: Log | None = None,
    identity: Any = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network in place, or go on where a killed run left off.

    A run that was killed and started again with the same arguments ends with the same weights, to
    the bit, as one that was not (on the same device with the same number of threads); a finished
    run started again returns its result at once. Other arguments never go on from it.

    Parameters
    ----------
    network
        From `build_network`; calibrated on the training cubes if it is not yet. It stays on the
        device of the training.
    cubes
        Where the cubes are.
    training_tracklets
        Columns ``tracklet, person, camera``.
    validation_tracklets
        The same for held-out persons; None or empty for no validation curve.
    config
        Loss, pairs, optimiser.
    checkpoint_folder
        Where checkpoints are kept, in a folder a run named by its fingerprint.
    log
        Called after every step with that step's row of the history, without what was not measured;
        after a resumption the steps since the last checkpoint are logged again.
    identity
        What else the result depends on, e.g. the fingerprint of the cubes; anything that
        `wherewhen.tracklets.fingerprint.fingerprint` takes.
    progress
        Show a progress bar with the remaining time.

    Returns
    -------
    pandas.DataFrame
        The history, one row a step, columns `HISTORY`; ``validation_loss`` is NaN where it was not
        evaluated.

    Raises
    ------
    ValueError
        If the tracklets allow no pairs, or the cubes don't fit the network.
    TrainingDiverged
        If loss or gradient become NaN or infinite; the last checkpoint stays.
    """
    if validation_tracklets is not None and validation_tracklets.empty:
        validation_tracklets = None
    name = run_fingerprint(network, training_tracklets, validation_tracklets, config, identity)
    checkpoints = Checkpoints(checkpoint_folder, name)
    device = _device(config.device)
    cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        run = _Run(network, cubes, training_tracklets, config, device, progress)
        saved = checkpoints.load()
        if saved is not None:
            run.restore(saved)
        if run.step < run.total_steps:
            run.prepare(validation_tracklets)
            if saved is None:
                run.start()
            run.go_on(checkpoints, log or (lambda row: None))
    network.eval()
    return pd.DataFrame(run.history, columns=list(HISTORY)).astype({"step": int, "epoch": int})


@dataclass(frozen=True)
class _Measured:
    """A step's loss terms and what is logged beside them."""

    terms: LossTerms
    pair_accuracy: torch.Tensor
    attention_entropy: torch.Tensor


class _Run:
    """The state of a training run: everything that a checkpoint holds, and how it moves on."""

    def __init__(
        self,
        network: SiameseAttentionNetwork,
        cubes: CubeReader,
        tracklets: pd.DataFrame,
        config: TrainingConfig,
        device: torch.device,
        progress: bool,
    ) -> None:
        self.network = network.to(device)
        self.cubes = cubes
        self.config = config
        self.device = device
        self.progress = progress
        self.sampler = build_sampler(config, tracklets, cubes.lengths)
        self.tracklets = sorted(tracklets["tracklet"])
        self.loss = PairLoss(config.penalty_weight, config.penalty == "reachable", config.balanced)
        self.optimiser = build_optimiser(network, config)
        self.generator = np.random.default_rng(config.seed)
        # the generator's state when the present epoch began, from which its batches follow
        self.epoch_generator = copy.deepcopy(self.generator.bit_generator.state)
        self.epoch_began = 0
        self.validation: list[Batch] = []
        self.step = 0
        self.history: list[tuple[float, ...]] = []
        per_epoch = self.sampler.batches_per_epoch
        self.total_steps = config.steps or config.epochs * per_epoch

    # what a checkpoint holds

    def start(self) -> None:
        """Begin at step 0."""
        if not self.network.calibrated:
            calibrate(self.network, self.cubes, self.tracklets, self.config.calibration_frames)
        torch.manual_seed(self.config.seed)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        on_gpu = self.device.type == "cuda"
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch_generator": self.epoch_generator,
            "epoch_began": self.epoch_began,
            "torch_generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state(self.device) if on_gpu else None,
            "history": torch.tensor(self.history, dtype=torch.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch_generator = state["epoch_generator"]
        self.epoch_began = state["epoch_began"]
        self.generator.bit_generator.state = copy.deepcopy(self.epoch_generator)
        torch.set_rng_state(state["torch_generator"])
        if state["cuda_generator"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_generator"], self.device)
        self.history = [tuple(row) for row in state["history"].tolist()]

    # moving on

    def prepare(self, validation_tracklets: pd.DataFrame | None) -> None:
        """Load cubes and draw the fixed clips of the validation persons."""
        needed = list(self.tracklets)
        if validation_tracklets is not None:
            needed += sorted(validation_tracklets["tracklet"])
            try:
                sampler = build_sampler(self.config, validation_tracklets, self.cubes.lengths)
            except ValueError as error:
                raise ValueError(f"validation: {error}; or set validation_fraction to 0") from error
            self.validation = list(sampler.epoch(np.random.default_rng(self.config.seed)))
        self.cubes = preload(self.cubes, needed, self.config.preload_gigabytes, self.progress)

    def go_on(self, checkpoints: Checkpoints, log: Log) -> None:
        """Train from the present step to the last."""
        self.network.train()
        with tqdm(
            total=self.total_steps,
            initial=self.step,
            desc="train",
            unit="step",
            disable=not self.progress,
        ) as bar:
            for batch in self._batches():
                row = self._advance(batch, checkpoints)
                self.history.append(tuple(row[name] for name in HISTORY))
                if self.step % self.config.checkpoint_every == 0 or self.step == self.total_steps:
                    checkpoints.save(self.state())
                log({name: value for name, value in row.items() if not np.isnan(value)})
                bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
                bar.update()

    def _batches(self) -> Iterator[Batch]:
        """Draw from the present step to the last; what a resumed epoch has had is skipped."""
        done = self.step - self.epoch_began
        while self.step < self.total_steps:
            for index, batch in enumerate(self.sampler.epoch(self.generator)):
                if self.step == self.total_steps:
                    return
                if index >= done:
                    yield batch
            done = 0
            self.epoch_began = self.step
            self.epoch_generator = copy.deepcopy(self.generator.bit_generator.state)

    def _advance(self, batch: Batch, checkpoints: Checkpoints) -> dict[str, float]:
        began = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        measured = self._measure(batch)
        loss = measured.terms.loss
        if not torch.isfinite(loss):
            raise self._diverged("loss", loss.item(), batch, checkpoints)
        loss.backward()
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        if not torch.isfinite(norm):
            raise self._diverged("norm of the gradient", norm.item(), batch, checkpoints)
        torch.nn.utils.clip_grad_value_(parameters, self.config.clip)
        self.optimiser.step()
        self.step += 1
        elapsed = time.perf_counter() - began
        epoch = (self.step - 1) // self.sampler.batches_per_epoch + 1
        return {
            "step": self.step,
            "epoch": epoch,
            "loss": loss.item(),
            "cross_entropy": measured.terms.cross_entropy.item(),
            "penalty": measured.terms.penalty.item(),
            "gradient_norm": norm.item(),
            "pair_accuracy": measured.pair_accuracy.item(),
            "attention_entropy": measured.attention_entropy.item(),
            "pairs_per_second": len(batch.left) / elapsed,
            "validation_loss": self._validate(epoch),
        }

    def _measure(self, batch: Batch) -> _Measured:
        cubes, mask = gather(self.cubes, batch.windows, self.config.frames)
        cubes, mask = cubes.to(self.device), mask.to(self.device)
        left, right, same = (
            torch.from_numpy(indices).to(self.device)
            for indices in (batch.left, batch.right, batch.same)
        )
        encoding = self.network.encode(cubes, mask)
        logits = self.network.pairwise_logits(encoding.embedding, encoding.embedding)[left, right]
        right_side = (logits.detach() > 0) == same
        # the mean over the two kinds of pairs, or "no" to everything would look accurate
        kinds = [right_side[kind].float().mean() for kind in (same, ~same) if bool(kind.any())]
        return _Measured(
            self.loss(logits, same, encoding.attention, mask),
            torch.stack(kinds).mean(),
            entropy_share(encoding.attention.detach(), mask),
        )

    def _validate(self, epoch: int) -> float:
        """Loss of the validation pairs where the curve has a point, else NaN."""
        last_of_epoch = self.step % self.sampler.batches_per_epoch == 0
        due = last_of_epoch and epoch % self.config.validate_every == 0
        if not self.validation or not (due or self.step == self.total_steps):
            return float("nan")
        self.network.eval()
        try:
            with torch.no_grad():
                losses = [self._measure(batch).terms.loss.item() for batch in self.validation]
        finally:
            self.network.train()
        return float(np.average(losses, weights=[len(batch.left) for batch in self.validation]))

    def _diverged(
        self, what: str, value: float, batch: Batch, checkpoints: Checkpoints
    ) -> TrainingDiverged:
        clips = ", ".join(f"{name}[{start}:{stop}]" for name, start, stop in batch.windows)
        kept = f"the last good checkpoint is {checkpoints.path}"
        if not checkpoints.path.exists():
            kept = "there is no checkpoint yet"
        return TrainingDiverged(
            f"step {self.step + 1}: the {what} is {value}; the batch was {clips}. Look for NaN in "
            f"these tracklets' cubes, or lower rate ({self.config.rate:g}); {kept}"
        )


def build_optimiser(
    network: SiameseAttentionNetwork, config: TrainingConfig
) -> torch.optim.RMSprop:
    """RMSProp with a rate for each part of the network.

    Parameters
    ----------
    network
        Whose children are the parts.
    config
        ``rate, part_rates, alpha, momentum``.
    """
    groups = [
        {"params": list(part.parameters()), "lr": config.rate * config.part_rates.get(name, 1.0)}
        for name, part in network.named_children()
    ]
    on_gpu = next(network.parameters()).is_cuda
    return torch.optim.RMSprop(
        [group for group in groups if group["params"]],
        lr=config.rate,
        alpha=config.alpha,
        momentum=config.momentum,
        foreach=on_gpu,  # six times slower than the plain loop on a CPU
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device: {name} asked for, but torch sees no GPU; use auto or cpu")
    return torch.device(name)
