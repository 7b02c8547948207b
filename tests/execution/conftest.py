"""A cluster of Ray on this machine, frames, and a slow backbone."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from wherewhen.execution.config import ExecutionConfig

STORE = 100 * 2**20
"""Bytes of a node's object store."""

SECONDS = 0.2
"""What the slow backbone takes for a batch."""


@pytest.fixture(scope="session")
def ray_environment(tmp_path_factory):
    """Keep Ray's token and logs out of the home folder and of the project."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", "of-a-test-" * 4)
        yield patch


def add_node(cluster):
    """Add a node of one processor; a busy machine may be too slow for Ray's limit of 30 s."""
    for attempt in range(1, 4):
        try:
            return cluster.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)
        except Exception:
            if attempt == 3:
                raise


@pytest.fixture
def new_node(cluster):
    """Add a node."""
    return lambda: add_node(cluster)


@pytest.fixture(scope="session")
def cluster(ray_environment):
    """Two nodes of one processor each, as processes of this machine."""
    from ray.cluster_utils import Cluster

    from wherewhen.execution.ray_engine import disconnect

    nodes = Cluster()
    for _ in range(2):
        add_node(nodes)
    yield nodes
    disconnect()
    nodes.shutdown()


@pytest.fixture
def on_cluster(cluster):
    """Parameters of an engine on it."""
    return ExecutionConfig(engine="ray", address=cluster.address)


@pytest.fixture(scope="session")
def footage(tmp_path_factory):
    """Forty tracklets of three frames: their folder and tables."""
    root, generator = tmp_path_factory.mktemp("frames"), np.random.default_rng(0)
    rows = []
    for tracklet in [f"cam_a/{number:04d}" for number in range(40)]:
        (root / tracklet).mkdir(parents=True)
        for position in range(3):
            path = f"{tracklet}/{position}.png"
            noise = generator.integers(0, 256, (32, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / path)
            sha256 = hashlib.sha256((root / path).read_bytes()).hexdigest()
            rows.append((tracklet, position, position, path, 16, 32, sha256))
    columns = ["tracklet", "position", "frame", "path", "width", "height", "sha256"]
    frames = pd.DataFrame(rows, columns=columns)
    tracklets = pd.DataFrame(
        {"tracklet": frames.tracklet.unique(), "person": "p", "camera": "cam_a", "length": 3}
    )
    return root, tracklets, frames


@pytest.fixture
def slow_backbone():
    """A convolution that takes its time, and is the same at every call."""
    import time

    from wherewhen.features.backbones import Backbone, Preprocessing

    class Slow(torch.nn.Conv2d):
        def forward(self, images):
            time.sleep(seconds)
            return super().forward(images)

    seconds = 0.0  # building it tries it
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Slow(3, 8, kernel_size=4, stride=4)
    backbone = Backbone("slow", module, Preprocessing(size=(16, 16)), {})
    seconds = SECONDS
    return backbone
