from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from wherewhen.baselines.fisher_vectors import FisherBaseline
from wherewhen.baselines.fv2d import FV2D
from wherewhen.baselines.fv3d import FV3D
from wherewhen.baselines.hog3d import unit
from wherewhen.baselines.stfv3d import STFV3D
from wherewhen.model.fisher_vector import FisherVector

SMALL = {"size": (32, 64), "components": 2, "samples": 300}
ROWS = {FV2D: {"grid": (1, 2)}, FV3D: {}, STFV3D: {"phases": 2}}


class Colours(FisherBaseline):
    """Every frame a fragment; its upper and its lower half are regions."""

    def descriptors(self, frames):
        values = frames / 255
        half = frames.shape[1] // 2
        return [[part.reshape(-1, 3) for part in (v[:half], v[half:])] for v in values]


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.__name__)
def fitted(request, textured_clips):
    return request.param(**SMALL, **ROWS[request.param]).fit(textured_clips)


def test_regions_side_by_side_and_fragments_averaged(textured_clips):
    """A single Gaussian fitted to all descriptors does not depend on the order of drawing."""
    options = {"size": (32, 64), "components": 1, "samples": 10**6}
    baseline = Colours(**options).fit(textured_clips)
    training = [clip.frames() for clip in textured_clips]
    probe = training[0][:2]
    expected = []
    for rows in (slice(None, 32), slice(32, None)):
        region = np.concatenate([clip[:, rows].reshape(-1, 3) for clip in training]) / 255
        mean, deviation = region.mean(0), region.std(0)
        encoder = FisherVector(1).fit([(region - mean) / deviation])
        images = [(frame[rows].reshape(-1, 3) / 255 - mean) / deviation for frame in probe]
        expected.append(encoder.transform(images).mean(0))
    np.testing.assert_allclose(baseline.describe(probe), np.concatenate(expected), atol=1e-6)


def test_a_region_without_pixels_is_nought(textured_clips):
    class Sparse(Colours):
        def descriptors(self, frames):
            return [
                [v.reshape(-1, 3)[:: 1 + len(frames)], v.reshape(-1, 3)[: len(frames) - 1]]
                for v in frames / 255
            ]

    baseline = Sparse(**SMALL).fit(textured_clips)
    vector = baseline.describe(textured_clips[0].frames()[:1])
    assert vector[:12].any()
    assert not vector[12:].any()


def test_the_length_does_not_depend_on_the_frames(fitted, texture):
    lengths = set()
    for frames in (1, 2, 5, 50):
        vector = fitted.describe(texture("along", 9, frames))
        assert vector.dtype == np.float64
        assert np.isfinite(vector).all()
        lengths.add(vector.shape)
    expected = {FV2D: 2 * 3 * 2 * 2 * 7, FV3D: 2 * 2 * 23, STFV3D: 2 * 6 * 2 * 2 * 24}
    assert lengths == {(expected[type(fitted)],)}


def test_textures_are_told_apart(fitted, texture):
    kinds = ("along", "across")
    first, second = (
        unit(np.array([fitted.describe(texture(kind, seed)) for kind in kinds]))
        for seed in (10, 11)
    )
    alike = first @ second.T
    assert alike.argmax(1).tolist() == [0, 1]
    assert np.diag(alike).min() > max(alike[0, 1], alike[1, 0]) + 0.15


def test_crops_of_another_size_do(fitted, texture):
    large = texture("along", 9, 5).repeat(2, axis=1).repeat(2, axis=2)
    vectors = unit(np.stack([fitted.describe(texture("along", 9, 5)), fitted.describe(large)]))
    assert vectors[0] @ vectors[1] > 0.99


def test_equal_seeds_equal_vectors(fitted, textured_clips, texture):
    row = type(fitted)
    again = row(**SMALL, **ROWS[row]).fit(textured_clips)
    frames = texture("across", 9)
    np.testing.assert_array_equal(again.describe(frames), fitted.describe(frames))


def test_another_seed_another_vector(textured_clips):
    frames = textured_clips[0].frames()
    vectors = [Colours(**SMALL, seed=seed).fit(textured_clips).describe(frames) for seed in (0, 1)]
    assert not np.array_equal(*vectors)


def test_so_many_clips_as_are_wanted_are_read(textured_clips):
    read = []
    clips = [
        replace(clip, frames=lambda clip=clip: read.append(clip.tracklet) or clip.frames())
        for clip in textured_clips
    ]
    Colours(**SMALL, fit_clips=2).fit(clips)
    assert len(read) == len(set(read)) == 2


def test_faults_are_named(textured_clips, texture):
    with pytest.raises(NotFittedError, match="Colours: fit"):
        Colours(**SMALL).describe(texture("along", 0))
    with pytest.raises(ValueError, match="no clips of training persons"):
        Colours(**SMALL).fit([])
    with pytest.raises(ValueError, match="components: 9 Gaussians asked of 4 descriptors"):
        Colours(size=(32, 64), components=9, samples=4, fit_clips=1).fit(textured_clips)
