"""Baselines at work: fitted on the training clips alone, asked about all, in order."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from wherewhen.baselines import BASELINES, Baseline
from wherewhen.baselines.describe import CLASSES, build_baseline, describe_windows, options_of


class Mean(Baseline):
    """Frames' mean, less that of the training clips."""

    def __init__(self, scale=1.0):
        self.scale, self.taught_by = scale, []

    def fit(self, clips):
        self.taught_by = [(clip.tracklet, clip.person, clip.camera) for clip in clips]
        self.mean = np.mean([clip.frames().mean() for clip in clips])
        return self

    def describe(self, frames):
        return np.array([self.scale * (frames.mean() - self.mean)])


class Pictures:
    """Frame i of every tracklet is i everywhere."""

    def clip(self, tracklet, start, stop):
        return np.arange(start, stop, dtype=np.uint8)[:, None, None, None] * np.ones((2, 1, 3))


WINDOWS = pd.DataFrame(
    [
        ("a/1", "1", "a", "probe", 0, 4),
        ("a/2", "2", "a", "train", 2, 5),
        ("b/1", "1", "b", "gallery", 6, 10),
        ("b/2", "2", "b", "train", 4, 5),
    ],
    columns=["tracklet", "person", "camera", "role", "start", "stop"],
)


def test_training_clips_teach_and_all_are_described():
    baseline = Mean()
    vectors = describe_windows(baseline, WINDOWS, Pictures())
    assert baseline.taught_by == [("a/2", "2", "a"), ("b/2", "2", "b")]
    assert np.concatenate(vectors).tolist() == [1.5 - 3.5, 3 - 3.5, 7.5 - 3.5, 4 - 3.5]


def test_sums_of_numpy_are_taken_in_one_thread():
    seen = []

    class Watching(Mean):
        def fit(self, clips):
            seen.append(threads_of_numpy())
            return super().fit(clips)

        def describe(self, frames):
            seen.append(threads_of_numpy())
            return super().describe(frames)

    with threadpool_limits(2, user_api="blas"):
        describe_windows(Watching(), WINDOWS, Pictures())
        assert threads_of_numpy() == {2}
    assert seen == [{1}] * 5


def threads_of_numpy():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_baseline_is_built_by_name_with_its_options():
    assert build_baseline("hog3d", {"blocks": 2}).blocks == 2
    options = ["size", "cells", "overlap", "blocks", "signed", "cut", "step_frames"]
    assert options_of("hog3d") == options
    with pytest.raises(ValueError, match=r"embed.baselines.hog3d: .*'block'; its options are doc"):
        build_baseline("hog3d", {"block": 2})
    with pytest.raises(ValueError, match="no baseline is called 'hog4d': hog3d, fv2d"):
        build_baseline("hog4d")


def test_the_table_has_a_class_for_every_name():
    assert tuple(CLASSES) == BASELINES
    for name in BASELINES:
        assert isinstance(build_baseline(name), Baseline)


def test_names_are_known_without_numpy():
    program = "import sys, wherewhen.baselines; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
