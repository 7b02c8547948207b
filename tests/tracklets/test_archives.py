"""Archives as they come, and as somebody might wish them to come."""

import errno
import gzip
import io
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from wherewhen.locks import held
from wherewhen.tracklets import archives
from wherewhen.tracklets.archives import SEAL, ArchiveError, DiskFullError, opened, unpack
from wherewhen.tracklets.folders import find_folder

FILES = {"set/a/1.png": b"one", "set/a/2.png": b"two" * 5000, "set/names.txt": b"x"}


def tar(path, entries, mode="w"):
    """Write a tar of (TarInfo or name, content)."""
    with tarfile.open(path, mode) as file:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def zipped(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def tar_info(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_info(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def seen(folder):
    """What lies in a folder, beside the locks, which stay."""
    return [path for path in folder.iterdir() if path.suffix != ".lock"]


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != SEAL and path.suffix != ".lock"
    }


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip"])
def test_what_is_packed_is_unpacked(tmp_path, suffix, caplog):
    entries = [*FILES.items(), ("set/run.exe", b"MZ"), ("set/.hidden.png", b"x")]
    entries += [(".git/1.png", b"x"), ("__MACOSX/set/1.png", b"x"), ("set/@eaDir/1.png", b"x")]
    path = tmp_path / f"My.Set{suffix}"
    if suffix == ".zip":
        zipped(path, entries)
    else:
        modes = {".tar": "w", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
        tar(path, [(tar_info("set", tarfile.DIRTYPE), b""), *entries], modes.get(suffix, "w:gz"))
    folder = unpack(path, tmp_path / "out", progress=False)
    assert folder == tmp_path / "out/My.Set"
    assert files(folder) == FILES  # neither programs nor hidden files
    assert json.loads((folder / SEAL).read_text())["passed_over"] == 5
    assert "members passed over: 1 .exe, 1 hidden, 3 .png" in caplog.text
    assert seen(tmp_path / "out") == [folder]


REFUSED = {
    "absolute": (("/etc/1.png", b"x"), "is an absolute path"),
    "drive": (("C:/1.png", b"x"), "is an absolute path"),
    "parent": (("set/../../1.png", b"x"), r"leaves the folder through '\.\.'"),
    "backslash": (("..\\1.png", b"x"), "backslash"),
    "control": (("set/a\x01.png", b"x"), "control characters"),
    "long": (("a" * 300 + ".png", b"x"), "more than 255 bytes"),
    "twice": (("set/names.txt", b"y"), "occurs twice"),
    "both": (("set/names.txt/1.png", b"y"), "a file and a folder in it bear the same name"),
}


@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize("case", REFUSED)
def test_a_member_that_is_refused_leaves_nothing(tmp_path, pack, case):
    entry, message = REFUSED[case]
    path = pack(tmp_path / f"set.{pack.__name__[:3]}", [*FILES.items(), entry])
    with pytest.raises(ArchiveError, match=message) as error:
        unpack(path, tmp_path / "out/deep", progress=False)
    assert str(path) in str(error.value)
    assert list(tmp_path.rglob("*.png")) == []
    assert seen(tmp_path / "out/deep") == []


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("s.tar", tar_info("a.png", tarfile.SYMTYPE, "/etc/passwd"), "a link to '/etc/passwd'"),
        ("s.tar", tar_info("a.png", tarfile.SYMTYPE, "b.png"), "a link to 'b.png'"),
        ("s.tar", tar_info("a.png", tarfile.LNKTYPE, "../b.png"), "a link to '../b.png'"),
        ("s.tar", tar_info("a.png", tarfile.CHRTYPE), "a device or another special file"),
        ("s.tar", tar_info("a.png", tarfile.FIFOTYPE), "a device or another special file"),
        ("s.zip", zip_info("a.png", 0o120777), "is a link"),
        ("s.zip", zip_info("a.png", 0o020644), "a device or another special file"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, name, entry, message):
    pack = tar if name.endswith(".tar") else zipped
    with pytest.raises(ArchiveError, match=f"member 'a.png' is {message.removeprefix('is ')}"):
        unpack(pack(tmp_path / name, [(entry, b"")]), tmp_path / "out", progress=False)


def test_an_encrypted_member_is_refused(tmp_path):
    path = zipped(tmp_path / "s.zip", FILES.items())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="is encrypted"):
        unpack(path, tmp_path / "out", progress=False)


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_bombs_are_refused_by_ratio(tmp_path, name):
    zeros = [("a.png", bytes(20 * 2**20))]
    path = tmp_path / name
    zipped(path, zeros) if name.endswith(".zip") else tar(path, zeros, "w:gz")
    with pytest.raises(ArchiveError, match=r"more than 100 times its size.* bomb does"):
        unpack(path, tmp_path / "out", progress=False)
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MOST_MEMBERS", 2, "unpacks to more than 2 members"),
        ("MOST_BYTES", 15000, "unpacks to more than 15000 bytes"),
    ],
)
def test_size_and_number_are_bounded(tmp_path, monkeypatch, limit, value, message):
    monkeypatch.setattr(archives, limit, value)
    path = tar(tmp_path / "s.tar", FILES.items())
    with pytest.raises(ArchiveError, match=message):
        unpack(path, tmp_path / "out", progress=False)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.4, 0.55, 0.9, 0.97])
def test_a_truncated_archive_is_named(tmp_path, suffix, kept):
    noise = [(f"set/{i}.png", os.urandom(3000)) for i in range(4)]
    path = tmp_path / f"set.{suffix}"
    pack = zipped if suffix == "zip" else tar
    pack(path, noise, *(["w:gz"] if suffix == "tar.gz" else []))
    content = path.read_bytes()
    end = len(content) if suffix != "tar" else 4 * (512 + 3072) + 512  # without a tar's padding
    path.write_bytes(content[: int(kept * end)])
    with pytest.raises(ArchiveError, match=r"set.*: truncated or damaged after .*copy it again"):
        unpack(path, tmp_path / "out", progress=False)
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("at", [5000, 512 * 7 + 130])
def test_a_damaged_archive_is_named(tmp_path, at):
    path = tar(tmp_path / "set.tar", [(f"{i}.png", bytes([i]) * 3000) for i in range(4)])
    content = bytearray(gzip.compress(path.read_bytes(), 0) if at == 5000 else path.read_bytes())
    content[at] ^= 255  # in the pixels of a compressed tar, in the second header of a plain one
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="truncated or damaged"):
        unpack(path, tmp_path / "out", progress=False)


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(b"<html>please log in</html>")
    with pytest.raises(ArchiveError, match="truncated or damaged"):
        unpack(path, tmp_path / "out", progress=False)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    path = tar(tmp_path / "set.tar", [(f"{i}.png", bytes([i]) * 3000) for i in range(6)])
    copy, written = shutil.copyfileobj, []

    def until_the_fifth(source, file, length):
        written.append(Path(file.name).name)
        if len(written) == 5:
            file.write(b"a part")
            raise KeyboardInterrupt
        copy(source, file, length)

    monkeypatch.setattr(archives.shutil, "copyfileobj", until_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        unpack(path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out/set").exists()
    assert find_folder(tmp_path / "out", ["0.png"]) is None  # nobody takes it for the set

    written.clear()
    folder = unpack(path, tmp_path / "out", progress=False)
    assert written == ["4.png", "5.png"]
    assert files(folder) == {f"{i}.png": bytes([i]) * 3000 for i in range(6)}


def test_another_archive_of_the_name_is_not_taken_for_the_first(tmp_path):
    path = tar(tmp_path / "set.tar", FILES.items())
    folder = unpack(path, tmp_path / "out", progress=False)
    os.utime(path)
    assert unpack(path, tmp_path / "out", progress=False) == folder
    tar(path, [("new.png", b"new")])
    with pytest.raises(ArchiveError, match=r"holds what was unpacked from another version of set"):
        unpack(path, tmp_path / "out", progress=False)
    (folder / SEAL).unlink()
    with pytest.raises(ArchiveError, match=r"was not unpacked from .*set.tar by this project"):
        unpack(path, tmp_path / "out", progress=False)


def test_a_half_unpacked_folder_of_another_archive_is_begun_again(tmp_path, monkeypatch):
    path = tar(tmp_path / "set.tar", FILES.items())
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(archives, "_write", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        unpack(path, tmp_path / "out", progress=False)
    (half,) = (tmp_path / "out").glob("*.partial")
    (half / "old.png").write_bytes(b"old")
    tar(path, [("new.png", b"new")])
    assert files(unpack(path, tmp_path / "out", progress=False)) == {"new.png": b"new"}
    assert not half.exists()


def test_two_processes_do_not_unpack_at_once(tmp_path):
    path = tar(tmp_path / "set.tar", FILES.items())
    (tmp_path / "out").mkdir()
    with (
        held(tmp_path / "out/.set.lock", pytest.fail),
        pytest.raises(ArchiveError, match=rf"process {os.getpid()} on .* unpacks .*set.tar to"),
    ):
        unpack(path, tmp_path / "out", progress=False)
    assert files(unpack(path, tmp_path / "out", progress=False)) == FILES


def test_where_files_are_flushed_one_by_one(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.delattr(os, "sync")
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), fsync(number)))
    path = tar(tmp_path / "set.tar", FILES.items())
    assert files(unpack(path, tmp_path / "out", progress=False)) == FILES
    assert len(synced) == len(FILES)


def test_a_full_disk_is_named_and_loses_nothing(tmp_path, monkeypatch):
    path = tar(tmp_path / "set.tar", FILES.items())
    write, calls = archives._write, []

    def full_at_the_second(member, *where):
        calls.append(member.name)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(member, *where)

    monkeypatch.setattr(archives, "_write", full_at_the_second)
    with pytest.raises(DiskFullError, match=r"the disk is full.*call again"):
        unpack(path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out/set").exists()
    monkeypatch.undo()
    assert files(unpack(path, tmp_path / "out", progress=False)) == FILES

    monkeypatch.setattr(archives.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(DiskFullError, match=r"needs 15000 bytes for set/a/2.png, .* has 100 left"):
        unpack(path, tmp_path / "other", progress=False)


def test_a_folder_with_the_data_is_left_as_it_is(tmp_path):
    tar(tmp_path / "set.tar", FILES.items())
    assert opened(tmp_path, progress=False) == tmp_path
    (tmp_path / "unpacked/crops").mkdir(parents=True)  # of something else
    assert opened(tmp_path, progress=False) == tmp_path
    folder = opened(tmp_path, holds_data=lambda folder: False, progress=False)
    assert opened(tmp_path, progress=False) == folder  # its seal says of which archive it is
    assert files(folder) == {f"set/{name}": content for name, content in FILES.items()}
    assert opened(tmp_path / "nowhere") == tmp_path / "nowhere"


def test_a_name_in_a_zip_that_is_not_utf8_is_damage(tmp_path):
    path = zipped(tmp_path / "set.zip", [("é/1.png", b"x")])
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(ArchiveError, match=r"set\.zip: truncated or damaged .*utf-8"):
        unpack(path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out/set").exists()
