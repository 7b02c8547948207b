"""The second command of the README: the same chain over PNGs of real pedestrians."""

import shutil

import pytest
from PIL import Image

PERSONS, FRAMES = 8, 10

SHORTENED = {
    "split.trials": 1,
    "train.training.epochs": 2,
    "train.training.frames": 6,
    "train.network.channels": "[16]",
    "train.network.input_kernels": "[3]",
    "train.network.hidden_kernels": "[3]",
}


@pytest.fixture
def footage(real_footage, tmp_path):
    """Some of the persons, and only their first frames."""
    cameras = [real_footage / "prid_2011/multi_shot" / name for name in ("cam_a", "cam_b")]
    in_both = set.intersection(
        *({folder.name for folder in camera.iterdir()} for camera in cameras)
    )
    for camera in cameras:
        for person in sorted(in_both)[:PERSONS]:
            copy = tmp_path / "footage/prid_2011/multi_shot" / camera.name / person
            copy.mkdir(parents=True)
            for frame in sorted((camera / person).iterdir())[:FRAMES]:
                shutil.copy(frame, copy)
    return tmp_path / "footage"


@pytest.mark.slow
def test_from_pngs_to_cmc_and_attention_maps(project, footage):
    output = project.run("--env", "prid2011", **{"ingest.root": footage, **SHORTENED})
    assert "Re-identification on prid2011" in output
    scores = project.scores("prid2011")
    assert set(scores.dataset) == {"prid2011"}
    assert set(scores.features) == {"network", "attended_rows", "row_pooled"}
    assert not list((project.root / "data").rglob("*synthetic*"))
    for figure in ("cmc_curves.png", "attention_over_time.png", "best_ranked.png"):
        with Image.open(project.root / "data/08_reporting/prid2011" / figure) as picture:
            picture.load()
    assert not (project.root / "data/08_reporting/prid2011/people.png").exists()
