from itertools import combinations

import numpy as np
import pytest

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


def test_fit_pairs_equals_fit_on_the_same_pairs():
    X, y, cameras = samples()
    left, right, similar = map(np.array, zip(*all_pairs(y, cameras), strict=True))
    by_pairs = KISSME(shrinkage=0.1).fit_pairs(X, left, right, similar)
    by_labels = KISSME(shrinkage=0.1).fit(X, y, cameras=cameras)
    np.testing.assert_allclose(by_pairs.components_, by_labels.components_, rtol=1e-9, atol=1e-12)


def test_euclidean_distances_after_transform_are_the_metric():
    X, y, _ = samples()
    metric = KISSME().fit(X, y)
    difference = X[0] - X[9]
    squared = difference @ metric.get_mahalanobis_matrix() @ difference
    projected = metric.transform(X)
    assert ((projected[0] - projected[9]) ** 2).sum() == pytest.approx(squared, rel=1e-9)


def test_drawn_dissimilar_pairs_are_seeded_distinct_and_of_two_persons():
    X, y, cameras = samples()
    person = np.unique(y, return_inverse=True)[1]
    camera = (cameras == "a").astype(int)
    left, right = KISSME(random_state=3)._draw(person, camera, 300)
    assert len({*zip(left.tolist(), right.tolist(), strict=True)}) == 300
    assert (left < right).all()
    assert (person[left] != person[right]).all()
    assert (camera[left] != camera[right]).all()

    drawn = KISSME(dissimilar_pairs=50, random_state=3).fit(X, y)
    assert drawn.dissimilar_pairs_ == 50
    again = KISSME(dissimilar_pairs=50, random_state=3).fit(X, y)
    np.testing.assert_array_equal(drawn.components_, again.components_)
    other = KISSME(dissimilar_pairs=50, random_state=4).fit(X, y)
    assert not np.allclose(drawn.components_, other.components_)


def test_more_drawn_pairs_than_exist_are_all():
    X, y, _ = samples()
    everything = KISSME().fit(X, y)
    drawn = KISSME(dissimilar_pairs=10**6).fit(X, y)
    np.testing.assert_array_equal(drawn.components_, everything.components_)


def test_fewer_samples_than_dimensions_need_shrinkage():
    X, y, _ = samples(persons=3, each=2, dimensions=30)
    with pytest.raises(ValueError, match="raise shrinkage"):
        KISSME(shrinkage=0).fit(X, y)
    assert np.isfinite(KISSME().fit(X, y).components_).all()


def test_errors_name_what_is_wrong():
    X, y, cameras = samples()
    with pytest.raises(ValueError, match="1 class"):
        KISSME().fit(X, ["p"] * len(X))
    with pytest.raises(ValueError, match="no similar pairs"):
        KISSME().fit(X, np.arange(len(X)))
    with pytest.raises(ValueError, match="no similar pairs"):
        KISSME().fit(X, y, cameras=y)
    with pytest.raises(ValueError, match="cameras has 3 entries"):
        KISSME().fit(X, y, cameras=cameras[:3])
    with pytest.raises(ValueError, match="dissimilar_pairs is 0"):
        KISSME(dissimilar_pairs=0).fit(X, y)
    with pytest.raises(ValueError, match="have 2, 1 and 2 entries"):
        KISSME().fit_pairs(X, [0, 1], [1], [True, False])
    with pytest.raises(ValueError, match="right holds no rows"):
        KISSME().fit_pairs(X, [0, 1], [1, 99], [True, False])
    with pytest.raises(ValueError, match="no dissimilar pairs"):
        KISSME().fit_pairs(X, [0, 1], [1, 2], [True, True])
