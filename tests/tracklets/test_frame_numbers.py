import pytest

from wherewhen.tracklets.frame_numbers import find_place, frame_number, rising_places


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("0001.png", 1),
        ("cam1_person001_00317.png", 317),
        ("0001C1T0001F023.jpg", 23),
        ("x.png", None),
    ],
)
def test_frame_number(name, number):
    assert frame_number(name) == number


@pytest.mark.parametrize(
    ("pattern", "number"),
    [(r"_([0-9]+)_", 451), (r"c([0-9])s([0-9])", 11), ("([a-z]+)", None), ("x([0-9])", None)],
)
def test_a_pattern(pattern, number):
    assert frame_number("0002_c1s1_000451_03.jpg", pattern=pattern) == number


def test_a_place():
    assert frame_number("0002_c1s1_000451_03.jpg", -2) == 451
    assert frame_number("03.jpg", -2) is None


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["c1_000451_03", "c1_000801_02", "c1_000776_01"], {-2}),
        (["c1_5_1", "c1_9_2"], {-2, -1}),
        (["2_x", "10_x"], {-1}),  # as numbers, not as texts
        (["10_of_20", "9_of_20"], {-2}),
        (["1", "1"], set()),
        (["1", "cover"], set()),
        (["7"], set()),
        (["a", "a"], set()),
        ([], set()),
    ],
)
def test_rising_places(names, places):
    assert rising_places(names) == places


def test_the_place_is_that_of_most_tracklets():
    detections = [["1_2", "2_1"], ["5_3", "6_4"], ["7_2", "9_1"]]
    place, note = find_place(detections)
    assert place == -2
    assert note.startswith("the frame number in 1_2 is taken to be 1:")
    assert "in 3 of 3 tracklets, and the last one in 1." in note


def test_a_doubt_is_said_even_where_the_last_number_wins():
    tracklets = [["1_1", "1_2"], ["1_8", "1_9"], ["1_2", "2_1"]]
    place, note = find_place(tracklets)
    assert place == -1
    assert "in 1_2 is taken to be 2: among the numbers of the names it rises in 2 of 3" in note


@pytest.mark.parametrize("tracklets", [[], [["5"]], [["a1", "a2"], ["b7"]], [["3_1", "4_2"]]])
def test_without_a_doubt_it_is_the_last(tracklets):
    assert find_place(tracklets) == (-1, None)
