import os
from functools import partial

import pytest

from wherewhen.features.cube_store import CubeStore
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


@pytest.fixture
def root(tmp_path, write_frames):
    """Two persons in two cameras."""
    for camera in ("north", "south"):
        for person in ("anna", "bert"):
            write_frames(tmp_path / camera / person)
    return tmp_path


LATIN = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("old", "new", "folder"),
    [
        ("north/anna", f"north/{LATIN}", "north"),
        ("north", LATIN, ""),
        ("north/anna/0001.png", f"north/anna/{LATIN}1.png", "north/anna"),
    ],
)
def test_a_name_that_is_not_utf8_is_named(root, old, new, folder):
    (root / old).rename(root / new)
    with pytest.raises(IngestError, match=r"not UTF-8, for instance caf\\xe9.*rename") as caught:
        read(root, progress=False)
    assert str(caught.value).startswith(f"folder {root / folder}: 1 names")
    str(caught.value).encode()


@pytest.mark.parametrize("link", ["north/anna/0003.png", "north/carl", "east", "north/anna/noon"])
@pytest.mark.parametrize("target", ["gone", ""])
def test_a_link_that_leads_nowhere_is_a_fault(root, link, target):
    (root / link).symlink_to(target or (root / link).name)  # to itself, it can't be followed
    with pytest.raises(IngestError, match=f"1 faulty(?s:.*){link}: ") as caught:
        read(root, progress=False)
    (fault,) = caught.value.report["faults"]
    assert "link" in fault["fault"]
    assert len(read(root, progress=False, allow_faulty=1).frames) == 8


def test_links_to_a_disk_that_is_not_there_are_named(tmp_path):
    for camera in ("north", "south"):
        (tmp_path / camera).symlink_to(f"/no/such/disk/{camera}")
    with pytest.raises(FileNotFoundError, match="Links that lead nowhere: north, south"):
        read(tmp_path, progress=False)


def test_links_that_lead_somewhere_are_followed(root, tmp_path_factory):
    (root / "north/anna").rename(elsewhere := tmp_path_factory.mktemp("disk") / "anna")
    (root / "north/anna").symlink_to(elsewhere)
    assert len(read(root, progress=False).frames) == 8


def test_files_where_folders_should_be_are_noted(root, caplog):
    (root / "south/carl").write_text("not a folder")
    (root / "README.txt").touch()
    ingested = read(root, progress=False)
    (note,) = ingested.report["notes"]
    assert note == ("2 files or folders that are no frames are passed over: README.txt, south/carl")
    assert note in caplog.text


@pytest.mark.parametrize("folder", ["", "north", "north/anna"])
def test_a_folder_that_can_not_be_listed_is_named(root, folder, no_privileges):
    (root / folder).chmod(0)
    with pytest.raises(IngestError, match="can't be listed: Permission denied") as caught:
        read(root, progress=False)
    assert f"folder {root / folder}: " in str(caught.value)
    (root / folder).chmod(0o755)


def test_frames_that_can_not_be_read_are_faults(root, no_privileges):
    (root / "north/anna/0001.png").chmod(0)
    os.mkfifo(root / "north/anna/0003.png")
    with pytest.raises(IngestError) as caught:
        read(root, progress=False)
    assert {fault["path"]: fault["fault"] for fault in caught.value.report["faults"]} == {
        "north/anna/0001.png": "cannot be read: Permission denied (give yourself the right to it)",
        "north/anna/0003.png": "cannot be read: it is a pipe or a device, not a file",
    }


@pytest.mark.parametrize(
    ("name", "length"), [("n" * 201, 201), ("ü" * 34, 204), ("人" * 23, 207), ("a.b" * 41, 205)]
)
def test_a_name_too_long_for_the_cubes_is_a_fault(root, name, length, tmp_path_factory):
    (root / "north/anna").rename(root / "north" / name)
    message = f"north/{name}: a part of its name takes {length} characters, expected at most 200"
    with pytest.raises(IngestError, match=message):
        read(root, progress=False)
    assert len(read(root, progress=False, allow_faulty=1).tracklets) == 3
    store = CubeStore.create(tmp_path_factory.mktemp("store"), {})
    with pytest.raises(ValueError, match="can't name a file"):
        store.has_file(f"north/{name}")


def test_a_name_just_short_enough_is_read(root, tmp_path_factory):
    name = "ü" * 33 + "nn"
    (root / "north/anna").rename(root / "north" / name)
    assert f"north/{name}" in set(read(root, progress=False).tracklets["tracklet"])
    store = CubeStore.create(tmp_path_factory.mktemp("store"), {})
    assert not store.has_file(f"north/{name}")
