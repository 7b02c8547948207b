import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from kedro.io import DatasetError, Version
from safetensors.numpy import save_file

from wherewhen.datasets import (
    ArrayDataset,
    CubeStoreDataset,
    MetricsDataset,
    NetworkDataset,
    PlaceDataset,
    SyntheticPeopleDataset,
    WorkspaceDataset,
)
from wherewhen.execution.engine import LOCAL
from wherewhen.features.augmentation import Augmentation
from wherewhen.features.extraction import PLAN, PLAN_FILES
from wherewhen.lineage.content import content_of
from wherewhen.metric_learning import distance_of, fit_metrics
from wherewhen.model.config import NetworkConfig
from wherewhen.model.siamese import build_network
from wherewhen.tracklets.archives import SEAL
from wherewhen.tracklets.fingerprint import fingerprint

ONE, OTHER = "0123456789abcdef", "fedcba9876543210"
"""Identities, which are the versions of data sets."""


def of(identity):
    return Version(identity, identity)


class Extraction:
    """What `fill` needs of a `CubeExtraction`, made without a backbone."""

    cube_shape = (2, 2, 3)
    augmentation = Augmentation()
    storage, budget_gib, engine = "float16", None, LOCAL

    def __init__(self, name, lengths, fails_at=None, kept=None, root=""):
        self.identity = {"backbone": name}
        self.lengths = lengths
        self.fails_at, self.kept, self.root = fails_at, kept, root
        self.made = []

    @property
    def to_keep(self):
        return list(self.lengths if self.kept is None else self.kept)

    def source(self, tracklet):
        return ""

    def save(self, folder):
        for name in PLAN_FILES:
            (folder / name).write_text(json.dumps({"root": str(self.root)}))

    def stream(self, tracklets):
        for tracklet in tracklets:
            if tracklet == self.fails_at:
                raise ValueError(f"{tracklet} can't be read")
            self.made.append(tracklet)
            yield tracklet, np.full((self.lengths[tracklet], *self.cube_shape), 1.5, np.float16)


@pytest.fixture
def network():
    return build_network(NetworkConfig(channels=(4,), projection=3, seed=1), channels=5, grid=2)


class TestWorkspace:
    def test_the_folder_of_an_identity_is_there_when_it_is_asked_for(self, tmp_path):
        dataset = WorkspaceDataset((tmp_path / "a/b").as_posix(), metadata={"anything": 1})
        assert not dataset.exists()
        dataset.version = ONE
        folder = dataset.load().folder
        assert folder == tmp_path / "a/b" / ONE
        assert folder.is_dir()
        (folder / "checkpoint").write_bytes(b"x")
        assert (dataset.load().folder / "checkpoint").read_bytes() == b"x"
        dataset.version = OTHER
        assert list(dataset.load().folder.iterdir()) == []
        assert dataset.exists()

    def test_saving_is_refused(self, tmp_path):
        with pytest.raises(DatasetError, match="is a node's own folder: nothing is saved to it"):
            WorkspaceDataset(str(tmp_path)).save("anything")


LENGTHS = {"cam_a/p": 2, "cam_b/p": 3}


class TestPlace:
    def test_a_folder_that_was_moved_is_a_fault_and_its_place_never_counts(self, tmp_path):
        footage, moved = tmp_path / "footage", tmp_path / "moved"
        footage.mkdir()
        dataset = PlaceDataset((tmp_path / "root.json").as_posix())
        dataset.save(footage.as_posix())
        assert dataset.load() == footage.as_posix()
        assert json.loads((tmp_path / "root.json").read_text()) == footage.as_posix()
        assert dataset.fault() is None
        before = dataset.counts()
        footage.rename(moved)
        assert dataset.fault() == f"{footage} is gone"
        dataset.save(moved.as_posix())
        assert dataset.fault() is None
        assert dataset.counts() == before

    def test_a_path_is_relative_to_the_project(self, tmp_path, monkeypatch):
        monkeypatch.setattr("wherewhen.project.project_root", lambda: tmp_path)
        dataset = PlaceDataset((tmp_path / "root.json").as_posix())
        dataset.save("data/01_raw/mine")
        assert dataset.fault() == f"{tmp_path / 'data/01_raw/mine'} is gone"
        (tmp_path / "data/01_raw/mine").mkdir(parents=True)
        assert dataset.fault() is None


def cubes_at(folder, version=None):
    pointer, stores = folder / "cubes.json", folder / "stores"
    return CubeStoreDataset(pointer.as_posix(), stores.as_posix(), version)


class TestCubeStore:
    def test_what_was_saved_is_loaded(self, tmp_path):
        dataset = cubes_at(tmp_path)
        assert not dataset.exists()
        dataset.save(Extraction("b", LENGTHS))
        store = dataset.load()
        assert store.complete
        assert dict(store.lengths) == LENGTHS
        assert (store.read(store.whole("cam_b/p")) == 1.5).all()
        assert dataset.exists()

    def test_the_file_names_the_store_and_nothing_of_this_machine(self, tmp_path):
        cubes_at(tmp_path).save(Extraction("b", LENGTHS))
        key = fingerprint({"backbone": "b"})
        assert json.loads((tmp_path / "cubes.json").read_text()) == {"store": key}
        assert cubes_at(tmp_path).counts() == key
        assert [path.name for path in (tmp_path / "stores").iterdir() if path.is_dir()] == [key]

    def test_before_the_first_set_is_whole_there_is_none(self, tmp_path):
        dataset = cubes_at(tmp_path)
        with pytest.raises(DatasetError, match="can't be read"):
            dataset.save(Extraction("b", LENGTHS, fails_at="cam_b/p"))
        assert not dataset.exists()

    def test_saving_again_makes_only_what_is_missing(self, tmp_path):
        with pytest.raises(DatasetError, match="can't be read"):
            cubes_at(tmp_path).save(Extraction("b", LENGTHS, fails_at="cam_b/p"))
        again = Extraction("b", LENGTHS)
        cubes_at(tmp_path).save(again)
        assert again.made == ["cam_b/p"]
        assert cubes_at(tmp_path).load().complete

    def test_versions_share_stores(self, tmp_path):
        for version, name in ((ONE, "one"), (OTHER, "other")):
            cubes_at(tmp_path, of(version)).save(Extraction(name, {"t": 1}))
        again = Extraction("one", {"t": 1})
        cubes_at(tmp_path, of("another")).save(again)
        assert again.made == []
        for version, name in ((ONE, "one"), (OTHER, "other"), ("another", "one")):
            assert cubes_at(tmp_path, of(version)).load().identity == {"backbone": name}
        assert len([path for path in (tmp_path / "stores").iterdir() if path.is_dir()]) == 2

    def test_cubes_that_are_gone_or_cut_are_a_fault(self, tmp_path):
        dataset = cubes_at(tmp_path)
        dataset.save(Extraction("b", LENGTHS))
        assert dataset.fault() is None
        (file,) = (tmp_path / "stores").rglob("cam_b/p.safetensors")
        content = file.read_bytes()
        file.write_bytes(content[:-1])
        assert "are gone or damaged" in cubes_at(tmp_path).fault()
        file.unlink()
        assert "are gone or damaged" in cubes_at(tmp_path).fault()
        again = Extraction("b", LENGTHS)
        cubes_at(tmp_path).save(again)
        assert again.made == ["cam_b/p"]
        assert cubes_at(tmp_path).fault() is None

    def test_a_store_that_is_gone_is_a_fault(self, tmp_path):
        dataset = cubes_at(tmp_path)
        dataset.save(Extraction("b", LENGTHS))
        dataset.remove()
        assert not list((tmp_path / "stores").rglob("*.safetensors"))
        assert "is no cube store" in cubes_at(tmp_path).fault()
        again = Extraction("b", LENGTHS)
        cubes_at(tmp_path).save(again)
        assert again.made == list(LENGTHS)

    def test_a_plan_lies_beside_cubes_of_which_some_are_left_out(self, tmp_path):
        """And is taken away when all are stored: the same cubes need no backbone then."""
        part = Extraction("b", LENGTHS, kept=["cam_a/p"], root=tmp_path)
        cubes_at(tmp_path, of(ONE)).save(part)
        assert part.made == ["cam_a/p"]
        (plan,) = (tmp_path / "stores").rglob(PLAN)
        assert json.loads(plan.read_text()) == {"root": str(tmp_path)}
        cubes_at(tmp_path, of(OTHER)).save(Extraction("b", LENGTHS))
        assert not plan.exists()
        for version in (ONE, OTHER):
            assert set(cubes_at(tmp_path, of(version)).load().lengths) == set(LENGTHS)

    def test_frames_that_were_moved_are_a_fault_where_cubes_are_made_of_them(self, tmp_path):
        footage = tmp_path / "footage"
        footage.mkdir()
        for kept, fault in ((None, False), (["cam_a/p"], True)):
            dataset = cubes_at(tmp_path / str(fault))
            dataset.save(Extraction("b", LENGTHS, kept=kept, root=footage))
            assert dataset.fault() is None
            moved = footage.rename(tmp_path / "moved")
            expected = f"{footage}, of which cubes are made, is gone" if fault else None
            assert dataset.fault() == expected
            again = Extraction("b", LENGTHS, kept=kept, root=moved)
            dataset.save(again)
            assert again.made == []
            assert dataset.fault() is None
            moved.rename(footage)

    def test_the_file_appears_whole_or_not_at_all(self, tmp_path):
        cubes_at(tmp_path).save(Extraction("b", {"t": 1}))
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"cubes.json", "stores"}


class TestSyntheticPeople:
    @pytest.fixture
    def people(self):
        """What stands for a plan: the writer is replaced."""
        return SimpleNamespace(fingerprint="0123")

    @pytest.fixture
    def rendered(self, monkeypatch):
        """Let the writer note what it was asked for, and write two frames instead of rendering."""
        asked = []

        def write_set(people, root):
            asked.append(people.fingerprint)
            folder = root / people.fingerprint / "prid_2011"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "1.png").write_bytes(b"first")
            if people.fingerprint == "interrupted":
                raise KeyboardInterrupt
            (folder / "2.png").write_bytes(b"second")
            return folder.parent

        monkeypatch.setattr("wherewhen.synthetic.writer.write_set", write_set)
        return asked

    @staticmethod
    def at(folder, version=None):
        pointer, stores = folder / "people.json", folder / "raw"
        return SyntheticPeopleDataset(pointer.as_posix(), stores.as_posix(), version)

    def test_the_root_of_the_tree_is_loaded(self, tmp_path, people, rendered):
        dataset = self.at(tmp_path)
        dataset.save(people)
        assert dataset.load() == tmp_path / "raw/0123"
        assert dataset.counts() == "0123"
        assert dataset.fault() is None
        content = json.loads((tmp_path / "people.json").read_text())
        files = content_of(tmp_path / "raw/0123")
        assert content == {"store": "0123", "read_from": "0123", "files": files}

    def test_a_part_of_a_set_may_be_what_is_loaded(self, tmp_path, people, monkeypatch):
        def write_set(people, root):
            (root / "0123/archive").mkdir(parents=True)
            return root / "0123/archive"

        monkeypatch.setattr("wherewhen.synthetic.writer.write_set", write_set)
        self.at(tmp_path).save(people)
        assert self.at(tmp_path).load() == tmp_path / "raw/0123/archive"
        assert self.at(tmp_path).counts() == "0123"

    def test_an_interrupted_set_is_not_there_and_gone_on_with(self, tmp_path, people, rendered):
        people.fingerprint = "interrupted"
        dataset = self.at(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            dataset.save(people)
        assert not dataset.exists()
        assert (tmp_path / "raw/interrupted/prid_2011/1.png").is_file()

    @pytest.mark.parametrize("change", ["gone", "changed", "added"])
    def test_frames_that_are_not_as_they_were_rendered_are_a_fault(
        self, tmp_path, people, rendered, change
    ):
        dataset = self.at(tmp_path)
        dataset.save(people)
        frame = tmp_path / "raw/0123/prid_2011/1.png"
        if change == "gone":
            frame.unlink()
        elif change == "changed":
            frame.write_bytes(b"other")
            os.utime(frame, ns=(1, 1))
        else:
            frame.with_name("3.png").write_bytes(b"third")
        assert dataset.fault() == f"files in {tmp_path / 'raw/0123'} are gone or were changed"
        dataset.save(people)  # the writer knows by checksums what to render anew
        assert rendered == ["0123", "0123"]
        assert dataset.fault() is None
        assert frame.read_bytes() == b"first"

    def test_what_a_reader_unpacks_in_there_is_no_fault(self, tmp_path, people, rendered):
        dataset = self.at(tmp_path)
        dataset.save(people)
        unpacked = tmp_path / "raw/0123/archive/unpacked/set"
        unpacked.mkdir(parents=True)
        (unpacked / SEAL).write_text("{}")
        (unpacked / "1.png").write_bytes(b"first")
        assert dataset.fault() is None

    def test_removed_it_is_rendered_anew(self, tmp_path, people, rendered):
        dataset = self.at(tmp_path)
        dataset.save(people)
        dataset.remove()
        assert not (tmp_path / "raw/0123").exists()
        assert dataset.fault() is not None
        dataset.save(people)
        assert rendered == ["0123", "0123"]
        assert dataset.fault() is None


class TestNetwork:
    @staticmethod
    def at(folder, version=None):
        return NetworkDataset((folder / "network.safetensors").as_posix(), version)

    def test_the_same_network_comes_back_to_be_used(self, tmp_path, network):
        dataset = self.at(tmp_path)
        assert not dataset.exists()
        dataset.save(network.train())
        again = dataset.load()
        assert again.config == network.config
        assert not again.training
        cubes = torch.randn(2, 3, 2, 2, 5)
        with torch.inference_mode():
            assert torch.equal(
                again.encode(cubes).embedding, network.eval().encode(cubes).embedding
            )
        assert dataset.exists()

    def test_every_version_is_kept(self, tmp_path, network):
        assert not self.at(tmp_path, of(ONE)).exists()
        self.at(tmp_path, of(ONE)).save(network)
        changed = build_network(network.config.model_copy(update={"seed": 2}), 5, 2)
        self.at(tmp_path, of(OTHER)).save(changed)
        assert self.at(tmp_path, of(ONE)).load().config.seed == 1
        assert self.at(tmp_path, of(OTHER)).load().config.seed == 2
        assert (tmp_path / f"network.safetensors/{ONE}/network.safetensors").is_file()

    def test_a_damaged_file_is_named(self, tmp_path, network):
        dataset = self.at(tmp_path)
        dataset.save(network)
        path = tmp_path / "network.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(DatasetError, match=r"network\.safetensors can't be read as a network"):
            dataset.load()


class TestMetrics:
    VECTORS = np.random.default_rng(0).normal(size=(24, 6))

    @pytest.fixture
    def metrics(self):
        person, camera = np.arange(24) // 6, np.arange(24) % 2
        return fit_metrics(self.VECTORS, person, camera, {"xqda": {}, "kissme": {}}, dimension=3)

    def test_the_same_metrics_come_back_in_their_order(self, tmp_path, metrics):
        dataset = MetricsDataset(str(tmp_path / "metrics.safetensors"))
        dataset.save(metrics)
        again = dataset.load()
        assert list(again) == ["xqda", "kissme"]
        for name, metric in metrics.items():
            before, after = (
                distance_of(each)(self.VECTORS[:5], self.VECTORS) for each in (metric, again[name])
            )
            np.testing.assert_array_equal(before, after)

    def test_every_version_is_kept(self, tmp_path, metrics):
        path = (tmp_path / "metrics.safetensors").as_posix()
        for version, name in ((ONE, "xqda"), (OTHER, "kissme")):
            dataset = MetricsDataset(path, of(version))
            assert not dataset.exists()
            dataset.save({name: metrics[name]})
            assert dataset.exists()
        assert list(MetricsDataset(path, of(ONE)).load()) == ["xqda"]
        assert list(MetricsDataset(path, of(OTHER)).load()) == ["kissme"]

    def test_a_damaged_file_is_named(self, tmp_path, metrics):
        path = tmp_path / "metrics.safetensors"
        dataset = MetricsDataset(str(path))
        dataset.save(metrics)
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(
            DatasetError, match=r"metrics\.safetensors can't be read .*learn_metric"
        ):
            dataset.load()


class TestArray:
    @pytest.mark.parametrize(
        "array",
        [
            np.array([[1.5, -2.0, np.nan], [0.0, -0.0, np.inf]], dtype=np.float32),
            np.arange(6.0).reshape(2, 3).T,
            np.arange(6).reshape(2, 3)[:, ::-1],
            np.zeros((0, 3)),
            np.array(3.0),
        ],
    )
    def test_the_same_array_comes_back(self, tmp_path, array):
        dataset = ArrayDataset(str(tmp_path / "made" / "logits.safetensors"))
        assert not dataset.exists()
        dataset.save(array)
        again = dataset.load()
        assert again.dtype == array.dtype
        assert again.shape == array.shape
        assert again.tobytes() == array.tobytes()  # NaN and the sign of zero, too
        assert dataset.exists()
        assert [path.name for path in (tmp_path / "made").iterdir()] == ["logits.safetensors"]

    @pytest.mark.parametrize("data", [[1.0], np.array(["a"]), np.array([{}]), None])
    def test_anything_else_is_refused(self, tmp_path, data):
        with pytest.raises(DatasetError, match=r"array of numbers|Saving 'None'"):
            ArrayDataset(str(tmp_path / "logits.safetensors")).save(data)
        assert not list(tmp_path.iterdir())

    def test_a_file_of_something_else_is_named(self, tmp_path):
        path = tmp_path / "logits.safetensors"
        save_file({"a": np.zeros(3), "b": np.zeros(3)}, path)
        with pytest.raises(DatasetError, match=r"its tensors are a, b\): expected .* one tensor"):
            ArrayDataset(str(path)).load()
        path.write_bytes(path.read_bytes()[:20])
        with pytest.raises(DatasetError, match=r"logits\.safetensors can't be read as an array"):
            ArrayDataset(str(path)).load()
        path.unlink()
        with pytest.raises(DatasetError, match=r"logits\.safetensors"):
            ArrayDataset(str(path)).load()


def test_a_figure_is_read_as_its_picture(tmp_path):
    from wherewhen.datasets import FigureDataset
    from wherewhen.reporting.figures.canvas import new_figure

    dataset = FigureDataset(str(tmp_path / "empty.png"))
    dataset.save(new_figure(2, 1, layout=None))
    assert dataset.load().format == "PNG"
    assert (tmp_path / "empty.pdf").is_file()
