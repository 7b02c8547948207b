"""Views of a frame: drawn once and for all, cut out as said."""

import numpy as np
import pytest
from pydantic import ValidationError

from wherewhen.features.augmentation import GREY, PLAIN, Augmentation, Box, Colours, View


@pytest.fixture
def image():
    rows, columns = np.mgrid[:10, :20]
    return np.stack([rows, columns, rows], axis=-1).astype(np.uint8)


def test_the_plain_view_is_the_image(image):
    np.testing.assert_array_equal(PLAIN.of(image), image)


def test_a_view_is_a_box(image):
    seen = View(0.2, 0.1, 0.5, 0.25, False).of(image)
    np.testing.assert_array_equal(seen, image[2:7, 2:7])


def test_beyond_the_border_the_border_is_repeated(image):
    seen = View(-0.2, 0.9, 0.5, 0.2, False).of(image)
    assert seen[:, 0, 0].tolist() == [0, 0, 0, 1, 2]
    assert seen[0, :, 1].tolist() == [18, 19, 19, 19]


def test_mirrored(image):
    np.testing.assert_array_equal(PLAIN._replace(mirrored=True).of(image), image[:, ::-1])


def test_draws_depend_on_seed_and_name_alone():
    augmentation = Augmentation(variants=4, mirror=True)
    view = augmentation.view("a/p", 3, 2)
    assert view == Augmentation(variants=8, mirror=True).view("a/p", 3, 2)
    assert view == augmentation.view("a/p", 4, 2)  # a tracklet moves as one
    others = [
        augmentation.view("a/q", 3, 2),
        augmentation.view("a/p", 3, 1),
        augmentation.model_copy(update={"seed": 1}).view("a/p", 3, 2),
    ]
    assert view not in others
    each = augmentation.model_copy(update={"each": "frame"})
    assert each.view("a/p", 3, 2) != each.view("a/p", 4, 2)
    assert augmentation.view("a/p", 3, 0) == PLAIN


def test_views_keep_to_their_bounds():
    augmentation = Augmentation(variants=2, translation=0.05, crop=0.1, mirror=True)
    views = [augmentation.view(f"t{number}", 0, 1) for number in range(400)]
    sides = np.array([view[2:4] for view in views])
    centres = np.array([view[:2] for view in views]) + sides / 2
    assert sides.min() >= 0.9 and sides.max() <= 1
    assert np.abs(centres - 0.5).max() <= 0.05
    assert sides.std() > 0.02 and centres.std() > 0.02
    assert 0.4 < np.mean([view.mirrored for view in views]) < 0.6
    plain = augmentation.model_copy(update={"mirror": False})
    assert not any(plain.view(f"t{number}", 0, 1).mirrored for number in range(50))


def test_odd_values_are_refused():
    for fields in ({"variants": 0}, {"crop": 1.0}, {"translation": 0.6}, {"miror": True}):
        with pytest.raises(ValidationError):
            Augmentation(**fields)


def test_colours_change_by_their_factors():
    image = np.full((2, 2, 3), (100, 50, 10), np.uint8)
    assert Colours(1.5, 1, 1).of(image)[0, 0].tolist() == [150, 75, 15]
    grey = round(0.299 * 100 + 0.587 * 50 + 0.114 * 10)
    assert Colours(1, 1, 0).of(image)[0, 0].tolist() == [grey] * 3
    assert Colours(9, 1, 1).of(image).max() == 255
    two = np.stack([np.full((1, 3), 50), np.full((1, 3), 150)]).astype(np.uint8)
    assert Colours(1, 0.5, 1).of(two)[:, 0, 0].tolist() == [75, 125]


def test_an_erased_box_is_covered(image):
    seen = PLAIN._replace(erased=Box(0.2, 0.5, 0.3, 0.25)).of(image)
    covered = (seen == GREY).all(-1)
    assert covered[2:5, 10:15].all()
    assert covered.sum() == 15
    np.testing.assert_array_equal(seen[~covered], image[~covered])


def test_boxes_keep_to_the_view_and_cover_what_is_said():
    augmentation = Augmentation(variants=2, erase=0.5, colour=0.2)
    views = [augmentation.view(f"t{number}", 0, 1) for number in range(400)]
    boxes = np.array([view.erased for view in views if view.erased is not None])
    assert 0.4 < len(boxes) / len(views) < 0.6
    assert (boxes[:, :2] + boxes[:, 2:]).max() <= 1
    areas = boxes[:, 2] * boxes[:, 3]
    assert 0.02 <= areas.min() < 0.05
    assert 0.3 < areas.max() <= 0.4
    colours = np.array([view.colours for view in views])
    assert 0.8 <= colours.min() < 0.85
    assert 1.15 < colours.max() <= 1.2


def test_what_is_off_changes_neither_draws_nor_identity():
    plain, coloured = (Augmentation(variants=3, mirror=True, colour=c) for c in (0.0, 0.1))
    assert plain.view("a/p", 0, 1) == coloured.view("a/p", 0, 1)._replace(colours=None)
    assert not {"colour", "erase"} & set(plain.identity)
    assert coloured.identity == {**plain.identity, "colour": 0.1}
    assert Augmentation(colour=0.1).identity == {"variants": 1}
