"""History of a training: its columns, and steps whose values are still on the device."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import loss_columns
from wherewhen.training.pairs import Batch
from wherewhen.training.validation import MEASURES

TIMING = ("pairs_per_second", "waiting", "roofline")
"""Columns that depend on the machine: pairs of clips encoded per second (not comparisons), the
share of the time in which the step waited for its clips, and the share of the machine's rate of
matrix products (NaN without `TrainingConfig.roofline`)."""

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

Row = dict[str, float]


def history_columns(config: TrainingConfig) -> list[str]:
    """Name the columns of a run's history: `HISTORY`, and those that its loss adds."""
    return [*HISTORY, *loss_columns(config)]


class PendingSteps:
    """Steps whose values have not been fetched from the device.

    Parameters
    ----------
    first
        Number of the first of them, from 1.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.batches: list[Batch] = []
        self.waited = 0.0
        """Seconds for which the steps waited for their clips."""
        self._began = time.perf_counter()
        self._known: list[Row] = []
        self._names: Sequence[str] = ()
        self._values: list[Tensor] = []

    def add(self, batch: Batch, values: dict[str, Tensor], known: Row, waited: float) -> None:
        """Add a step.

        Parameters
        ----------
        batch
            Its batch.
        values
            Scalars on the device.
        known
            Entries of its row that the CPU knows.
        waited
            Seconds for which it waited for its clips.
        """
        self.batches.append(batch)
        self._known.append(known)
        self._names = list(values)
        # stacking copies: a recorded step overwrites its outputs
        self._values.append(torch.stack([value.float() for value in values.values()]))
        self.waited += waited

    def fetch(self) -> list[Row]:
        """Return the rows of all steps, without timing; waits for the device."""
        return [
            {"step": step, **dict(zip(self._names, values, strict=True)), **known}
            for step, (values, known) in enumerate(
                zip(torch.stack(self._values).tolist(), self._known, strict=True), self.first
            )
        ]

    def timing(self, flops_per_clip: float, roofline: float) -> Row:
        """Return the columns `TIMING`, a mean over the steps up to now.

        Parameters
        ----------
        flops_per_clip
            FLOPs of encoding a clip.
        roofline
            The machine's FLOP/s, or NaN.
        """
        seconds = time.perf_counter() - self._began
        clips = sum(len(batch.windows) for batch in self.batches)
        return {
            "pairs_per_second": clips / 2 / seconds,
            "waiting": self.waited / seconds,
            "roofline": clips * flops_per_clip / seconds / roofline,
        }
