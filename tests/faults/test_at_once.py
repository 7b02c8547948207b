"""Commands at the same time: they wait for each other or say who is there, and spoil nothing."""

import re
import shutil
import time

import psutil
import pytest
from endings import differences, leavings, made
from forked import Death

STAGES = "train,embed,learn_metric,evaluate"

OTHER = {"train.training.epochs": 2}
"""Of the second command, where it asks for other networks of the same cubes."""


@pytest.fixture
def half(copied):
    """A copy in which cubes are made, and no network."""
    for layer in ("06_models", "07_model_output", "08_reporting"):
        shutil.rmtree(copied.root / "data" / layer)
    return copied


@pytest.fixture
def wait_for():
    """Return a function that waits until something is there."""

    def wait(look):
        ends = time.monotonic() + 300
        while not (found := look()):
            assert time.monotonic() < ends, "it did not happen"
            time.sleep(0.02)
        return found

    return wait


def locked(project):
    return list((project.root / "data/.locks/synthetic").glob("*.json"))


def nodes_of(output):
    return re.findall(r"made by (\S+) \(", output)


@pytest.mark.slow
def test_the_same_run_twice(launcher, half, finished, tiny):
    both = [launcher.start(half, "run", **tiny) for _ in range(2)]
    first, second = map(launcher.wait, both)
    assert (first.code, second.code) == (0, 0), first.output + second.output
    nodes = nodes_of(first.output) + nodes_of(second.output)
    assert len(nodes) == len(set(nodes))
    assert "waiting for another run that is at" in first.output + second.output
    assert differences(half, finished) == []


@pytest.mark.slow
def test_the_one_that_waits_goes_on_when_the_other_is_killed(
    launcher, half, finished, tiny, wait_for
):
    first = launcher.start(half, "run", death=Death("train", operation=30), **tiny)
    wait_for(lambda: locked(half))
    second = launcher.start(half, "run", **tiny)
    assert launcher.wait(first).was_killed
    ended = launcher.wait(second)
    assert ended.code == 0, ended.output
    assert differences(half, finished) == []
    assert leavings(half) == []


@pytest.mark.slow
def test_two_environments_that_share_people_and_cubes(launcher, project, finished, tiny):
    (project.root / "conf/other").mkdir()
    (project.root / "conf/other/globals.yml").write_text("dataset: synthetic\n")
    both = [
        launcher.start(project, "run", "--pipelines", f"synthesise,ingest,split,extract,{STAGES}",
                       *words, **given)
        for words, given in (((), tiny), (("--env", "other"), {**tiny, **OTHER}))
    ]  # fmt: skip
    ends = [launcher.wait(number) for number in both]
    assert [ended.code for ended in ends] == [0, 0], [ended.output for ended in ends]
    nodes = nodes_of(ends[0].output) + nodes_of(ends[1].output)
    assert nodes.count("plan_people") == nodes.count("extract_cubes") == 1
    there, here = made(finished), made(project)
    assert {name: there[name] for name in here if name in there}.items() <= here.items()
    assert {name for name in there if name.startswith("trial_01.network ")} <= set(here)


@pytest.mark.slow
def test_a_purge_during_a_run_is_refused(launcher, half, finished, tiny, wait_for):
    run = launcher.start(half, "run", **tiny)
    wait_for(lambda: locked(half))
    purge = launcher.run(half, "purge", "--dataset", "synthetic", "--yes")
    assert purge.code == 1
    assert "is at synthetic: wait for it, or end it" in " ".join(purge.output.split())
    ended = launcher.wait(run)
    assert ended.code == 0, ended.output
    assert differences(half, finished) == []


@pytest.mark.slow
def test_a_purge_that_is_killed_is_gone_on_with(launcher, copied, finished, tiny):
    words = ("purge", "--dataset", "synthetic", "--yes", "--raw")
    for operation in (20, 60):
        assert launcher.run(copied, *words, death=Death(operation=operation)).was_killed
    ended = launcher.run(copied, "run", **tiny)  # makes what is missing
    assert ended.code == 0, ended.output
    assert differences(copied, finished) == []
    assert launcher.run(copied, *words).code == 0
    left = [path for path in (copied.root / "data").rglob("*") if path.is_file()]
    assert not [path for path in left if ".locks" not in path.parts]


@pytest.mark.slow
def test_a_process_that_trains_with_the_first_is_killed(launcher, half, finished, tiny, wait_for):
    given = {**tiny, "train.training.processes": 2}
    run = launcher.start(half, "run", "--pipelines", STAGES, **given)
    checkpoints = half.root / "data/06_models/synthetic/trial_00/checkpoints"
    wait_for(lambda: list(checkpoints.glob("*/checkpoint.safetensors")))
    workers = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(half.root) and "spawn_main" in str(process.info["cmdline"])
    ]
    assert workers
    workers[0].kill()
    ended = launcher.wait(run)
    assert ended.code == 1
    output = " ".join(ended.output.split())
    assert "process 2 of the 2 that train together has died" in output
    assert "Traceback" not in output
    ended = launcher.run(half, "run", "--pipelines", STAGES, **given)
    assert ended.code == 0, ended.output
    assert "training goes on after step" in ended.output
    for name, weights in half.weights("trial_00").items():
        assert weights.allclose(finished.weights("trial_00")[name], atol=1e-4), name
