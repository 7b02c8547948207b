"""The state of a training run: everything that a checkpoint holds, and how it moves on."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from wherewhen.features.variants import Variants
from wherewhen.model.cubes import CubeReader, Window
from wherewhen.model.siamese import SiameseAttentionNetwork
from wherewhen.training.checkpoints import CheckpointError, Checkpoints
from wherewhen.training.clips import Clips, clip_source, load_clips, preload
from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import TrainingLoss, loss_columns, scheduled_values
from wherewhen.training.optimisation import Optimiser, rate_factor
from wherewhen.training.pairs import Batch, build_sampler
from wherewhen.training.roofline import measure_roofline, network_flops
from wherewhen.training.step import StepInputs, build_step, compare, is_recorded
from wherewhen.training.transfer import move
from wherewhen.training.validation import MEASURES, Validation

TIMING = ("pairs_per_second", "waiting", "roofline")
"""Columns of the history that tell of the machine: pairs of clips that were encoded a second
(however many comparisons a batch makes of them), the share of the time in
which the step waited for its clips, and the share of the machine's rate of matrix products (NaN
without `TrainingConfig.roofline`)."""

HISTORY = (
    "step",
    "epoch",
    "loss",
    "cross_entropy",
    "penalty",
    "gradient_norm",
    "pair_accuracy",
    "attention_entropy",
    "rate",
    *TIMING,
    *MEASURES,
)
"""Columns of every history; step and epoch count from 1."""

FETCH_EVERY = 20
"""Steps between fetching losses from a GPU."""

Log = Callable[[dict[str, float]], None]

logger = logging.getLogger(__name__)


class TrainingDiverged(ArithmeticError):
    """The loss or its gradient is no longer a number."""


def history_columns(config: TrainingConfig) -> list[str]:
    """Name the columns of a run's history: `HISTORY`, and the terms that it adds to the loss."""
    return [*HISTORY, *loss_columns(config)]


class _Epoch(NamedTuple):
    """What the batches of an epoch follow from."""

    began: int
    """Steps taken before it."""
    generator: dict[str, Any]
    """State of the random numbers."""


class _Draw(NamedTuple):
    """A batch, and from where its epoch can be drawn again."""

    batch: Batch
    epoch: _Epoch
    windows: list[Window]
    """The batch's, of the drawn variants of its tracklets."""


@dataclass
class _Unseen:
    """Steps that have been taken since the last look at what was computed."""

    batches: list[Batch] = field(default_factory=list)
    told: list[dict[str, float]] = field(default_factory=list)
    """What the CPU knows about each."""
    names: list[str] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    """What the device has computed in each, by `names`."""
    waited: float = 0.0
    """Seconds for which the steps waited for their clips."""
    began: float = field(default_factory=time.perf_counter)


class Run:
    """A training run; `wherewhen.training.loop.train` says what it does.

    Parameters
    ----------
    network, cubes, tracklets, config, device, progress
        See `wherewhen.training.loop.train`; the tracklets are those of the training persons.
    """

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
        variants = Variants(cubes)
        self.variants = variants.count
        self.cubes: CubeReader = cubes if variants.count == 1 else variants
        self.config = config
        self.device = device
        self.progress = progress
        self.columns = history_columns(config)
        self.sampler = build_sampler(config, tracklets, cubes.lengths)
        self.tracklets = sorted(tracklets["tracklet"])
        self.loss = TrainingLoss(config, network.embedding_size, len(self.sampler.everybody))
        self.loss.to(device)
        self.optimiser = Optimiser(network, config, self.loss)
        self.take_step = build_step(network, self.loss, self.optimiser.parameters, config, device)
        self.generator = np.random.default_rng(config.seed)
        self.epoch = self._begin_epoch(0)
        self.validation: Validation | None = None
        self.step = 0
        self.best: list[float] | None = None
        """Step and value of the best point of the validation curve."""
        self.points_since_best = 0
        self.history: list[tuple[float, ...]] = []
        self.total_steps = config.steps or config.epochs * self.sampler.batches_per_epoch
        self.roofline = float("nan")

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        patience = self.config.patience
        stopped = patience is not None and self.points_since_best >= patience
        return stopped or self.step >= self.total_steps

    # what a checkpoint holds

    def start(self) -> None:
        """Begin at step 0."""
        torch.manual_seed(self.config.seed)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        on_gpu = self.device.type == "cuda"
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch._asdict(),
            "torch_generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state(self.device) if on_gpu else None,
            "best": self.best,
            "points_since_best": self.points_since_best,
            "history": torch.tensor(self.history, dtype=torch.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch = _Epoch(**state["epoch"])
        self.generator.bit_generator.state = copy.deepcopy(self.epoch.generator)
        torch.set_rng_state(state["torch_generator"])
        if self.device.type == "cuda":
            if state["cuda_generator"] is None:  # it began on a CPU
                torch.cuda.manual_seed(self.config.seed)
            else:
                torch.cuda.set_rng_state(state["cuda_generator"], self.device)
        self.best = state["best"]
        self.points_since_best = state["points_since_best"]
        self.history = [tuple(row) for row in state["history"].tolist()]

    def go_back_to_best(self, checkpoints: Checkpoints) -> None:
        """Take the weights of the best point of the validation curve.

        Raises
        ------
        CheckpointError
            If they are not where they were kept.
        """
        if self.best is None:
            logger.warning("no point of the validation curve is a number: the last weights stay")
            return
        saved = checkpoints.load_best()
        if saved is None or saved["step"] != self.best[0]:
            raise CheckpointError(
                f"{checkpoints.best_path} should hold the weights of step {self.best[0]}: it was "
                f"deleted or replaced; delete {checkpoints.path}, too, to train from the start"
            )
        self.network.load_state_dict(saved["network"])

    # moving on

    def prepare(self, validation_tracklets: pd.DataFrame | None) -> None:
        """Load cubes, draw the clips of the validation persons, measure the machine if asked to."""
        config, sampler = self.config, None
        needed = [
            Variants.name(tracklet, variant)
            for tracklet in self.tracklets
            for variant in range(self.variants)
        ]
        if validation_tracklets is not None:
            needed += sorted(validation_tracklets["tracklet"])
            try:
                sampler = build_sampler(config, validation_tracklets, self.cubes.lengths)
            except ValueError as error:
                raise ValueError(f"validation: {error}; or set validation_fraction to 0") from error
        self.cubes = preload(
            self.cubes,
            needed,
            config.preload_gigabytes,
            self.progress,
            self.device,
            config.preload_device_share,
        )
        if sampler is not None:
            self.validation = Validation(self.network, self.cubes, sampler, config, self.device)
        if config.roofline:
            dtype = self.network.execution.dtype(self.device)
            self.roofline = measure_roofline(self.device, dtype)
            logger.info(
                "this machine's matrix products: %.3g TFLOP/s (%s)", self.roofline / 1e12, dtype
            )

    def go_on(self, checkpoints: Checkpoints, log: Log) -> None:
        """Train from the present step to the last."""
        self.network.train()
        source = clip_source(self.cubes, self.config.frames, self.device)
        first, began, waited, saving = self.step, time.perf_counter(), 0.0, 0.0
        saved = began
        unseen = _Unseen()
        bar = tqdm(
            total=self.total_steps,
            initial=self.step,
            desc="train",
            unit="step",
            disable=not self.progress,
        )
        with bar, closing(load_clips(source, self._draws())) as loaded:
            for draw, clips, seconds in loaded:
                unseen.waited += seconds
                waited += seconds
                self._differentiate(draw, clips, unseen)
                if not self._is_looked_at(self.step + 1):
                    self._update()
                    continue
                values = self._look(unseen, checkpoints)
                self._update()
                rows = self._rows(unseen, values)
                if self._has_point(self.step):
                    rows[-1] |= self._validate(checkpoints)
                self.history += [tuple(row[name] for name in self.columns) for row in rows]
                if self._is_kept(time.perf_counter() - saved):
                    start = time.perf_counter()
                    checkpoints.save(self.state())
                    saved = time.perf_counter()
                    saving += saved - start
                for row in rows:
                    log({name: value for name, value in row.items() if not np.isnan(value)})
                bar.set_postfix(_shown(rows[-1]), refresh=False)
                bar.update(len(rows))
                if self.finished:
                    break
                unseen = _Unseen()
        whole = time.perf_counter() - began
        logger.info(
            "trained from step %d to %d; the step waited for its clips %.1f %% of the time, "
            "checkpoints took %.1f %%",
            first,
            self.step,
            100.0 * waited / whole,
            100.0 * saving / whole,
        )

    def _draws(self) -> Iterator[_Draw]:
        """Draw from the present step on; what a resumed epoch has had is skipped."""
        epoch = self.epoch
        while epoch.began < self.total_steps:
            for number, batch in enumerate(self.sampler.epoch(self.generator), epoch.began):
                if number == self.total_steps:
                    return
                if number >= self.step:
                    yield _Draw(batch, epoch, self._in_variants(batch.windows, number))
            epoch = self._begin_epoch(epoch.began + self.sampler.batches_per_epoch)

    def _in_variants(self, windows: list[Window], step: int) -> list[Window]:
        """Draw a variant for every clip; the step's own draw, so that a resumed run repeats it."""
        if self.variants == 1:
            return windows
        draws = np.random.default_rng([self.config.seed, step]).integers(
            self.variants, size=len(windows)
        )
        return [
            (Variants.name(tracklet, variant), start, stop)
            for (tracklet, start, stop), variant in zip(windows, draws.tolist(), strict=True)
        ]

    def _begin_epoch(self, began: int) -> _Epoch:
        generator = copy.deepcopy(self.generator.bit_generator.state)
        return _Epoch(began, generator)

    def _differentiate(self, draw: _Draw, clips: Clips, unseen: _Unseen) -> None:
        """Compute the gradients of the next step."""
        batch, self.epoch = draw.batch, draw.epoch
        now = scheduled_values(self.config, self.step, self.total_steps)
        pairs = None
        if is_recorded(self.config, self.device):
            pairs = self.sampler.most_pairs(len(batch.windows))
        compared = compare(batch, self.device, pairs)
        scalars = {name: move(torch.tensor(value), self.device) for name, value in now.items()}
        values = self.take_step(StepInputs(clips.cubes, clips.mask, compared, scalars, clips.whole))
        unseen.batches.append(replace(batch, windows=draw.windows))  # as they were read
        unseen.told.append({"rate": self.config.learning_rate * self._rate_factor()} | now)
        unseen.names = list(values)
        # stacked, they are a copy: a recorded step writes over its outputs
        unseen.values.append(torch.stack([value.float() for value in values.values()]))

    def _rate_factor(self) -> float:
        return rate_factor(self.config, self.step, self.total_steps)

    def _update(self) -> None:
        """Move the weights, and count the step."""
        self.optimiser.step(self._rate_factor())
        self.step += 1

    def _is_looked_at(self, step: int) -> bool:
        """Whether to fetch, after a step, what was computed: a GPU is not asked at every step."""
        if self.device.type != "cuda" or self._has_point(step) or step == self.total_steps:
            return True
        return step % FETCH_EVERY == 0 or step % self.config.checkpoint_every == 0

    def _is_kept(self, seconds: float) -> bool:
        """Whether a step has a checkpoint, so many seconds after the last one."""
        due = self.step % self.config.checkpoint_every == 0
        return self.finished or (due and seconds >= self.config.checkpoint_seconds)

    def _look(self, unseen: _Unseen, checkpoints: Checkpoints) -> list[list[float]]:
        """Fetch the values of all steps since the last look.

        Raises
        ------
        TrainingDiverged
            If one of them is no number; the steps since are lost, the last checkpoint is not.
        """
        values = torch.stack(unseen.values).tolist()
        first = self.step + 1 - (len(values) - 1)
        for number, (batch, row) in enumerate(zip(unseen.batches, values, strict=True), first):
            measured = dict(zip(unseen.names, row, strict=True))
            for name, what in (("loss", "loss"), ("gradient_norm", "norm of the gradient")):
                if not np.isfinite(measured[name]):
                    raise self._diverged(number, what, measured[name], batch, checkpoints)
        return values

    def _rows(self, unseen: _Unseen, values: list[list[float]]) -> list[dict[str, float]]:
        """Make rows of the history of the steps since the last look."""
        seconds = time.perf_counter() - unseen.began
        clips = sum(len(batch.windows) for batch in unseen.batches)
        flops = network_flops(self.network, clips, self.config.frames)
        timing = {
            "pairs_per_second": clips / 2 / seconds,
            "waiting": unseen.waited / seconds,
            "roofline": flops / seconds / self.roofline,
        }
        per_epoch = self.sampler.batches_per_epoch
        return [
            {"step": step, "epoch": (step - 1) // per_epoch + 1}
            | dict(zip(unseen.names, row, strict=True))
            | told
            | timing
            | dict.fromkeys(MEASURES, float("nan"))
            for step, row, told in zip(
                range(self.step - len(values) + 1, self.step + 1), values, unseen.told, strict=True
            )
        ]

    def _has_point(self, step: int) -> bool:
        """Whether the validation curve has a point after a step."""
        if self.validation is None:
            return False
        epoch, rest = divmod(step, self.sampler.batches_per_epoch)
        return step == self.total_steps or (rest == 0 and epoch % self.config.validate_every == 0)

    def _validate(self, checkpoints: Checkpoints) -> dict[str, float]:
        """Measure a point of the validation curve, and keep the weights if it is the best."""
        measured = self.validation.measure()
        value = measured[self.config.monitor]
        sign = -1.0 if self.config.monitor == "validation_loss" else 1.0
        if np.isfinite(value) and (self.best is None or sign * value > sign * self.best[1]):
            self.best, self.points_since_best = [self.step, value], 0
            checkpoints.save_best({"step": self.step, "network": self.network.state_dict()})
        else:
            self.points_since_best += 1
        return measured

    def _diverged(
        self, step: int, what: str, value: float, batch: Batch, checkpoints: Checkpoints
    ) -> TrainingDiverged:
        clips = ", ".join(f"{name}[{start}:{stop}]" for name, start, stop in batch.windows)
        kept = f"the last good checkpoint is {checkpoints.path}"
        if not checkpoints.path.exists():
            kept = "there is no checkpoint yet"
        return TrainingDiverged(
            f"step {step}: the {what} is {value}; the batch was {clips}. Look for NaN in these "
            f"tracklets' cubes, or lower learning_rate ({self.config.learning_rate:g}); {kept}"
        )


def _shown(row: dict[str, float]) -> dict[str, str]:
    """Choose what the progress bar shows."""
    shown = {
        "loss": f"{row['loss']:.3f}",
        "pairs/s": f"{row['pairs_per_second']:.0f}",
        "waiting": f"{row['waiting']:.0%}",
    }
    if not np.isnan(row["roofline"]):
        shown["roofline"] = f"{row['roofline']:.0%}"
    return shown
