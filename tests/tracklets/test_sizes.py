"""Heights and widths, and how records hold them."""

import pytest

from wherewhen.tracklets.sizes import as_recorded, as_size


@pytest.mark.parametrize(
    ("given", "size", "recorded"),
    [(7, (7, 7), 7), ((7, 7), (7, 7), 7), ([16, 8], (16, 8), [16, 8]), ((8, 16), (8, 16), [8, 16])],
)
def test_one_number_stands_for_a_square(given, size, recorded):
    assert as_size(given) == size
    assert as_recorded(size) == recorded
    assert as_size(recorded) == size


@pytest.mark.parametrize("given", [0, -1, True, 7.0, "77", None, [7], [7, 7, 7], [7, 0], [7, "7"]])
def test_what_is_no_size_is_refused(given):
    with pytest.raises(ValueError, match="expected a height and a width, or one number for both"):
        as_size(given)
