import logging
import shutil
from functools import partial

import pytest
from flat_footage import write_flat

from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError
from wherewhen.tracklets.readers.ilids_vid import SPLITS

read = partial(readers.read, "ilids_vid", progress=False)
SEQUENCES = "i-LIDS-VID/sequences"


@pytest.fixture
def root(tmp_path):
    return write_flat("ilids_vid", tmp_path, persons=3)


def test_numbers_have_holes_and_start_anywhere(tmp_path):
    ingested = read(write_flat("ilids_vid", tmp_path, persons=16, length=1))
    assert ingested.tracklets["person"].iloc[15] == "person017"  # 16 is left out, as in the set
    assert ingested.frames["frame"].tolist()[:3] == [98, 195, 292]
    report = ingested.report
    assert report["numbers_left_out"] == [16]
    assert report["gaps_in_numbering"] == []
    assert report["official_splits"] is True
    assert report["differs_from_published"]["sequences"] == {"published": 600, "found": 32}
    assert report["differs_from_published"]["shortest sequence"]["found"] == 1


def test_the_frames_are_those_of_sequences_not_of_images(root):
    shutil.copytree(root / SEQUENCES, root / "i-LIDS-VID/images")
    assert read(root).frames["path"].str.startswith(SEQUENCES).all()


@pytest.mark.parametrize("inside", ["i-LIDS-VID", SEQUENCES])
def test_the_root_may_be_any_of_the_outer_folders(root, inside):
    ingested = read(root / inside)
    assert len(ingested.tracklets) == 6
    assert ingested.report["official_splits"] is False
    assert any(SPLITS in note for note in ingested.report["notes"])


def rename(folder, old, new):
    next(folder.glob(f"*{old}*")).rename(folder / new)


FAULTS = {
    "other person": (
        lambda folder: rename(folder, "00098", "cam1_person003_00098.png"),
        r"cam1_person003_00098.png: name says cam1_person003, its folder cam1_person001",
    ),
    "other camera": (
        lambda folder: rename(folder, "00098", "cam2_person001_00098.png"),
        "name says cam2_person001, its folder cam1_person001",
    ),
    "twice": (
        lambda folder: shutil.copy(
            next(folder.glob("*00098*")), folder / "cam1_person001_0098.png"
        ),
        "frame number 98 is already that of",
    ),
    "no number": (lambda folder: rename(folder, "00098", "cover.png"), "name has no frame number"),
    "nothing in it": (
        lambda folder: [path.unlink() for path in folder.iterdir()],
        "cam1/person001: no frames in this folder",
    ),
    "not numeric": (
        lambda folder: folder.rename(folder.with_name("anna")),
        "folder cam1/anna has no person's number",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(root, fault):
    spoil, message = FAULTS[fault]
    spoil(root / SEQUENCES / "cam1/person001")
    with pytest.raises(IngestError, match=f"(?s){message}"):
        read(root)


def test_a_file_of_elsewhere_may_be_left_out(root):
    rename(root / SEQUENCES / "cam1/person001", "00098", "cam2_person001_00098.png")
    ingested = read(root, allow_faulty=1)
    assert ingested.tracklets["length"].tolist() == [1, 2, 2, 2, 2, 2]
    assert len(ingested.report["faults"]) == 1


def test_odd_names_and_a_person_in_one_camera_are_read(root, caplog):
    folder = root / SEQUENCES / "cam1/person001"
    rename(folder, "00098", "cam1_person001_0098.PNG")
    shutil.rmtree(root / SEQUENCES / "cam2/person003")
    with caplog.at_level(logging.WARNING):
        ingested = read(root)
    assert ingested.frames["frame"].tolist()[:2] == [98, 99]
    assert ingested.report["persons_in_one_camera"] == ["person003"]
    assert "not trained on or scored: person003" in caplog.text


def test_a_gap_in_the_numbering_is_reported(tmp_path):
    root = write_flat("ilids_vid", tmp_path, persons=2, length=3)
    next((root / SEQUENCES / "cam1/person001").glob("*00099*")).unlink()
    assert read(root).report["gaps_in_numbering"] == ["cam1/person001"]


def test_errors_name_what_is_expected(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*cam\{1,2\}_personNNN_FFFFF"):
        read(tmp_path / "nowhere")
    shutil.rmtree(root / SEQUENCES / "cam2")
    with pytest.raises(FileNotFoundError, match="no sequences folder with cam1 and cam2"):
        read(root)
