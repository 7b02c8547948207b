import numpy as np
import pytest

from wherewhen.training.config import TrainingConfig
from wherewhen.training.draws import Draws
from wherewhen.training.pairs import build_sampler


@pytest.fixture
def sampler(toy):
    cubes, tracklets = toy(6)
    config = TrainingConfig(frames=3, persons_per_batch=3)
    return build_sampler(config, tracklets, cubes.lengths)  # two batches an epoch


def test_epochs_follow_each_other_from_one_generator(sampler):
    generator = np.random.default_rng(4)
    expected = [batch.windows for _ in range(3) for batch in sampler.epoch(generator)]
    drawn = list(Draws(sampler, seed=4, variants=1).from_step(0, 5))
    assert [draw.windows for draw in drawn] == expected[:5]
    assert [draw.epoch.first_step for draw in drawn] == [0, 0, 2, 2, 4]


@pytest.mark.parametrize("variants", [1, 3])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_resumed_run_draws_what_was_left(sampler, step, variants):
    whole = list(Draws(sampler, 0, variants).from_step(0, 6))
    resumed = Draws(sampler, 0, variants)
    resumed.epoch = whole[step - 1].epoch
    assert [draw.windows for draw in resumed.from_step(step, 6)] == [
        draw.windows for draw in whole[step:]
    ]
