import pandas as pd

from wherewhen.tracklets.windows import embedding_windows


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
