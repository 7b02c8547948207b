"""A run that is killed goes on where it stopped, and ends where an undisturbed one ends."""

import shutil

import pandas as pd
import torch


def test_killed_during_extraction_and_during_training(finished, project, tiny, kill_when):
    shutil.copytree(finished.root / "data/01_raw", project.root / "data/01_raw")
    features = project.root / "data/04_feature/synthetic/cubes"
    models = project.root / "data/06_models/synthetic"

    kill_when(
        project.start(**tiny), lambda: len(list(features.glob("*/cubes/*/*.safetensors"))) >= 3
    )
    pointer = project.root / "data/04_feature/synthetic/cubes.json"
    assert not list(pointer.glob("*"))
    assert not list(features.glob("*/manifest.json"))
    made = {path: path.stat().st_mtime_ns for path in features.glob("*/cubes/*/*.safetensors")}

    kill_when(
        project.start(**tiny),
        lambda: list(models.glob("trial_00/checkpoints/*/checkpoint.safetensors")),
    )
    assert list(pointer.glob("*/record.json"))
    assert made == {path: path.stat().st_mtime_ns for path in made}, "they were made again"
    assert not list(models.glob("trial_0?/network.safetensors/*/*"))

    project.run(**tiny)
    pd.testing.assert_frame_equal(project.scores(), finished.scores())
    for trial in ("trial_00", "trial_01"):
        resumed, undisturbed = project.weights(trial), finished.weights(trial)
        assert all(torch.equal(resumed[name], undisturbed[name]) for name in undisturbed)
    assert not list(models.glob("trial_0?/checkpoints/*")), "checkpoints of what is whole"
    left = [path for path in (project.root / "data").rglob("*") if ".tmp" in path.name]
    assert not left
