from dataclasses import replace

import numpy as np
import pytest
import torch

from wherewhen.tracklets.windows import Window
from wherewhen.training.config import TrainingConfig
from wherewhen.training.pairs import Batch
from wherewhen.training.pasting import Paste, draw_pastes, paste

GRID, FRAMES = (16, 8), 6
WHOLE = slice(0, 16), slice(0, 8)


@pytest.fixture
def batch():
    """Four persons, each seen by two cameras."""
    persons = np.repeat(np.arange(4), 2)
    cameras = np.array(["a", "b"] * 4)
    nothing = np.array([], dtype=int)
    return Batch(windows(FRAMES), nothing, nothing, nothing, persons, cameras)


def windows(length):
    return [Window(f"t{number}", 0, length) for number in range(8)]


def drawn(batch, **shares):
    config = TrainingConfig(frames=FRAMES, **shares)
    generator = np.random.default_rng(0)
    return [one for _ in range(50) for one in draw_pastes(batch, config, GRID, generator)]


def test_blocks_are_those_of_the_sources_as_they_were():
    cubes = torch.arange(3.0).view(3, 1, 1, 1, 1).expand(3, 4, 2, 2, 5).clone()
    before = cubes.clone()
    pasted = paste(
        cubes,
        [
            Paste(0, 1, slice(1, 3), slice(0, 2), slice(0, 2)),
            Paste(1, 0, slice(2, 3), slice(1, 2), slice(0, 1)),
        ],
    )
    assert pasted[0, :, 0, 0, 0].tolist() == [0, 1, 1, 0]
    expected = torch.ones(4, 2, 2, 5)
    expected[2, 1, 0] = 0  # of clip 0 as it was, not of what was pasted there
    torch.testing.assert_close(pasted[1], expected)
    torch.testing.assert_close(pasted[2], before[2])
    torch.testing.assert_close(cubes, before)


def test_runs_of_whole_frames_leave_the_person_the_majority(batch):
    pastes = drawn(batch, pasted_frames=1.0)
    assert len(pastes) == 50 * 8
    assert all((one.rows, one.columns) == WHOLE for one in pastes)
    assert {one.frames.stop - one.frames.start for one in pastes} == {1, 2}


def test_cells_are_a_part_of_the_width(batch):
    pastes = drawn(batch, pasted_cells=1.0)
    assert {one.columns.stop - one.columns.start for one in pastes} == {1, 2, 3, 4}
    assert {one.rows.stop - one.rows.start for one in pastes} == set(range(1, 17))
    assert max(one.frames.stop for one in pastes) == FRAMES


def test_sources_show_another_person_of_the_same_camera(batch):
    for one in drawn(batch, pasted_frames=0.5, pasted_cells=0.5):
        assert batch.persons[one.source] != batch.persons[one.clip]
        assert batch.cameras[one.source] == batch.cameras[one.clip]


def test_shares_are_those_of_the_clips(batch):
    assert drawn(batch) == []
    assert len(drawn(batch, pasted_frames=0.25)) == pytest.approx(100, abs=25)


def test_short_tracklets_keep_their_majority(batch):
    """Repeats that fill up a clip are masked, so they count for neither side."""
    runs = drawn(replace(batch, windows=windows(3)), pasted_frames=1.0)
    assert {one.frames.stop - one.frames.start for one in runs} == {1}
    assert max(one.frames.stop for one in runs) == 3
    assert drawn(replace(batch, windows=windows(2)), pasted_frames=1.0) == []


def test_clips_too_short_to_paste_are_refused():
    with pytest.raises(ValueError, match="pasted_frames has no effect without frames: 3 or more"):
        TrainingConfig(frames=2, pasted_frames=0.5)
