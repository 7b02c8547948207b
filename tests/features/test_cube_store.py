"""The cube store: whole or not there, whatever happens to the writer, the disk or the files."""

import errno
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

from wherewhen import atomic
from wherewhen.features import cube_files
from wherewhen.features.cube_store import CubeStore, CubeStoreError
from wherewhen.tracklets.windows import Window

IDENTITY = {"backbone": {"name": "googlenet"}, "dataset": "0123"}


def cubes_of(length, seed=0, cube=(3, 3, 4)):
    return np.random.default_rng(seed).standard_normal((length, *cube)).astype(np.float16)


@pytest.fixture
def store(tmp_path):
    return CubeStore.create(tmp_path, IDENTITY)


@pytest.fixture
def sealed(store):
    for seed, tracklet in enumerate(["cam_a/person_0001", "cam_b/person_0001", "lonely"]):
        store.write(tracklet, cubes_of(5 + seed, seed))
    store.seal()
    return CubeStore(store.folder)


def file_of(store, tracklet):
    return store.folder / "cubes" / f"{tracklet}.safetensors"


def flip_bit(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def files_under(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


# --- what is written is what is read -------------------------------------------------------------


def test_round_trip(sealed):
    assert sealed.lengths == {"cam_a/person_0001": 5, "cam_b/person_0001": 6, "lonely": 7}
    assert sealed.shape == (3, 3, 4)
    assert (sealed.grid, sealed.channels) == ((3, 3), 4)
    assert sealed.complete
    assert sealed.identity == IDENTITY
    for seed, (tracklet, length) in enumerate(sealed.lengths.items()):
        assert tracklet in sealed
        np.testing.assert_array_equal(sealed.read(sealed.whole(tracklet)), cubes_of(length, seed))


def test_files_are_safetensors(sealed):
    file = file_of(sealed, "cam_a/person_0001")
    np.testing.assert_array_equal(load_file(file)["cubes"], cubes_of(5)[None])
    with safe_open(file, "numpy") as opened:
        assert len(opened.metadata()["sha256"]) == 64


@pytest.fixture(scope="module")
def twelve_frames(tmp_path_factory):
    store = CubeStore.create(tmp_path_factory.mktemp("stores"), IDENTITY)
    store.write("t", cubes_of(12))
    return store


@given(ends=st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted))
@settings(deadline=None)
def test_windows_are_the_slices(twelve_frames, ends):
    start, stop = ends
    window = twelve_frames.read(Window("t", start, stop))
    np.testing.assert_array_equal(window, cubes_of(12)[start:stop])


class _Noting(io.FileIO):
    """A file that hands over little at a time, and notes how much was asked for."""

    most = 10**9
    handed_over = 0

    def readinto(self, buffer):
        got = super().readinto(buffer[: self.most])
        _Noting.handed_over += got
        return got


def test_a_window_costs_its_own_bytes_alone(sealed, monkeypatch):
    sealed.read(Window("lonely", 0, 1))  # compares the checksum
    monkeypatch.setattr(cube_files.io, "FileIO", _Noting)
    monkeypatch.setattr(_Noting, "handed_over", 0)
    sealed.read(Window("lonely", 2, 5))
    assert _Noting.handed_over == 3 * 3 * 3 * 4 * 2


@pytest.mark.parametrize("storage", ["float16", "uint8"])
def test_short_reads_are_continued(store, monkeypatch, storage):
    store.write("t", cubes_of(12), storage)
    expected = store.read(Window("t", 3, 7))
    monkeypatch.setattr(cube_files.io, "FileIO", _Noting)
    monkeypatch.setattr(_Noting, "most", 100)
    np.testing.assert_array_equal(store.read(Window("t", 3, 7)), expected)
    np.testing.assert_array_equal(
        store.read(store.whole("t")), cube_files.as_stored(cubes_of(12), storage)
    )


def test_reads_into_the_callers_buffer(sealed):
    batch = np.zeros((2, 3, 3, 3, 4), np.float16)
    sealed.read_into(Window("lonely", 1, 4), batch[1])
    np.testing.assert_array_equal(batch[1], cubes_of(7, 2)[1:4])
    assert not batch[0].any()


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((2, 3, 3, 4), np.float16),
        np.zeros((3, 3, 3, 4), np.float32),
        np.zeros((3, 3, 4, 3), np.float16).swapaxes(2, 3),
    ],
    ids=["shape", "dtype", "order"],
)
def test_unfit_buffers_are_refused(sealed, out):
    with pytest.raises(ValueError, match="C-contiguous float16"):
        sealed.read_into(Window("lonely", 0, 3), out)


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 8), (4, 3)])
def test_windows_outside_the_tracklet_are_refused(sealed, start, stop):
    with pytest.raises(IndexError, match=r"lonely: frames .* it has 7"):
        sealed.read(Window("lonely", start, stop))


def test_unknown_tracklet(sealed):
    with pytest.raises(KeyError, match="nobody"):
        sealed.read(sealed.whole("nobody"))
    assert "nobody" not in sealed


def test_same_content_same_bytes(tmp_path):
    folders = []
    for run in ("one", "two"):
        store = CubeStore.create(tmp_path / run, IDENTITY)
        for tracklet in ("b", "a") if run == "one" else ("a", "b"):
            store.write(tracklet, cubes_of(4, ord(tracklet)))
        store.seal()
        folders.append(files_under(store.folder))
    assert folders[0] == folders[1]


def test_the_key_follows_the_identity(tmp_path):
    folders = {
        CubeStore.create(tmp_path, {"dataset": name}).folder for name in ("one", "two", "one")
    }
    assert len(folders) == 2


# --- variants and 8 bits -------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["float16", "uint8"])
def test_variants_are_kept_apart(store, storage):
    cubes = np.stack([cubes_of(5, seed) for seed in range(3)])
    store.write("t", cubes, storage)
    assert store.variants == 3
    assert store.lengths == {"t": 5}
    for variant in range(3):
        window = store.read(Window("t", 1, 4, variant))
        expected = cube_files.as_stored(cubes[variant], storage)[1:4]
        np.testing.assert_array_equal(window, expected)
    with pytest.raises(IndexError, match=r"variant 3 was asked for, there are 3"):
        store.read(store.whole("t", 3))


@pytest.mark.parametrize(("low", "steps"), [(0, 255), (-1, 127)], ids=["positive", "signed"])
def test_eight_bits_are_off_by_half_a_step(store, low, steps):
    cubes = np.random.default_rng(0).uniform(low, 1, (4, 3, 3, 8)).astype(np.float16)
    cubes *= np.float16(10.0) ** np.arange(-4, 4)  # every channel has a scale of its own
    cubes[2, :, :, 5] = 0
    store.write("t", cubes, "uint8")
    read = store.read(store.whole("t")).astype(np.float64)
    largest = np.abs(cubes.astype(np.float64)).max(axis=(1, 2), keepdims=True)
    # half a step, and what float16 loses in the value
    assert (np.abs(read - cubes) <= largest * (0.5 / steps + 0.0005) + 1e-7).all()
    assert not read[2, :, :, 5].any()
    with safe_open(file_of(store, "t"), "numpy") as file:
        assert file.get_tensor("cubes").dtype == (np.uint8 if low == 0 else np.int8)
        assert file.get_tensor("scale").shape == (1, 4, 8)


def test_the_largest_values_of_float16_survive_eight_bits(store):
    store.write("t", np.full((1, 3, 3, 4), 65504.0), "uint8")
    np.testing.assert_array_equal(store.read(store.whole("t")), 65504)


@pytest.mark.parametrize("position", [0, 40, 400, -1])
def test_a_flipped_bit_in_eight_bits_is_found(store, position):
    store.write("t", cubes_of(9), "uint8")
    store.seal()
    flip_bit(file_of(store, "t"), position)
    assert store.verify() == ["t"]


# --- taking over and taking away -----------------------------------------------------------------


def test_a_file_is_adopted_only_for_the_same_frames(tmp_path, store):
    store.write("t", cubes_of(5), source="frames of t")
    other = CubeStore.create(tmp_path, {"another": "data set"})
    assert not other.adopt(store, "t", "other frames")
    assert not other.adopt(store, "t", "")
    assert not other.adopt(store, "nobody", "frames of t")
    assert other.adopt(store, "t", "frames of t")
    other.seal()
    np.testing.assert_array_equal(other.read(other.whole("t")), cubes_of(5))
    assert other.verify() == []
    store.remove(["t"])
    assert other.verify() == []  # a name of its own


def test_damage_in_a_shared_file_is_found_in_both_stores(tmp_path, store):
    store.write("t", cubes_of(5), source="frames")
    store.seal()
    other, third = (CubeStore.create(tmp_path, {"another": number}) for number in range(2))
    assert other.adopt(store, "t", "frames")
    other.seal()
    flip_bit(file_of(store, "t"), -1)
    with pytest.raises(CubeStoreError, match="checksum"):
        CubeStore(store.folder).read(Window("t", 0, 5))
    assert not store.complete
    assert other.complete  # by size: it was not read yet
    with pytest.raises(CubeStoreError, match=f"{other.key}.*was removed"):
        third.adopt(CubeStore(other.folder), "t", "frames")
    assert not other.complete
    assert not third.has_file("t")


def test_a_damaged_file_is_not_adopted(tmp_path, store):
    store.write("t", cubes_of(5), source="frames")
    file_of(store, "t").write_bytes(file_of(store, "t").read_bytes()[:-1])
    assert not CubeStore.create(tmp_path, {"another": 1}).adopt(store, "t", "frames")


def test_removed_tracklets_leave_a_complete_store(sealed):
    assert sealed.remove(["lonely", "nobody"]) == ["lonely"]
    again = CubeStore(sealed.folder)
    assert again.complete
    assert set(again.lengths) == {"cam_a/person_0001", "cam_b/person_0001"}
    assert again.verify() == []


def test_tracklets_go_from_a_store_of_another_version(sealed):
    manifest = json.loads((sealed.folder / "manifest.json").read_text())
    (sealed.folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    store = CubeStore(sealed.folder)
    assert store.remove(["lonely"]) == ["lonely"]
    assert not file_of(store, "lonely").exists()
    assert not store.complete
    store.seal()
    assert set(store.lengths) == {"cam_a/person_0001", "cam_b/person_0001"}


def test_stores_that_can_not_be_opened_are_passed_over(tmp_path, store):
    (CubeStore.create(tmp_path, {"broken": 1}).folder / "identity.json").write_text("{")
    assert [found.key for found in CubeStore.stores_under(tmp_path)] == [store.key]


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tracklet",
    ["0001C1T0001", "cam 1/Jürgen #7", "a.b/c.safetensors", "a.safetensors", "%2E%2E/x", ".hidden"],
)
def test_names_come_back(store, tracklet):
    store.write(tracklet, cubes_of(2))
    store.seal()
    assert list(store.lengths) == [tracklet]
    files = {path for path in store.folder.rglob("*") if path.suffix == ".safetensors"}
    assert all(path.is_file() for path in files)
    assert len(files) == 1


@pytest.mark.parametrize("tracklet", ["../escape", "a/../b", "/root", "a//b", "", ".", "x" * 300])
def test_names_that_can_not_be_files_are_refused(store, tracklet):
    with pytest.raises(ValueError, match="can't name a file"):
        store.write(tracklet, cubes_of(2))


# --- what may not be stored ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cubes", "message"),
    [
        (np.zeros((2, 3, 3)), r"expected cubes \[1, length >= 1, 3, 3, 4\]"),
        (np.zeros((2, 2, 3, 3, 4)), r"expected cubes \[1, .* got \[2, 2"),
        (np.zeros((0, 3, 3, 4)), "length >= 1"),
        (np.zeros((2, 3, 3, 5)), "3, 3, 4"),
        (np.full((2, 3, 3, 4), 1e6, np.float32), "float16 can't"),
        (np.full((2, 3, 3, 4), np.nan), "float16 can't"),
    ],
    ids=["dimensions", "variants", "empty", "other shape", "overflow", "nan"],
)
def test_odd_cubes_are_refused(sealed, cubes, message):
    before = files_under(sealed.folder)
    with pytest.raises(ValueError, match=message):
        sealed.write("odd", cubes)
    assert files_under(sealed.folder) == before


# --- interruptions -------------------------------------------------------------------------------


def test_unsealed_is_not_complete(store):
    store.write("a", cubes_of(3))
    assert not store.complete
    assert store.lengths == {"a": 3}
    store.seal()
    assert store.complete
    store.write("b", cubes_of(3))
    assert not store.complete


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_is_not_there(sealed, keep):
    file = file_of(sealed, "lonely")
    file.write_bytes(file.read_bytes()[:keep])
    assert "lonely" not in sealed
    assert not sealed.complete
    assert sealed.verify() == ["lonely"]


def test_longer_is_not_there(sealed):
    with file_of(sealed, "lonely").open("ab") as file:
        file.write(b"\0")
    assert "lonely" not in sealed


def test_truncated_after_opening(sealed):
    sealed.read(Window("lonely", 0, 1))
    file = file_of(sealed, "lonely")
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CubeStoreError, match=r"lonely: .* shorter .* makes it anew"):
        sealed.read(sealed.whole("lonely"))


def _write_forever(root):
    store = CubeStore.create(root, IDENTITY)
    with store.writing():
        for number in range(10_000):
            store.write(f"t{number % 50:02d}", cubes_of(40, number % 50, (7, 7, 64)))


def test_a_killed_writer_leaves_whole_files(tmp_path):
    context = multiprocessing.get_context("fork")
    for delay in (0.05, 0.12):
        writer = context.Process(target=_write_forever, args=(tmp_path,))
        writer.start()
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    store = CubeStore.create(tmp_path, IDENTITY)
    assert store.verify() == []
    for tracklet in store.lengths:
        expected = cubes_of(40, int(tracklet[1:]), (7, 7, 64))
        np.testing.assert_array_equal(store.read(store.whole(tracklet)), expected)
    with store.writing():  # the lock went with the process, the leftovers go now
        assert not list(store.folder.rglob("*.tmp"))


def test_one_writer_at_a_time(store):
    with (
        store.writing(),
        pytest.raises(CubeStoreError, match=r"process \d+ on .* writes into it; wait"),
        CubeStore(store.folder).writing(),
    ):
        pass
    with CubeStore(store.folder).writing():
        pass


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 3, 40, 130, -1], ids=str)
def test_a_flipped_bit_is_found_wherever_it_is(sealed, position):
    flip_bit(file_of(sealed, "cam_b/person_0001"), position)
    assert sealed.verify() == ["cam_b/person_0001"]


def test_a_deleted_file_is_found(sealed):
    file_of(sealed, "lonely").unlink()
    assert sealed.verify() == ["lonely"]
    assert not sealed.complete
    with pytest.raises(CubeStoreError, match=r"lonely.* is gone; the next `kedro run` makes it"):
        sealed.read(sealed.whole("lonely"))


@pytest.mark.parametrize("storage", ["float16", "uint8"])
@pytest.mark.parametrize("place", [-1, 0.99, 0.7, 0.4, 40, 12])
def test_no_damaged_tracklet_is_read(store, storage, place):
    """Wherever the damage is: in scales, activations or the header."""
    store.write("t", cubes_of(9), storage)
    store.write("whole", cubes_of(9), storage)
    store.seal()
    expected = store.read(store.whole("whole"))
    size = file_of(store, "t").stat().st_size
    flip_bit(file_of(store, "t"), int(place * size) if isinstance(place, float) else place)
    reader = CubeStore(store.folder)
    assert reader.complete
    said = rf"tracklet t: {re.escape(str(file_of(store, 't')))} .*removed; the next `kedro run` m"
    for _ in range(2):
        with pytest.raises(CubeStoreError, match=said):
            reader.read(Window("t", 0, 1))
    assert not reader.complete
    assert not store.complete
    assert not reader.has_file("t")
    np.testing.assert_array_equal(reader.read(reader.whole("whole")), expected)
    reader.write("t", cubes_of(9), storage)
    reader.seal()
    assert reader.complete
    np.testing.assert_array_equal(reader.read(reader.whole("t"))[3], expected[3])


def test_a_header_that_is_not_the_manifests_is_damage(sealed):
    other = CubeStore.create(sealed.folder.parent, {"other": 1})
    other.write("lonely", cubes_of(7, 3))
    shutil.copy(file_of(other, "lonely"), file_of(sealed, "lonely"))
    with pytest.raises(CubeStoreError, match=r"lonely.*checksum"):
        sealed.read(sealed.whole("lonely"))


def test_a_checksum_is_compared_once(sealed, monkeypatch):
    compared, has_checksum = [], cube_files.CubeFile.has_checksum
    monkeypatch.setattr(
        cube_files.CubeFile,
        "has_checksum",
        lambda file: (compared.append(file), has_checksum(file))[1],
    )
    for _ in range(3):
        for tracklet, length in sealed.lengths.items():
            sealed.read(Window(tracklet, length - 2, length))
    assert len(compared) == 3
    CubeStore(sealed.folder).read(Window("lonely", 0, 7))
    assert len(compared) == 4


def test_threads_are_not_handed_damaged_cubes(sealed):
    flip_bit(file_of(sealed, "lonely"), -1)
    start = threading.Barrier(8)

    def read(number):
        start.wait(10)
        tracklet = ["lonely", "cam_a/person_0001"][number % 2]
        try:
            return sealed.read(Window(tracklet, 1, 3))
        except CubeStoreError as error:
            return str(error)

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(read, range(8)))
    assert all("lonely" in said and "makes it anew" in said for said in results[::2])
    for cubes in results[1::2]:
        np.testing.assert_array_equal(cubes, cubes_of(5)[1:3])
    assert not sealed.complete


def test_a_damaged_file_that_can_not_be_removed(sealed, monkeypatch):
    def read_only(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    flip_bit(file_of(sealed, "lonely"), -1)
    monkeypatch.setattr(Path, "unlink", read_only)
    for _ in range(2):
        with pytest.raises(CubeStoreError, match=r"lonely.* Remove it \(.*Read-only .*kedro run"):
            sealed.read(sealed.whole("lonely"))


def test_a_file_that_has_replaced_the_damaged_one_stays(sealed, monkeypatch):
    whole = file_of(sealed, "lonely").read_bytes()
    flip_bit(file_of(sealed, "lonely"), -1)
    has_checksum = CubeStore._has_checksum

    def slow(self, *arguments):
        compared = has_checksum(self, *arguments)
        file_of(self, "lonely").with_name("new").write_bytes(whole)
        file_of(self, "lonely").with_name("new").replace(file_of(self, "lonely"))
        return compared

    monkeypatch.setattr(CubeStore, "_has_checksum", slow)
    with pytest.raises(CubeStoreError, match="lonely"):
        sealed.read(sealed.whole("lonely"))
    monkeypatch.undo()
    np.testing.assert_array_equal(sealed.read(sealed.whole("lonely")), cubes_of(7, 2))


def test_discarded_and_made_again(sealed):
    before = files_under(sealed.folder)
    file_of(sealed, "cam_a/person_0001").unlink()
    sealed.discard("lonely")
    assert not sealed.complete
    sealed.write("cam_a/person_0001", cubes_of(5, 0))
    sealed.write("lonely", cubes_of(7, 2))
    sealed.seal()
    assert files_under(sealed.folder) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b'{"format": 2, "identity": "x", "cubes": 0}',
    ],
)
def test_a_damaged_manifest_says_so(sealed, content):
    before = files_under(sealed.folder)
    (sealed.folder / "manifest.json").write_bytes(content)
    with pytest.raises(CubeStoreError, match=r"manifest.json is damaged .* extraction makes it"):
        CubeStore(sealed.folder).lengths  # noqa: B018
    again = CubeStore.create(sealed.folder.parent, IDENTITY)
    assert not again.complete
    assert again.verify() == []
    again.seal()
    assert files_under(sealed.folder) == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_identity_is_made_anew(sealed, content, caplog):
    before = files_under(sealed.folder)
    (sealed.folder / "identity.json").write_bytes(content)
    with pytest.raises(CubeStoreError, match=r"identity.json is damaged .* extraction makes it"):
        CubeStore(sealed.folder)
    assert CubeStore.create(sealed.folder.parent, IDENTITY).complete
    assert "identity.json is damaged" in caplog.text
    assert files_under(sealed.folder) == before


@pytest.mark.parametrize("asked", ["lengths", "complete", "channels"])
def test_a_store_of_another_format_is_not_called_damaged(sealed, asked):
    manifest = json.loads((sealed.folder / "manifest.json").read_text())
    (sealed.folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    for path in (sealed.folder / "cubes").rglob("*.safetensors"):
        path.write_bytes(b"of another layout")
    with pytest.raises(CubeStoreError, match=r"of format 1, .* delete the folder and run") as error:
        getattr(CubeStore(sealed.folder), asked)
    assert "json is damaged" not in str(error.value)


def test_a_manifest_with_broken_entries(sealed):
    path = sealed.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["cubes"]["lonely"]["bytes"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(CubeStoreError, match="is damaged"):
        CubeStore(sealed.folder).complete  # noqa: B018


def test_a_changed_identity_is_refused(sealed):
    (sealed.folder / "identity.json").write_text('{"dataset": "another"}')
    with pytest.raises(CubeStoreError, match="not the folder's name"):
        CubeStore(sealed.folder)
    with pytest.raises(CubeStoreError, match="not the folder's name"):  # whose cubes are these?
        CubeStore.create(sealed.folder.parent, IDENTITY)


def test_no_store(tmp_path):
    with pytest.raises(FileNotFoundError, match="no cube store"):
        CubeStore(tmp_path)


# --- a full disk ---------------------------------------------------------------------------------


def test_disk_full_while_writing(sealed, monkeypatch):
    before = files_under(sealed.folder / "cubes")

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "_sync", full)
    with pytest.raises(CubeStoreError, match=r"disk is full: tracklet new .* 3 finished .* again"):
        sealed.write("new", cubes_of(9))
    assert files_under(sealed.folder / "cubes") == before
    monkeypatch.undo()
    sealed.write("new", cubes_of(9))
    sealed.seal()
    assert sealed.verify() == []


FILL = """
import sys, numpy as np
from wherewhen.features.cube_store import CubeStore
store = CubeStore.create(sys.argv[1], {"a": 1})
store.write("small", np.ones((1, 7, 7, 64)))
store.write("large", np.ones((9, 7, 7, 64)))
"""


def test_a_real_limit_of_the_system(tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = subprocess.run(
        [sys.executable, "-B", "-c", FILL, tmp_path],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CubeStoreError" in done.stderr
    assert "1 finished tracklets are kept" in done.stderr
    store = CubeStore.create(tmp_path, {"a": 1})
    assert store.verify() == []
    assert list(store.lengths) == ["small"]
    assert not list(store.folder.rglob("*.tmp"))


def test_other_errors_of_the_system_stay_what_they_are(store, monkeypatch):
    def broken(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(atomic, "_sync", broken)
    with pytest.raises(OSError, match="Input/output") as caught:
        store.write("a", cubes_of(2))
    assert not isinstance(caught.value, CubeStoreError)


def test_torch_is_not_imported():
    check = "import sys, wherewhen.features.cube_store; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
