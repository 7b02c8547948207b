"""Frames become what a network was trained on."""

import numpy as np
import pytest
import torch
from PIL import Image

from wherewhen.features.backbones import Preprocessing
from wherewhen.features.weights import WeightsInput

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_values_are_scaled_and_normalised():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[..., 0], image[..., 2] = 255, 51
    prepared = Preprocessing(size=(4, 4), mean=(0.5, 0.25, 0), std=(0.5, 0.25, 2))(image)
    assert prepared.shape == (1, 3, 4, 4)
    assert prepared.dtype == torch.float32
    for channel, value in enumerate((1, -1, 0.1)):
        torch.testing.assert_close(prepared[0, channel], torch.full((4, 4), float(value)))


@pytest.mark.parametrize("size", [(128, 64), (400, 300)], ids=["up", "down"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_resized_as_pil_does_but_for_rounding(size, mode):
    # no value overshoots [0, 255], so the order of the passes, which Pillow 13 changed, is not seen
    noise = np.random.default_rng(1).integers(64, 192, (*size, 3), dtype=np.uint8)
    prepared = Preprocessing(mean=(0,) * 3, std=(1,) * 3, interpolation=mode)(noise[None])
    ours = prepared[0].permute(1, 2, 0).numpy() * 255
    theirs = np.asarray(Image.fromarray(noise).resize((224, 224), Image.Resampling[mode.upper()]))
    assert np.abs(ours.round() - theirs).max() <= 2


def test_an_input_of_the_images_proportions_is_height_by_width():
    noise = np.random.default_rng(1).integers(64, 192, (128, 64, 3), dtype=np.uint8)
    prepared = Preprocessing(size=(256, 128), mean=(0,) * 3, std=(1,) * 3)(noise[None])
    assert prepared.shape == (1, 3, 256, 128)
    theirs = np.asarray(Image.fromarray(noise).resize((128, 256), Image.Resampling.BILINEAR))
    assert np.abs((prepared[0].permute(1, 2, 0).numpy() * 255).round() - theirs).max() <= 2


def test_the_record_of_a_square_has_one_number():
    assert Preprocessing().record["size"] == 224
    assert Preprocessing(size=(256, 128)).record["size"] == [256, 128]


def test_the_image_is_not_written_to(images):
    before = images.copy()
    images.flags.writeable = False
    Preprocessing()(images)
    images.flags.writeable = True
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "images",
    [np.zeros((128, 64, 3), np.uint8), np.zeros((1, 3, 8, 8), np.uint8), np.zeros((1, 8, 8, 3))],
    ids=["one image", "channels first", "float"],
)
def test_other_images_are_refused(images):
    with pytest.raises(ValueError, match=r"expected uint8 \[N, H, W, 3\]"):
        Preprocessing()(images)


PIXEL = np.array([[[[255, 51, 102]]]], np.uint8)
"""Red 1, green 0.2, blue 0.4."""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [(1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.4 - 0.406) / 0.225]),
        # each colour keeps its mean; the order is the network's
        (
            {"channels": "BGR"},
            [(0.4 - 0.406) / 0.225, (0.2 - 0.456) / 0.224, (1 - 0.485) / 0.229],
        ),
        ({"mean": (0.5, 0.1, 0.4), "deviation": (0.5, 0.1, 1)}, [1, 1, 0]),
        ({"mean": (0, 0, 0), "deviation": (1, 1, 1), "range": "0..1"}, [1, 0.2, 0.4]),
        ({"mean": (0, 0, 0), "deviation": (1, 1, 1), "range": "-1..1"}, [1, -0.6, -0.2]),
        ({"mean": (0.2, 0.4, -1), "deviation": (0.4, 0.5, 2), "range": "-1..1"}, [2, -2, 0.4]),
        # Caffe's: blue first, with blue's mean first
        (
            {
                "mean": (103.939, 116.779, 123.68),
                "deviation": (1, 1, 1),
                "range": "0..255",
                "channels": "BGR",
            },
            [102 - 103.939, 51 - 116.779, 255 - 123.68],
        ),
        ({"mean": (0, 51, 0), "deviation": (255, 51, 51), "range": "0..255"}, [1, 0, 2]),
    ],
)
def test_pixels_become_what_the_network_was_trained_on(given, expected):
    library = Preprocessing(size=(1, 1), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    prepared = library.for_input(WeightsInput(**given))(PIXEL)
    torch.testing.assert_close(
        prepared.flatten(), torch.tensor(expected, dtype=torch.float32), rtol=1e-4, atol=2e-5
    )
