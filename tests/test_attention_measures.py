"""Measures of attention against values worked out by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from wherewhen.attention_measures import (
    Foreign,
    cell_shares,
    draw_foreign,
    pointing_game,
    visibility_correlation,
    weight_on,
    weight_on_foreign,
)

ALL = [np.array([True, True])]
ATTENTION = [np.array([[[0.5, 0.5], [0.0, 0.0]], [[0.1, 0.2], [0.3, 0.4]]])]
SHARES = [np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 0.0], [0.5, 1.0]]])]


class TestCells:
    @pytest.mark.parametrize("grid", [(7, 7), (8, 4), (3, 5), (1, 1)])
    def test_any_grid_is_the_mean_of_finer_pixels(self, grid):
        """Every pixel is repeated until cells hold whole pixels."""
        covered = np.random.default_rng(0).random((2, 12, 9))
        rows, columns = grid
        fine = covered.repeat(rows, axis=1).repeat(columns, axis=2)
        expected = fine.reshape(2, rows, 12, columns, 9).mean((2, 4))
        np.testing.assert_allclose(cell_shares(covered, rows, columns), expected)


class TestWhere:
    def test_weight_on_the_person(self):
        """Frames: 0.5 of an area of 0.5; 0.3 / 2 + 0.4 of an area of 0.375."""
        found = weight_on(ATTENTION, SHARES, ALL)
        assert found == pytest.approx(((0.5 + 0.55) / 2, (0.5 + 0.375) / 2, 2))

    def test_the_strongest_cell_points(self):
        """The first frame has two strongest cells, one of them on the person."""
        found = pointing_game(ATTENTION, SHARES, ALL)
        assert found == pytest.approx(((0.5 + 1) / 2, 0.4375, 2))

    def test_frames_that_do_not_enter(self):
        shown = [np.array([False, True])]
        assert weight_on(ATTENTION, SHARES, shown) == pytest.approx((0.55, 0.375, 1))
        nothing = pointing_game(ATTENTION, SHARES, [np.array([False, False])])
        assert np.isnan(nothing.value)
        assert nothing.count == 0

    @pytest.mark.parametrize("measure", [weight_on, pointing_game])
    def test_uniform_attention_is_chance(self, measure):
        shares = [np.random.default_rng(1).random((5, 7, 7))]
        found = measure([np.full((5, 7, 7), 1 / 49)], shares, [np.ones(5, dtype=bool)])
        assert found.value == pytest.approx(found.chance)


class TestWhen:
    def test_mean_of_the_correlations_inside_tracklets(self):
        generator = np.random.default_rng(2)
        weights = [generator.random(9), generator.random(5), generator.random(4)]
        visible = [generator.random(9), np.full(5, 0.9), np.round(generator.random(4), 0)]
        visible[2][:2] = 0, 1
        found = visibility_correlation(weights, visible)
        expected = [spearmanr(weights[place], visible[place])[0] for place in (0, 2)]
        assert found == pytest.approx((np.mean(expected), 0, 2))

    def test_equal_weights_tell_nothing(self):
        assert visibility_correlation([np.full(3, 1 / 3)], [np.array([0.1, 0.5, 1])]).value == 0

    def test_frames_without_the_person_are_left_out(self):
        visible = np.array([0.1, np.nan, 0.9])
        found = visibility_correlation([np.array([0.1, 0.8, 0.2])], [visible])
        assert found == pytest.approx((1, 0, 1))


LENGTHS = {f"{camera}/{person}": 6 + 3 * person for camera in "ab" for person in range(4)}
CAMERAS = {name: name[0] for name in LENGTHS}
PERSONS = {name: name[2:] for name in LENGTHS}


class TestSomebodyElse:
    def draw(self, seed=0):
        return draw_foreign(LENGTHS, PERSONS, CAMERAS, seed)

    @pytest.mark.parametrize("seed", range(5))
    def test_a_third_is_of_another_person_in_the_same_camera(self, seed):
        drawn = self.draw(seed)
        assert drawn.keys() == LENGTHS.keys()
        for name, run in drawn.items():
            assert CAMERAS[run.tracklet] == CAMERAS[name]
            assert PERSONS[run.tracklet] != PERSONS[name]
            assert run.frames == min(LENGTHS[name] // 3, LENGTHS[run.tracklet])
            assert 0 <= run.at <= LENGTHS[name] - run.frames
            assert 0 <= run.start <= LENGTHS[run.tracklet] - run.frames

    def test_the_seed_decides(self):
        assert self.draw(1) == self.draw(1)
        assert self.draw(1) != self.draw(2)

    def test_where_there_is_nobody_else(self):
        assert draw_foreign({"a/1": 9}, {"a/1": "1"}, {"a/1": "a"}, seed=0) == {}

    def test_weights_on_them(self):
        weights = [np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 0.5])]
        foreign = [Foreign("x", 7, at=2, frames=2), Foreign("x", 0, at=0, frames=1)]
        assert weight_on_foreign(weights, foreign) == pytest.approx((0.6, 0.5, 2))
