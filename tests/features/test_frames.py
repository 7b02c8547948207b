"""Cubes of frames in memory are those of an extraction, to the byte."""

import numpy as np
import pytest
from flat_footage import write_flat

from wherewhen.features.backbones import build_backbone
from wherewhen.features.extraction import CubeExtraction, read_frame
from wherewhen.features.frames import cubes_of_frames
from wherewhen.features.weights import WeightsSource
from wherewhen.tracklets.readers import read


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("timm:tf_efficientnet_lite0", WeightsSource(source="random", seed=0))


def test_they_are_those_of_an_extraction(tmp_path, backbone, one_thread):
    footage = read("folder", write_flat("folder", tmp_path, length=5), progress=False)
    extraction = CubeExtraction(
        backbone, footage.root, footage.tracklets, footage.frames, batch_size=2
    )
    name = footage.tracklets.tracklet[0]
    paths = footage.frames[footage.frames.tracklet == name].path
    frames = [read_frame(footage.root / path) for path in paths]
    cubes = cubes_of_frames(backbone, frames, batch_size=2)
    np.testing.assert_array_equal(cubes, extraction.cubes_of(name)[0])


def test_frames_may_differ_in_size(backbone):
    frames = [np.full((height, 8, 3), 90, np.uint8) for height in (8, 16)]
    assert cubes_of_frames(backbone, frames).shape == (2, 7, 7, 1280)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((8, 4, 3)), r"frame 0: expected uint8 .*, got float64 \[8, 4, 3\]"),
        (np.zeros((8, 4), np.uint8), r"got uint8 \[8, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), r"got uint8 \[0, 4, 3\]"),
        ("f.png", "got str"),
    ],
)
def test_what_is_no_picture_is_refused(backbone, frame, said):
    with pytest.raises(ValueError, match=said):
        cubes_of_frames(backbone, [frame])


def test_no_frames(backbone):
    with pytest.raises(ValueError, match="at least one, got none"):
        cubes_of_frames(backbone, [])
