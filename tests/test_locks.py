import json
import os
import re
import socket
import subprocess
import sys

import pytest

from wherewhen.locks import alone, held

HOLD = """
import sys, time
from pathlib import Path
from wherewhen.locks import alone

with alone(Path(sys.argv[1]), sys.exit):
    print("held", flush=True)
    time.sleep(600)
"""


class BusyError(Exception):
    pass


def refuse(who):
    raise BusyError(who)


@pytest.fixture
def another(tmp_path):
    """Another process that holds the folder's lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def said(tmp_path):
    with pytest.raises(BusyError) as busy, alone(tmp_path, refuse):
        pass
    return str(busy.value)


def test_the_holder_is_named(tmp_path, another):
    expected = rf"process {another.pid} on {re.escape(socket.gethostname())} since \d\d:\d\d"
    assert re.fullmatch(expected, said(tmp_path))
    note = tmp_path / ".lock.json"
    holder = json.loads(note.read_text())
    note.write_text(json.dumps({**holder, "host": "far", "since": "2020-01-02T03:04:05+00:00"}))
    assert re.fullmatch(
        rf"process {another.pid} on far since 2020-01-0\d \d\d:\d\d", said(tmp_path)
    )


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"process": "x"}', '{"process": 1}'])
def test_a_holder_without_a_readable_note(tmp_path, another, note):
    (tmp_path / ".lock.json").unlink()
    if note is not None:
        (tmp_path / ".lock.json").write_text(note)
    assert said(tmp_path) == "another process"


def test_the_note_of_a_process_that_ended_is_not_believed(tmp_path, another):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    note = tmp_path / ".lock.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "process": ended.pid}))
    assert said(tmp_path) == "another process"


def test_who_waits_goes_on_when_the_other_is_killed(tmp_path, another):
    with alone(tmp_path, lambda who: another.kill()) as folder:
        assert folder == tmp_path
        # the killed process left its note, which is now the new holder's
        assert json.loads((tmp_path / ".lock.json").read_text())["process"] == os.getpid()


def test_a_folder_is_made_and_free_again(tmp_path):
    for _ in range(2):
        with alone(tmp_path / "new", pytest.fail) as folder:
            assert folder.is_dir()
        assert [path.name for path in folder.iterdir()] in ([".lock"], [])


def test_locks_of_two_files_are_two(tmp_path):
    with held(tmp_path / ".a", pytest.fail), held(tmp_path / ".b", pytest.fail):
        pass


def test_an_error_releases_the_lock(tmp_path):
    with pytest.raises(BusyError), held(tmp_path / ".lock", pytest.fail):
        raise BusyError
    with held(tmp_path / ".lock", pytest.fail):
        pass


def test_a_note_that_can_not_be_written_does_not_matter(tmp_path):
    (tmp_path / ".lock.json").mkdir()
    with held(tmp_path / ".lock", pytest.fail):
        pass
