import pandas as pd
import pytest

from wherewhen.tracklets.windows import (
    SpreadFrames,
    Window,
    as_windows,
    embedding_windows,
    windows_by_length,
)


def test_by_hand():
    split = pd.DataFrame(
        [
            ("trial_00", "a/p", "p", "a", "train"),
            ("trial_00", "b/p", "p", "b", "train"),
            ("trial_00", "a/q", "q", "a", "probe"),
            ("trial_00", "b/q", "q", "b", "gallery"),
        ],
        columns=["trial", "tracklet", "person", "camera", "role"],
    )
    lengths = {"a/p": 40, "b/p": 7, "a/q": 200, "b/q": 200}
    windows = embedding_windows(split, lengths, limit=128, clips=3, clip_frames=20)
    assert windows[["tracklet", "clip", "start", "stop"]].to_numpy().tolist() == [
        ["a/p", 0, 0, 20],
        ["a/p", 1, 10, 30],
        ["a/p", 2, 20, 40],
        ["b/p", 0, 0, 7],
        ["a/q", 0, 0, 128],
        ["b/q", 0, 72, 200],
    ]
    assert windows["role"].tolist() == ["train"] * 4 + ["probe", "gallery"]


def test_windows_by_length_are_a_probes_first_and_a_gallerys_last_frames():
    rows = [("a/1", "1", "a", "probe"), ("b/1", "1", "b", "gallery"), ("a/2", "2", "a", "train")]
    split = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role"])
    windows = windows_by_length(split.assign(trial="t"), {"a/1": 9, "b/1": 3}, [1, 4])
    spans = windows[["frames", "tracklet", "start", "stop"]].to_numpy().tolist()
    assert spans == [[1, "a/1", 0, 1], [1, "b/1", 2, 3], [4, "a/1", 0, 4], [4, "b/1", 0, 3]]


def test_a_variant_is_a_field_of_a_window():
    plain, augmented = Window("a", 2, 5), Window("a", 2, 5, variant=1)
    assert plain != augmented
    assert plain != Window("a variant 1", 2, 5)
    assert plain.length == augmented.length == 3
    assert [str(plain), str(augmented)] == ["a[2:5]", "a[2:5] variant 1"]


def test_every_row_of_a_table_is_a_plain_window():
    table = pd.DataFrame({"role": "probe", "stop": [4, 9], "start": [0, 3], "tracklet": ["a", "b"]})
    assert as_windows(table) == [Window("a", 0, 4), Window("b", 3, 9)]
    assert type(as_windows(table)[0].start) is int


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (1, [((1, 3), [0, 1]), ((5, 6), [0]), ((9, 10), [0])]),
        (3, [((1, 6), [0, 1, 4]), ((9, 10), [0])]),
        (4, [((1, 10), [0, 1, 4, 8])]),
    ],
)
def test_runs_hold_spread_frames(gap, expected):
    frames = SpreadFrames("a", (1, 2, 5, 9), variant=3)
    found = [(window, places.tolist()) for window, places in frames.runs(gap)]
    assert found == [(Window("a", *span, 3), places) for span, places in expected]
    assert (frames.start, frames.stop, frames.length) == (1, 10, 4)
    assert frames.first(2) == SpreadFrames("a", (1, 2), variant=3)
    assert str(frames) == "a[1:10] variant 3 (4 frames)"


def test_frames_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"a\[3:2\] \(2 frames\): expected increasing positions"):
        list(SpreadFrames("a", (3, 1)).runs())
