"""Where and when against the truth of a set that is made by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.pipelines.analyse.truth import measure_looks
from wherewhen.synthetic.truth import Truth, truth_file
from wherewhen.tracklets.cubes import ArrayCubes

PERSONS, FRAMES = 4, 6
TRACKLETS = [f"{camera}/{person}" for camera in "ab" for person in range(PERSONS)]


def make_truth(tracklet):
    """The person is the upper half; from the third frame on, a post hides probe 0 to the left."""
    person = np.zeros((FRAMES, 4, 4))
    person[:, :2] = 1
    if tracklet != "a/0":
        return Truth.of(person, None)
    front = np.zeros((FRAMES, 4, 4))
    front[2:, :, :2] = 1
    return Truth.of(person, front)


@pytest.fixture(scope="module")
def network():
    config = NetworkConfig(standardise="none", projection=None, channels=[3])
    network = build_network(config, 3, 2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as built, attention is even
        for weights in network.parameters():
            weights += 0.3 * torch.randn(weights.shape, generator=generator)
    return network


@pytest.fixture
def measured(tmp_path, network):
    generator = np.random.default_rng(5)
    cubes = ArrayCubes(
        {name: generator.normal(size=(FRAMES, 2, 2, 3)).astype(np.float16) for name in TRACKLETS}
    )
    rows = [
        (name, name[2:], name[0], {"a": "probe", "b": "gallery"}[name[0]]) for name in TRACKLETS
    ]
    windows = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role"])
    windows = windows.assign(trial="trial_00", clip=0, start=1, stop=FRAMES)
    frames = pd.DataFrame(
        [(name, n, f"{name}/{n}.png") for name in TRACKLETS for n in range(FRAMES)],
        columns=["tracklet", "position", "path"],
    )
    for name in TRACKLETS:
        file = truth_file(tmp_path, f"crops/{name}/0.png")
        file.parent.mkdir(exist_ok=True)
        make_truth(name).write(file)
    untrained = build_network(network.config, 3, 2)
    return measure_looks(
        cubes, windows, frames, tmp_path, 8, "tiny", "single_match", "euclidean", (0.9, 1.0), 0, 2,
        "cpu", network, untrained,
    )  # fmt: skip


def values(table, network):
    return table[table.network == network].set_index("measure")


def test_chance_follows_from_the_truth(measured):
    """Of 20 frames 16 show half a frame of the person, and four a quarter."""
    table, _ = measured
    assert table.network.unique().tolist() == [
        "trained", "frames averaged", "attention muted", "untrained",
    ]  # fmt: skip
    for network in table.network.unique():
        rows = values(table, network)
        area = (16 * 0.5 + 4 * 0.25) / 20
        assert rows.chance["attention on the person"] == pytest.approx(area)
        assert rows["count"]["attention on the person"] == 20
        assert rows.chance["attention on the occluder"] == pytest.approx(0.5)
        assert rows["count"]["attention on the occluder"] == 4
        assert rows["count"]["weight and visibility"] == 1  # nobody else's share varies
        assert rows.chance["weight of somebody else"] == pytest.approx(2 / 5)
        bins = rows["count"][["rank-1, visible below 0.9", "rank-1, visible 1"]]
        assert bins.tolist() == [1, 3]


def test_networks_that_prefer_nothing_are_at_chance(measured):
    table, _ = measured
    for network in ("attention muted", "untrained"):
        rows = values(table, network).loc[["attention on the person", "pointing game"]]
        assert rows.value.to_numpy() == pytest.approx(rows.chance.to_numpy())
    for network in ("frames averaged", "untrained"):
        rows = values(table, network)
        assert rows.value["weight and visibility"] == 0
        assert rows.value["weight of somebody else"] == pytest.approx(2 / 5)
    trained = values(table, "trained")
    assert trained.value["weight of somebody else"] != pytest.approx(2 / 5)
    assert trained.value["pointing game"] != pytest.approx(trained.chance["pointing game"])


def test_the_most_hidden_probe_is_pictured_first(measured, network):
    _, pictured = measured
    assert pictured.tracklet.iloc[0] == "a/0"
    assert pictured.tracklet.nunique() == 2
    cells = pictured[pictured.tracklet == "a/0"].covered.to_numpy().reshape(5, 2, 2)
    assert cells[0].tolist() == [[1, 1], [0, 0]]
    assert cells[1].tolist() == [[0, 1], [0, 0]]
