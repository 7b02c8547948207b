import cv2
import numpy as np
import pytest

from wherewhen.baselines.walk_cycles import flow_energy, regular_energy, walk_cycles


def steps(frames, period, seed=0):
    """A profile with a minimum at 5, 5 + period, ...; it drifts and is noisy."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)
    wave = -np.cos(2 * np.pi * (time - 5) / period)
    return 3 + 0.02 * time + wave + generator.normal(0, 0.3, frames)


def walker(frames, period):
    """Two legs that swing to and fro against each other, before a textured wall."""
    wall = np.random.default_rng(1).integers(90, 166, (64, 48, 3))
    pictures = []
    for time in range(frames):
        picture = wall.copy()
        swing = round(8 * np.sin(np.pi * time / period))  # fastest where the legs pass
        for leg in (swing, -swing):
            left = 20 + leg
            picture[34:, left : left + 8] = np.arange(60)[:30, None, None] * 4
            picture[34:, left : left + 2] = 250
        pictures.append(picture)
    return np.array(pictures, np.uint8)


@pytest.mark.parametrize("period", [9, 12.5, 17])
def test_cycles_of_a_periodic_profile_are_two_steps(period):
    cycles = walk_cycles(steps(73, period))
    expected = np.arange(5, 72, period)[:-2]  # from each minimum to the next but one
    starts = np.array([start for start, _ in cycles])
    for start in expected[1:]:
        assert np.abs(starts - start).min() <= 2
    for start, stop in cycles:
        assert abs(stop - start - 2 * period) <= 4


def test_what_is_not_as_fast_as_steps_goes():
    time = np.arange(80) + 0.5
    step = np.cos(np.pi * 16 * time / 80)  # one of the transform's own waves: 10 frames
    slow, fast = np.cos(np.pi * 2 * time / 80), np.cos(np.pi * 50 * time / 80)
    np.testing.assert_allclose(regular_energy(5 + step + slow + fast), step, atol=1e-9)


@pytest.mark.parametrize("energy", [np.zeros(60), np.full(60, 3.7), np.ones(1), steps(14, 12)])
def test_without_a_cycle_the_clip_is_one_fragment(energy):
    assert walk_cycles(energy) == [(0, len(energy))]


def test_legs_that_swing_make_the_profile():
    period = 12
    frames = walker(60, period)
    energy = flow_energy(frames)
    assert energy.shape == (60,)
    cycles = walk_cycles(energy)
    assert len(cycles) >= 2
    for start, stop in cycles:
        assert abs(stop - start - 2 * period) <= 3
        assert abs(start % period - period / 2) <= 3  # slowest where the legs are furthest apart


def test_only_the_lower_body_counts():
    frames = walker(4, 12)
    assert flow_energy(frames).max() > 0.1
    assert flow_energy(frames[:, ::-1]).max() < 0.01
    assert flow_energy(frames[:1]).tolist() == [0.0]


def test_a_trembling_box_is_no_walk():
    wall = np.random.default_rng(0).integers(0, 256, (80, 60, 3)).astype(np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 2)
    shaken = np.stack([wall[4 + d : 68 + d, 4:52] for d in (0, 1, 0, 2, 0)])
    assert flow_energy(shaken).max() < 0.25


@pytest.mark.parametrize("step_frames", [(1, 9), (9, 9)])
def test_impossible_steps_are_refused(step_frames):
    with pytest.raises(ValueError, match="step_frames"):
        walk_cycles(np.ones(40), step_frames)


@pytest.mark.slow
def test_rendered_walkers_step_as_they_were_told():
    from wherewhen.synthetic.config import SyntheticConfig
    from wherewhen.synthetic.planning import plan

    config = SyntheticConfig(persons=3, min_frames=75, max_frames=75, mean_frames=75)
    people = plan(config)
    for tracklet in people.tracklets:
        step = config.frames_per_second / people.person(int(tracklet[-4:])).gait.cadence
        cycles = walk_cycles(flow_energy(people.render(tracklet)))
        lengths = [stop - start for start, stop in cycles]
        assert np.mean(lengths) == pytest.approx(2 * step, abs=4)
