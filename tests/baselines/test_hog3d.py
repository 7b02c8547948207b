import math

import numpy as np
import pytest
from skimage.feature import hog

from wherewhen.baselines.hog3d import (
    HOG3D,
    block_means,
    cell_bounds,
    cell_histograms,
    clip_gradients,
    icosahedron_faces,
    unit,
    votes,
)
from wherewhen.baselines.pixels import first_derivative

NEIGHBOURS = math.sqrt(5) / 3
"""Cosine of the angle between two faces of an icosahedron that share an edge."""


def test_the_faces_of_an_icosahedron():
    faces = icosahedron_faces()
    np.testing.assert_allclose(np.linalg.norm(faces, axis=1), 1)
    np.testing.assert_allclose(faces[:10], -faces[10:])
    cosines = faces @ faces.T
    assert (np.isclose(cosines, NEIGHBOURS).sum(1) == 3).all()  # a triangle has three neighbours
    assert np.sort(cosines, axis=1)[:, -2] == pytest.approx(NEIGHBOURS)


def test_a_face_gets_all_votes_of_a_gradient_along_it():
    faces = icosahedron_faces()
    np.testing.assert_allclose(votes(3 * faces, faces, NEIGHBOURS), 3 * np.eye(20), atol=1e-6)
    half = votes(-2 * faces[:10], faces[:10], NEIGHBOURS, signed=False)
    np.testing.assert_allclose(half, 2 * np.eye(10), atol=1e-6)


def test_votes_are_as_long_as_the_gradient():
    gradients = np.random.default_rng(0).normal(size=(500, 3))
    lengths = np.linalg.norm(votes(gradients, icosahedron_faces(), NEIGHBOURS), axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(gradients, axis=1))
    np.testing.assert_array_equal(votes(np.zeros(3), icosahedron_faces(), NEIGHBOURS), 0)


def test_scikit_images_histogram_of_a_cell():
    """With directions in the plane, and votes for the nearest alone, a frame's is HOG's."""
    window = np.outer(np.hanning(34), np.hanning(22)) ** 8  # flat at the rim, where rules differ
    picture = np.random.default_rng(0).random((34, 22)) * window
    expected = hog(
        picture, 9, pixels_per_cell=picture.shape, cells_per_block=(1, 1), block_norm="L2"
    )
    middles = np.deg2rad(np.arange(9) * 20 + 10)
    plane = np.stack([np.cos(middles), np.sin(middles), np.zeros(9)], axis=1)
    along = [first_derivative(picture, axis) for axis in (1, 0)]
    gradients = np.stack([*along, np.zeros_like(picture)], axis=-1)
    histogram = votes(gradients, plane, math.cos(math.radians(10)), signed=False).sum((0, 1))
    np.testing.assert_allclose(histogram / np.linalg.norm(histogram), expected, atol=1e-5)


def test_gradients_of_a_clip():
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 1)).repeat(3, 3).astype(np.uint8)
    shades = frames[..., 0] / 255
    expected = [
        (shades[1, 2, 3] - shades[1, 2, 1]) / 2,
        (shades[1, 3, 2] - shades[1, 1, 2]) / 2,
        (shades[2, 2, 2] - shades[0, 2, 2]) / 2,
    ]
    np.testing.assert_allclose(clip_gradients(frames)[1, 2, 2], expected)
    assert not clip_gradients(frames[:1])[..., 2].any()


def test_cells_overlap_by_half_and_cover_the_axis():
    np.testing.assert_allclose(cell_bounds(3, 0.5), [[0, 0.5], [0.25, 0.75], [0.5, 1]])
    np.testing.assert_allclose(cell_bounds(2, 0.0), [[0, 0.5], [0.5, 1]])
    np.testing.assert_allclose(cell_bounds(1, 0.5), [[0, 1]])


def test_blocks_average_what_they_cover():
    bounds = cell_bounds(1, 0.5)
    np.testing.assert_allclose(block_means(4, bounds, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    thirds = block_means(3, bounds, 2)  # each covers one pixel and half of the middle one
    np.testing.assert_allclose(thirds, [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    np.testing.assert_allclose(block_means(1, cell_bounds(2, 0.5), 3), np.ones((6, 1)))


def test_a_ramp_is_the_same_in_every_cell():
    """The light rises along the width by 2 a pixel and along time by 1 a frame."""
    gradients = np.broadcast_to([2.0, 0.0, 1.0], (7, 30, 11, 3))
    histograms = cell_histograms(gradients, (2, 5, 3), 0.5, 3, signed=True)
    assert histograms.shape == (3, 5, 2, 20)
    expected = votes(np.array([2.0, 0.0, 1.0]), icosahedron_faces(), NEIGHBOURS)
    np.testing.assert_allclose(histograms, np.broadcast_to(expected, histograms.shape))


def test_cells_lie_where_they_say():
    gradients = np.zeros((4, 10, 6, 3))
    gradients[2:, :5, 3:, 0] = 1.0  # the second half, above, on the right
    found = cell_histograms(gradients, (2, 2, 2), 0.0, 1, signed=True).sum(-1) > 0
    assert np.argwhere(found).tolist() == [[1, 0, 1]]


def test_the_length_of_a_vector_is_the_cells(texture):
    baseline = HOG3D(size=(32, 64))
    for frames in (1, 2, 6, 60):
        vector = baseline.describe(texture("along", 0, frames))
        assert vector.shape == (2 * 5 * 2 * 20,)
        assert vector.dtype == np.float64
        assert np.isfinite(vector).all()
    small = HOG3D(size=(32, 64), cells=(1, 2, 3), signed=False)
    assert small.describe(texture("along", 0)).shape == (60,)


def test_no_gradient_no_vector():
    assert not HOG3D().describe(np.full((3, 20, 10, 3), 7, np.uint8)).any()


def test_textures_are_told_apart(texture):
    baseline = HOG3D(size=(32, 64)).fit([])
    kinds = ("along", "across")
    first, second = (
        np.array([baseline.describe(texture(kind, seed)) for kind in kinds]) for seed in (0, 1)
    )
    alike = unit(first) @ unit(second).T
    assert np.diag(alike).min() > 0.8 > alike[0, 1]
    np.testing.assert_array_equal(first[0], baseline.describe(texture("along", 0)))


def test_options_that_mean_nothing_are_refused(texture):
    for options, name in [
        ({"cells": (0, 5, 2)}, "cells"),
        ({"overlap": 1.0}, "overlap"),
        ({"blocks": 0}, "blocks"),
    ]:
        with pytest.raises(ValueError, match=name):
            HOG3D(**options).describe(texture("along", 0))
