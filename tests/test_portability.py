"""What Windows lacks is not needed: a fresh interpreter without `fcntl`, `os.preadv` and others."""

import subprocess
import sys

CHECK = """
import os, sys, warnings

sys.modules["fcntl"] = None
for name in ("preadv", "pread", "sync", "sched_getaffinity"):
    delattr(os, name) if hasattr(os, name) else None
warnings.filterwarnings("ignore", "only soft file lock is available")

import numpy as np

import wherewhen.features.extraction, wherewhen.hooks, wherewhen.locks
import wherewhen.pipeline_registry, wherewhen.settings, wherewhen.tracklets.archives
from wherewhen.features.cube_store import CubeStore, CubeStoreError
from wherewhen.tracklets.windows import Window

store = CubeStore.create(sys.argv[1], {"of": "a test"})
cubes = np.arange(6 * 3 * 3 * 4).reshape(6, 3, 3, 4).astype(np.float16)
with store.writing():
    store.write("whole", cubes)
    store.write("damaged", cubes, "uint8")
    store.seal()
assert np.array_equal(store.read(Window("whole", 2, 5)), cubes[2:5])
assert store.read(Window("damaged", 1, 2)).shape == (1, 3, 3, 4)
assert store.verify() == []
file = store.folder / "cubes/damaged.safetensors"
content = bytearray(file.read_bytes())
content[-1] ^= 1
file.write_bytes(content)
assert store.verify() == ["damaged"]
try:
    CubeStore(store.folder).read(Window("damaged", 0, 1))
except CubeStoreError:
    assert not store.complete
    print("refused")
"""


def test_without_fcntl_and_preadv(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CHECK, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout == "refused\n", done.stderr
