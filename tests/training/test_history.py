import math
from itertools import count

import numpy as np
import torch

from wherewhen.tracklets.windows import Window
from wherewhen.training.config import TrainingConfig
from wherewhen.training.history import HISTORY, PendingSteps, history_columns
from wherewhen.training.pairs import Batch


def batch(clips):
    return Batch([Window("a", 0, 4)] * clips, *[np.zeros(1, int)] * 4, np.array(["a"]))


def test_columns_end_with_those_of_the_loss():
    assert history_columns(TrainingConfig()) == list(HISTORY)
    columns = history_columns(TrainingConfig(triplet_weight=1, penalty_weight_end=1))
    assert columns == [*HISTORY, "penalty_weight", "triplet"]


def test_steps_are_fetched_together_as_they_were_added():
    pending, loss = PendingSteps(first=3), torch.tensor(0.5)
    pending.add(batch(6), {"loss": loss}, {"epoch": 1, "rate": 0.1}, waited=0.0)
    loss.fill_(7.0)  # a recorded step overwrites its outputs
    pending.add(batch(6), {"loss": loss}, {"epoch": 2, "rate": 0.2}, waited=0.0)
    assert pending.fetch() == [
        {"step": 3, "loss": 0.5, "epoch": 1, "rate": 0.1},
        {"step": 4, "loss": 7.0, "epoch": 2, "rate": 0.2},
    ]


def test_timing_by_hand(monkeypatch):
    ticks = count()
    monkeypatch.setattr("time.perf_counter", lambda: 2.0 * next(ticks))
    pending = PendingSteps(first=1)
    for _ in range(2):
        pending.add(batch(6), {"loss": torch.zeros(())}, {}, waited=0.25)
    timing = pending.timing(flops_per_clip=10.0, roofline=120.0)
    # twelve clips are six pairs, in two seconds
    assert timing == {"pairs_per_second": 3.0, "waiting": 0.25, "roofline": 0.5}
    assert math.isnan(pending.timing(10.0, math.nan)["roofline"])
