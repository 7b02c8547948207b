"""Buckets: objects first, then the copy; what is deleted there goes here, too."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from wherewhen.buckets import Bucket
from wherewhen.features.cube_store import CubeStore, CubeStoreError
from wherewhen.files import BucketError
from wherewhen.tracklets.windows import Window

IDENTITY = {"backbone": {"name": "googlenet"}, "dataset": "0123"}


def cubes_of(length, seed=0):
    return np.random.default_rng(seed).standard_normal((length, 3, 3, 4)).astype(np.float16)


def whole(store, tracklet):
    return store.read(Window(tracklet, 0, store.length(tracklet)))


@pytest.fixture
def url():
    """A bucket in this process's memory, with fsspec's own file system."""
    import fsspec

    yield "memory://bucket/prefix"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def here(url, tmp_path):
    return Bucket(url, tmp_path / "here")


@pytest.fixture
def there(url, tmp_path):
    """The same bucket from another machine."""
    return Bucket(url, tmp_path / "there")


def write(bucket, name, text):
    with bucket.replacing(bucket.root / name) as partial:
        partial.write_text(text)


def read(bucket, name):
    return (bucket.root / name).read_text()


def test_one_machine_reads_what_another_wrote(here, there):
    write(here, "a/b.txt", "whole")
    assert there.exists(there.root / "a/b.txt")
    assert there.update(there.root / "a/b.txt")
    assert read(there, "a/b.txt") == "whole"
    assert there.size(there.root / "a/b.txt") == 5
    assert there.sizes(there.root / "a") == {there.root / "a/b.txt": 5}
    assert there.folders(there.root) == [there.root / "a"]


def test_a_fault_while_writing_leaves_what_was_there(here, there):
    write(here, "a.txt", "first")
    with pytest.raises(RuntimeError), here.replacing(here.root / "a.txt") as partial:
        partial.write_text("sec")
        raise RuntimeError
    assert read(here, "a.txt") == "first"
    assert there.update(there.root / "a.txt") and read(there, "a.txt") == "first"


def test_nothing_appears_on_the_disk_that_the_bucket_refused(here, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(here._client, "put_file", refuse)
    with pytest.raises(BucketError, match=r"memory://bucket/prefix can't be used: the server refu"):
        write(here, "a.txt", "whole")
    assert list(here.root.rglob("*")) == []


def test_a_bucket_that_is_not_there_is_named(here, monkeypatch):
    def lacks(*arguments, **options):
        raise FileNotFoundError("The specified bucket does not exist")

    for method in ("put_file", "find"):
        monkeypatch.setattr(here._client, method, lacks)
    for use in (lambda: here.sizes(here.root), lambda: write(here, "a.txt", "whole")):
        with pytest.raises(BucketError, match="does not exist; make the bucket"):
            use()


def test_what_is_deleted_in_one_place_goes_in_the_other(here, there):
    for name in ("a/1.txt", "a/2.txt", "b.txt"):
        write(here, name, name)
    there.update_folder(there.root / "a")
    there.update(there.root / "b.txt")
    here.delete(here.root / "a")
    here.delete(here.root / "b.txt")
    assert here.sizes(here.root) == {} and not (here.root / "a").exists()
    assert there.gone(there.root) == [there.root / name for name in ("a/1.txt", "a/2.txt", "b.txt")]
    there.update_folder(there.root / "a")
    assert not there.update(there.root / "b.txt")
    assert [path for path in there.root.rglob("*") if path.is_file()] == []


def test_the_copy_stays_within_its_limit_and_the_last_read_stay(url, tmp_path):
    bucket = Bucket(url, tmp_path, limit=1000, spare="*.cube")
    for number in range(10):
        write(bucket, f"{number}.cube", "x" * 200)
        os.utime(tmp_path / f"{number}.cube", (number, number))
        bucket.pull(tmp_path / "0.cube")
    left = {path.name for path in tmp_path.glob("*.cube")}
    assert {"0.cube", "9.cube"} <= left and len(left) <= 5
    assert len(bucket.sizes(tmp_path)) == 10
    assert bucket.pull(tmp_path / "1.cube") and not bucket.pull(tmp_path / "1.cube")


def test_links_to_the_copy_are_followed(here, tmp_path):
    """`data/` may be a link to another disk."""
    write(here, "a/b.txt", "whole")
    (tmp_path / "link").symlink_to(here.root)
    linked = tmp_path / "link/a"
    assert here.sizes(linked) == {linked / "b.txt": 5}
    assert here.gone(linked) == [] and here.folders(tmp_path / "link") == [linked]
    assert not here.pull(linked / "b.txt")
    here.delete(linked / "b.txt")
    assert here.sizes(here.root) == {} and not (here.root / "a/b.txt").exists()


def test_a_bucket_can_be_sent_to_another_process(here):
    write(here, "a.txt", "whole")
    assert pickle.loads(pickle.dumps(here)).exists(here.root / "a.txt")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    import fsspec

    def lacks(*arguments, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "filesystem", lacks)
    with pytest.raises(BucketError, match=r"needs the package s3fs: uv sync --extra s3"):
        Bucket("s3://bucket/prefix", tmp_path).exists(tmp_path / "a")


# --- the cube store in a bucket -------------------------------------------------------------------


@pytest.fixture
def store(here):
    store = CubeStore.create(here.root / "cubes", IDENTITY, here)
    for seed, tracklet in enumerate(["cam_a/person 1", "cam_b/person 1", "lonely"]):
        store.write(tracklet, cubes_of(5 + seed, seed))
    return store


def from_there(store, there):
    return CubeStore(there.root / "cubes" / store.key, there)


def test_another_machine_reads_the_same_cubes(store, there):
    assert not from_there(store, there).complete
    store.seal()
    other = from_there(store, there)
    assert other.complete and other.verify() == []
    assert dict(other.lengths) == {"cam_a/person 1": 5, "cam_b/person 1": 6, "lonely": 7}
    for seed, tracklet in enumerate(other.lengths):
        np.testing.assert_array_equal(whole(other, tracklet), cubes_of(5 + seed, seed))


def test_another_machine_goes_on_where_one_was_taken_away(store, there):
    other = CubeStore.create(there.root / "cubes", IDENTITY, there)
    assert other.missing(["lonely", "new"]) == ["new"]
    with other.writing():
        other.write("new", cubes_of(2))
        other.seal()
    assert list(there.root.glob("cubes/*/cubes/*")) == [there.root / other._path("new")]
    again = CubeStore(store.folder, store.files)
    assert again.complete and again.length("new") == 2 and again.length("lonely") == 7


def test_a_damaged_copy_is_brought_anew(store, there):
    store.seal()
    other = from_there(store, there)
    path = other._path("lonely")
    there.pull(path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    np.testing.assert_array_equal(whole(other, "lonely"), cubes_of(7, 2))
    path.write_bytes(b"")
    np.testing.assert_array_equal(whole(from_there(store, there), "lonely"), cubes_of(7, 2))


def test_a_damaged_object_is_removed_and_named(store, there):
    store.seal()
    path = store._path("lonely")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    store.files.push(path)
    other = from_there(store, there)
    with pytest.raises(CubeStoreError, match=r"tracklet lonely: .* was removed; the next `kedro"):
        whole(other, "lonely")
    assert other.missing(["lonely"]) == ["lonely"] and not other.complete


def test_cubes_are_read_again_after_the_copy_was_emptied(store):
    store.seal()
    before = whole(store, "lonely")
    store.files.release(store._path("lonely"))
    np.testing.assert_array_equal(whole(store, "lonely"), before)


def test_discarding_and_removing_reach_the_bucket(store, there):
    store.seal()
    store.discard("cam_a/person 1")
    assert not from_there(store, there).complete
    store.seal()
    assert store.remove(["lonely"]) == ["lonely"]
    other = from_there(store, there)
    assert other.complete and list(other.lengths) == ["cam_b/person 1"]
    assert not other.has_file("lonely") and "lonely" not in other


def test_a_store_beside_it_gives_its_cubes(store, there):
    store.write("framed", cubes_of(3), source="0001")
    store.seal()
    other = CubeStore.create(there.root / "cubes", {**IDENTITY, "dataset": "4567"}, there)
    (beside,) = (
        each
        for each in CubeStore.stores_under(there.root / "cubes", there)
        if each.key == store.key
    )
    assert not other.adopt(beside, "framed", "0002") and not other.adopt(beside, "lonely", "0001")
    assert other.adopt(beside, "framed", "0001")
    np.testing.assert_array_equal(whole(other, "framed"), cubes_of(3))


def test_a_store_that_is_not_there_is_refused(there):
    with pytest.raises(FileNotFoundError, match="is no cube store"):
        CubeStore(Path(there.root, "cubes", "0" * 16), there)
