"""What a full run costs: steps and frames, worked out by hand."""

import pytest

from wherewhen.pipelines.parameters import check_parameters
from wherewhen.sessions import environment_parameters


@pytest.fixture
def cost(script):
    return script("cost")


def work(cost, env, preset):
    parameters = check_parameters({**environment_parameters(env), "preset": preset})
    return cost.work_of(parameters, cost.SETS[env])


def test_of_the_paper_on_prid(cost):
    """Five positive pairs a step: 20 steps an epoch; all test tracklets in four variants."""
    found = work(cost, "prid2011", "paper")
    assert (found.extracted, found.steps, found.clips) == (4 * 40_033, 10 * 1000 * 20, 20)
    learned, tested = 200 * 4 * 20, 200 * 100 * 4
    assert found.embedded == 10 * 2 * (learned + tested)  # network and untrained network


def test_of_a_frozen_backbone_on_mars(cost):
    """619 people whom two cameras film, 40 in a batch; a query is a probe and in the gallery."""
    found = work(cost, "mars", "frozen")
    assert (found.extracted, found.steps) == (1_191_003, 10 * 20 * 16)
    assert found.clips == 2 * 39  # 16 batches, equally large
    learned, tested = 8_298 * 4 * 20, (12_180 + 1_980) * 58
    assert found.embedded == 10 * 2 * (learned + tested)  # network, and attended rows


def test_of_a_trained_backbone_on_prid(cost):
    """No cubes are kept; 13 batches of 8 people, 4 clips each; one clip of training tracklets."""
    found = work(cost, "prid2011", "finetuned")
    assert (found.extracted, found.steps) == (0, 10 * 120 * 13)
    assert found.clips == 4 * 8  # the first of 13 batches of 100 people
    assert found.embedded == 10 * (200 * 20 + 200 * 100)


def test_hours_follow_from_work_and_rates(cost):
    done = cost.Work(extracted=7200, steps=3600, clips=20, embedded=36_000)
    assert cost.Cost(0.5, 2.0, 0.1).hours(done) == {"extract": 1.0, "train": 2.0, "embed": 1.0}
    flops = cost.Cost(0.3 * 67e12, 0.0, 0.0)
    hours = cost.gpu_hours(flops, done, "float32")
    assert hours["extract"] == pytest.approx(2.0)
    assert hours["train"] == pytest.approx(0.02)  # however small a step is
