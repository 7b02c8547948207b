"""Views of a frame: drawn once and for all, cut out as said."""

import numpy as np
import pytest
from pydantic import ValidationError

from wherewhen.features.augmentation import PLAIN, Augmentation, View


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
