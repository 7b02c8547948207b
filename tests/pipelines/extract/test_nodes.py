import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from wherewhen.datasets import CubeStoreDataset
from wherewhen.features.backbones.parts import FROZEN
from wherewhen.features.cube_store import CubeStore
from wherewhen.features.extraction import StreamedCubes
from wherewhen.pipelines.extract.nodes import plan_extraction
from wherewhen.pipelines.extract.parameters import ExtractParameters
from wherewhen.pipelines.extract.pipeline import create_pipeline
from wherewhen.tracklets.windows import Window

PARAMETERS = ExtractParameters(
    backbone="timm:test_resnet",
    weights={"source": "random", "seed": 0},
    augmentation={"variants": 2},
)


@pytest.fixture
def tables(tmp_path):
    """Two tracklets of two frames, of noise; a/t trains, a/p is tested."""
    rows = []
    for tracklet in ("a/t", "a/p"):
        for position in range(2):
            path = tmp_path / f"{tracklet}{position}.png"
            path.parent.mkdir(exist_ok=True)
            noise = np.random.default_rng(len(rows)).integers(0, 256, (32, 16, 3), np.uint8)
            Image.fromarray(noise).save(path)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(
                (tracklet, position, position, path.relative_to(tmp_path).as_posix(), sha256)
            )
    frames = pd.DataFrame(rows, columns=["tracklet", "position", "frame", "path", "sha256"])
    tracklets = pd.DataFrame({"tracklet": ["a/t", "a/p"], "length": [2, 2]})
    splits = pd.DataFrame({"tracklet": ["a/t", "a/p"], "role": ["train", "probe"]})
    return tracklets, frames, splits


def stored_at(folder):
    return CubeStoreDataset((folder / "cubes.json").as_posix(), (folder / "stores").as_posix())


def test_what_does_not_train_is_streamed_to_the_same_cubes(tmp_path, tables):
    tracklets, frames, splits = tables
    whole, train = (stored_at(tmp_path / name) for name in ("whole", "train"))
    plan, identity = plan_extraction(tmp_path, tracklets, frames, PARAMETERS, FROZEN)
    whole.save(plan)
    part, same = plan_extraction(
        tmp_path, tracklets, frames, PARAMETERS, FROZEN, "cpu", splits=splits
    )
    train.save(part)
    assert identity == same
    stored, streamed = whole.load(), train.load()
    assert isinstance(stored, CubeStore)
    assert isinstance(streamed, StreamedCubes)
    assert list(streamed.store.lengths) == ["a/t"]
    assert streamed.key == stored.key == identity["key"]
    for tracklet in ("a/t", "a/p"):
        for variant in range(2):
            window = Window(tracklet, 1, 2, variant)
            np.testing.assert_array_equal(streamed.read(window), stored.read(window))
    train.save(plan)  # all are wanted after all
    assert isinstance(train.load(), CubeStore)
    assert set(train.load().lengths) == {"a/t", "a/p"}


def test_nothing_need_be_stored(tmp_path, tables):
    tracklets, frames, _ = tables
    whole, none = (stored_at(tmp_path / name) for name in ("whole", "none"))
    whole.save(plan_extraction(tmp_path, tracklets, frames, PARAMETERS, FROZEN)[0])
    parameters = PARAMETERS.model_copy(update={"tracklets": "none"})
    none.save(plan_extraction(tmp_path, tracklets, frames, parameters, FROZEN)[0])
    stored, made = whole.load(), none.load()
    assert isinstance(made, StreamedCubes)
    assert not list(made.store.folder.rglob("*.safetensors"))
    assert made.lengths == stored.lengths
    assert (made.grid, made.channels) == (stored.grid, stored.channels)
    for variant in range(2):
        window = Window("a/t", 0, 2, variant)
        np.testing.assert_array_equal(made.read(window), stored.read(window))


def test_frames_of_any_size_are_cubes_of_their_own(tmp_path, tables):
    tracklets, frames, splits = tables
    square, identity = plan_extraction(tmp_path, tracklets, frames, PARAMETERS, FROZEN)
    said = PARAMETERS.model_copy(update={"size": (224, 224)})
    assert plan_extraction(tmp_path, tracklets, frames, said, FROZEN)[1] == identity
    assert identity["backbone"]["preprocessing"]["size"] == 224  # as in the stores of old
    high = PARAMETERS.model_copy(update={"size": (96, 32), "tracklets": "train"})
    plan, other = plan_extraction(tmp_path, tracklets, frames, high, FROZEN, splits=splits)
    assert other["key"] != identity["key"]
    assert other["backbone"]["preprocessing"]["size"] == [96, 32]
    stored = stored_at(tmp_path / "high")
    stored.save(plan)
    cubes = stored.load()  # with a backbone that is built again
    assert cubes.grid == (3, 1)
    for tracklet in ("a/t", "a/p"):
        np.testing.assert_array_equal(cubes.read(cubes.whole(tracklet)), plan.cubes_of(tracklet)[0])
    assert square.cube_shape[:2] == (7, 7)


@pytest.mark.parametrize(("train_only", "needs_splits"), [(False, False), (True, True)])
def test_splits_are_waited_for_only_where_they_matter(train_only, needs_splits):
    assert ("splits" in create_pipeline(train_only).inputs()) == needs_splits


@pytest.mark.parametrize(
    ("fast", "precision", "warned"),
    [(False, "bfloat16", True), (True, "bfloat16", False), (False, "float32", False)],
)
def test_slow_bfloat16_is_named(tmp_path, tables, monkeypatch, caplog, fast, precision, warned):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast})
    parameters = PARAMETERS.model_copy(update={"precision": precision})
    plan_extraction(tmp_path, *tables[:2], parameters, FROZEN)
    assert ("no instructions for bfloat16" in caplog.text) is warned
