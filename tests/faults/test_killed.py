"""A run that is killed goes on where it stopped, and ends where an undisturbed one ends.

`kills.py` does this two hundred times, in all stages; it is slow.
"""

import shutil

import pandas as pd


def statuses(project):
    return [run.info.status for run in project.runs()]


def test_killed_while_it_trains(finished, copied, here, tiny, kill_when):
    models = copied.root / "data/06_models/synthetic"
    shutil.rmtree(models)
    kill_when(
        copied.start(**tiny),
        lambda: list(models.glob("trial_00/checkpoints/*/checkpoint.safetensors")),
    )
    assert statuses(copied) == ["RUNNING"]
    assert not list(models.glob("trial_0?/network.safetensors/*/*"))

    code, output = here(copied, "run", **tiny)
    assert code == 0, output
    assert "training goes on after step" in output
    assert statuses(copied) == ["KILLED", "FINISHED"], "the next start finds the dead run"
    pd.testing.assert_frame_equal(copied.scores(), finished.scores())
    for trial in ("trial_00", "trial_01"):
        resumed, undisturbed = copied.weights(trial), finished.weights(trial)
        assert all(resumed[name].equal(undisturbed[name]) for name in undisturbed)
    assert not list(models.glob("trial_0?/checkpoints/*")), "checkpoints of what is whole"
    assert not [path for path in (copied.root / "data").rglob("*") if ".tmp" in path.name]
