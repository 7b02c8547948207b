import pytest

from wherewhen.tracklets.folders import (
    expected_folder,
    find_folder,
    image_files,
    subfolders,
    survey,
)


def test_what_is_no_frame_is_passed_over(tmp_path):
    for name in ("1.PNG", "2.jpg", "3.jpeg", ".4.png", "Thumbs.db", "5.txt"):
        (tmp_path / name).touch()
    for name in ("b", "a", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
    assert image_files(tmp_path) == ["1.PNG", "2.jpg", "3.jpeg"]
    assert [path.name for path in subfolders(tmp_path)] == ["a", "b"]


def test_a_missing_folder_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*does not exist.*: a/b"):
        expected_folder(tmp_path / "nowhere", "set", "a/b")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="it is a file"):
        expected_folder(tmp_path / "file", "set", "a/b")


LEAVINGS = ("@eaDir", "lost+found", "#recycle", "__MACOSX", ".git", "$RECYCLE.BIN")


@pytest.mark.parametrize("name", LEAVINGS)
def test_leavings_of_systems_are_no_data(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / f"{name}.x").mkdir()
    (tmp_path / "._1.png").touch()
    assert subfolders(tmp_path) == ([] if name == ".git" else [tmp_path / f"{name}.x"])
    assert image_files(tmp_path) == []


def test_what_is_not_used_is_counted_and_named(tmp_path):
    folder = tmp_path / "a/p"
    (folder / "@eaDir").mkdir(parents=True)
    (folder / "deeper").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "single_shot").mkdir()
    for name in ("a/p/1.png", "a/p/2.tif", "a/Thumbs.db", "README.txt", "manifest.json"):
        (tmp_path / name).touch()
    (tmp_path / "a/q").symlink_to("gone")
    links, notes = survey([(folder, ["1.png"])], tmp_path, ["single_shot"])
    assert links == ["a/q"]
    assert notes == [
        "4 files or folders that are no frames are passed over: README.txt, b, a/p/2.tif, "
        "a/p/deeper",
        "2 hidden files or leavings of operating systems are passed over: a/Thumbs.db, a/p/@eaDir",
    ]


def test_where_everything_is_used_there_is_nothing_to_say(tmp_path):
    (tmp_path / "a/p").mkdir(parents=True)
    (tmp_path / "a/p/1.png").touch()
    assert survey([(tmp_path / "a/p", ["1.png"])], tmp_path) == ([], [])
    assert survey([], tmp_path) == ([], [])


def test_folders_are_found_level_by_level(tmp_path):
    for place in ("b/sequences/cam1", "b/sequences/cam2", "a/x/cam1", "a/x/cam2", ".c/cam1"):
        (tmp_path / place).mkdir(parents=True)
    assert find_folder(tmp_path, ["cam1", "cam2"]) == tmp_path / "a/x"
    assert find_folder(tmp_path, ["cam1", "cam2"], passing=["a"]) == tmp_path / "b/sequences"
    assert find_folder(tmp_path, ["sequences/cam1"]) == tmp_path / "b"
    assert find_folder(tmp_path, ["cam1"], depth=1) is None


def test_a_folder_that_can_not_be_listed_is_passed_over_with_a_word(
    tmp_path, no_privileges, caplog
):
    (tmp_path / "locked").mkdir(0o000)
    (tmp_path / "set/inside/cam_a").mkdir(parents=True)
    assert find_folder(tmp_path, ["cam_a"]) == tmp_path / "set/inside"
    assert "locked: can't be listed: Permission denied" in caplog.text
