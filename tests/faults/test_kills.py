"""Killed at chosen file operations, a run ends where an undisturbed one ends.

A short form of `kills.py`, which does this in all stages, in experiments and in sweeps.
"""

import shutil

import pytest
from endings import differences, leavings, statuses
from forked import END, Death

DEATHS = (
    Death("train", operation=2),
    Death("train", operation=40),
    Death("train", seconds=0.5),
    Death("embed", operation=12),
    Death("learn_metric", operation=5),
    Death("evaluate", operation=9),
    Death(END, operation=3),
)
STAGES = ("run", "--pipelines", "train,embed,learn_metric,evaluate")  # figures take as long again


@pytest.mark.slow
def test_killed_in_one_stage_after_another(launcher, copied, finished, tiny):
    for layer in ("06_models", "07_model_output"):
        shutil.rmtree(copied.root / "data" / layer)
    for number, death in enumerate(DEATHS):
        ended = launcher.run(copied, *STAGES, death=death, **tiny)
        assert ended.was_killed, ended.output
        assert bool(ended.point) == (death.operation is not None)
        assert ("training goes on after step" in ended.output) == (number in (1, 2)), ended.output

    ended = launcher.run(copied, *STAGES, **tiny)
    assert ended.code == 0, ended.output
    assert "nothing is out of date" in ended.output
    assert differences(copied, finished) == []
    assert leavings(copied) == []
    assert statuses(copied) == {"KILLED": len(DEATHS), "FINISHED": 1}
