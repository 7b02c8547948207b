"""The folder of an index: the old or the new one whole, and nothing of who was removed."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from wherewhen.locks import alone
from wherewhen.search import GalleryError, Index
from wherewhen.search.kinds import KINDS

ALL = sorted(KINDS)


def names(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def contents(folder):
    return {name: (folder / name).read_bytes() for name in names(folder) if ".lock" not in name}


def assert_same(one, other, vectors, about):
    pd.testing.assert_frame_equal(one.tracklets, other.tracklets)
    assert (one.about, one.kind) == (other.about, other.kind)
    pd.testing.assert_frame_equal(one.search(vectors, about), other.search(vectors, about))


@pytest.fixture
def saved(small, about, tmp_path):
    index = Index.create(*small, about)
    index.save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("kind", ALL)
def test_what_was_saved_is_what_is_opened(kind, gallery, about, tmp_path):
    table, vectors = gallery(500)
    index = Index.create(table, vectors, about, kind)
    index.save(tmp_path / "new" / "index")
    opened = Index.open(str(tmp_path / "new" / "index"))
    assert_same(opened, index, vectors, about)
    np.testing.assert_array_equal(opened.vectors_of(table.tracklet), vectors)


def test_files(saved):
    found = [name for name in names(saved) if ".lock" not in name]
    assert found == ["generation-1/tracklets.parquet", "generation-1/vectors.npy", "index.json"]
    head = json.loads((saved / "index.json").read_text())
    assert (head["layout"], head["kind"], head["generation"]) == (1, "exact", "generation-1")
    assert np.load(saved / "generation-1/vectors.npy", allow_pickle=False).shape == (4, 2)
    table = pd.read_parquet(saved / "generation-1/tracklets.parquet")
    assert table.tracklet.tolist() == ["a/anna", "b/anna", "a/bert", "b/bert"]


def test_one_generation_stays(saved, small, about):
    index = Index.open(saved)
    for number in (2, 3):
        table = small[0].assign(tracklet=small[0].tracklet + f"/{number}")
        index.add(table, small[1], about)
        index.save(saved)
        assert {path.name for path in saved.glob("generation-*")} == {f"generation-{number}"}
        assert len(Index.open(saved)) == 4 * number


# --- who is removed ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_no_byte_of_a_removed_person_stays(kind, gallery, about, tmp_path):
    table, vectors = gallery(800, persons=80)
    alone_in_a_group = np.float32(50) + np.arange(8, dtype=np.float32)
    table.loc[400, ["tracklet", "person", "camera"]] = ["Walküre-1", "Brünnhilde", "cam_secret"]
    vectors[400] = alone_in_a_group  # k-means makes it a mean of its own
    index = Index.create(table, vectors, about, kind)
    index.save(tmp_path)
    traces = ["Walküre-1".encode(), "Brünnhilde".encode(), b"cam_secret"]
    traces += [alone_in_a_group.tobytes(), alone_in_a_group[:2].tobytes()]
    before = contents(tmp_path)
    assert all(any(trace in content for content in before.values()) for trace in traces)

    index = Index.open(tmp_path)
    with pytest.raises(GalleryError, match=r"not removed from .*tracklets\.parquet"):
        index.verify_removed(["Brünnhilde"])
    assert index.remove(persons=["Brünnhilde"]) == ["Walküre-1"]
    with pytest.raises(GalleryError, match="not removed from"):  # not saved yet
        index.verify_removed(["Walküre-1"])
    index.save(tmp_path)
    index.verify_removed(["Brünnhilde", "Walküre-1"])
    after = contents(tmp_path)
    assert [name for name in after if any(trace in after[name] for trace in traces)] == []

    # to the byte what would be there if the person never had been
    rest = table.tracklet != "Walküre-1"
    Index.create(table[rest], vectors[rest], about, kind).save(tmp_path / "without")
    without = contents(tmp_path / "without")
    assert {
        path.split("/")[-1]: after[path]
        for path in after
        if "index.json" not in path and "without" not in path
    } == {path.split("/")[-1]: without[path] for path in without if "index.json" not in path}


def test_leftovers_are_named_and_deleted(saved):
    index = Index.open(saved)
    shutil.copytree(saved / "generation-1", saved / "generation-7")
    with pytest.raises(GalleryError, match=r"generation-7.*generation-7"):
        index.verify_removed(["nobody"])
    Index.open(saved).verify_removed(["nobody"])
    assert not (saved / "generation-7").exists()
    (saved / "copy.parquet").write_bytes(b"")
    with pytest.raises(GalleryError, match=r"copy\.parquet"):
        index.verify_removed(["nobody"])


def test_removal_is_verified_in_a_folder(small, about):
    with pytest.raises(GalleryError, match="was not saved"):
        Index.create(*small, about).verify_removed(["anna"])


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_damaged_missing_and_foreign_files_are_named(kind, gallery, about, tmp_path):
    table, vectors = gallery(200)
    Index.create(table, vectors, about, kind).save(tmp_path / "one")
    Index.create(table, vectors[::-1].copy(), about, kind).save(tmp_path / "other")
    whole = contents(tmp_path / "one")
    assert len(whole) == (3 if kind == "exact" else 4)
    for name, content in whole.items():
        path = tmp_path / "one" / name
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        foreign = (tmp_path / "other" / name).read_bytes()
        for damaged in (bytes(flipped), content[:-2], b"", foreign):
            if damaged == content or (name == "index.json" and damaged == foreign):
                continue
            path.write_bytes(damaged)
            with pytest.raises(GalleryError, match=path.name):
                Index.open(tmp_path / "one")
        if name != "index.json":
            path.unlink()
            with pytest.raises(GalleryError, match=f"{path.name}: it is missing"):
                Index.open(tmp_path / "one")
        path.write_bytes(content)
    assert len(Index.open(tmp_path / "one")) == 200


def test_the_head_of_another_index(gallery, about, tmp_path):
    for seed in (0, 1):
        Index.create(*gallery(20, seed=seed), about).save(tmp_path / f"{seed}")
    shutil.copy(tmp_path / "0/index.json", tmp_path / "1/index.json")
    with pytest.raises(GalleryError, match=r"vectors\.npy: it does not match its checksum"):
        Index.open(tmp_path / "1")


def test_a_changed_model_or_layout(saved):
    path = saved / "index.json"
    head = json.loads(path.read_text())
    path.write_text(json.dumps({**head, "about": {"model": "another"}}))
    with pytest.raises(GalleryError, match=r"index\.json: it does not match its checksum"):
        Index.open(saved)
    from wherewhen.search.files import _hash

    later = {**head, "layout": 2}
    path.write_text(json.dumps({**later, "sha256": _hash(later)}))
    with pytest.raises(GalleryError, match=r"index\.json has layout 2, expected 1"):
        Index.open(saved)


def test_pickles_are_not_loaded(saved):
    from wherewhen.search.files import _hash, _written

    path = saved / "generation-1/vectors.npy"
    head = json.loads((saved / "index.json").read_text())
    head["files"]["vectors.npy"] = _written(path, lambda partial: partial.write_bytes(pickled()))
    (saved / "index.json").write_text(json.dumps({**head, "sha256": _hash(head)}))
    with pytest.raises(GalleryError, match=r"vectors\.npy: it can't be used \(.*pickle"):
        Index.open(saved)


def pickled():
    import io

    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    return file.getvalue()


def test_no_index(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            FileNotFoundError, match=r"is no index of tracklets: it has no index\.json"
        ):
            Index.open(folder)
    assert not (tmp_path / "nowhere").exists()


# --- several processes ---------------------------------------------------------------------------


def test_a_writer_is_alone(saved, small, about):
    with (
        alone(saved, pytest.fail),
        pytest.raises(GalleryError, match="is being written by process"),
    ):
        Index.open(saved).save(saved)


def test_who_was_removed_does_not_come_back(saved, small, about):
    first, second = Index.open(saved), Index.open(saved)
    first.remove(persons=["anna"])
    first.save(saved)
    second.add(small[0].assign(tracklet=["1", "2", "3", "4"]), small[1], about)
    with pytest.raises(GalleryError, match=r"was changed since .*open it again"):
        second.save(saved)
    assert Index.open(saved).tracklets.person.tolist() == ["bert", "bert"]
    first.save(saved)  # its own changes are no others


def test_a_deleted_folder_is_changed_too(saved):
    index = Index.open(saved)
    shutil.rmtree(saved)
    with pytest.raises(GalleryError, match="was changed since"):
        index.save(saved)


def test_an_index_that_is_replaced_while_it_is_read(saved, monkeypatch):
    from wherewhen.search import files

    other, compare = Index.open(saved), files._compare

    def late(path, entry):
        monkeypatch.setattr(files, "_compare", compare)
        other.remove(persons=["anna"])
        other.save(saved)
        compare(path, entry)

    monkeypatch.setattr(files, "_compare", late)
    assert len(Index.open(saved)) == 2


def test_a_full_disk_keeps_the_old_index(saved, small, about, monkeypatch):
    index, before = Index.open(saved), contents(saved)
    index.remove(persons=["anna"])

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        index.save(saved)
    assert contents(saved) == before
    monkeypatch.undo()
    index.save(saved)
    assert len(Index.open(saved)) == 2


# --- killed --------------------------------------------------------------------------------------

KILLED = """
import os, sys, threading
from pathlib import Path
from wherewhen.search import Index

folder, after = sys.argv[1], 0
index = Index.open(folder)
index.remove(persons=["anna"])

def kill(event, arguments):
    global after
    changes = event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
    if changes or (event == "open" and folder in str(arguments[0])):
        after += 1
        if after == at:
            os._exit(9)

for at in range(1, 1000):
    child = os.fork()
    if child == 0:
        sys.addaudithook(kill)
        index.save(folder)
        os._exit(0)
    done = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(at, done, flush=True)
    if sys.stdin.readline() == "" or done == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system can't fork")
def test_killed_at_any_change_of_the_folder(saved, small, about, tmp_path):
    """A process that removes a person is killed before each of its changes to the file system."""
    start, seen = contents(saved), set()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(saved)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            at, code = map(int, line.split())
            index = Index.open(saved)
            assert len(index) in (2, 4)
            seen.add((len(index), code))
            if len(index) == 2:  # nobody else's generation stays
                index.verify_removed(["anna"])
                assert not any(b"a/anna" in content for content in contents(saved).values())
            assert len(list(saved.glob("generation-*"))) == 1
            shutil.rmtree(saved)
            for name, content in start.items():
                (saved / name).parent.mkdir(parents=True, exist_ok=True)
                (saved / name).write_bytes(content)
            process.stdin.write("go on\n")
            process.stdin.flush()
            if code == 0:
                break
    assert code == 0 and at > 10
    assert seen == {(4, 9), (2, 9), (2, 0)}
