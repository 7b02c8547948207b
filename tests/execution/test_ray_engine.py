"""Ray's workers: what they make is what this process makes, whoever dies.

The cluster is real: two raylets on this machine, or in two network namespaces.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wherewhen.errors import raised_here
from wherewhen.execution.engine import LOCAL, engine_of
from wherewhen.execution.pool import LostWorkers
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import CubeExtraction, fill

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_environment")]


def files_of(store):
    return {path.name: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


def filled(extraction, engine, folder):
    extraction = replace(extraction, engine=engine)
    store = CubeStore.create(folder, extraction.identity)
    fill(store, extraction, progress=False)
    return store


def places():
    """Return work that takes a while and says on which node."""

    def work(items):
        import ray

        for _ in items:
            time.sleep(0.2)
            yield ray.get_runtime_context().get_node_id()

    return work


@pytest.fixture
def extraction(footage, slow_backbone):
    root, tracklets, frames = footage
    return CubeExtraction(slow_backbone, root, tracklets, frames, batch_size=4, readers=1)


@pytest.fixture
def engine(on_cluster):
    return engine_of(on_cluster)


class TestMap:
    def test_results_are_in_order_and_of_both_nodes(self, engine):
        def work(items):
            for item in items:
                time.sleep(0.05)
                yield item, os.getpid()

        workers = set()
        while len(workers) < 2:  # the second may take longer to start than the first to do all
            results = list(engine.map(work, range(40)))
            assert [item for item, _ in results] == list(range(40))
            workers |= {worker for _, worker in results}

    def test_nothing_is_started_for_nothing(self, engine):
        assert list(engine.map(iter, [])) == []

    def test_workers_are_kept_for_the_next_map(self, engine):
        def work(items):
            return (os.getpid() for _ in items)

        assert set(engine.map(work, range(8))) & set(engine.map(work, range(8)))

    def test_an_error_raised_on_purpose_comes_back_as_it_was(self, engine, tmp_path):
        from wherewhen.features.extraction import read_frame

        def work(items):
            return (read_frame(item) for item in items)

        with pytest.raises(FileNotFoundError, match="is gone since it was ingested") as caught:
            list(engine.map(work, [tmp_path / "no.png"]))
        assert raised_here(caught.value)

    def test_a_bug_keeps_its_traceback(self, engine):
        def work(items):
            return (item.nothing for item in items)

        with pytest.raises(AttributeError, match=r"in work|in <genexpr>") as caught:
            list(engine.map(work, [1]))
        assert not raised_here(caught.value)

    def test_processors_are_divided(self, engine):
        from wherewhen.tracklets.threads import processors

        def work(items):
            return (processors() for _ in items)

        assert set(engine.map(work, range(4))) == {1}

    def test_workers_of_other_versions_are_refused(self, engine, monkeypatch):
        from wherewhen.execution import ray_engine

        changed = {**ray_engine.versions_here(), "numpy": "0.1"}
        monkeypatch.setattr(ray_engine, "versions_here", lambda: changed)
        with pytest.raises(ray_engine.EngineError, match=r"another version of numpy .*not 0\.1"):
            list(engine.map(iter, [1]))

    def test_more_than_the_cluster_has_is_refused(self, on_cluster):
        engine = engine_of(on_cluster.model_copy(update={"cpus": 64.0}))
        with pytest.raises(RuntimeError, match="needs 64 processor"):
            list(engine.map(iter, [1]))


class TestDeaths:
    def test_what_a_killed_worker_had_is_done_again(self, engine, tmp_path):
        def work(items):
            for item in items:
                if item == 7 and not (tmp_path / "died").exists():
                    (tmp_path / "died").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                yield item

        assert list(engine.map(work, range(20))) == list(range(20))
        assert (tmp_path / "died").exists()

    def test_an_item_that_kills_every_worker_is_named(self, engine):
        def work(items):
            for item in items:
                if item == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield item

        with pytest.raises(LostWorkers, match=r"died at [0-3]: "):
            list(engine.map(work, range(8)))

    def test_a_node_killed_while_it_extracts_loses_nothing(
        self, cluster, new_node, engine, extraction, tmp_path, caplog
    ):
        alone = filled(extraction, LOCAL, tmp_path / "local")
        victim = new_node()
        while victim.node_id not in set(engine.map(places(), range(6))):
            pass  # until a worker there is ready
        shared = CubeStore.create(tmp_path / "ray", extraction.identity)

        def kill():
            while sum(1 for _ in shared.folder.rglob("*.safetensors")) < 8:
                time.sleep(0.05)
            cluster.remove_node(victim, allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        with caplog.at_level("WARNING", "wherewhen"):
            fill(shared, replace(extraction, engine=engine), progress=False)
        killer.join()
        assert "a worker has died" in caplog.text
        assert files_of(shared) == files_of(alone)
        assert len(list(shared.folder.rglob("*.safetensors"))) == 40


class TestEqualResults:
    def test_cubes_are_the_same_bytes(self, engine, footage, tmp_path):
        from wherewhen.features.backbones import build_backbone
        from wherewhen.features.weights import WeightsSource

        root, tracklets, frames = footage
        weights = WeightsSource(source="random", seed=0)
        backbone = build_backbone("timm:tf_efficientnet_lite0", weights, size=(64, 32))
        extraction = CubeExtraction(backbone, root, tracklets[:10], frames, batch_size=2)
        stores = [filled(extraction, each, tmp_path / str(each)) for each in (LOCAL, engine)]
        local, ray = map(files_of, stores)
        assert local == ray
        assert len(local) == 10 + 3  # lock, identity, manifest

    def test_embeddings_are_the_same_bits(self, engine):
        from wherewhen.model.config import NetworkConfig
        from wherewhen.model.encode import encode_tracklets
        from wherewhen.model.siamese import build_network
        from wherewhen.tracklets.cubes import ArrayCubes
        from wherewhen.tracklets.windows import Window

        generator = np.random.default_rng(0)
        cubes = {f"t{n}": generator.random((n, 3, 3, 4)).astype("float16") for n in range(1, 20)}
        network = build_network(NetworkConfig(projection=3, channels=[4]), 4, 3)
        windows = [Window(f"t{n}", 0, n) for n in range(1, 20)]
        local, ray = (
            encode_tracklets(
                network, ArrayCubes(cubes), windows, 3, False, attention=True, engine=each
            )
            for each in (LOCAL, engine)
        )
        assert np.array_equal(local.embeddings, ray.embeddings)
        for mine, theirs in zip(local.attention, ray.attention, strict=True):
            assert np.array_equal(mine, theirs)


class TestTrainings:
    """Trials trained by workers have the weights of trials trained here."""

    @pytest.fixture
    def train(self, tmp_path):
        import pandas as pd

        from wherewhen.model.config import NetworkConfig
        from wherewhen.model.siamese import build_network
        from wherewhen.tracklets.cubes import ArrayCubes
        from wherewhen.training.config import TrainingConfig
        from wherewhen.training.loop import train

        generator = np.random.default_rng(0)
        names = [(f"{camera}{person}", person, camera) for person in "pqrs" for camera in "ab"]
        tracklets = pd.DataFrame(names, columns=["tracklet", "person", "camera"])
        cubes = ArrayCubes(
            {name: generator.random((8, 3, 3, 4)).astype("float16") for name, *_ in names}
        )

        def go(seeds, where, log=None, engine=LOCAL, **settings):
            for seed in seeds:
                network = build_network(NetworkConfig(projection=3, channels=[4], seed=seed), 4, 3)
                config = TrainingConfig(
                    frames=4,
                    persons_per_batch=2,
                    steps=6,
                    checkpoint_every=1,
                    checkpoint_seconds=0,
                    seed=seed,
                    **settings,
                )
                folder = tmp_path / where / str(seed)
                history = train(
                    network, cubes, tracklets, None, config, folder, log, False, engine=engine
                )
                assert len(history) == 6
                yield {name: value.numpy() for name, value in network.state_dict().items()}

        return go

    def test_weights_are_the_same_bits(self, engine, train):
        local = train(range(3), "local")
        ray = engine.map(lambda seeds: train(seeds, "ray"), range(3), long=True)
        for mine, theirs in zip(local, ray, strict=True):
            assert mine.keys() == theirs.keys()
            assert all(np.array_equal(mine[name], theirs[name]) for name in mine)

    def test_a_killed_one_goes_on_from_its_checkpoint(self, engine, train, tmp_path):
        steps = tmp_path / "steps"

        def log(row):
            with steps.open("a") as file:
                file.write(f"{row['step']:.0f} ")
            if row["step"] == 3 and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)

        (local,) = train([0], "local")
        (ray,) = engine.map(lambda seeds: train(seeds, "ray", log), [0], long=True)
        assert all(np.array_equal(local[name], ray[name]) for name in local)
        assert steps.read_text().split() == ["1", "2", "3", "4", "5", "6"]

    def test_processes_of_several_machines_train_as_those_of_one(self, engine, train, tmp_path):
        (local,) = train([0], "local", processes=2)
        (ray,) = train([0], "ray", processes=2, engine=engine)
        assert all(np.array_equal(local[name], ray[name]) for name in local)
        assert (tmp_path / "ray/0/workers").is_dir()
        (again,) = train([0], "ray", processes=2, engine=engine)  # finished: nothing is started
        assert all(np.array_equal(again[name], ray[name]) for name in ray)

    def test_more_processes_than_the_cluster_has_room_for_are_refused(self, engine, train):
        with pytest.raises(RuntimeError, match=r"processes is 4, and the cluster has room for 2"):
            list(train([0], "ray", processes=4, engine=engine))


SCRIPT = """
import os, sys, time
from wherewhen.execution.config import ExecutionConfig
from wherewhen.execution.engine import engine_of

def work(items):
    for item in items:
        print("worker", os.getpid(), flush=True)
        time.sleep({seconds})
        yield item

engine = engine_of(ExecutionConfig(engine="ray", workers=1, object_store_gib=0.1))
print(list(engine.map(work, [1, 2])), flush=True)
"""


class TestOneMachine:
    """Ray that is started here ends with the process, however that ends."""

    @staticmethod
    def start(tmp_path, seconds):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(seconds=seconds))
        environment = {**os.environ, "TMPDIR": str(tmp_path.parent)}
        return subprocess.Popen(
            [sys.executable, script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def left(folder):
        """Return Ray's processes and folders that are left."""
        own = [
            path
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(folder).encode() in _read(path) and b"ray" in _read(path)
        ]
        return own + list(folder.glob("ww-ray-*"))

    def test_a_map_leaves_nothing(self, short_folder):
        process = self.start(short_folder / "a", 0)
        output, _ = process.communicate(timeout=240)
        assert "[1, 2]" in output
        assert process.returncode == 0
        assert self.left(short_folder) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_a_signal_ends_all(self, short_folder, number):
        process = self.start(short_folder / "a", 600)
        for line in process.stdout:
            if "worker" in line:
                break
        process.send_signal(number)
        process.communicate(timeout=60)
        end = time.monotonic() + 30
        while time.monotonic() < end and (left := self.left(short_folder)):
            if number == signal.SIGKILL and all(path.name.startswith("ww-ray") for path in left):
                break  # nobody was there to remove the folder
            time.sleep(0.5)
        else:
            assert left == []


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def short_folder():
    """A folder with a short path, as sockets need it."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ww") as folder:
        Path(folder, "a").mkdir()
        yield Path(folder)
