from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.base import clone

from wherewhen.metric_learning import KISSME


def plain_matrix(X, pairs, weight, shrinkage, n):
    """Compute M from a list of (i, j, similar), pair by pair."""
    dimensions = X.shape[1]
    inverses = []
    for kind in (True, False):
        C, count = np.zeros((dimensions, dimensions)), 0
        for i, j, similar in pairs:
            if similar is kind:
                d = X[i] - X[j]
                C = C + d[:, None] * d[None, :]
                count += 1
        C = C / count
        C = (1 - shrinkage) * C + shrinkage * sum(C[k, k] for k in range(dimensions)) / n * np.eye(
            dimensions
        )
        inverses.append(np.linalg.inv(C))
    return inverses[0] - weight * inverses[1]


def clipped(M):
    values, vectors = np.linalg.eigh(M)
    return sum(max(v, 0) * np.outer(u, u) for v, u in zip(values, vectors.T, strict=True))


def samples(seed=0, persons=8, each=6, dimensions=5):
    """Persons far apart against the scatter within them, in two cameras."""
    generator = np.random.default_rng(seed)
    y = np.repeat([f"person_{i}" for i in range(persons)], each)
    cameras = np.tile(["a", "b"], persons * each // 2)
    X = 3 + generator.normal(size=(persons, dimensions))[np.arange(persons).repeat(each)] * 2
    return X + generator.normal(size=X.shape), y, cameras


def all_pairs(y, cameras=None):
    return [
        (i, j, bool(y[i] == y[j]))
        for i, j in combinations(range(len(y)), 2)
        if cameras is None or cameras[i] != cameras[j]
    ]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("scale", ["dimensions", "samples"])
@pytest.mark.parametrize(("weight", "shrinkage"), [(1.0, 0.0), (0.5, 0.2)])
def test_against_a_loop_over_pairs(across, scale, weight, shrinkage):
    X, y, cameras = samples()
    cameras = cameras if across else None
    n = X.shape[1] if scale == "dimensions" else len(X)
    expected = clipped(plain_matrix(X, all_pairs(y, cameras), weight, shrinkage, n))
    metric = KISSME(weight, shrinkage=shrinkage, shrinkage_scale=scale).fit(X, y, cameras=cameras)
    M = metric.get_mahalanobis_matrix()
    np.testing.assert_allclose(M, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    pairs = all_pairs(y, cameras)
    assert metric.similar_pairs_ == sum(similar for *_, similar in pairs)
    assert metric.dissimilar_pairs_ == sum(not similar for *_, similar in pairs)


@pytest.mark.parametrize("scale", ["dimensions", "samples"])
def test_fit_pairs_equals_fit_on_the_same_pairs(scale):
    X, y, cameras = samples()
    left, right, similar = map(np.array, zip(*all_pairs(y, cameras), strict=True))
    metric = KISSME(shrinkage=0.1, shrinkage_scale=scale)
    # vectors that are in no pair are no samples
    by_pairs = clone(metric).fit_pairs(np.vstack([X, X + 9]), left, right, similar)
    by_labels = clone(metric).fit(X, y, cameras=cameras)
    np.testing.assert_allclose(by_pairs.components_, by_labels.components_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "written",
    [
        lambda similar: similar.astype(int),
        lambda similar: np.where(similar, 1, -1),
        lambda similar: np.where(similar, 1.0, -1.0).tolist(),
        lambda similar: torch.from_numpy(np.where(similar, 1, -1)),
        lambda similar: [torch.tensor(bool(each)) for each in similar],
    ],
)
def test_similar_pairs_in_every_convention(written):
    X, y, _ = samples()
    left, right, similar = map(np.array, zip(*all_pairs(y), strict=True))
    expected = KISSME().fit_pairs(X, left, right, similar)
    found = KISSME().fit_pairs(X, left, right, written(similar))
    np.testing.assert_array_equal(found.components_, expected.components_)
    assert found.similar_pairs_ == similar.sum()


@pytest.mark.parametrize("similar", [[1, 0, -1], [1, 2, 1], ["yes", "no", "no"], [1.0, np.nan, 0]])
def test_other_conventions_are_refused(similar):
    with pytest.raises(ValueError, match="expected True and False, 1 and 0, or 1 and -1"):
        KISSME().fit_pairs(samples()[0], [0, 1, 2], [1, 2, 9], similar)


def test_equal_vectors_of_each_person_have_no_scatter():
    X, y, _ = samples(each=6)
    X = X[::6].repeat(6, axis=0) / 3  # whose means round
    for shrinkage in (0, 0.001, 1):
        with pytest.raises(ValueError, match="KISSME finds no scatter within persons: all similar"):
            KISSME(shrinkage=shrinkage).fit(X, y)
    with pytest.raises(ValueError, match="no scatter within persons"):
        KISSME().fit_pairs(X, [0, 0, 1], [1, 9, 9], [1, -1, -1])


def test_fewer_samples_than_dimensions_need_shrinkage():
    X, y, _ = samples(persons=3, each=2, dimensions=30)
    with pytest.raises(ValueError, match="raise shrinkage"):
        KISSME(shrinkage=0).fit(X, y)
    assert np.isfinite(KISSME().fit(X, y).components_).all()


def test_errors_name_what_is_wrong():
    X, y, _ = samples()
    with pytest.raises(ValueError, match="no similar pairs"):
        KISSME().fit(X, np.arange(len(X)))
    with pytest.raises(ValueError, match="no similar pairs"):
        KISSME().fit(X, y, cameras=y)
    with pytest.raises(ValueError, match="have 2, 1 and 2 entries"):
        KISSME().fit_pairs(X, [0, 1], [1], [True, False])
    with pytest.raises(ValueError, match="right holds no rows"):
        KISSME().fit_pairs(X, [0, 1], [1, 99], [True, False])
    with pytest.raises(ValueError, match="no dissimilar pairs"):
        KISSME().fit_pairs(X, [0, 1], [1, 2], [True, True])
