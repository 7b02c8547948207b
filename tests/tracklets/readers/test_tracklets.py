from functools import partial

import pytest

from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError

read = partial(readers.read, "tracklets", progress=False)


def test_every_folder_with_frames_is_a_person(tmp_path, write_frames):
    for folder, frames in (("1", 2), ("hall/noon/7", 1), ("hall/8", 3)):
        write_frames(tmp_path / folder, frames)
    ingested = read(tmp_path)
    assert ingested.tracklets.to_numpy().tolist() == [
        ["1", "1", "camera", 2],
        ["hall/8", "hall/8", "hall", 3],
        ["hall/noon/7", "hall/noon/7", "hall", 1],
    ]


def test_frames_above_tracklets_are_refused(tmp_path, write_frames):
    write_frames(tmp_path / "hall")
    write_frames(tmp_path / "hall/8")
    with pytest.raises(IngestError, match=r"hall: holds frames .* and tracklets \(hall/8\)"):
        read(tmp_path)


def test_no_frames(tmp_path):
    (tmp_path / "hall").mkdir()
    with pytest.raises(FileNotFoundError, match="no folders with frames"):
        read(tmp_path)
