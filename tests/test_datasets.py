import json

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DatasetError, Version
from safetensors.torch import save_file

from wherewhen.datasets import (
    ArrayDataset,
    CubeStoreDataset,
    FolderDataset,
    MetricsDataset,
    NetworkDataset,
    SyntheticPeopleDataset,
    read_network_header,
    saved_network,
    write_network,
)
from wherewhen.features.augmentation import Augmentation
from wherewhen.metric_learning import distance_of, fit_metrics
from wherewhen.model.config import network_config
from wherewhen.model.siamese import build_network


class Extraction:
    """What `fill` needs of a `CubeExtraction`, made without a backbone."""

    cube_shape = (2, 2, 3)
    augmentation = Augmentation()
    storage, kept, verify, budget_gib = "float16", None, False, None

    @property
    def to_keep(self):
        return list(self.lengths)

    def source(self, tracklet):
        return ""

    def __init__(self, name, lengths, fails_at=None):
        self.identity = {"backbone": name}
        self.lengths = lengths
        self.fails_at = fails_at
        self.made = []

    def stream(self, tracklets):
        for tracklet in tracklets:
            if tracklet == self.fails_at:
                raise ValueError(f"{tracklet} can't be read")
            self.made.append(tracklet)
            yield tracklet, np.full((self.lengths[tracklet], *self.cube_shape), 1.5, np.float16)


@pytest.fixture
def network():
    return build_network(network_config(channels=(4,), projection=3, seed=1), channels=5, grid=2)


def dataset_at(path, version):
    return NetworkDataset(str(path), version=version)


class TestFolder:
    def test_the_folder_is_there_when_it_is_asked_for(self, tmp_path):
        dataset = FolderDataset(str(tmp_path / "a/b"))
        assert not dataset.exists()
        assert dataset.load() == tmp_path / "a/b"
        assert dataset.exists()
        assert (tmp_path / "a/b").is_dir()

    def test_saving_is_refused(self, tmp_path):
        with pytest.raises(DatasetError, match="nothing is saved to it"):
            FolderDataset(str(tmp_path)).save("anything")


class TestCubeStore:
    def test_what_was_saved_is_loaded(self, tmp_path):
        dataset = CubeStoreDataset(str(tmp_path))
        dataset.save(Extraction("b", {"cam_a/p": 2, "cam_b/p": 3}))
        store = dataset.load()
        assert store.complete
        assert dict(store.lengths) == {"cam_a/p": 2, "cam_b/p": 3}
        assert (store.read("cam_b/p") == 1.5).all()

    def test_before_the_first_set_is_whole_there_is_none(self, tmp_path):
        dataset = CubeStoreDataset(str(tmp_path))
        with pytest.raises(DatasetError, match="can't be read"):
            dataset.save(Extraction("b", {"cam_a/p": 2, "cam_b/p": 3}, fails_at="cam_b/p"))
        assert not dataset.exists()
        with pytest.raises(DatasetError, match="no complete set yet: run the stage"):
            dataset.load()

    def test_saving_again_makes_only_what_is_missing(self, tmp_path):
        dataset = CubeStoreDataset(str(tmp_path))
        lengths = {"cam_a/p": 2, "cam_b/p": 3}
        with pytest.raises(DatasetError, match="can't be read"):
            dataset.save(Extraction("b", lengths, fails_at="cam_b/p"))
        again = Extraction("b", lengths)
        dataset.save(again)
        assert again.made == ["cam_b/p"]
        assert dataset.load().complete

    def test_the_note_follows_the_set_that_was_completed_last(self, tmp_path):
        dataset = CubeStoreDataset(str(tmp_path))
        for name in ("one", "other", "one"):
            dataset.save(Extraction(name, {"t": 1}))
            assert dataset.load().identity == {"backbone": name}
        assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2

    def test_a_failed_set_leaves_the_note_on_the_whole_one(self, tmp_path):
        dataset = CubeStoreDataset(str(tmp_path))
        dataset.save(Extraction("whole", {"t": 1}))
        with pytest.raises(DatasetError, match="can't be read"):
            dataset.save(Extraction("broken", {"t": 1}, fails_at="t"))
        assert dataset.load().identity == {"backbone": "whole"}

    def test_no_temporary_file_is_left(self, tmp_path):
        CubeStoreDataset(str(tmp_path)).save(Extraction("b", {"t": 1}))
        assert not list(tmp_path.rglob("*.tmp"))


class TestSyntheticPeople:
    @pytest.fixture
    def written(self, monkeypatch):
        """Let the writer note what it was asked for instead of rendering it."""
        asked = []

        def write_set(people, root, progress=True):
            asked.append(people)
            folder = root / people
            (folder / "prid_2011").mkdir(parents=True, exist_ok=True)
            if people == "interrupted":
                raise KeyboardInterrupt
            return folder

        monkeypatch.setattr("wherewhen.synthetic.writer.write_set", write_set)
        return asked

    def test_the_root_of_the_tree_is_loaded(self, tmp_path, written):
        dataset = SyntheticPeopleDataset(str(tmp_path))
        dataset.save("0123")
        assert dataset.load() == tmp_path / "0123"
        assert (dataset.load() / "prid_2011").is_dir()
        assert json.loads((tmp_path / "current.json").read_text()) == {"name": "0123"}

    def test_a_part_of_a_set_may_be_what_is_loaded(self, tmp_path, written):
        dataset = SyntheticPeopleDataset(str(tmp_path))
        dataset.save("0123/archive")
        assert dataset.load() == tmp_path / "0123/archive"

    def test_an_interrupted_set_is_not_the_current_one(self, tmp_path, written):
        dataset = SyntheticPeopleDataset(str(tmp_path))
        with pytest.raises(KeyboardInterrupt):
            dataset.save("interrupted")
        assert not dataset.exists()
        dataset.save("whole")
        with pytest.raises(KeyboardInterrupt):
            dataset.save("interrupted")
        assert dataset.load() == tmp_path / "whole"


class TestNotes:
    def test_each_note_has_a_current_store_of_its_own(self, tmp_path):
        plain = CubeStoreDataset(str(tmp_path), note="./current.json")
        variant = CubeStoreDataset(str(tmp_path), note="variants/other/current.json")
        plain.save(Extraction("one", {"t": 2}))
        assert not variant.exists()
        variant.save(Extraction("two", {"t": 3}))
        assert (plain.load().lengths["t"], variant.load().lengths["t"]) == (2, 3)
        assert plain.load().folder.parent == variant.load().folder.parent == tmp_path


class TestNetwork:
    def test_the_same_network_comes_back(self, tmp_path, network):
        dataset = NetworkDataset(str(tmp_path / "network.safetensors"))
        dataset.save(network)
        again = dataset.load()
        assert again.config == network.config
        assert not again.training
        cubes = torch.randn(2, 3, 2, 2, 5)
        mask = torch.ones(2, 3, dtype=torch.bool)
        with torch.inference_mode():
            assert torch.equal(
                again.encode(cubes, mask).embedding, network.eval().encode(cubes, mask).embedding
            )

    def test_every_version_is_kept(self, tmp_path, network):
        path = tmp_path / "network.safetensors"
        first = dataset_at(path, Version(None, "2026-01-01T00.00.00.000Z"))
        first.save(network)
        changed = build_network(network.config.model_copy(update={"seed": 2}), 5, 2)
        second = dataset_at(path, Version(None, "2026-01-02T00.00.00.000Z"))
        second.save(changed)
        newest = dataset_at(path, Version(None, None)).load()
        oldest = dataset_at(path, Version("2026-01-01T00.00.00.000Z", None)).load()
        assert newest.config.seed == 2
        assert oldest.config.seed == 1

        assert saved_network(path).config.seed == 2

    def test_a_plain_file_will_do_and_nothing_is_named(self, tmp_path, network):
        path = tmp_path / "network.safetensors"
        with pytest.raises(FileNotFoundError, match=r"network.safetensors: expected a trained"):
            saved_network(path)
        write_network(network, path)
        assert saved_network(path).config == network.config

    def test_nothing_exists_before_it_is_saved(self, tmp_path, network):
        path = tmp_path / "network.safetensors"
        assert not dataset_at(path, None).exists()
        dataset = dataset_at(path, Version(None, "2026-01-01T00.00.00.000Z"))
        assert not dataset.exists()
        dataset.save(network)
        assert dataset_at(path, Version(None, None)).exists()

    def test_the_header_says_how_it_was_built(self, tmp_path, network):
        path = tmp_path / "network.safetensors"
        write_network(network, path)
        header = read_network_header(path)
        assert (header["channels"], header["grid"]) == (5, 2)
        assert header["config"]["channels"] == [4]
        assert pd.Index(tmp_path.iterdir()).tolist() == [path]

    def test_equal_networks_make_equal_files(self, tmp_path, network):
        files = set()
        for _ in range(8):
            again = build_network(network.config, channels=5, grid=2)
            write_network(again, tmp_path / "network.safetensors")
            files.add((tmp_path / "network.safetensors").read_bytes())
        assert len(files) == 1

    def test_a_file_that_holds_no_network_is_named(self, tmp_path):
        path = tmp_path / "weights.safetensors"
        save_file({"weight": torch.zeros(2)}, path)
        with pytest.raises(ValueError, match=r"weights.safetensors does not say how its network"):
            read_network_header(path)


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
        path = str(tmp_path / "metrics.safetensors")
        assert not MetricsDataset(path).exists()
        assert not MetricsDataset(path, version=Version(None, None)).exists()
        for day, names in (("01", ["xqda"]), ("02", ["kissme"])):
            version = Version(None, f"2026-01-{day}T00.00.00.000Z")
            dataset = MetricsDataset(path, version=version)
            dataset.save({name: metrics[name] for name in names})
            assert dataset.exists()
        assert list(MetricsDataset(path, version=Version(None, None)).load()) == ["kissme"]
        oldest = Version("2026-01-01T00.00.00.000Z", None)
        assert list(MetricsDataset(path, version=oldest).load()) == ["xqda"]

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

    def test_a_file_of_something_else_is_named(self, tmp_path, network):
        path = tmp_path / "logits.safetensors"
        write_network(network, path)
        with pytest.raises(DatasetError, match=r"its tensors are .*with the tensor `array` alone"):
            ArrayDataset(str(path)).load()
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(DatasetError, match=r"logits\.safetensors can't be read as an array"):
            ArrayDataset(str(path)).load()
        path.unlink()
        with pytest.raises(DatasetError, match=r"logits\.safetensors"):
            ArrayDataset(str(path)).load()
