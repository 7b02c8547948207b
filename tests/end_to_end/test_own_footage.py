"""Footage of one's own, by command: an environment is made, and the whole chain runs on it."""

import pytest

from wherewhen.synthetic import SyntheticConfig, plan, write_set

SHRUNKEN = {
    "train.training.epochs": 2,
    "train.training.persons_per_batch": 2,
    "train.training.validation_fraction": 0.34,
    "report.probes": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["folder", "manifest"])
def test_from_footage_to_ranks(project, tmp_path, reader):
    people = SyntheticConfig(
        layout=reader, persons=8, tracklets=2, min_frames=4, max_frames=6, mean_frames=5
    )
    root = write_set(plan(people), tmp_path / "my footage", progress=False)
    made = project.output_of(
        project.kedro("new-dataset", "mine", "--reader", reader, "--root", str(root))
    )
    assert "kedro run --env mine" in made
    output = project.run("--env", "mine", **SHRUNKEN)
    assert "protocol cross_camera" in output
    scores = project.scores("mine")
    assert set(scores.dataset) == {"mine"}
    assert set(scores.trial) == {"trial_00", "trial_01"}
    project.output_of(project.kedro("purge", "--dataset", "mine", "--yes", "--raw"))
    assert not list((project.root / "data").glob("[0-9]*/mine"))
    assert root.exists()
