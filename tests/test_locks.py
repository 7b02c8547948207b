import subprocess
import sys

import pytest

from wherewhen.locks import alone

HOLD = """
import sys, time
from pathlib import Path
from wherewhen.locks import alone

with alone(Path(sys.argv[1]), sys.exit):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def another(tmp_path):
    """Another process that is at the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_must_not_wait_raises(tmp_path, another):
    def busy():
        raise RuntimeError("busy")

    with pytest.raises(RuntimeError, match="busy"), alone(tmp_path, busy):
        pass


def test_who_waits_goes_on_when_the_other_is_killed(tmp_path, another):
    with alone(tmp_path, another.kill) as folder:
        assert folder == tmp_path


def test_a_folder_is_made_and_free_again(tmp_path):
    for _ in range(2):
        with alone(tmp_path / "new", pytest.fail) as folder:
            assert folder.is_dir()
