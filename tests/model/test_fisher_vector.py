import math

import numpy as np
import pytest
from skimage.feature import fisher_vector

from wherewhen.model.fisher_vector import FisherVector


def clips_of(lengths, dimensions, seed=0):
    """Frames around two places, which a mixture can find."""
    generator = np.random.default_rng(seed)
    return [
        generator.normal(generator.choice([-2.0, 2.0]), 0.7, (length, dimensions))
        for length in lengths
    ]


def eq_10(frames, means, variances, priors):
    """Eq 10 number by number, the posterior by Bayes' rule."""
    components, dimensions = means.shape
    total = len(frames)
    vector = []
    posteriors = []
    for h in frames:
        joint = [
            priors[k]
            * math.prod(
                math.exp(-((h[d] - means[k][d]) ** 2) / (2 * variances[k][d]))
                / math.sqrt(2 * math.pi * variances[k][d])
                for d in range(dimensions)
            )
            for k in range(components)
        ]
        posteriors.append([value / sum(joint) for value in joint])
    for k in range(components):
        for power in ("u", "v"):
            for d in range(dimensions):
                away = [(h[d] - means[k][d]) / math.sqrt(variances[k][d]) for h in frames]
                if power == "u":
                    terms = [q[k] * z for q, z in zip(posteriors, away, strict=True)]
                    vector.append(sum(terms) / (total * math.sqrt(priors[k])))
                else:
                    terms = [q[k] * (z * z - 1) for q, z in zip(posteriors, away, strict=True)]
                    vector.append(sum(terms) / (total * math.sqrt(2 * priors[k])))
    return np.array(vector)


@pytest.mark.parametrize("components", [1, 3])
def test_eq_10(components):
    clips = clips_of([5, 30, 12, 1], 4)
    encoder = FisherVector(components, improved=False).fit(clips)
    vectors = encoder.transform(clips)
    assert vectors.shape == (4, encoder.size_) == (4, 2 * 4 * components)
    mixture = encoder.mixture_
    for frames, vector in zip(clips, vectors, strict=True):
        expected = eq_10(frames, mixture.means_, mixture.covariances_, mixture.weights_)
        np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_scikit_image_agrees():
    """Its vector has the priors' gradient first, and the deviations' with the other sign."""
    clips = clips_of([40, 7], 5)
    encoder = FisherVector(4, improved=False).fit(clips)
    for frames, vector in zip(clips, encoder.transform(clips), strict=True):
        theirs = fisher_vector(frames, encoder.mixture_)[4:].reshape(2, 4, 5)
        expected = np.stack([theirs[0], -theirs[1]], axis=1).ravel()
        np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_one_gaussian_by_hand():
    """Of the very frames it is fitted to, a single Gaussian's gradient is nothing."""
    frames = np.array([[-1.0], [1.0], [3.0], [5.0]])  # mean 2, variance 5
    encoder = FisherVector(1, improved=False, regularisation=0.0).fit([frames[:1], frames[1:]])
    np.testing.assert_allclose(encoder.transform([frames]), [[0.0, 0.0]], atol=1e-9)
    one = (np.array([7.0]) - 2) / math.sqrt(5)
    expected = [one.item(), (one.item() ** 2 - 1) / math.sqrt(2)]
    np.testing.assert_allclose(encoder.transform([[[7.0]]]), [expected], atol=1e-9)


def test_improved_takes_signed_roots_and_length_1():
    clips = clips_of([9, 20], 3)
    plain = FisherVector(2, improved=False).fit(clips).transform(clips)
    roots = np.sign(plain) * np.sqrt(np.abs(plain))
    improved = FisherVector(2).fit(clips).transform(clips)
    np.testing.assert_allclose(improved, roots / np.linalg.norm(roots, axis=1, keepdims=True))


def test_states_that_never_change_do_no_harm():
    clips = [np.hstack([frames, np.ones((len(frames), 1))]) for frames in clips_of([20, 20], 2)]
    assert np.isfinite(FisherVector(2, improved=False).fit(clips).transform(clips)).all()


def test_after_a_pca():
    clips = clips_of([20, 20], 6)
    encoder = FisherVector(2, dimension=3).fit(clips)
    assert encoder.transform(clips).shape == (2, 12)


def test_too_few_frames_are_named():
    with pytest.raises(ValueError, match="8 Gaussians asked of 5 frames"):
        FisherVector(8).fit(clips_of([2, 3], 2))
