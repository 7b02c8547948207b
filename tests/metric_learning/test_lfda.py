import numpy as np
import pytest
from scipy.linalg import eigh

from wherewhen.metric_learning import LFDA
from wherewhen.metric_learning.lfda import _local_scatters


def plain_scatters(X, y, k):
    """Compute S_w and S_b weight by weight, as Sugiyama's definitions read."""
    n, dimensions = X.shape
    size = {label: sum(other == label for other in y) for label in set(y)}
    scale = []
    for i in range(n):
        near = sorted(
            np.sqrt(((X[i] - X[j]) ** 2).sum()) for j in range(n) if j != i and y[j] == y[i]
        )
        scale.append(near[min(k, size[y[i]] - 1) - 1] if near else 0.0)
    within, between = np.zeros((dimensions, dimensions)), np.zeros((dimensions, dimensions))
    for i in range(n):
        for j in range(n):
            d = X[i] - X[j]
            outer = np.outer(d, d) / 2
            if y[i] != y[j]:
                between += outer / n
                continue
            product = scale[i] * scale[j]
            affinity = np.exp(-(d @ d) / product) if product > 0 else 0.0
            within += outer * affinity / size[y[i]]
            between += outer * affinity * (1 / n - 1 / size[y[i]])
    return within, between


def samples(seed=0, sizes=(6, 9, 1, 4, 2), dimensions=4):
    """Draw classes of different sizes, one of a single sample, and one with a repeated sample."""
    generator = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = (
        generator.normal(size=(len(y), dimensions))
        + 2 * generator.normal(size=(len(sizes), dimensions))[y]
    )
    X[y == len(sizes) - 1] = X[-1]  # both samples equal: their scales are 0
    return X + 10, y


@pytest.mark.parametrize("k", [1, 3, 7])
def test_scatters_against_the_definition(k):
    X, y = samples()
    within, between = _local_scatters(X - X.mean(axis=0), y, k)
    for computed, expected in zip((within, between), plain_scatters(X, y, k), strict=True):
        np.testing.assert_allclose(
            computed, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()
        )


@pytest.mark.parametrize("embedding", ["plain", "weighted", "orthonormalized"])
@pytest.mark.parametrize("scale", ["dimensions", "samples"])
def test_metric_against_the_definition(embedding, scale):
    X, y = samples()
    within, between = plain_scatters(X, y, 3)
    n = X.shape[1] if scale == "dimensions" else len(X)
    within = 0.7 * within + 0.3 * np.trace(within) / n * np.eye(X.shape[1])
    # the generalised problem by way of a symmetric square root, not by eigh's own
    values, vectors = np.linalg.eigh(within)
    root = vectors / np.sqrt(values) @ vectors.T
    eigenvalues, turned = np.linalg.eigh(root @ between @ root)
    eigenvalues, directions = eigenvalues[::-1][:2], (root @ turned)[:, ::-1][:, :2]
    if embedding == "weighted":
        directions = directions * np.sqrt(eigenvalues)
    if embedding == "orthonormalized":
        first = directions[:, 0] / np.linalg.norm(directions[:, 0])
        second = directions[:, 1] - first * (first @ directions[:, 1])
        directions = np.column_stack([first, second / np.linalg.norm(second)])
    metric = LFDA(2, k=3, shrinkage=0.3, shrinkage_scale=scale, embedding=embedding).fit(X, y)
    np.testing.assert_allclose(metric.eigenvalues_, eigenvalues, rtol=1e-9)
    expected = directions @ directions.T
    np.testing.assert_allclose(
        metric.get_mahalanobis_matrix(), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()
    )


def test_one_small_class_does_not_change_k_for_the_others():
    X, y = samples(sizes=(2, 9, 9))
    X, y = X[y > 0], y[y > 0] - 1
    with_small = np.vstack([X[:2] + 50, X])
    labels = np.concatenate([[0, 0], y + 1])
    within = _local_scatters(with_small, labels, 7)[0]
    small = _local_scatters(with_small[:2], labels[:2], 7)[0]
    np.testing.assert_allclose(within - small, _local_scatters(X, y, 7)[0], rtol=1e-9, atol=1e-9)


def test_eigenvectors_of_plain_are_normalised_and_signs_are_fixed():
    X, y = samples()
    metric = LFDA(embedding="plain", shrinkage=0.2).fit(X, y)
    within, between = _local_scatters(X - X.mean(axis=0), y, 7)
    within = 0.8 * within + 0.2 * np.trace(within) / 4 * np.eye(4)
    rows = metric.components_
    np.testing.assert_allclose(rows @ within @ rows.T, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(metric.eigenvalues_, eigh(between, within)[0][::-1], rtol=1e-9)
    assert (rows[np.arange(4), np.abs(rows).argmax(axis=1)] > 0).all()


def test_the_first_direction_parts_the_persons():
    generator = np.random.default_rng(0)
    y = np.repeat(np.arange(10), 6)
    X = generator.normal(size=(60, 3)) * [5.0, 1.0, 1.0]  # loud, but the same for everybody
    X[:, 1] += 4 * generator.normal(size=10)[y]
    first = LFDA(n_components=1, shrinkage=0.01).fit(X, y).components_[0]
    assert np.abs(first).argmax() == 1


def test_errors_name_what_is_wrong():
    X, y = samples()
    with pytest.raises(ValueError, match="no scatter within"):
        LFDA().fit(X, np.arange(len(X)))
    with pytest.raises(ValueError, match="n_components == 9, must be <= 4"):
        LFDA(n_components=9).fit(X, y)
    with pytest.raises(ValueError, match="k == 0, must be >= 1"):
        LFDA(k=0).fit(X, y)
    with pytest.raises(ValueError, match="embedding is 'raw'"):
        LFDA(embedding="raw").fit(X, y)
    with pytest.raises(TypeError, match="LFDA takes no cameras"):
        LFDA().fit(X, y, cameras=y)
    wide = np.random.default_rng(0).normal(size=(len(y), 40))
    with pytest.raises(ValueError, match="Raise shrinkage"):
        LFDA(shrinkage=0).fit(wide, y)
