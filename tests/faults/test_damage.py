"""Files that are damaged between runs: the next run finds, names and makes them anew."""

import random
import re
import shutil

import pytest
from endings import differences, leavings
from forked import Death

LAYERS = (
    "01_raw", "02_intermediate", "03_primary", "04_feature", "05_model_input", "06_models",
    "07_model_output", "08_reporting",
)  # fmt: skip


def truncated(path):
    path.write_bytes(path.read_bytes()[:-7])


def emptied(path):
    path.write_bytes(b"")


def garbled(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def garbage(path):
    path.write_bytes(random.Random(0).randbytes(200))


def gone(path):
    path.unlink()


def kind_of(path):
    """Say what a file is called in every trial and for every identity."""
    name = re.sub(r"[0-9a-f]{12,}", "IDENTITY", str(path))
    return re.sub(r"(trial|person|cam|frame)_\w+|\d{4}", "N", name)


def one_of_each_kind(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return list({kind_of(path): path for path in files if path.suffix != ".lock"}.values())


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncated, emptied, garbled, garbage, gone])
@pytest.mark.parametrize("layer", LAYERS)
def test_one_file_of_each_kind(launcher, copied, finished, tiny, layer, damage):
    damaged = one_of_each_kind(copied.root / "data" / layer)
    for path in damaged:
        damage(path)
    ended = launcher.run(copied, "run", **tiny)
    assert "Traceback" not in ended.output
    if ended.code != 0:  # named and removed, where it was found only when it was read
        assert any(path.name in ended.output for path in damaged), ended.output
        ended = launcher.run(copied, "run", **tiny)
    assert ended.code == 0, ended.output
    assert differences(copied, finished) == []
    assert leavings(copied) == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncated, emptied, garbled, garbage])
def test_a_checkpoint(launcher, copied, finished, tiny, damage):
    models = copied.root / "data/06_models/synthetic"
    shutil.rmtree(models)
    assert launcher.run(copied, "run", death=Death("train", operation=40), **tiny).was_killed
    (checkpoint,) = models.glob("trial_0?/checkpoints/*/checkpoint.safetensors")
    damage(checkpoint)
    ended = launcher.run(copied, "run", **tiny)
    assert ended.code == 1
    assert f"{checkpoint} cannot be read as a checkpoint" in " ".join(ended.output.split())
    assert "Traceback" not in ended.output
    ended = launcher.run(copied, "run", **tiny)
    assert ended.code == 0, ended.output
    assert differences(copied, finished) == []
    assert leavings(copied) == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncated, emptied, garbled, garbage, gone])
def test_cubes_that_training_reads(launcher, copied, finished, tiny, damage):
    shutil.rmtree(copied.root / "data/06_models")
    for path in (copied.root / "data/04_feature").rglob("person_*.safetensors"):
        damage(path)
    ended = launcher.run(copied, "run", **tiny)
    assert "Traceback" not in ended.output
    if ended.code != 0:  # a changed number is found when it is read
        assert "does not match its checksum and was removed" in " ".join(ended.output.split())
        ended = launcher.run(copied, "run", **tiny)
    assert ended.code == 0, ended.output
    assert differences(copied, finished) == []
