"""Circle loss against Eq 6 of its source, written with loops."""

import math
import sys

import pytest
import torch

from wherewhen.training.config import TrainingConfig
from wherewhen.training.losses import Compared, LossInputs, TrainingLoss, used_terms

CONFIG = TrainingConfig(circle_weight=0.5)


def circle(features, persons, margin=0.25, scale=128.0):
    """Eq 6 for every clip as an anchor: log(1 + sum_n exp(...) sum_p exp(...)), a mean."""
    units = [[x / math.dist(row, [0] * len(row)) for x in row] for row in features]
    losses = []
    for anchor, own in zip(units, persons, strict=True):
        near, far = 0.0, 0.0
        for other, person in zip(units, persons, strict=True):
            if other is anchor:
                continue
            cosine = sum(a * b for a, b in zip(anchor, other, strict=True))
            if person == own:
                pull = max(0.0, 1 + margin - cosine)
                near += math.exp(-scale * pull * (cosine - (1 - margin)))
            else:
                push = max(0.0, cosine + margin)
                far += math.exp(scale * push * (cosine - margin))
        if near and far:
            losses.append(math.log1p(near * far))
    return sum(losses) / len(losses)


def test_it_is_eq_6():
    features = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    persons = [0, 0, 1, 1, 2, 2, 3]  # the last has no partner
    compared = Compared(*[None] * 4, torch.tensor(persons))
    inputs = LossInputs(None, None, features, None, None, None, compared, {})
    found = used_terms(CONFIG)["circle"].build(CONFIG, 4, 4)(inputs)
    assert found.item() == pytest.approx(circle(features.tolist(), persons))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning.losses", None)
    message = r"circle_weight needs the package pytorch_metric_learning.losses, .* extra losses"
    with pytest.raises(ModuleNotFoundError, match=message):
        TrainingLoss(CONFIG, 4, 3)
