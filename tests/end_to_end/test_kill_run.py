"""Runs that are killed over and over, in all stages, end with the scores of an undisturbed one.

    uv run pytest -m slow -n 0 -s tests/end_to_end/test_kill_run.py

takes an hour, goes on until all stages were hit, and prints how many kills hit which stage.
"""

import random
import re
import shutil
import signal
import threading
from collections import Counter

import pandas as pd
import pytest
from kedro.framework.project import configure_project, pipelines

KILLS = 200
LONGEST = 25
"""Seconds after its start at which a run is killed at the latest: starting takes five of them."""

SOON = 0.3
"""Seconds after a node at which a run is killed at the latest: some stages take no longer."""

MADE = re.compile(r"made by (\S+) \(")
PLANNED = re.compile(r"nodes are taken over|nothing is out of date")


@pytest.fixture
def stages():
    """Return the stage of each node."""
    configure_project("wherewhen")
    names = [name for name in pipelines if name not in ("__default__", "analyse")]
    return {node.name: name for name in names for node in pipelines[name].nodes}


def run_and_kill(project, tiny, generator):
    """Run, and kill it at a random moment after its start, or after one of its nodes.

    Return whether that came too late, and what was printed.
    """
    process = project.start(**tiny)
    nodes = generator.choice([0, generator.randrange(1, 12)])
    moment = generator.uniform(0, SOON if nodes else LONGEST)
    timer = threading.Timer(moment, process.kill)
    lines = []
    if not nodes:
        timer.start()
    for line in process.stdout:
        lines.append(line)
        nodes -= bool(MADE.search(line))
        if nodes == 0 and MADE.search(line):
            timer.start()
    process.wait()
    timer.cancel()
    output = "".join(lines)
    assert process.returncode in (0, -signal.SIGKILL), output
    return process.returncode == 0, output


def check(project, finished):
    """Compare a run that has ended with the undisturbed one, and look for what should be gone."""
    pd.testing.assert_frame_equal(project.scores(), finished.scores(), check_exact=True)
    for trial in ("trial_00", "trial_01"):
        resumed, undisturbed = project.weights(trial), finished.weights(trial)
        assert all(resumed[name].equal(undisturbed[name]) for name in undisturbed)
    data = project.root / "data"
    assert not [path for path in data.rglob("*") if ".tmp" in path.name]
    assert not list(data.glob("06_models/*/*/checkpoints/*"))


def statuses(project):
    own = (run for run in project.runs() if "mlflow.parentRunId" not in run.data.tags)
    return Counter(run.info.status for run in own)


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
def test_two_hundred_kills_change_no_digit(finished, project, tiny, stages):
    generator = random.Random(0)
    hit, ended, unknown = Counter(), 0, 0
    while hit.total() + unknown < KILLS or unknown or not set(stages.values()) <= set(hit):
        whole, output = run_and_kill(project, tiny, generator)
        if unknown and (first := MADE.search(output)):
            # what a run makes first is what the ones before it were killed in
            hit[stages[first[1]]] += unknown
            unknown = 0
        if whole:
            hit["at the end"] += unknown
            unknown, ended = 0, ended + 1
            check(project, finished)
            shutil.rmtree(project.root / "data")
        elif PLANNED.search(output):
            unknown += 1
        else:
            hit["while it starts"] += 1
    if not whole:
        project.run(**tiny)
        check(project, finished)
        ended += 1
    found = statuses(project)
    print(f"\n{hit.total()} kills: {dict(hit)}")  # noqa: T201
    print(f"{ended} runs ended, scores and weights equal to the digit; MLflow: {dict(found)}")  # noqa: T201
    assert set(found) <= {"KILLED", "FINISHED"}
    # a process may be killed when its run is finished, and it has yet to exit
    assert ended <= found["FINISHED"] <= ended + hit["at the end"]
