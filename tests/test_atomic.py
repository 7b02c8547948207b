import os
import subprocess
import sys

import pytest

from wherewhen.atomic import replacing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "made" / "a.bin"
    for content in (b"old", b"new"):
        with replacing(path) as partial:
            assert partial.parent == path.parent
            partial.write_bytes(content)
            assert not path.exists() or path.read_bytes() == b"old"
        assert path.read_bytes() == content
    assert names(path.parent) == ["a.bin"]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space") as caught, replacing(path) as partial:
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")
    assert caught.value.__notes__ == [f"while {path} was written"]
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a.bin"
    with replacing(path) as one:
        one.write_bytes(b"one")
        with replacing(path) as other:
            assert other != one
            other.write_bytes(b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a.bin"]


def test_what_a_killed_writer_left_is_deleted(tmp_path):
    path = tmp_path / "a.bin"
    killed = (
        "import os, pathlib, sys\n"
        "from wherewhen.atomic import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_bytes(b'half')\n"
        "    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", killed, path], check=False, env=os.environ)
    assert done.returncode == 9
    (left,) = names(tmp_path)
    assert left.startswith(".a.bin.")
    with replacing(path) as partial:
        assert left not in names(tmp_path)
        partial.write_bytes(b"whole")
    assert names(tmp_path) == ["a.bin"]


def test_temporary_files_of_other_paths_stay(tmp_path):
    other = tmp_path / ".b.bin.1-00.tmp"
    other.write_bytes(b"")
    with replacing(tmp_path / "a.bin") as partial:
        partial.write_bytes(b"a")
    assert names(tmp_path) == [".b.bin.1-00.tmp", "a.bin"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "a.bin") as partial:
        partial.write_bytes(b"a")
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_names_of_hosts_do_not_lengthen_those_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "a-host-in-a-cluster." * 12)
    path = tmp_path / ("n" * 200 + ".safetensors")
    with replacing(path) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"
