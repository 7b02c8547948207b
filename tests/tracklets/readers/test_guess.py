import pytest
from flat_footage import write_flat

from wherewhen.tracklets.readers import read
from wherewhen.tracklets.readers.guess import guess_reader


@pytest.mark.parametrize("name", ["folder", "manifest"])
def test_layouts_of_footage_of_ones_own(tmp_path, name):
    root = write_flat(name, tmp_path)
    assert guess_reader(root) == name
    read(guess_reader(root), root, progress=False)


def test_folders_without_cameras_have_no_names(tmp_path, write_frames):
    for tracklet in ("1", "2"):
        write_frames(tmp_path / tracklet)
    assert guess_reader(tmp_path) == "tracklets"


def test_prid_2011s_own_folder(tmp_path):
    root = write_flat("prid2011", tmp_path)
    (inside,) = root.rglob("multi_shot")
    assert guess_reader(inside) == "folder"


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        guess_reader(tmp_path / "nowhere")


def test_files_and_footage_with_boxes(tmp_path):
    manifest = write_flat("manifest", tmp_path / "flat") / "manifest.csv"
    assert guess_reader(manifest) == "manifest"
    assert read("manifest", manifest, progress=False).report["tracklets"] == 8
    (tmp_path / "yard.mp4").touch()
    (tmp_path / "MOT17-02/img1").mkdir(parents=True)
    for place in ("", "yard.mp4", "MOT17-02"):
        assert guess_reader(tmp_path / place) == "mot"
    (tmp_path / "person.png").touch()
    with pytest.raises(FileNotFoundError, match=r"person.png is no folder: expected one of crops"):
        guess_reader(tmp_path / "person.png")
