"""Two nodes of Ray in network namespaces of their own; the network between them is cut."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import CubeExtraction, fill

pytestmark = pytest.mark.slow

HEAD, OTHER = "10.213.7.1", "10.213.7.2"
HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""A node that does not answer is lost within seconds, not within a minute."""

SCRIPT = """
import sys, time
from pathlib import Path
import pandas as pd
import torch
from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import engine_of
from wherewhen.features.backbones import Backbone, Preprocessing
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import CubeExtraction, fill

home, root, address = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

class Slow(torch.nn.Conv2d):
    def forward(self, images):
        time.sleep(0.5)
        return super().forward(images)

def places(items):
    import ray
    for _ in items:
        time.sleep(0.2)
        yield ray.get_runtime_context().get_node_id()

torch.manual_seed(0)
backbone = Backbone("slow", Slow(3, 8, kernel_size=4, stride=4), Preprocessing(size=(16, 16)), {})
engine = engine_of(ExecutionConfig(engine="ray", address=address))
while len(set(engine.map(places, range(8)))) < 2:
    pass
print("both work", flush=True)
tables = [pd.read_parquet(home / f"{name}.parquet") for name in ("tracklets", "frames")]
extraction = CubeExtraction(backbone, root, *tables, batch_size=4, readers=1, engine=engine)
fill(CubeStore.create(home / "cubes", extraction.identity), extraction, progress=False)
print("complete", flush=True)
"""


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True)


@pytest.fixture
def namespaces():
    """Two namespaces with a wire between them: (run in the first, in the second, cut it)."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need `ip` and root")
    names = [f"ww-{os.getpid()}-{side}" for side in "ab"]
    with ExitStack() as stack:
        for name in names:
            try:
                run("ip", "netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
            stack.callback(run, "ip", "netns", "delete", name)
        first, second = names
        run(*f"ip link add wire netns {first} type veth peer name wire netns {second}".split())
        for name, address in zip(names, (HEAD, OTHER), strict=True):
            run(*f"ip -n {name} address add {address}/24 dev wire".split())
            for link in ("wire", "lo"):
                run(*f"ip -n {name} link set {link} up".split())
        yield first, second, lambda: run(*f"ip -n {second} link set wire down".split())


@pytest.fixture
def start(ray_environment):
    """Start a command in a namespace; all of them are ended with their children."""
    started = []

    def start(namespace, *words, **options):
        command = ["ip", "netns", "exec", namespace, *words]
        environment = {**os.environ, **HEALTH}
        process = subprocess.Popen(
            command, env=environment, start_new_session=True, text=True, **options
        )
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        _end_session(process)


def _end_session(process):
    """End all processes of the session that a process leads."""
    import psutil

    for each in psutil.process_iter():
        try:
            if os.getsid(each.pid) == process.pid:
                each.kill()
        except (psutil.Error, ProcessLookupError):
            continue
    process.wait(30)


def test_a_machine_that_is_cut_off_while_it_extracts_loses_nothing(
    namespaces, start, footage, slow_backbone, tmp_path
):
    first, second, cut = namespaces
    root, tracklets, frames = footage
    tracklets.to_parquet(tmp_path / "tracklets.parquet")
    frames.to_parquet(tmp_path / "frames.parquet")
    (tmp_path / "script.py").write_text(SCRIPT)
    ray = str(Path(sys.executable).with_name("ray"))
    size = ["--num-cpus=1", "--object-store-memory=100000000", "--block", "--disable-usage-stats"]
    with tempfile.TemporaryDirectory(prefix="ww") as short:
        head = [f"--node-ip-address={HEAD}", "--port=6379", "--include-dashboard=false"]
        start(first, ray, "start", "--head", *head, f"--temp-dir={short}", *size)
        _wait_for(first, ray)
        start(second, ray, "start", f"--address={HEAD}:6379", f"--node-ip-address={OTHER}", *size)
        arguments = [str(tmp_path / "script.py"), str(tmp_path), str(root), f"{HEAD}:6379"]
        command = start(
            first, sys.executable, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = []
        for line in command.stdout:
            said.append(line)
            if "both work" in line:
                break
        while command.poll() is None and sum(1 for _ in tmp_path.rglob("*.safetensors")) < 8:
            time.sleep(0.05)
        cut()
        said += command.stdout
        assert command.wait() == 0, "".join(said)
    assert "a worker has died" in "".join(said)
    extraction = CubeExtraction(slow_backbone, root, tracklets, frames, batch_size=4, readers=1)
    alone = CubeStore.create(tmp_path / "local", extraction.identity)
    fill(alone, extraction, progress=False)
    (shared,) = (tmp_path / "cubes").iterdir()
    assert files_of(shared) == files_of(alone.folder)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _wait_for(namespace, ray):
    """Wait until the head node answers."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        command = ["ip", "netns", "exec", namespace, ray, "health-check"]
        if subprocess.run([*command, "--address", f"{HEAD}:6379"], check=False).returncode == 0:
            return
        time.sleep(1)
    pytest.fail("the head node did not start")
