"""Runs whose data are in a bucket, on moto's server of S3: slow."""

import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import pandas as pd
import pytest

from wherewhen.buckets import Bucket
from wherewhen.lineage.records import Record, record_path

pytestmark = pytest.mark.slow

URL = "s3://lab/data"

SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class Gate:
    """A port that leads to the server as long as it is open."""

    def __init__(self, server):
        self._server, self._open, self._pairs = server, True, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self):
        self._open = False
        for each in self._pairs:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def reopen(self):
        self._open = True

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            if not self._open:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._server))
            self._pairs += [client, server]
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for each in (one, other):
            each.close()


@pytest.fixture(scope="module")
def gate():
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield Gate(int(process.stdout.readline()))
    process.stdin.close()
    process.wait()


@pytest.fixture
def account(gate, monkeypatch):
    """Credentials and address, and an empty bucket."""
    import fsspec

    found = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{gate.port}",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    if files.exists("lab"):
        files.rm("lab", recursive=True)
    files.mkdir("lab")
    return found


@pytest.fixture
def empty(new_project, account, tmp_path):
    """Return a function that makes a project on a machine of its own."""

    def make(name):
        project = new_project(tmp_path / name)
        return replace(project, environment={**project.environment, **account})

    return make


@pytest.fixture
def machine(empty, finished):
    """Return a function that makes a project on another machine, with the same frames."""

    def make(name):
        project = empty(name)
        shutil.copytree(finished.root / "data/01_raw", project.root / "data/01_raw")
        return project

    return make


@pytest.fixture
def bucket(account, tmp_path):
    return Bucket(URL, tmp_path / "look")


def objects(bucket):
    return [path.relative_to(bucket.root).as_posix() for path in bucket.sizes(bucket.root)]


def has(bucket, part):
    return lambda: any(part in name for name in objects(bucket))


def assert_all_whole(bucket):
    """Every record fits its object, and no artifact is without one but in its workspace."""
    bucket.update_folder(bucket.root)
    records = [path for path in bucket.root.rglob("*record.json")]
    assert records
    for path in records:
        record = Record.read(path)
        name = path.parent.parent.name if path.name == "record.json" else path.name
        file = path.with_name(name.removesuffix(".record.json"))
        assert record.fits(file) and record_path(file, path.name == "record.json") == path


def test_killed_on_one_machine_and_resumed_on_another(finished, machine, bucket, tiny, kill_when):
    one, other = machine("one"), machine("other")
    parameters = {**tiny, "data.url": URL}
    kill_when(one.start(**parameters), has(bucket, "checkpoint.safetensors"))
    assert_all_whole(bucket)

    output = other.run(**parameters)
    assert "training goes on after step" in output
    pd.testing.assert_frame_equal(other.scores(), finished.scores())
    for trial in ("trial_00", "trial_01"):
        resumed, undisturbed = other.weights(trial), finished.weights(trial)
        assert all(resumed[name].equal(undisturbed[name]) for name in undisturbed)
    assert_all_whole(bucket)
    assert not has(bucket, "checkpoints/")()

    assert "nothing is out of date" in one.run(**parameters)
    person = pd.read_parquet(one.latest("03_primary/synthetic/tracklets.parquet")).person[0]
    one.output_of(one.kedro("purge", "--person", person, "--yes"))
    left = objects(bucket)
    assert left and not [name for name in left if person in name]
    assert not [name for name in left if name.startswith("03_primary")]


def test_a_server_that_is_gone_ends_a_run_and_the_next_one_goes_on(
    finished, machine, bucket, tiny, gate
):
    project, parameters = machine("one"), {**tiny, "data.url": URL}
    running = project.start(**parameters)
    while not has(bucket, "04_feature/synthetic/cubes/")():
        assert running.poll() is None, running.stdout.read()
    gate.shut()
    output, _ = running.communicate(timeout=500)
    gate.reopen()
    assert running.returncode == 1 and "Traceback" not in output, output
    assert "can't be used: Could not connect" in " ".join(output.split()), output
    project.run(**parameters)
    pd.testing.assert_frame_equal(project.scores(), finished.scores())
    assert_all_whole(bucket)


def test_a_bucket_that_is_not_there_and_credentials_that_are_not_are_named(empty, tiny):
    project = empty("one")
    said = project.fail(**{**tiny, "data.url": "s3://nowhere/data"})
    assert "s3://nowhere/data can't be used" in said and "make the bucket" in said
    (project.root / "data/.buckets/synthetic.json").unlink()
    lacking = {
        name: "" for name in project.environment if name.startswith("AWS_") and "KEY" in name
    }
    without = replace(project, environment={**project.environment, **lacking})
    said = without.fail(**{**tiny, "data.url": URL})
    assert "docs/how-to/object-storage.md" in said
