from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from wherewhen.pipelines.embed.nodes import choose_windows, compare, pool
from wherewhen.pipelines.parameters import EmbedParameters


class Cubes:
    """Frame i of every tracklet is i everywhere, and i + 10 in the lower row."""

    lengths = MappingProxyType({"a/p": 10, "b/p": 10, "a/t": 10})

    def read(self, tracklet, start=0, stop=None):
        cubes = np.empty((self.lengths[tracklet], 2, 2, 1), np.float16)
        cubes[:, 0] = np.arange(len(cubes))[:, None, None]
        cubes[:, 1] = cubes[:, 0] + 10
        return cubes[start:stop]


@pytest.fixture
def split():
    rows = [
        ("trial_00", "a/p", "p", "cam_a", "probe"),
        ("trial_00", "b/p", "p", "cam_b", "gallery"),
        ("trial_00", "a/t", "t", "cam_a", "train"),
    ]
    return pd.DataFrame(rows, columns=["trial", "tracklet", "person", "camera", "role"])


@pytest.fixture
def windows(split):
    parameters = EmbedParameters(frames=4, clips=2, clip_frames=3)
    return choose_windows(split, SimpleNamespace(lengths=Cubes.lengths), parameters)


def test_a_probes_first_and_a_gallery_tracklets_last_frames(windows):
    chosen = windows.set_index("tracklet")
    assert chosen.loc["a/p", ["start", "stop"]].tolist() == [0, 4]
    assert chosen.loc["b/p", ["start", "stop"]].tolist() == [6, 10]


def test_a_training_tracklet_has_several_clips(windows):
    clips = windows[windows.tracklet == "a/t"]
    assert clips["clip"].tolist() == [0, 1]
    assert (clips.stop - clips.start).tolist() == [3, 3]


def test_pooling_averages_the_window_with_and_without_rows(windows):
    means, rows = pool(Cubes(), windows)
    probe, gallery = (means[means.role == role].vector.iloc[0] for role in ("probe", "gallery"))
    assert probe == pytest.approx([1.5 + 5])
    assert gallery == pytest.approx([7.5 + 5])
    assert rows[rows.role == "probe"].vector.iloc[0] == pytest.approx([1.5, 11.5])
    assert means.drop(columns="vector").equals(windows)


def test_a_network_compares_every_probe_with_the_gallery():
    class Network:
        """A similarity that is the inner product."""

        def pairwise_logits(self, probes, gallery):
            return probes @ gallery.T

    rows = [("probe", [1.0, 2.0]), ("gallery", [3.0, 0.0]), ("train", [9.0, 9.0]),
            ("gallery", [0.0, 5.0])]  # fmt: skip
    table = pd.DataFrame(rows, columns=["role", "vector"])
    table["vector"] = [np.array(vector, dtype=np.float32) for vector in table["vector"]]
    logits = compare(Network(), table)
    assert logits.dtype == np.float32
    assert logits.tolist() == [[3.0, 10.0]]
