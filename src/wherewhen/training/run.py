"""A training run: the state that a checkpoint holds, and the steps that advance it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from wherewhen.memory import is_exhausted
from wherewhen.model.siamese import SiameseNetwork
from wherewhen.tracklets.cubes import CubeReader
from wherewhen.tracklets.windows import Clip
from wherewhen.training.checkpoints import DAMAGED, CheckpointError, Checkpoints
from wherewhen.training.clips import Clips, clip_source, load_clips
from wherewhen.training.config import TrainingConfig
from wherewhen.training.draws import Draw, Draws, Epoch
from wherewhen.training.guidance import Guide
from wherewhen.training.history import PendingSteps, Row, history_columns
from wherewhen.training.losses import TrainingLoss, scheduled_values
from wherewhen.training.optimisation import Optimiser, rate_factor
from wherewhen.training.pairs import Batch, build_sampler
from wherewhen.training.pasting import Paste, draw_pastes, of_share, paste
from wherewhen.training.processes import Group
from wherewhen.training.roofline import measure_roofline, network_flops
from wherewhen.training.step import StepInputs, Values, build_step, compare, is_recorded
from wherewhen.training.transfer import move
from wherewhen.training.validation import MEASURES, BestPoint, Validation

FETCH_EVERY = 20
"""Steps between fetching losses from a GPU."""

PASTING = 1
"""Tells the stream of a step's pastes from that of its variants."""

DROPOUT = 2
"""Tells the streams of the processes' dropout from it."""

Log = Callable[[Row], None]

logger = logging.getLogger(__name__)


class TrainingDiverged(ArithmeticError):
    """The loss or its gradient is NaN or infinite."""


class BatchTooLarge(MemoryError):
    """Memory does not hold a step; no part of a batch would have the same loss."""


class Portion(NamedTuple):
    """What a process loads of a step's batch."""

    draw: Draw
    pastes: list[Paste]
    """Of the whole batch."""
    clips: list[int]
    """Of the batch: its share, and others that are pasted into it."""
    own_pastes: list[Paste]
    """Into its share, by the places in `clips`."""

    @property
    def windows(self) -> list[Clip]:
        """What is loaded."""
        return [self.draw.windows[clip] for clip in self.clips]


class Run:
    """A training run, at its first step.

    Parameters
    ----------
    network
        Trained in place.
    cubes
        Lengths and number of variants of the tracklets.
    tracklets
        Tracklets of the training persons; columns ``tracklet, person, camera``.
    config
        How it is trained.
    device
        Device of the training.
    guide
        Knows what frames show, for the guidance.
    group
        Processes that share the batches; None for this one alone. The first one advances, the
        others follow.

    See Also
    --------
    wherewhen.training.loop.train : Trains a network, with checkpoints.
    """

    def __init__(
        self,
        network: SiameseNetwork,
        cubes: CubeReader,
        tracklets: pd.DataFrame,
        config: TrainingConfig,
        device: torch.device,
        guide: Guide | None = None,
        group: Group | None = None,
    ) -> None:
        if config.guidance_weight and guide is None:
            raise ValueError(
                "guidance_weight needs to know what frames show, which is known of rendered people "
                "alone: set it to 0"
            )
        self.guide = guide if config.guidance_weight else None
        self.network = network.to(device)
        if network.trunk is not None:
            network.trunk.batch_statistics = config.batch_statistics
            network.trunk.recompute = config.recompute
        self.config = config
        self.device = device
        self.sampler = build_sampler(config, tracklets, cubes.lengths)
        self.total_steps = config.steps or config.epochs * self.sampler.batches_per_epoch
        self.draws = Draws(self.sampler, config.seed, cubes.variants)
        self.loss = TrainingLoss(config, network.embedding_size, len(self.sampler.everybody))
        self.loss.to(device)
        self.optimiser = Optimiser(network, config, self.loss)
        self.group = group or Group()
        self._require_clips_for_all()
        self.take_step = build_step(
            network, self.loss, self.optimiser.parameters, config, device, self.group
        )
        self.best = BestPoint(config)
        self.columns = history_columns(config)
        self.history: list[tuple[float, ...]] = []
        self.step = 0
        torch.manual_seed(config.seed)

    def _require_clips_for_all(self) -> None:
        """Refuse more processes than the smallest batch has clips."""
        if self.group.size == 1:
            return
        epoch = self.sampler.epoch(np.random.default_rng(0))
        fewest = min(len(batch.windows) for batch in epoch)
        if fewest < self.group.size:
            raise ValueError(
                f"processes is {self.group.size}, but the smallest batch has {fewest} clips: set "
                f"processes to {fewest} at most, or make batches larger"
            )

    @property
    def finished(self) -> bool:
        """Whether all steps are taken, or the validation curve has stopped improving."""
        return self.step >= self.total_steps or self.best.out_of_patience

    def state_dict(self) -> dict[str, Any]:
        """Return everything that is needed to resume."""
        on_gpu = self.device.type == "cuda"
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.draws.epoch._asdict(),
            "best": self.best.state_dict(),
            "torch_generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state(self.device) if on_gpu else None,
            "history": torch.tensor(self.history, dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from what `state_dict` returned, maybe on another device."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.draws.epoch = Epoch(**state["epoch"])
        self.best.load_state_dict(state["best"])
        torch.set_rng_state(state["torch_generator"])
        if self.device.type == "cuda" and state["cuda_generator"] is not None:
            torch.cuda.set_rng_state(state["cuda_generator"], self.device)
        self.history = [tuple(row) for row in state["history"].tolist()]

    def load_best(self, checkpoints: Checkpoints) -> None:
        """Load the weights of the best point of the validation curve.

        Raises
        ------
        CheckpointError
            If the checkpoint of that point is missing; the last one is then set aside.
        """
        if self.best.step is None:
            logger.warning("no point of the validation curve is a number: the last weights stay")
            return
        saved = checkpoints.load_best()
        if saved is None or saved["step"] != self.best.step:
            checkpoints.set_aside()
            raise CheckpointError(
                f"{checkpoints.best_path} should hold the weights of step {self.best.step}: it was "
                f"deleted or replaced. Without it {checkpoints.path} is of no use and was renamed "
                f"to {checkpoints.path.name}{DAMAGED}; run again: it trains from the start"
            )
        self.network.load_state_dict(saved["network"])

    def advance(
        self,
        cubes: CubeReader,
        validation: Validation | None,
        checkpoints: Checkpoints,
        log: Log,
        progress: bool,
    ) -> None:
        """Train from the present step to the last.

        Parameters
        ----------
        cubes
            From `wherewhen.training.clips.reduced` and `preload`.
        validation
            Measures the validation curve; None for no curve.
        checkpoints
            Where the state is saved.
        log
            Called with the row of every step, without what was not measured.
        progress
            Show a progress bar.
        """
        self.network.train()
        source = clip_source(cubes, self.config.frames, self.device)
        flops = network_flops(self.network, 1, self.config.frames) / self.group.size
        roofline = self._roofline()
        first, began, waited, saving = self.step, time.perf_counter(), 0.0, 0.0
        saved, pending = began, PendingSteps(self.step + 1)
        bar = tqdm(
            total=self.total_steps,
            initial=self.step,
            desc="train",
            unit="step",
            disable=not progress,
        )
        with bar, closing(load_clips(source, self._portions())) as loaded:
            for portion, clips, seconds in loaded:
                waited += seconds
                values, known = self._within_memory(portion, clips)
                pending.add(portion.draw.batch, values, known, seconds)
                validated = validation is not None and self._is_validated(self.step + 1)
                if not (self._is_fetched(self.step + 1) or validated):
                    self._update()
                    continue
                rows = pending.fetch()
                self.group.check()  # a dead process may leave numbers that are none on a GPU
                self._check(rows, pending.batches, checkpoints)  # before the weights change
                self._update()
                timing = pending.timing(flops, roofline)
                rows = [row | timing | dict.fromkeys(MEASURES, math.nan) for row in rows]
                if validated:
                    rows[-1] |= self._validate(validation, checkpoints)
                self.history += [tuple(row[name] for name in self.columns) for row in rows]
                if self._is_saved(time.perf_counter() - saved):
                    start = time.perf_counter()
                    checkpoints.save(self.state_dict())
                    saved = time.perf_counter()
                    saving += saved - start
                for row in rows:
                    log({name: value for name, value in row.items() if not math.isnan(value)})
                bar.set_postfix(_shown(rows[-1]), refresh=False)
                bar.update(len(rows))
                if self._all_stop() or self.finished:
                    break
                pending = PendingSteps(self.step + 1)
        whole = time.perf_counter() - began
        logger.info(
            "trained from step %d to %d; the step waited for its clips %.1f %% of the time, "
            "checkpoints took %.1f %%",
            first,
            self.step,
            100.0 * waited / whole,
            100.0 * saving / whole,
        )

    def follow(self, cubes: CubeReader) -> None:
        """Take the steps of the group's first process with it, and nothing else that it does.

        Parameters
        ----------
        cubes
            As for `advance`.
        """
        self.network.train()
        source = clip_source(cubes, self.config.frames, self.device)
        with closing(load_clips(source, self._portions())) as loaded:
            for portion, clips, _ in loaded:
                self._within_memory(portion, clips)
                self._update()
                if self._all_stop():
                    break

    def _all_stop(self) -> bool:
        """Whether the first process's validation curve has stopped improving, and so the training.

        All processes ask after the same steps.
        """
        asked = self.config.patience is not None and self._is_validated(self.step)
        return asked and self.group.decided(self.best.out_of_patience, self.device)

    def _portions(self) -> Iterator[Portion]:
        draws = self.draws.from_step(self.step, self.total_steps)
        for step, draw in enumerate(draws, self.step):
            pastes = self._pastes(draw.batch, step)
            yield Portion(draw, pastes, *of_share(pastes, self.group.share(len(draw.windows))))

    def _roofline(self) -> float:
        """Measure the machine's FLOP/s if asked to; else NaN."""
        if not self.config.roofline:
            return math.nan
        dtype = self.network.execution.dtype(self.device)
        roofline = measure_roofline(self.device, dtype)
        logger.info("this machine's matrix products: %.3g TFLOP/s (%s)", roofline / 1e12, dtype)
        return roofline

    def _within_memory(self, portion: Portion, clips: Clips) -> tuple[Values, Row]:
        """Take the gradients of a step, or say what makes steps smaller."""
        try:
            return self._differentiate(portion, clips)
        except Exception as error:
            if not is_exhausted(error):
                raise
        # here, where the error holds no tensors any more
        raise BatchTooLarge(self._ways_out(len(portion.draw.windows)))

    def _ways_out(self, clips: int) -> str:
        """Say what makes a step smaller, that which changes least first."""
        config = self.config
        part, ways = max(1, (config.micro_batch or clips) // 2), []
        if not config.batch_statistics:  # which see the whole batch, once
            ways.append(f"train.training.micro_batch: {part} (the same gradient up to rounding)")
            if self.network.trunk is not None and not config.recompute:
                ways.append("train.training.recompute: true (the same gradient)")
        size = "pairs_per_batch" if config.pairs == "drawn" else "persons_per_batch"
        ways.append(f"a smaller train.training.{size} ({getattr(config, size)}) or frames "
                    f"({config.frames}), which is another training")  # fmt: skip
        return (
            f"step {self.step + 1}: memory on {self.device} does not hold a batch of {clips} clips "
            f"of {config.frames} frames. It is not halved in silence: the loss compares all clips "
            f"of a batch. Ways out: {', '.join(ways)}. The last checkpoint is kept"
        )

    def _differentiate(self, portion: Portion, clips: Clips) -> tuple[Values, Row]:
        """Compute the gradients of the next step; return its values, and what else is known."""
        batch, self.draws.epoch = portion.draw
        recorded = is_recorded(self.config, self.device, self.network)
        pairs = self.sampler.most_pairs(len(batch.windows)) if recorded else None
        scheduled = scheduled_values(self.config, self.step, self.total_steps)
        share = self.group.share(len(batch.windows))
        own = share.stop - share.start
        self._seed_dropout()
        values = self.take_step(
            StepInputs(
                paste(clips.cubes, portion.own_pastes)[:own],
                self.group.gather(clips.mask[:own], len(batch.windows)),
                compare(batch, self.device, pairs),
                {name: move(torch.tensor(x), self.device) for name, x in scheduled.items()},
                clips.whole,
                self.guide
                and self.guide.of(batch.windows, self.config.frames, portion.pastes, self.device),
            )
        )
        known = {
            "epoch": self.step // self.sampler.batches_per_epoch + 1,
            "rate": self.config.learning_rate * self._rate_factor(),
        }
        return values, known | scheduled

    def _seed_dropout(self) -> None:
        """Give each of several processes random numbers of its own, from the step's own seed."""
        if self.group.size > 1:
            key = [self.config.seed, self.step, DROPOUT, self.group.rank]
            torch.manual_seed(int(np.random.default_rng(key).integers(2**63)))

    def _pastes(self, batch: Batch, step: int) -> list[Paste]:
        """Draw what is pasted in a step, from the step's own seed."""
        generator = np.random.default_rng([self.config.seed, step, PASTING])
        return draw_pastes(batch, self.config, self.network.takes[:2], generator)

    def _rate_factor(self) -> float:
        return rate_factor(self.config, self.step, self.total_steps)

    def _update(self) -> None:
        """Update the weights, and count the step."""
        self.optimiser.step(self._rate_factor())
        self.step += 1

    def _is_fetched(self, step: int) -> bool:
        """Whether a step's values are fetched at once; a GPU is not kept waiting at every step."""
        if self.device.type != "cuda" or step == self.total_steps:
            return True
        return step % FETCH_EVERY == 0 or step % self.config.checkpoint_every == 0

    def _is_validated(self, step: int) -> bool:
        """Whether the validation curve has a point after a step."""
        epoch, rest = divmod(step, self.sampler.batches_per_epoch)
        return step == self.total_steps or (rest == 0 and epoch % self.config.validate_every == 0)

    def _is_saved(self, seconds: float) -> bool:
        """Whether a checkpoint is saved, so many seconds after the last one."""
        due = self.step % self.config.checkpoint_every == 0
        return self.finished or (due and seconds >= self.config.checkpoint_seconds)

    def _validate(self, validation: Validation, checkpoints: Checkpoints) -> Row:
        """Measure a point of the validation curve, and save the weights if it is the best."""
        measured = validation.measure()
        if self.best.add(self.step, measured):
            checkpoints.save_best({"step": self.step, "network": self.network.state_dict()})
        return measured

    def _check(self, rows: list[Row], batches: list[Batch], checkpoints: Checkpoints) -> None:
        """Raise TrainingDiverged for the first step whose loss or gradient is not finite."""
        for row, batch in zip(rows, batches, strict=True):
            for name, what in (("loss", "loss"), ("gradient_norm", "norm of the gradient")):
                if math.isfinite(row[name]):
                    continue
                clips = ", ".join(map(str, batch.windows))
                kept = f"the last good checkpoint is {checkpoints.path}"
                if not checkpoints.path.exists():
                    kept = "there is no checkpoint yet"
                raise TrainingDiverged(
                    f"step {row['step']}: the {what} is {row[name]}; the batch was {clips}. Look "
                    f"for NaN in these tracklets' cubes, or lower learning_rate "
                    f"({self.config.learning_rate:g}); {kept}"
                )


def _shown(row: Row) -> dict[str, str]:
    """Choose what the progress bar shows."""
    shown = {
        "loss": f"{row['loss']:.3f}",
        "pairs/s": f"{row['pairs_per_second']:.0f}",
        "waiting": f"{row['waiting']:.0%}",
    }
    if not math.isnan(row["roofline"]):
        shown["roofline"] = f"{row['roofline']:.0%}"
    return shown
