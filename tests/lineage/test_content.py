import hashlib
import os

import pytest
from flat_footage import write_flat

from wherewhen.lineage import content
from wherewhen.lineage.content import ABSENT, content_of
from wherewhen.tracklets.readers import read


def test_a_file_counts_by_its_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert content_of(path) == hashlib.sha256(b"one").hexdigest()
    os.utime(path, ns=(1, 1))
    assert content_of(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"two")
    assert content_of(path) == hashlib.sha256(b"two").hexdigest()


def test_a_change_that_keeps_size_and_time_is_seen_by_a_new_process(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before, state = content_of(path), path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    content._sha256.cache_clear()
    assert content_of(path) != before


def test_what_is_not_there(tmp_path):
    assert content_of(tmp_path / "a") == ABSENT


def test_a_folder_counts_by_names_sizes_and_times(tmp_path):
    (tmp_path / "in/side").mkdir(parents=True)
    file = tmp_path / "in/side/a.png"
    file.write_bytes(b"one")
    os.utime(file, ns=(5, 5))
    before = content_of(tmp_path / "in")
    assert content_of(tmp_path / "in") == before

    file.write_bytes(b"two")  # as long as before, but later
    assert content_of(tmp_path / "in") != before
    os.utime(file, ns=(5, 5))
    assert content_of(tmp_path / "in") == before

    (tmp_path / "in/b").write_bytes(b"")
    assert content_of(tmp_path / "in") != before
    (tmp_path / "in/b").unlink()
    file.rename(tmp_path / "in/a.png")
    assert content_of(tmp_path / "in") != before


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("mars", {"cameras": 3, "takes": 2, "archive": True}),  # a folder with archives
        ("manifest", {}),  # boxes, which are cut
        ("prid2011", {}),
    ],
)
def test_reading_footage_leaves_its_content(tmp_path, layout, options):
    """What is unpacked and cut beside it is not taken for other footage at the next run."""
    root = write_flat(layout, tmp_path, persons=3, length=2, **options)
    before, around = content_of(root), content_of(tmp_path)
    read(layout, root, progress=False)
    assert (root / "unpacked").is_dir() == (layout != "prid2011")
    assert (content_of(root), content_of(tmp_path)) == (before, around)
    (root / "another").write_bytes(b"")
    assert content_of(root) != before


def test_a_folder_of_somebodys_own_counts_whatever_its_name(tmp_path):
    (tmp_path / "unpacked/person").mkdir(parents=True)
    before = content_of(tmp_path)
    (tmp_path / "unpacked/person/a.png").write_bytes(b"one")
    assert content_of(tmp_path) != before


def test_links_are_followed(tmp_path):
    """As readers do: frames may lie elsewhere."""
    folder, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    for each in (folder, elsewhere):
        each.mkdir()
    (elsewhere / "a.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"one")
    (folder / "person").symlink_to(elsewhere)
    (folder / "b.png").symlink_to(tmp_path / "b.png")
    seen = {content_of(folder)}
    (elsewhere / "a.png").write_bytes(b"longer")
    seen.add(content_of(folder))
    (tmp_path / "b.png").write_bytes(b"longer")
    seen.add(content_of(folder))
    (folder / "b.png").unlink()
    (folder / "b.png").symlink_to(tmp_path / "nowhere")
    seen.add(content_of(folder))
    assert len(seen) == 4
    assert content_of(folder) in seen


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/back").symlink_to(tmp_path / "a")
    (tmp_path / "a/itself").symlink_to(tmp_path / "a/itself")
    before = content_of(tmp_path / "a")
    (tmp_path / "a/b/frame").write_bytes(b"one")
    assert content_of(tmp_path / "a") != before


def test_a_copy_of_a_folder_is_the_same(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"x")
        os.utime(tmp_path / name / "a", ns=(7, 7))
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_a_large_file_counts_by_its_size_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "HASHED_UP_TO", 2)
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(5, 5))
    before = content_of(path)
    os.utime(path, ns=(6, 6))
    assert content_of(path) != before
    assert len(before) == 16


def test_leavings_of_systems_are_no_content(tmp_path):
    """As a NAS makes its thumbnails: readers pass them over, so nothing is read anew."""
    frame = tmp_path / "person/1.png"
    frame.parent.mkdir()
    frame.write_bytes(b"one")
    before = content_of(tmp_path)
    for leaving in ("person/@eaDir", ".git"):
        (tmp_path / leaving).mkdir()
        (tmp_path / leaving / "1.png").write_bytes(b"small")
    for leaving in ("person/.DS_Store", "Thumbs.db"):
        (tmp_path / leaving).write_bytes(b"none")
    assert content_of(tmp_path) == before
    frame.with_name("2.png").write_bytes(b"two")
    assert content_of(tmp_path) != before
