"""Benchmarks at their smallest: they run, and leave a whole record."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.features.backbones import build_backbone
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.weights import WeightsSource
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.pipelines.learn_metric.nodes import learn
from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.sessions import View
from wherewhen.tracklets.splits import draw_splits

PERSONS, LENGTH = 16, 4


@pytest.fixture
def record(run, tmp_path):
    """Run a benchmark and return what it recorded."""

    def record(name, *arguments):
        path = tmp_path / f"{name}.json"
        run(name, *arguments, "--json", path)
        content = json.loads(path.read_text())
        assert content["name"] == name
        assert content["versions"]
        assert content["machine"]
        return content

    return record


def ratios(content):
    """Return the rows' ratios by their names; each has taken some time."""
    assert all(row["seconds"] > 0 for row in content["rows"])
    return {row["variant"]: row["ratio"] for row in content["rows"]}


def test_checkpoints(record):
    content = record("checkpoints", "--repeats", 1)
    found = ratios(content)
    assert found["write, torch.save"] == found["read, torch.load"] == 1
    assert {"write, safetensors", "read, safetensors"} < set(found)
    assert content["bytes"]["checkpoint.safetensors"] == pytest.approx(
        content["bytes"]["checkpoint.pt"], rel=0.1
    )


def test_fine_tuning(record):
    content = record(
        "fine_tuning", "--backbone", "timm:test_resnet", "--size", 64, 32, "--repeats", 1
    )
    assert ratios(content)["plain loop, all"] == 1
    losses = [row["loss"] for row in content["rows"]]
    assert losses == pytest.approx([losses[0]] * 5, rel=0.01)  # cubes are kept in float16


def test_basis(record):
    sizes = {"pairs": 2, "frames": 2, "channels": 6, "grid": 2, "projection": 2, "basis": 3}
    content = record("basis", "--repeats", 1, *(f"--{name}={size}" for name, size in sizes.items()))
    assert content["size"] == sizes
    assert set(ratios(content)) == {"all channels", "basis of 3"}


def test_onnx_runtime(record, script, monkeypatch):
    backbone = build_backbone("timm:test_resnet", WeightsSource(source="random", seed=0))
    network = build_network(
        NetworkConfig(projection=3, channels=[4]), backbone.channels, backbone.grid
    )
    monkeypatch.setattr(script("onnx_runtime"), "models", lambda: (backbone, network.eval()))
    content = record("onnx_runtime", "--repeats", 1, "--images=2", "--clips=2", "--frames=2")
    found = ratios(content)
    assert found["backbone, PyTorch"] == found["network, PyTorch"] == 1
    compared = [row for row in content["rows"] if "relative_difference" in row]
    assert [row["variant"] for row in compared] == [
        "backbone, ONNX Runtime",
        "network, ONNX Runtime",
    ]
    assert all(row["relative_difference"] < 1e-4 for row in compared)


def test_cube_store(record):
    found = ratios(record("cube_store", "--tracklets", 2, "--repeats", 1, "--grid", 2))
    assert found["npy, mapped"] == 1
    assert {"cube store", "safetensors slices", "memory to memory"} < set(found)


def test_checksums_of_a_store(run, tmp_path):
    store = CubeStore.create(tmp_path, {"of": "a test"})
    store.write("t", np.ones((30, 2, 2, 3), np.float16))
    store.seal()
    path = tmp_path / "record.json"
    run("cube_store", "--store", store.folder, "--repeats", 1, "--json", path)
    content = json.loads(path.read_text())
    assert content["gib"] > 0
    assert set(ratios(content)) == {"later epoch", "first epoch", "checksums alone"}


def test_extraction(record):
    content = record("extraction", "--backbone", "timm:test_resnet", "--frames", 3, "--repeats", 1)
    assert ratios(content)["plain loop, float32"] == 1
    errors = {row["variant"]: row["error"] for row in content["rows"] if "error" in row}
    assert errors["one batch at a time, float32"] == errors["extraction, float32"]
    assert max(errors.values()) < 0.02


def test_evaluation(record, script, monkeypatch, tmp_path):
    module = script("evaluation")
    for name, value in {"TRACKLETS": 60, "PROBES": 20, "PERSONS": 6, "CAMERAS": 3}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "MARS", tmp_path / "nowhere")
    content = record("evaluation", "--rounds", 1)
    assert {"evaluate (counts, no sort)", "score (intervals, open set)"} < {
        row["variant"] for row in content["rows"]
    }
    assert (content["probes"], content["gallery"], content["labels"]) == (20, 60, "drawn")


def test_search(record):
    content = record("search", "--tracklets", 500, "--queries", 10, "--rounds", 1)
    found = ratios(content)
    for kind in ("exact", "ivf", "hnsw"):
        assert found[f"{kind}, plain FAISS"] == found[f"{kind}, one by one, plain FAISS"] == 1
        assert {kind, f"{kind}, one by one", f"{kind}, without one camera"} < set(found)
        assert content["kinds"][kind]["recall"] >= (1 if kind == "exact" else 0.9)
        assert content["kinds"][kind]["files"]["vectors.npy"] > 500 * 128 * 4


def test_linking(record, script, tmp_path):
    linking = script("linking")
    generator = np.random.default_rng(0)
    names = [f"cam_{c}/person_{p}/0{n}" for c in "abc" for p in range(4) for n in (1, 2)]
    for listed in (linking.VALIDATION, *linking.REPORTED.values()):
        for environment, seed in listed:
            person = [int(name[13]) + 10 * seed for name in names]  # together they are 12
            vectors = np.stack([np.random.default_rng(each).normal(0, 9, 8) for each in person])
            vectors += 0.1 * generator.normal(size=vectors.shape)
            np.savez(tmp_path / f"{environment}_{seed}.npz", vectors=vectors, names=names)
    rows = pd.DataFrame(record("linking", "--sites", tmp_path)["rows"])
    assert len(rows) == 4 * len(linking.METHODS) * len(linking.TIMETABLES) * 3
    assert (rows.groupby(["sites", "method", "times"]).chosen.sum() == 1).all()
    best = rows[rows.chosen & (rows.method == "complete linkage")].set_index("sites")
    assert best["pairwise F1"].map(min).min() == 1
    assert best["IDF1"].map(len).to_dict() == {
        **dict.fromkeys(("validation", "known world", "unknown world"), 3),
        "known world, 90 people": 1,
    }


def test_synthesise(run, script, tmp_path):
    path = tmp_path / "record.json"
    run("synthesise", "--rounds", 1, "--frames", 1, "--json", path)
    found = ratios(json.loads(path.read_text()))
    assert found["mesh rebuilt"] == found["whole, 1 thread"] == 1


class Asked(list):
    """The environments that were looked at, and what their catalogs have."""

    loaded: dict


@pytest.fixture
def environments(monkeypatch, tmp_path):
    """Let every environment ask for the same cubes and splits; note which were looked at."""
    names = [f"cam_{camera}/p{person:02}" for camera in "ab" for person in range(PERSONS)]
    generator = np.random.default_rng(0)
    persons = generator.random((PERSONS, 1, 4, 4, 6))
    store = CubeStore.create(tmp_path / "stores", {"of": "a test"})
    for name in names:
        noise = 0.3 * generator.random((LENGTH, 4, 4, 6))
        store.write(name, (persons[int(name[-2:])] + noise).astype(np.float16))
    store.seal()
    tracklets = pd.DataFrame({"tracklet": names})
    tracklets["camera"], tracklets["person"] = zip(
        *(name.split("/") for name in names), strict=True
    )
    tracklets["length"] = LENGTH
    loaded = {"cubes": store, "splits": draw_splits(tracklets, trials=2, seed=0)}
    asked_for = Asked()

    def of(env, params=None):
        asked_for.append(env)
        return SimpleNamespace(
            dataset=env,
            catalog=SimpleNamespace(load=loaded.__getitem__),
            parameters=SimpleNamespace(
                evaluate=SimpleNamespace(protocol="single_match"),
                embed=SimpleNamespace(frames=128, clips=1, clip_frames=LENGTH),
                split=SimpleNamespace(trial_names=sorted(loaded["splits"].trial.unique())),
                learn_metric=LearnMetricParameters(dimension=3),
            ),
        )

    monkeypatch.setattr(View, "of", of)
    asked_for.loaded = loaded
    return asked_for


def test_eight_bits(record, environments):
    content = record("eight_bits", "--trials", 2)
    assert environments == ["development"]
    assert content["trials"] == 2
    assert 0 < content["relative_error"] < 0.01
    assert content["bytes"]["8 bits"] < content["bytes"]["float16"]
    assert 0 <= content["scores"]["mean_pooled.cosine.mAP"]["float16"] <= 1


def test_learning(record, script, environments, monkeypatch):
    learning = script("learning")
    monkeypatch.setattr(
        learning, "TRAINING", {"modern": learning.COMMON | {"steps": 2, "persons_per_batch": 4}}
    )
    monkeypatch.setattr(learning, "NETWORK", {"modern": {"projection": 3, "channels": [4]}})
    variants = ["untrained", "base: 1,000 persons", "a third occluded"]
    small = ["--channels", 4, "--validation", 4, "--pooled", 4, "--trials", 2]
    content = record("learning", *small, "--variants", *variants)
    assert environments == ["population", "development"]
    rows = pd.DataFrame(content["rows"])
    pooled = ["mean-pooled cubes, 4 persons", "row-pooled cubes, 4 persons"]
    assert rows.groupby("variant").trial.nunique().to_dict() == dict.fromkeys(variants + pooled, 2)
    for scores in [*rows.validation, *rows.test]:
        assert set(scores) == {"cosine", "kissme", "lfda"}
        assert all(0 <= value <= 1 for pair in scores.values() for value in pair)
    again = record("learning", *small, "--variants", *variants)
    assert again["rows"] == content["rows"]  # what is there is not computed again


def test_transfer(record, script, environments):
    transfer = script("transfer")
    for trial, split in environments.loaded["splits"].groupby("trial"):
        network = build_network(NetworkConfig(projection=3, channels=[4]), channels=6, grid=4)
        network.calibrate(torch.rand(20, 4, 4, 6))
        environments.loaded |= {f"{trial}.split": split, f"{trial}.network": network.eval()}
        view = View.of("")
        for name, table in transfer.embedded(network, view, trial).items():
            environments.loaded[f"{trial}.embeddings_{name}"] = table
            metrics, _ = learn(table, view.parameters.learn_metric)
            environments.loaded[f"{trial}.metrics_{name}"] = metrics
    learned_on = ["source", "both", "target"]
    content = record("transfer", "--trials", 2, "--target", "street", "--learned-on", *learned_on)
    assert environments[-2:] == ["population", "street"]
    rows = pd.DataFrame(content["rows"])
    counts = rows.groupby(["features", "metric"]).size()
    assert counts["row_pooled", "cosine"] == 2  # nothing is learned: the same for all three
    assert counts["row_pooled", "kissme"] == counts["network", "lfda"] == 6
    assert counts["network", "cosine + row_pooled/kissme"] == 6
    by_kissme = rows[(rows.features == "network") & (rows.metric == "kissme")]
    by_kissme = by_kissme.set_index(["trial", "learned on"])["mAP"]
    # here source and target are the same people: both orders of the same samples
    for trial in rows.trial.unique():
        assert by_kissme[trial, "source"] == by_kissme[trial, "target"]


def test_a_transfer_of_the_network_that_ships_is_from_its_own_people(script, environments):
    environments.loaded["ingest_report"] = {"fingerprint": "f" * 16}
    transfer = script("transfer")
    with pytest.raises(SystemExit, match=r"learned from population .* here has the frames ffff"):
        transfer.Shipped(transfer.View.of("population"))
