from collections import Counter

import numpy as np
import pytest

from wherewhen.synthetic import filming, persons
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.filming import Detection, draw_detection
from wherewhen.synthetic.planning import plan


@pytest.fixture(scope="module")
def covered():
    """Return the coverage of a person in a box, [rows, columns]."""
    config = SyntheticConfig(persons=1, box_jitter=0.0)
    studio = filming.Studio(config, persons.draw_wardrobe(config))
    actor, setup = studio.prepare(plan(config).person(1)), config.camera_list[0]

    def cover(detection):
        generator = np.random.default_rng(0)
        azimuths, phases = np.zeros(1), np.zeros(1)
        transforms, view, feet = studio.stage(actor, setup, azimuths, phases, generator, detection)
        return studio.cast(actor, transforms, view, setup).colour[0, ..., 3], float(feet[0])

    return cover


def rows_of(cover):
    return np.flatnonzero(cover.max(axis=1) > 0.5)


def test_a_box_that_cuts_feet_off_ends_above_them(covered):
    fitting, feet = covered(Detection())
    cut, feet_cut = covered(Detection(size=0.75, shift=(0.0, 0.125)))
    assert rows_of(fitting)[-1] < 127
    assert rows_of(cut)[-1] == 127
    # The head's place relative to the box's upper edge is as before, and all is larger.
    assert abs(rows_of(cut)[0] - rows_of(fitting)[0] / 0.75) < 2
    assert feet_cut == pytest.approx(feet / 0.75, abs=0.01)
    assert feet_cut > 128


def test_a_box_that_cuts_the_head_off_begins_below_it(covered):
    cut, _ = covered(Detection(size=0.85, shift=(0.0, -0.075)))
    assert rows_of(cut)[0] == 0
    assert rows_of(cut)[-1] < 127


def test_a_large_box_shows_a_small_person_and_a_shifted_one_a_person_aside(covered):
    fitting, _ = covered(Detection())
    large, _ = covered(Detection(size=1.5))
    assert np.ptp(rows_of(large)) == pytest.approx(np.ptp(rows_of(fitting)) / 1.5, abs=2)
    aside, _ = covered(Detection(shift=(0.1, 0.0)))
    columns = [np.average(np.arange(64), weights=c.sum(axis=0)) for c in (fitting, aside)]
    assert columns[0] - columns[1] == pytest.approx(0.1 * 128, abs=1.5)  # the box went right


def test_detections_have_the_shares_and_ranges_asked_for():
    config = SyntheticConfig(
        places=4, faulty_boxes=0.5, resolution=(32, 128), jpeg_quality=(20, 80)
    )
    drawn = [draw_detection(config, number, 0, 0) for number in range(1, 401)]
    faulty = [one for one in drawn if one.size != 1.0 or one.shift != (0.0, 0.0)]
    assert 160 < len(faulty) < 240
    kinds = Counter((np.sign(one.size - 1), np.sign(one.shift[1])) for one in faulty)
    feet, head = kinds[-1.0, 1.0], kinds[-1.0, -1.0]
    assert min(feet, head) > 30
    assert min(Counter(one.place for one in drawn).values()) > 70
    seen, quality = zip(*((one.seen, one.quality) for one in drawn), strict=True)
    assert (min(seen), max(seen)) == (32, 128) or (min(seen) < 34 and max(seen) > 126)
    assert 50 < np.median(seen) < 78  # the geometric mean is 64
    assert min(quality) >= 20
    assert max(quality) <= 80


def test_no_parameter_of_detections_shifts_the_draws_of_another():
    base = {"places": 4, "faulty_boxes": 0.5}
    plain = SyntheticConfig(**base)
    other = SyntheticConfig(**base, jpeg_quality=(20, 80), resolution=(40, 90))
    for number in range(20):
        one, two = (draw_detection(config, number, 1, 0) for config in (plain, other))
        assert (one.place, one.size, one.shift) == (two.place, two.size, two.shift)
        assert (one.seen, one.quality) == (None, None)


def test_by_default_a_box_fits_in_the_only_place():
    assert draw_detection(SyntheticConfig(), 1, 0, 0) == Detection()
