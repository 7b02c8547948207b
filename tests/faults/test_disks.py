"""A disk that is full or protected is named; what is whole is kept, and the next run goes on."""

import shutil

import disks
import pandas as pd
import pytest
from endings import differences, half_written, leavings
from forked import END, START, Disk

from wherewhen.lineage.catalog import Catalog
from wherewhen.pipelines.stages import stages

STAGES = (START, *(name for name, stage in stages().items() if not stage.by_name), END)

mounted = pytest.mark.skipif(not disks.can_mount(), reason="mounts of a process need a right here")


def test_files_that_may_not_grow(here, copied, finished, tiny, monkeypatch):
    """While artifacts are saved: MLflow's own database is in the same folder."""
    for stage in ("report", "evaluate", "learn_metric", "embed", "train"):
        with monkeypatch.context() as patch:
            patch.setattr(Catalog, "save", disks.small_files(2_000)(Catalog.save))
            code, output = here(copied, "run", "--pipelines", stage, "--anew", **tiny)
        assert code != 0, stage
        assert "File too large" in output, stage
        assert "what is whole is kept" in output, stage
        assert "Traceback" not in output, stage
        assert not half_written(copied), stage
    stages = "train,embed,learn_metric,evaluate"  # the scores: figures take as long again
    code, output = here(copied, "run", "--pipelines", stages, **tiny)
    assert code == 0, output
    pd.testing.assert_frame_equal(copied.scores(), finished.scores(), check_exact=True)


@mounted
@pytest.mark.slow
@pytest.mark.parametrize("folder", ["data", "."])
def test_a_disk_that_fills_up_in_a_stage(launcher, project, finished, tiny, folder):
    """Each run gets one stage further; in `.`, MLflow's database is on the same disk."""
    for stage in STAGES:
        ended = launcher.run(project, "run", disk=Disk(folder, full_in=stage), **tiny)
        if folder == "data" and stage == END and ended.code == 0:
            continue  # all was made, and MLflow writes elsewhere
        output = " ".join(ended.output.split())
        assert ended.code == 1, (stage, ended.output)
        assert ended.stage == stage, ended.output
        assert "No space left" in output or "disk is full" in output, (stage, ended.output)
        assert "Traceback" not in output, (stage, ended.output)
        assert half_written(project) == [], stage
    ended = launcher.run(project, "run", **tiny)
    assert ended.code == 0, ended.output
    assert differences(project, finished) == []
    assert leavings(project) == []


@mounted
@pytest.mark.slow
@pytest.mark.parametrize("folder", ["data", "."])
@pytest.mark.parametrize("there", ["nothing", "half", "all"])
def test_a_disk_that_is_read_only(launcher, project, finished, tiny, folder, there):
    if there != "nothing":
        shutil.copytree(finished.root / "data", project.root / "data")
    if there == "half":
        shutil.rmtree(project.root / "data/06_models")
    ended = launcher.run(project, "run", disk=Disk(folder, read_only=True), **tiny)
    output = " ".join(ended.output.split())
    assert "Traceback" not in output
    assert ended.code == 1, ended.output
    assert "Read-only file system" in output or "readonly database" in output, ended.output
    assert str(project.root) in output
    ended = launcher.run(project, "run", **tiny)
    assert ended.code == 0, ended.output
    assert differences(project, finished) == []


def test_a_folder_without_rights(here, copied, tiny, no_privileges):
    folders = [copied.root / "data", *(copied.root / "data").rglob("*")]
    folders = [path for path in folders if path.is_dir()]
    for path in folders:
        path.chmod(0o555)
    try:
        code, output = here(copied, "run", "--pipelines", "report", "--anew", **tiny)
    finally:
        for path in folders:
            path.chmod(0o755)
    assert code != 0
    assert "Permission denied" in output
    assert str(copied.root / "data") in output
    assert "Traceback" not in output
