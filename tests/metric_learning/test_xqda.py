from itertools import combinations

import numpy as np
import pytest

from wherewhen.metric_learning import XQDA


def samples(seed=0, persons=10, each=4, dimensions=5):
    """Persons in two cameras whose difference is loud along the first direction."""
    generator = np.random.default_rng(seed)
    person, camera = np.arange(persons).repeat(each), np.tile([0, 1], persons * each // 2)
    X = 3 + 2 * generator.normal(size=(persons, dimensions))[person]
    X = X + generator.normal(size=X.shape)
    X[:, 0] += 5 * camera
    return X, person, camera


def plain_matrix(X, person, camera, regularisation, kept=None):
    """Compute M pair by pair, the eigenproblem by the inverse, M by the paper's own formula."""
    dimensions = X.shape[1]
    covariance = {}
    for kind in (True, False):
        pairs = [
            (i, j)
            for i, j in combinations(range(len(X)), 2)
            if (person[i] == person[j]) is np.bool_(kind)
            and (camera is None or camera[i] != camera[j])
        ]
        total = np.zeros((dimensions, dimensions))
        for i, j in pairs:
            total = total + np.outer(X[i] - X[j], X[i] - X[j])
        covariance[kind] = total / len(pairs)
    within, between = covariance[True] + regularisation * np.eye(dimensions), covariance[False]
    values, vectors = np.linalg.eig(np.linalg.inv(within) @ between)
    order = [i for i in np.argsort(-values.real) if values.real[i] > 1][:kept]
    W = vectors.real[:, order]
    inner = np.linalg.inv(W.T @ within @ W) - np.linalg.inv(W.T @ between @ W)
    return W @ inner @ W.T, values.real[order]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize(("regularisation", "kept"), [(0.001, None), (0.3, 2), (0.0, None)])
def test_against_the_papers_formula(across, regularisation, kept):
    X, person, camera = samples()
    camera = camera if across else None
    expected, values = plain_matrix(X, person, camera, regularisation, kept)
    metric = XQDA(kept, regularisation).fit(X, person, cameras=camera)
    M = metric.get_mahalanobis_matrix()
    np.testing.assert_allclose(M, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(metric.eigenvalues_, values, rtol=1e-9)
    assert metric.transform(X).shape == (len(X), len(values))


def test_directions_in_which_views_differ_more_than_persons_do_not_count():
    X, person, camera = samples()
    X[:, 0] = 100 * camera + np.random.default_rng(1).normal(size=len(X))
    metric = XQDA().fit(X, person, cameras=camera)
    assert (metric.eigenvalues_ > 1).all()
    assert np.abs(metric.components_[:, 0]).max() < 0.01 * np.abs(metric.components_).max()


def test_pairs_are_counted():
    X, person, camera = samples(persons=3, each=4)
    metric = XQDA().fit(X, person, cameras=camera)
    assert (metric.similar_pairs_, metric.dissimilar_pairs_) == (3 * 4, 36 - 12)


def test_errors_name_what_is_wrong():
    X, person, _ = samples()
    with pytest.raises(ValueError, match="no similar pairs"):
        XQDA().fit(X, np.arange(len(X)))
    with pytest.raises(ValueError, match="n_components == 0, must be >= 1"):
        XQDA(n_components=0).fit(X, person)
    with pytest.raises(ValueError, match="regularisation == -1, must be >= 0"):
        XQDA(regularisation=-1).fit(X, person)
    with pytest.raises(ValueError, match="no direction"):
        XQDA(regularisation=1e9).fit(X, person)
    wide = np.random.default_rng(0).normal(size=(len(X), 80))
    with pytest.raises(ValueError, match="Raise regularisation"):
        XQDA(regularisation=0).fit(wide, person)
