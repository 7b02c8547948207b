"""The closer look: lengths by a plain loop over the same network, weights and failures by hand."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.pipelines.analyse import nodes
from wherewhen.retrieval import Task, rankings
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.tracklets.windows import Window

PERSONS, FRAMES = 5, 6
LENGTHS = (1, 4, 8)


TRACKLETS = [f"{camera}/{person}" for camera in "ab" for person in range(PERSONS)]


def make_cubes():
    """Six frames a tracklet, of one channel a person and another a camera, and noise."""
    generator = np.random.default_rng(5)
    persons = generator.normal(size=(PERSONS, 2, 2, 3))
    arrays = {
        name: persons[int(name[2:])] + generator.normal(size=(FRAMES, 2, 2, 3))
        for name in TRACKLETS
    }
    return ArrayCubes({name: array.astype(np.float16) for name, array in arrays.items()})


@pytest.fixture(scope="module")
def network():
    import torch

    from wherewhen.model.config import NetworkConfig
    from wherewhen.model.siamese import build_network

    config = NetworkConfig(standardise="none", projection=None, channels=[3])
    network = build_network(config, 3, 2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as built, attention is even
        for weights in network.parameters():
            weights += 0.3 * torch.randn(weights.shape, generator=generator)
    return network


@pytest.fixture
def split():
    rows = [(f"{c}/{p}", str(p), c, role) for c, role in (("a", "probe"), ("b", "gallery"))
            for p in range(PERSONS)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role"])
    return table.assign(trial="trial_00")


@pytest.fixture
def frames(tmp_path, split):
    rows = []
    for tracklet in split.tracklet:
        (tmp_path / tracklet).mkdir(parents=True)
        for position in range(FRAMES):
            path = f"{tracklet}/{position}.png"
            Image.new("RGB", (4, 8)).save(tmp_path / path)
            rows.append((tracklet, position, path))
    return tmp_path, pd.DataFrame(rows, columns=["tracklet", "position", "path"])


def encode(network, windows):
    from wherewhen.model.encode import encode_tracklets

    return encode_tracklets(network, make_cubes(), windows, batch_size=1, progress=False).embeddings


def measure(network, split, metric="euclidean"):
    tracklets = pd.DataFrame({"tracklet": TRACKLETS, "length": FRAMES})
    return nodes.measure_lengths(
        network,
        make_cubes(),
        split,
        tracklets,
        batch_size=16,
        dataset="tiny",
        protocol="single_match",
        sides=LENGTHS,
        metric=metric,
    )


def test_lengths_as_one_evaluation_after_the_other(network, split):
    matrix = measure(network, split)
    assert len(matrix) == 9
    assert set(matrix.protocol) == {"single_match"}
    assert set(matrix.metric) == {"euclidean"}
    assert set(matrix.dataset) == {"tiny"}
    assert set(matrix.trial) == {"trial_00"}
    first = {n: encode(network, [Window(f"a/{p}", 0, min(n, FRAMES)) for p in range(PERSONS)])
             for n in LENGTHS}  # fmt: skip
    last = {n: encode(network, [Window(f"b/{p}", max(FRAMES - n, 0), FRAMES)
                                for p in range(PERSONS)]) for n in LENGTHS}  # fmt: skip
    for index, row in matrix.iterrows():
        hits = 0
        for person, probe in enumerate(first[row.probe_frames]):
            away = [np.linalg.norm(probe - other) for other in last[row.gallery_frames]]
            hits += int(np.argmin(away)) == person
        assert matrix.at[index, "rank-1"] == pytest.approx(hits / PERSONS)
        assert row.probes_shorter == (row.probe_frames > FRAMES)


def test_every_window_is_embedded_once(monkeypatch, network, split):
    """Eight frames of six are the six; each role's three lengths are three windows."""
    from wherewhen.model import encode

    asked = []
    plain = encode.encode_tracklets

    def counted(network, cubes, windows, batch_size, device):
        asked.extend(windows)
        return plain(network, cubes, windows, batch_size, device=device)

    monkeypatch.setattr(encode, "encode_tracklets", counted)
    measure(network, split)
    assert len(asked) == len(set(asked)) == 3 * 2 * PERSONS


@pytest.fixture
def looked(network, split):
    windows = split.assign(clip=0, start=0, stop=[6, 5, 4, 3, 2, 6, 6, 6, 6, 6])
    return nodes.look(network, make_cubes(), windows, batch_size=16, tracklets=2)


def test_all_probes_are_weighted_and_the_least_even_pictured(network, looked):
    from wherewhen.model.encode import encode_tracklets

    weights, attention = looked
    assert weights.groupby("tracklet").size().to_dict() == dict(
        zip([f"a/{p}" for p in range(PERSONS)], [6, 5, 4, 3, 2], strict=True)
    )
    assert weights.groupby("tracklet").weight.sum().to_numpy() == pytest.approx(1)
    windows = [Window(f"a/{p}", 0, 6 - p) for p in range(PERSONS)]
    seen = encode_tracklets(network, make_cubes(), windows, progress=False, attention=True)
    uneven = [np.mean((maps * 4 - 1) ** 2) for maps in seen.attention]
    expected = [f"a/{p}" for p in np.argsort(uneven)[::-1][:2]]
    assert attention.tracklet.drop_duplicates().tolist() == expected
    place = int(expected[0][2:])
    found = attention[attention.tracklet == expected[0]].attention.to_numpy()
    assert found == pytest.approx(seen.attention[place].ravel(), rel=1e-5)


@pytest.fixture
def ranked():
    """Probe 0 finds itself first, probe 1 third, probe 2 second."""
    distances = np.array([[0.1, 0.5, 0.6], [0.1, 0.3, 0.2], [0.1, 0.9, 0.5]])
    names = [str(p) for p in range(3)]
    task = Task(distances, names, names, ["a"] * 3, ["b"] * 3)
    table = rankings(task, [f"a/{p}" for p in names], [f"b/{p}" for p in names], max_rank=None)
    table = table.assign(trial="trial_00", features="network", metric="euclidean")
    return pd.concat([table, table.assign(metric="lfda", correct=True)], ignore_index=True)


def test_failures_of_the_metric_the_worst_first(ranked):
    table = nodes.list_failures(ranked, ranked=None, metric="euclidean")
    shown = table[["probe", "rank", "gallery", "retrieved"]].to_numpy().tolist()
    assert shown == [["a/1", 3, "b/1", "b/0"], ["a/2", 2, "b/2", "b/0"]]
    cut = nodes.list_failures(ranked, ranked=2, metric="euclidean")
    assert cut.gallery_size.isna().all()
    assert nodes.list_failures(ranked, ranked=None, metric="lfda").empty
