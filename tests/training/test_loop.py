import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.cubes import gather
from wherewhen.model.encode import encode_tracklets
from wherewhen.model.files import read_network, write_network
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.checkpoints import CheckpointError
from wherewhen.training.clips import ReducedCubes, preload
from wherewhen.training.config import TrainingConfig
from wherewhen.training.history import HISTORY, TIMING
from wherewhen.training.loop import calibrate, train
from wherewhen.training.run import TrainingDiverged

D, K = 8, 3
QUICK = {
    "frames": 5,
    "persons_per_batch": 3,
    "checkpoint_every": 4,
    "checkpoint_seconds": 0,
    "validate_every": 1,
    "threads": 1,
}


def small_network(channels=D, preset="modern", **overrides):
    modern = {"projection": 4} if preset == "modern" else {"channels": [4, 4, 4]}
    config = NetworkConfig.from_preset(
        preset, **({"channels": [4], "dropout": 0.3} | modern | overrides)
    )
    return build_network(config, channels, K)


def assert_same_weights(one, other):
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def assert_same_history(one, other):
    timing = list(TIMING)
    pd.testing.assert_frame_equal(
        one.drop(columns=timing), other.drop(columns=timing), rtol=0, atol=0
    )


class Killed(Exception):
    pass


def killer(step):
    def log(row):
        if row["step"] == step:
            raise Killed

    return log


def halves(tracklets, persons):
    training = tracklets[tracklets["person"] < f"p{persons:04d}"]
    return training, tracklets.drop(training.index)


# 6 training persons, 3 a batch: 2 steps an epoch; 4 is both a checkpoint and the end of an epoch
@pytest.mark.parametrize("preset", ["modern", "paper"])
@pytest.mark.parametrize("basis", [None, 6])
@pytest.mark.parametrize("kills", [[1], [4], [5], [4, 6, 11], [12]])
def test_a_killed_run_goes_on_to_the_same_weights(toy, tmp_path, preset, basis, kills):
    cubes, tracklets = toy(8)
    training, validation = halves(tracklets, 6)
    config = TrainingConfig.from_preset(preset, **(QUICK | {"steps": 12, "pairs_per_batch": 4}))

    def run(folder, log=None):
        network = small_network(preset=preset, basis=basis)
        history = train(network, cubes, training, validation, config, folder, log, progress=False)
        return network, history

    network, history = run(tmp_path / "undisturbed")
    for step in kills:
        with pytest.raises(Killed):
            run(tmp_path / "killed", killer(step))
    again, history_again = run(tmp_path / "killed")
    assert_same_weights(network, again)
    assert_same_history(history, history_again)
    assert list(history_again["step"]) == list(range(1, 13))


def test_deterministic_kernels_are_used_throughout_and_change_nothing_on_a_cpu(toy, tmp_path):
    cubes, tracklets = toy(6)
    asked = []

    def trained(folder, **options):
        network, config = small_network(), TrainingConfig(steps=2, **QUICK, **options)

        def log(row):
            asked.append(torch.are_deterministic_algorithms_enabled())

        train(network, cubes, tracklets, None, config, tmp_path / folder, log, progress=False)
        return network

    assert_same_weights(trained("plain"), trained("strict", deterministic=True))
    assert asked == [False, False, True, True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_run_killed_with_sigkill_goes_on_to_the_same_weights(toy, tmp_path):
    code = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from toy import toy
        from wherewhen.model.config import NetworkConfig
        from wherewhen.model.siamese import build_network
        from wherewhen.training.config import TrainingConfig
        from wherewhen.training.loop import train

        cubes, tracklets = toy(6)
        config = TrainingConfig(steps=10, **{QUICK!r})
        network = build_network(NetworkConfig(projection=4, channels=[4], dropout=0.3), {D}, {K})
        log = lambda row: row["step"] == 6 and os.kill(os.getpid(), signal.SIGKILL)
        train(network, cubes, tracklets, None, config, {str(tmp_path / "killed")!r}, log)
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()

    cubes, tracklets = toy(6)
    config = TrainingConfig(steps=10, **QUICK)
    results = []
    for folder in ("killed", "undisturbed"):
        network, logged = small_network(), []
        history = train(
            network,
            cubes,
            tracklets,
            None,
            config,
            tmp_path / folder,
            logged.append,
            progress=False,
        )
        results.append((network, history, logged))
    assert results[0][2][0]["step"] == 5
    assert_same_weights(results[0][0], results[1][0])
    assert_same_history(results[0][1], results[1][1])


def test_a_finished_run_returns_at_once(toy, tmp_path):
    cubes, tracklets = toy(6)
    config = TrainingConfig(**QUICK, epochs=3)
    first = small_network()
    history = train(first, cubes, tracklets, None, config, tmp_path, progress=False)
    reads, again, logged = cubes.reads, small_network(), []
    repeated = train(again, cubes, tracklets, None, config, tmp_path, logged.append, progress=False)
    assert cubes.reads == reads
    assert logged == []
    assert_same_weights(first, again)
    pd.testing.assert_frame_equal(history, repeated)
    assert not first.training
    assert not again.training


CHANGES = {
    "training": {"settings": {"learning_rate": 1e-4}},
    "threads": {"settings": {"threads": 2}},
    "network": {"network": {"seed": 5}},
    "channels": {"channels": D + 1},
    "tracklets": {"left_out": "p0003"},
    "validation": {"held_out": "p0003"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_is_of_one_run(toy, tmp_path, change):
    cubes, tracklets = toy(6)

    def steps_logged(settings=None, network=None, channels=D, left_out="", held_out=""):
        logged = []
        config = TrainingConfig(**(QUICK | {"steps": 4} | (settings or {})))
        model = small_network(channels, **(network or {}))
        rows = tracklets[tracklets["person"] != left_out]
        validation = tracklets[tracklets["person"] == held_out]
        train(model, cubes, rows, validation, config, tmp_path, logged.append, progress=False)
        return len(logged)

    assert steps_logged() == 4
    assert steps_logged() == 0
    with pytest.raises(
        CheckpointError, match=r"checkpoint\.safetensors belongs to a run with othe"
    ):
        steps_logged(**CHANGES[change])
    assert steps_logged() == 0


def test_what_decides_nothing_may_change_between_the_parts_of_a_run(toy, tmp_path):
    cubes, tracklets = toy(6)

    def run(folder, log=None, **settings):
        network = small_network()
        config = TrainingConfig(**(QUICK | {"steps": 8} | settings))
        history = train(network, cubes, tracklets, None, config, tmp_path / folder, log, False)
        return network, history

    network, history = run("undisturbed")
    with pytest.raises(Killed):
        run("killed", killer(6))
    again, history_again = run("killed", checkpoint_every=1, preload_gigabytes=0)
    assert_same_weights(network, again)
    assert_same_history(history, history_again)


@pytest.mark.parametrize("preset", ["modern", "paper"])
def test_history_has_a_row_a_step_and_the_validation_curve(toy, tmp_path, preset):
    cubes, tracklets = toy(8)
    training, validation = halves(tracklets, 6)
    config = TrainingConfig.from_preset(
        preset, **(QUICK | {"epochs": 4, "validate_every": 2, "pairs_per_batch": 6})
    )
    logged = []
    history = train(
        small_network(preset=preset),
        cubes,
        training,
        validation,
        config,
        tmp_path,
        logged.append,
        progress=False,
    )
    assert tuple(history.columns) == HISTORY
    assert list(history["epoch"]) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert list(history.dropna(subset="validation_loss")["step"]) == [4, 8]
    assert list(history.dropna(subset="validation_map")["step"]) == [4, 8]
    assert history["roofline"].isna().all()
    assert history["waiting"].between(0, 1).all()
    assert ["validation_loss" in row for row in logged] == [False, False, False, True] * 2
    total = history["cross_entropy"] + config.penalty_weight * history["penalty"]
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
    assert history["pair_accuracy"].between(0, 1).all()
    assert history["attention_entropy"].between(0, 1).all()


def test_validation_has_no_influence_on_training(toy, tmp_path):
    cubes, tracklets = toy(8)
    training, validation = halves(tracklets, 6)
    config = TrainingConfig(**QUICK, epochs=3)
    networks = []
    for folder, held_out in (("with", validation), ("without", None)):
        networks.append(small_network())
        train(networks[-1], cubes, training, held_out, config, tmp_path / folder, progress=False)
    assert_same_weights(*networks)


def test_training_leaves_the_random_state(toy, tmp_path):
    cubes, tracklets = toy(4)
    state = torch.get_rng_state()
    train(
        small_network(),
        cubes,
        tracklets,
        None,
        TrainingConfig(**QUICK, steps=2),
        tmp_path,
        progress=False,
    )
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("basis", [None, 6])
def test_preloading_changes_nothing_but_the_reads(toy, tmp_path, basis):
    cubes, tracklets = toy(6)
    results, reads = [], []
    for gigabytes in (0.0, 1.0):
        before = cubes.reads
        results.append(small_network(basis=basis))
        config = TrainingConfig(**QUICK, epochs=6, preload_gigabytes=gigabytes)
        folder = tmp_path / str(gigabytes)
        train(results[-1], cubes, tracklets, None, config, folder, progress=False)
        reads.append(cubes.reads - before)
    assert_same_weights(*results)
    assert reads[1] < reads[0]
    assert preload(cubes, [cubes.whole(name) for name in tracklets["tracklet"]], 0.0) is cubes


class TestBasis:
    def test_it_is_trained_as_a_network_of_reduced_cubes(self, toy, tmp_path):
        """To the bit: a network of six channels that never saw the backbone's eight."""
        cubes, tracklets = toy(8)
        training, validation = halves(tracklets, 6)
        config = TrainingConfig(**QUICK, steps=8)
        network = small_network(basis=6)
        calibrate(network, cubes, list(training["tracklet"]))
        frozen = {name: value.clone() for name, value in network.input.named_buffers()}
        narrow = small_network(6, standardise="none")
        weights = network.state_dict()
        narrow.load_state_dict({name: weights[name] for name in narrow.state_dict()} | {
            f"input.{name}": getattr(narrow.input, name) for name in ("mean", "deviation")
        })  # fmt: skip
        small = ReducedCubes(cubes, network.input)
        assert small.shape == (K, K, 6)
        histories = [
            train(one, reader, training, validation, config, tmp_path / str(reader.channels),
                  progress=False)
            for one, reader in ((network, cubes), (narrow, small))
        ]  # fmt: skip
        assert_same_history(*histories)
        for name, parameter in narrow.named_parameters():
            assert torch.equal(parameter, network.get_parameter(name)), name
        for name, value in network.input.named_buffers():
            assert torch.equal(value, frozen[name]), name

    def test_the_file_takes_whole_cubes(self, toy, tmp_path):
        """What is lost is the rounding of reduced cubes to float16."""
        cubes, tracklets = toy(8)
        trained = small_network(basis=6, standardise="centre")
        config = TrainingConfig(**QUICK, steps=8)
        train(trained, cubes, tracklets, None, config, tmp_path / "run", progress=False)
        write_network(trained, tmp_path / "network.safetensors")
        network = read_network(tmp_path / "network.safetensors").eval()
        windows = [cubes.whole(name) for name in cubes.lengths]
        found = encode_tracklets(network, cubes, windows, progress=False).embeddings
        small = ReducedCubes(cubes, network.input)
        assert small.dtype == np.float16
        with torch.no_grad():
            expected = trained.encode_reduced(*gather(small, windows)).embedding.numpy()
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
        assert 0 < np.linalg.norm(found - expected, axis=1).max() < 2e-3


class Poisoned(ArrayCubes):
    """Cubes that are no numbers when a clip of a tracklet is read for the n-th time."""

    def __init__(self, cubes, tracklet, good_reads):
        super().__init__({name: cubes.read(cubes.whole(name)) for name in cubes.lengths})
        self.tracklet, self.good_reads = tracklet, good_reads

    def _fill(self, window, out):
        super()._fill(window, out)
        if window.tracklet == self.tracklet and window.length > 1:
            self.good_reads -= 1
            if self.good_reads < 0:
                out[:] = np.nan


def test_nan_stops_with_the_step_the_tracklets_and_the_last_good_checkpoint(toy, tmp_path):
    cubes, tracklets = toy(6, lengths=(5, 9))
    settings = {
        "steps": 8,
        "checkpoint_every": 2,
        "checkpoint_seconds": 0,
        "preload_gigabytes": 0.0,
    }
    config = TrainingConfig(**(QUICK | settings))
    poisoned = Poisoned(cubes, "cam_a/person_0001", good_reads=2)  # an epoch, two steps, reads once
    with pytest.raises(
        TrainingDiverged,
        match=r"step [56]: the loss is nan; the batch was .*cam_a/person_0001.*"
        r"checkpoint\.safetensors$",
    ):
        train(small_network(), poisoned, tracklets, None, config, tmp_path, progress=False)
    network, logged = small_network(), []
    train(network, cubes, tracklets, None, config, tmp_path, logged.append, progress=False)
    assert [row["step"] for row in logged] == [5, 6, 7, 8]
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_too_few_validation_persons_are_named(toy, tmp_path):
    cubes, tracklets = toy(6)
    training, validation = halves(tracklets, 5)
    with pytest.raises(ValueError, match=r"validation: 1 of 1 persons .* validation_fraction"):
        train(
            small_network(),
            cubes,
            training,
            validation,
            TrainingConfig(**QUICK),
            tmp_path,
            progress=False,
        )


def test_a_device_that_is_not_there_is_named(toy, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    cubes, tracklets = toy(4)
    with pytest.raises(ValueError, match="device is cuda, but torch sees 0"):
        train(small_network(), cubes, tracklets, None, TrainingConfig(), tmp_path, device="cuda")


def test_calibration_standardises_the_training_cubes(toy):
    cubes, tracklets = toy(6)
    network = small_network(projection=None)
    calibrate(network, cubes, list(tracklets["tracklet"]), 10_000)
    everything = torch.from_numpy(
        np.concatenate([cubes.read(cubes.whole(name)) for name in cubes.lengths])
    ).float()
    inputs = network.input(everything).reshape(-1, D)
    torch.testing.assert_close(inputs.mean(0), torch.zeros(D), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs.std(0, unbiased=False), torch.ones(D), atol=1e-5, rtol=0)


def rank_1(network, cubes, tracklets):
    rows = tracklets.sort_values(["camera", "person"])
    windows = [cubes.whole(name) for name in rows["tracklet"]]
    vectors = encode_tracklets(network, cubes, windows, progress=False).embeddings
    probe, gallery = np.split(vectors, 2)
    return float(np.mean((probe @ gallery.T).argmax(1) == np.arange(len(probe))))


def test_it_learns_persons_who_differ_in_one_location(toy, tmp_path):
    cubes, tracklets = toy(200, noise=2.0, lengths=(4, 8))
    training, test = halves(tracklets, 160)
    # the persons differ in one cell, so cells are kept; the states alone have to learn it
    states = {"location": "cells", "readout": "concatenated"}
    network = build_network(NetworkConfig(projection=8, channels=[16], **states), D, K)
    config = TrainingConfig(frames=6, steps=150, checkpoint_every=1000, threads=1)
    calibrate(network, cubes, list(training["tracklet"]), 200)
    before = rank_1(network, cubes, test)
    history = train(network, cubes, training, None, config, tmp_path, progress=False)
    after = rank_1(network, cubes, test)
    assert history["pair_accuracy"].tail(10).mean() > 0.8
    assert after >= before + 0.1
    assert after >= 0.3  # chance is 1 in 40


WIDE = {"channels": [48, 48], "input_kernels": [3], "hidden_kernels": [3], "projection": 64}


def started_and_trained(folder, threads=2):
    """Return the digests of a network as built, as calibrated and after two steps.

    It is large enough for its sums to depend on the number of threads.
    """
    generator = np.random.default_rng(0)
    rows = [(f"{c}/p{n:02}", f"p{n}", c) for n in range(15) for c in "ab"]
    tracklets = pd.DataFrame(rows, columns=["tracklet", "person", "camera"])
    scales = 2.0 / np.arange(1, 513) ** 0.5
    cubes = ArrayCubes(
        {
            name: (generator.standard_normal((4, 7, 7, 512)) * scales).astype(np.float16)
            for name in tracklets.tracklet
        }
    )
    config = TrainingConfig(steps=2, frames=4, persons_per_batch=4, threads=threads)
    network = build_network(NetworkConfig(**WIDE), 512, 7)
    digests = [digest(network)]
    calibrate(network, cubes, list(tracklets.tracklet), 120)
    digests.append(digest(network))
    train(network, cubes, tracklets, None, config, folder, progress=False)
    return " ".join([*digests, digest(network)])


def digest(network):
    """Name the weights of a network by their bytes."""
    found = hashlib.sha256()
    for value in network.state_dict().values():
        found.update(value.numpy().tobytes())
    return found.hexdigest()


def test_the_configuration_decides_on_how_many_threads_a_step_is_computed(toy, tmp_path):
    cubes, tracklets = toy(6)
    before, seen = torch.get_num_threads(), []
    for threads in (1, 2):
        config = TrainingConfig(**(QUICK | {"steps": 2, "threads": threads}))
        folder = tmp_path / str(threads)
        arguments = (cubes, tracklets, None, config, folder)
        train(small_network(), *arguments, lambda _: seen.append(torch.get_num_threads()), False)
        assert torch.get_num_threads() == before
    assert seen == [1, 1, 2, 2]


def test_the_weights_are_the_same_whatever_the_machine_offers(tmp_path):
    code = f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("tested", {__file__!r})
        tested = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tested)
        print(tested.started_and_trained(sys.argv[1]))
    """
    made = set()
    for count in (1, 2, 3):  # the fixture of this room restores it
        torch.set_num_threads(count)
        made.add(started_and_trained(tmp_path / f"offered {count}"))
    assert len(made) == 1
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / f"process {count}")],
            env=os.environ | {"OMP_NUM_THREADS": count},
            stdout=subprocess.PIPE,
            text=True,
        )
        for count in ("1", "2")
    ]
    assert {process.communicate()[0].strip() for process in processes} == made
