"""The benchmarks of the network: what they compare computes the same, and the record is whole."""

import json
from pathlib import Path

import pytest
import torch

TINY = ["--small", "--repeats", 1]
for name, size in {"pairs": 2, "frames": 3, "channels": 8, "grid": 3, "projection": 4}.items():
    TINY += [f"--{name}", size]
FAST = ["direct, float32", "dft, float32"]


def record_of(run, name, path):
    run(name, *TINY, "--variants", *FAST, "--json", path)
    record = json.loads(path.read_text())
    assert record["name"] == name
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["machine"]["cores"] >= 1
    assert [row["variant"] for row in record["rows"]] == ["plain loop", *FAST]
    assert record["rows"][0]["ratio"] == 1
    return record["rows"]


def test_a_step_is_timed_in_every_way_and_ends_with_the_same_loss(run, tmp_path):
    rows = record_of(run, "train_step", tmp_path / "record.json")
    for row in rows:
        assert row["loss"] == pytest.approx(rows[0]["loss"], rel=1e-5)
        assert row["pairs_per_second"] == pytest.approx(2 / row["seconds"])
        assert row["roofline_share"] > 0


def test_embeddings_are_timed_in_every_way_and_are_the_same(run, tmp_path):
    for row in record_of(run, "inference", tmp_path / "record.json"):
        assert row["relative_difference"] < 1e-5
        assert row["tracklets_per_second"] == pytest.approx(1 / row["seconds"])


@pytest.mark.parametrize("name", ["train_step", "inference"])
def test_a_variant_that_is_not_known_is_refused(run, name):
    with pytest.raises(SystemExit, match=r"--variants: \['dftt'\] not known; choose from"):
        run(name, *TINY, "--variants", "dftt")


def test_the_plain_step_and_training_s_have_the_same_gradients(script):
    benchmark = script("train_step")
    config = benchmark.NetworkConfig.from_preset(
        "paper", channels=[3, 4], input_kernels=3, hidden_kernels=5, initialisation="centred"
    ).model_copy(update={"dropout": 0.0})
    size = {"pairs": 4, "frames": 3, "channels": 5, "grid": 4}
    cubes = benchmark.batch_of(size, torch.device("cpu"))
    network = benchmark.network_of(config, cubes)
    steps = [benchmark.step_of(name, network, cubes) for name in ("plain loop", *FAST)]
    for step in steps:
        step.optimiser.step = lambda factor=None: None  # the gradients alone
        step.run()
    plain, *others = (dict(step.network.named_parameters()) for step in steps)
    gradients = {name: p.grad for name, p in plain.items() if p.grad is not None}
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    for name in ("gru.layers.1.gate_weight", "attention.perceptron.2.weight"):
        assert gradients[name].abs().max() > 1e-4 * largest
    for other in others:
        for name, gradient in gradients.items():
            torch.testing.assert_close(other[name].grad, gradient, rtol=1e-4, atol=1e-6 * largest)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_is_measured_in_processes_of_their_own(run, tmp_path):
    path = tmp_path / "record.json"
    run("train_step", *TINY, "--variants", "--memory", "--json", path)  # the plain loop alone
    (row,) = json.loads(path.read_text())["rows"]
    assert row["memory_gib"] > 0
