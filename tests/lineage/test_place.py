"""Artifacts in a bucket: taken over on another machine, and gone where they were deleted."""

import shutil
from types import SimpleNamespace

import fsspec
import pytest

from wherewhen.buckets import Bucket
from wherewhen.files import DISK, BucketError
from wherewhen.lineage import place
from wherewhen.lineage.ledger import NotMade
from wherewhen.lineage.place import kept_in

URL = "memory://lab/prefix"
OUTPUT = "data/07_model_output/small"


@pytest.fixture(autouse=True)
def empty():
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def machine(small, monkeypatch):
    """Change to another machine: the same project, and a disk with nothing of the bucket."""

    def change(name):
        root = small.root / name
        root.mkdir()
        shutil.copy(small.root / "pyproject.toml", root)
        monkeypatch.chdir(root)
        return type(small)(root, Bucket(URL, root / "data", copy=name), OUTPUT)

    return change


def objects():
    return sorted(
        path.removeprefix("/lab/prefix/")
        for path in fsspec.filesystem("memory").find("memory://lab/prefix/07_model_output")
    )


def test_another_machine_takes_over_what_is_there(machine):
    assert machine("one").run() == ["draw", "double", "add"]
    other = machine("two")
    assert other.run() == []
    assert other.catalog().load("total") == {"total": 12, "count": 3}
    assert other.run(factor=5) == ["double", "add"]


def test_an_artifact_without_its_record_was_not_finished(machine):
    machine("one").run()
    bucket = fsspec.filesystem("memory")
    (record,) = [name for name in objects() if name.startswith("07_model_output/small/doubled")
                 and name.endswith("record.json")]  # fmt: skip
    bucket.rm_file(f"memory://lab/prefix/{record}")
    assert machine("two").run() == ["double"]


def test_an_object_that_was_changed_is_made_anew(machine):
    one = machine("one")
    one.run()
    bucket = fsspec.filesystem("memory")
    bucket.pipe_file("memory://lab/prefix/07_model_output/small/total.json", b'{"total": 13}')
    other = machine("two")
    with pytest.raises(NotMade, match=r"total.json was changed after it was made"):
        other.catalog().load("total")
    assert other.run()[-1] == "add"
    assert other.catalog().load("total") == {"total": 12, "count": 3}


def test_what_was_deleted_elsewhere_goes_with_the_next_run(machine):
    one = machine("one")
    one.run()
    one.run(factor=5)
    kept = fsspec.filesystem("memory")
    for name in objects():
        kept.rm_file(f"memory://lab/prefix/{name}")
    one.catalog().ledger.follow(one.root / "data")
    left = [path.name for path in (one.root / OUTPUT).rglob("*") if path.is_file()]
    assert left == []
    assert one.run() == ["draw", "double", "add"]


def test_making_anew_removes_the_objects(machine):
    one = machine("one")
    one.run()
    before = objects()
    assert one.run(anew=True) == ["draw", "double", "add"]
    assert objects() == before


def parameters(url):
    data = SimpleNamespace(url=url, copy_gib=1.0)
    return SimpleNamespace(data=data, evaluate=SimpleNamespace(dataset="small"))


class TestWhereItIsKept:
    def test_on_the_disk_where_nothing_is_said(self, small):
        assert kept_in(parameters(None)) is DISK

    def test_in_one_bucket_of_which_the_folder_is_a_copy(self, small):
        bucket = kept_in(parameters("s3://lab/prefix/"))
        assert bucket.url == "s3://lab/prefix" and bucket.root == small.root / "data"
        assert kept_in(parameters("s3://lab/prefix")) is bucket
        assert list(place.buckets(small.root / "data")) == ["small"]

    @pytest.mark.parametrize("other", [None, "s3://lab/other"])
    def test_another_place_is_refused_until_the_copy_is_gone(self, small, other):
        kept_in(parameters("s3://lab/prefix"))
        with pytest.raises(BucketError, match="has a copy of small from s3://lab/prefix, but"):
            kept_in(parameters(other))
        (small.root / "data/.buckets/small.json").unlink()
        kept_in(parameters(other))

    def test_what_was_made_on_the_disk_is_not_mixed_in(self, small):
        small.folder = OUTPUT
        small.run()
        said = (
            r"artifacts of small that are not in s3://lab/prefix, data/07_model_output/small.* move"
        )
        with pytest.raises(BucketError, match=said):
            kept_in(parameters("s3://lab/prefix"))
        assert not (small.root / "data/.buckets").exists()

    def test_a_damaged_note_is_named(self, small):
        kept_in(parameters("s3://lab/prefix"))
        (small.root / "data/.buckets/small.json").write_text("{")
        with pytest.raises(BucketError, match=r"small.json is damaged"):
            kept_in(parameters("s3://lab/prefix"))
