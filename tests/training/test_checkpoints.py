import pytest
import torch

from wherewhen.training.checkpoints import CheckpointError, Checkpoints


def test_what_was_saved_is_loaded(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    assert checkpoints.load() is None
    for step in (1, 2):
        checkpoints.save({"step": step, "weights": torch.arange(3.0) * step})
    state = checkpoints.load()
    assert state["step"] == 2
    assert torch.equal(state["weights"], torch.tensor([0.0, 2.0, 4.0]))
    assert [path.name for path in checkpoints.path.parent.iterdir()] == ["checkpoint.pt"]


def test_another_run_finds_nothing(tmp_path):
    Checkpoints(tmp_path, "one").save({"step": 1})
    assert Checkpoints(tmp_path, "other").load() is None


def test_a_checkpoint_moved_to_another_run_is_refused(tmp_path):
    one, other = Checkpoints(tmp_path, "one"), Checkpoints(tmp_path, "other")
    one.save({"step": 1})
    one.path.parent.rename(other.path.parent)
    with pytest.raises(CheckpointError, match="belongs to run one, not to other"):
        other.load()


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"weights": torch.rand(100)})
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt cannot be read .* delete it"):
        checkpoints.load()


def test_a_failed_save_keeps_the_last_one(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, "one")
    checkpoints.save({"step": 1})

    def full_disk(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save({"step": 2})
    monkeypatch.undo()
    assert checkpoints.load() == {"step": 1}
    assert [path.name for path in checkpoints.path.parent.iterdir()] == ["checkpoint.pt"]


def test_the_best_stands_beside_the_last(tmp_path):
    checkpoints = Checkpoints(tmp_path, "one")
    assert checkpoints.load_best() is None
    checkpoints.save({"step": 3})
    checkpoints.save_best({"step": 2})
    assert (checkpoints.load(), checkpoints.load_best()) == ({"step": 3}, {"step": 2})
    other = Checkpoints(tmp_path, "other")
    checkpoints.path.parent.rename(other.path.parent)
    with pytest.raises(CheckpointError, match=r"best\.pt belongs to run one, not to other"):
        other.load_best()
