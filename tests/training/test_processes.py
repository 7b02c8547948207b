"""Training in several processes of this machine's CPU: each start costs seconds."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.cubes import ArrayCubes
from wherewhen.training.config import TrainingConfig
from wherewhen.training.history import TIMING
from wherewhen.training.loop import train
from wherewhen.training.processes import Group, Leader, ProcessDied

SETTINGS = {
    "frames": 4,
    "persons_per_batch": 3,
    "steps": 5,
    "checkpoint_every": 2,
    "checkpoint_seconds": 0,
    "validate_every": 1,
    "threads": 1,
    "convolution": "direct",
    "triplet_weight": 0.1,
    "pasted_frames": 0.7,
    "pasted_cells": 0.7,
    "patience": 50,
    "learning_rate": 0.01,
}


@pytest.fixture
def run(toy, tmp_path):
    given, tracklets = toy(8)
    arrays = {name: given.read(given.whole(name)) for name in given.lengths}
    cubes = ArrayCubes(arrays)
    learners = tracklets[tracklets["person"] < "p0006"]
    held_out = tracklets.drop(learners.index)

    def go(folder, log=None, reader=cubes, **settings):
        parts = {"channels": [3], "projection": 4, "neck": "batch_norm", "dropout": 0.0}
        network = build_network(NetworkConfig(**parts), 8, 3).double()
        config = TrainingConfig(**(SETTINGS | settings))
        history = train(
            network, reader, learners, held_out, config, tmp_path / folder, log, progress=False
        )
        return network.state_dict(), history

    go.readers = {"arrays": cubes, "toy": given}
    return go


def kill_the_other(row):
    if row["step"] == 3:
        (other,) = multiprocessing.active_children()
        os.kill(other.pid, signal.SIGKILL)


def assert_alike(one, other, **tolerance):
    for name, value in one[0].items():
        torch.testing.assert_close(other[0][name], value, msg=name, **tolerance)
    histories = [history.drop(columns=list(TIMING)) for _, history in (one, other)]
    pd.testing.assert_frame_equal(*histories, **tolerance)


def test_two_processes_train_as_one_and_go_on_when_the_other_has_died(run):
    together = run("two", processes=2)
    assert_alike(run("one"), together, rtol=1e-4, atol=1e-6)
    with pytest.raises(ProcessDied, match=r"process 2 of the 2 .* terminated with signal SIGKILL"):
        run("killed", kill_the_other, processes=2)
    assert not multiprocessing.active_children()
    assert not torch.distributed.is_initialized()
    assert_alike(together, run("killed", processes=2), rtol=0, atol=0)


def wait_forever(group, _):
    group.connect(torch.device("cpu"))
    time.sleep(600)


SCRIPT = """
import multiprocessing, time, torch
from test_processes import wait_forever
from wherewhen.training.processes import Leader

if __name__ == "__main__":
    leader = Leader(2)
    with leader.started(wait_forever, None, on_gpus=False):
        leader.connect(torch.device("cpu"))
        print(multiprocessing.active_children()[0].pid, flush=True)
        time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for the process in /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_the_others_end_with_the_first_and_leave_no_file(sent, tmp_path):
    script, temporary = tmp_path / "script.py", tmp_path / "temporary"
    script.write_text(SCRIPT)
    temporary.mkdir()
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    settings = {"PYTHONPATH": paths, "TMPDIR": str(temporary)}
    command = [sys.executable, script]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE) as first:
        other = Path("/proc", first.stdout.readline().decode().strip())
        assert other.exists()
        first.send_signal(sent)
    assert first.returncode == -sent  # Ctrl-C ends Python by its signal, too
    until = time.monotonic() + 60
    while other.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not other.exists()
    assert not list(temporary.iterdir())


def test_an_error_of_another_process_is_told(run):
    """A class that the other process can't import."""
    with pytest.raises(ProcessDied, match=r"ModuleNotFoundError: .*wherewhen_toy_cubes"):
        run("two", reader=run.readers["toy"], processes=2)
    assert not multiprocessing.active_children()


def test_what_cant_be_sent_is_refused(run):
    reader = run.readers["arrays"]
    reader.unwanted = lambda: None
    with pytest.raises(TypeError, match="several processes are to train, and what they need can't"):
        run("two", reader=reader, processes=2)
    assert not multiprocessing.active_children()


def test_more_processes_than_clips_are_refused(run):
    with pytest.raises(ValueError, match="processes is 7, but the smallest batch has 6 clips"):
        run("seven", processes=7)


@pytest.mark.parametrize("clips", [3, 7, 8])
def test_shares_are_all_clips_and_differ_by_one_at_most(clips):
    shares = [Group(rank, 3).share(clips) for rank in range(3)]
    assert [clip for share in shares for clip in range(clips)[share]] == list(range(clips))
    assert np.ptp([len(range(clips)[share]) for share in shares]) <= 1


def test_alone_nothing_is_started_or_changed():
    group, tensor, cpu = Leader(1), torch.arange(3.0), torch.device("cpu")
    with group.started(lambda *_: None, None, on_gpus=False):
        group.connect(cpu)
        group.check()
        group.add_up([tensor])
        assert group.gather(tensor, 3) is tensor
        assert group.share(3) == slice(0, 3)
        assert group.decided(True, cpu)
    assert tensor.tolist() == [0, 1, 2]
