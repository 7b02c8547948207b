from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from wherewhen.model.config import FisherConfig, NetworkConfig
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.siamese import build_network
from wherewhen.pipelines.embed.nodes import (
    choose_windows,
    compare,
    encode,
    encode_fisher,
    pool,
    pool_by_attention,
)
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import as_windows

LENGTHS = {"a/p": 10, "b/p": 10, "a/t": 10}


class Cubes(ArrayCubes):
    """Frame i of every tracklet is i everywhere, and i + 10 in the lower row."""

    def __init__(self):
        cubes = np.empty((10, 2, 2, 1), np.float16)
        cubes[:, 0] = np.arange(10)[:, None, None]
        cubes[:, 1] = cubes[:, 0] + 10
        super().__init__(dict.fromkeys(LENGTHS, cubes))


TRACKLETS = pd.DataFrame({"tracklet": list(LENGTHS), "length": list(LENGTHS.values())})


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
    return choose_windows(split, TRACKLETS, frames=4, clips=2, clip_frames=3)


def test_a_probes_first_and_a_gallery_tracklets_last_frames(windows):
    chosen = windows.set_index("tracklet")
    assert chosen.loc["a/p", ["start", "stop"]].tolist() == [0, 4]
    assert chosen.loc["b/p", ["start", "stop"]].tolist() == [6, 10]


def test_a_training_tracklet_has_several_clips(windows):
    clips = windows[windows.tracklet == "a/t"]
    assert clips["clip"].tolist() == [0, 1]
    assert (clips.stop - clips.start).tolist() == [3, 3]


def test_pooling_averages_the_window_with_and_without_rows(windows):
    means, rows = pool(Cubes(), windows, ["mean_pooled", "row_pooled"])
    probe, gallery = (means[means.role == role].vector.iloc[0] for role in ("probe", "gallery"))
    assert probe == pytest.approx([1.5 + 5])
    assert gallery == pytest.approx([7.5 + 5])
    assert rows[rows.role == "probe"].vector.iloc[0] == pytest.approx([1.5, 11.5])
    assert means.drop(columns="vector").equals(windows)
    (only_rows,) = pool(Cubes(), windows, ["row_pooled"])
    assert np.stack(only_rows.vector.to_list()).tolist() == np.stack(rows.vector.to_list()).tolist()


def test_rows_are_pooled_by_the_attention_that_the_network_has(windows):
    cubes = Cubes()
    network = build_network(NetworkConfig(projection=1, channels=[2]), channels=1, grid=2).eval()
    network.calibrate(np.random.default_rng(0).normal(size=(9, 2, 2, 1)).astype(np.float32))
    found = pool_by_attention(network, cubes, windows, batch_size=2)
    assert found.drop(columns="vector").equals(windows)
    clips = as_windows(windows)
    maps = encode_tracklets(network, cubes, clips, attention=True, progress=False).attention
    for vector, window, attention in zip(found.vector, clips, maps, strict=True):
        rows = (attention[..., None] * cubes.read(window)).sum(axis=(0, 2))
        expected = rows / attention.sum(axis=(0, 2))[:, None]
        assert vector == pytest.approx(expected.ravel(), rel=1e-3)


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


def test_fisher_vectors_by_a_mixture_of_the_training_clips(windows):
    from wherewhen.model.config import NetworkConfig
    from wherewhen.model.siamese import build_network

    network = build_network(NetworkConfig(standardise="none", projection=None, channels=[2]), 1, 2)
    vectors = encode_fisher(network, Cubes(), windows, FisherConfig(components=2), batch_size=16)
    assert vectors.drop(columns="vector").equals(windows)
    assert np.stack(vectors.vector).shape == (len(windows), 2 * 2 * network.embedding_size)


@pytest.mark.parametrize(
    ("when", "averaged"), [("off", []), ("short", ["b/p"]), ("always", ["a/p", "b/p"])]
)
def test_test_tracklets_are_averaged_over_variants(monkeypatch, windows, when, averaged):
    """Variant 1 turns (3, 4) into (4, 3); the average keeps the length, 5."""

    frames = np.broadcast_to([3.0, 4.0], (10, 1, 1, 2))
    two = ArrayCubes({tracklet: np.stack([frames, frames[..., ::-1]]) for tracklet in LENGTHS})

    def encode_tracklets(network, reader, windows, batch_size, device, engine):
        vectors = [reader.read(window)[0, 0, 0] for window in windows]
        return SimpleNamespace(embeddings=np.stack(vectors))

    monkeypatch.setattr("wherewhen.model.encode.encode_tracklets", encode_tracklets)
    windows.loc[windows.tracklet == "b/p", "start"] = 8  # two frames: short
    options = {"batch_size": 2, "average_variants": when, "frames": 4}
    vectors = encode(None, two, windows, **options)
    for tracklet, vector in zip(vectors.tracklet, vectors.vector, strict=True):
        expected = [3.0, 4.0] if tracklet not in averaged else [5 / 2**0.5] * 2
        assert vector == pytest.approx(expected)
    if when != "off":
        with pytest.raises(ValueError, match="the cubes have no augmented variants"):
            encode(None, Cubes(), windows, **options)
