from functools import partial

import pytest

from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError

read = partial(readers.read, "folder")


def test_both_layouts_at_once(tmp_path, write_frames):
    write_frames(tmp_path / "north/anna", 3)
    write_frames(tmp_path / "south/anna/morning", 2)
    write_frames(tmp_path / "south/anna/noon", 1, size=(5, 9))
    ingested = read(tmp_path, progress=False)
    assert ingested.tracklets.to_numpy().tolist() == [
        ["north/anna", "anna", "north", 3],
        ["south/anna/morning", "anna", "south", 2],
        ["south/anna/noon", "anna", "south", 1],
    ]
    assert ingested.report["sizes"] == ["4x8", "5x9"]


def test_a_size_can_be_asked_for(tmp_path, write_frames):
    write_frames(tmp_path / "north/anna")
    write_frames(tmp_path / "south/anna", size=(5, 9))
    with pytest.raises(IngestError, match="size 5x9, expected 4x8"):
        read(tmp_path, size=[4, 8], progress=False)


def test_someone_in_one_camera_stays(tmp_path, write_frames):
    for folder in ("north/anna", "south/anna", "south/bert"):
        write_frames(tmp_path / folder)
    ingested = read(tmp_path, progress=False)
    assert ingested.report["persons_in_one_camera"] == ["bert"]
    assert "bert" in set(ingested.tracklets["person"])


def test_frames_beside_folders_are_refused(tmp_path, write_frames):
    write_frames(tmp_path / "north/anna")
    write_frames(tmp_path / "north/anna/noon")
    with pytest.raises(IngestError, match=r"anna: holds frames \(0001.png\) and folders \(noon\)"):
        read(tmp_path, progress=False)


def test_missing_or_empty(tmp_path):
    with pytest.raises(FileNotFoundError, match="<camera>/<person>"):
        read(tmp_path / "nowhere", progress=False)
    with pytest.raises(FileNotFoundError, match="no folders of persons"):
        read(tmp_path, progress=False)
