"""Films: frames side by side, attention over them, bars under them."""

import io

import numpy as np
import pytest
from PIL import Image

from wherewhen.galleries.page import films
from wherewhen.reporting.figures.attention import heat_picture


def read(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def flat(*colour, size=(8, 4)):
    return np.full((*size, 3), colour, np.uint8)


def test_frames_stand_side_by_side():
    picture = read(films.film([flat(200, 0, 0), flat(0, 0, 200), None]))
    assert picture.shape == (films.HEIGHT, 3 * films.WIDTH, 3)
    middle = picture[films.HEIGHT // 2, films.WIDTH // 2 :: films.WIDTH]
    np.testing.assert_allclose(middle, [[200, 0, 0], [0, 0, 200], [235, 235, 235]], atol=8)


def test_a_frame_of_another_shape_keeps_it():
    picture = read(films.film([flat(200, 0, 0, size=(8, 8))]))
    column = picture[:, films.WIDTH // 2, 0]
    assert column[4] == pytest.approx(235, abs=8)
    assert picture[films.HEIGHT // 2, 2, 0] == pytest.approx(200, abs=8)


def test_a_long_tracklet_is_shown_in_parts():
    assert films.in_film(3) == [0, 1, 2]
    assert len(films.in_film(1000)) == films.LONGEST
    assert films.in_film(120)[:2] == [1, 3]


def test_heat_is_on_one_scale_from_zero():
    frame = flat(100, 100, 100)
    none, even, strong, stronger = (
        heat_picture(frame, np.full((2, 2), value)).astype(int)[0, 0] for value in (0, 1, 6, 60)
    )
    assert none.sum() < even.sum() < strong.sum()
    assert (strong == stronger).all()


def test_bars_are_weights_and_the_current_one_is_dark():
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    picture = read(films.attention_film([flat(9, 9, 9)] * 4, np.ones((4, 7, 7)), weights))
    assert picture.shape == (films.HEIGHT + films.BARS, 4 * films.WIDTH, 3)
    bars = picture[films.HEIGHT :]
    for frame in range(4):
        tile = bars[:, frame * films.WIDTH : (frame + 1) * films.WIDTH]
        red = tile[films.BARS - 3, films.WIDTH // 8 :: films.WIDTH // 4, 0]
        assert np.argmin(red) == frame
    tall = (bars[:, films.WIDTH // 8 :: films.WIDTH // 4][:, 1:4, 0] < 140).sum(axis=0)
    assert tall.tolist() == sorted(tall)
    assert tall[2] == pytest.approx(4 / 4 * 4 * 0.4 / 2 * 30, abs=3)


def test_a_thumbnail_is_small():
    assert read(films.thumbnail(flat(1, 2, 3))).shape == (96, 48, 3)
    assert read(films.thumbnail(None)).shape == (96, 48, 3)
