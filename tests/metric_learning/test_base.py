import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier

from wherewhen.metric_learning import KISSME, LFDA, XQDA, RankSVM
from wherewhen.metric_learning.base import MahalanobisMetric


class Doubling(MahalanobisMetric):
    """A metric that looks at twice the first coordinate."""

    def _fit(self, X, person, camera):
        self.seen_, self.person_, self.camera_ = X, person, camera
        self.components_ = np.array([[2.0, 0.0]])


def test_by_hand():
    metric = Doubling().fit([[1.0, 5.0], [3.0, 5.0]], ["q", "p"])
    np.testing.assert_array_equal(metric.seen_, [[1, 5], [3, 5]])
    assert metric.seen_.dtype == np.float64
    np.testing.assert_array_equal(metric.person_, [1, 0])
    assert metric.camera_ is None
    metric.fit([[1.0, 5.0], [3.0, 5.0], [4.0, 0.0]], [0, 1, 1], cameras=["b", "a", "b"])
    assert metric.camera_.tolist() == [1, 0, 1]
    metric.fit([[1.0, 5.0], [3.0, 5.0]], ["q", "p"])
    np.testing.assert_array_equal(metric.transform([[3.0, 1.0]]), [[6.0]])
    np.testing.assert_array_equal(metric.get_mahalanobis_matrix(), [[4, 0], [0, 0]])
    assert metric.get_feature_names_out().tolist() == ["doubling0"]


@pytest.mark.parametrize("kind", [KISSME, LFDA, XQDA, RankSVM, Doubling])
def test_every_metric_checks_its_training_data(kind):
    with pytest.raises(ValueError, match=rf"{kind.__name__} learns .* got 1 class"):
        kind().fit([[1.0, 2.0], [3.0, 4.0]], ["p", "p"])
    with pytest.raises(ValueError, match="cameras has 1 entries: expected 2"):
        kind().fit([[1.0, 2.0], [3.0, 4.0]], ["p", "q"], cameras=["a"])
    with pytest.raises(ValueError, match="NaN"):
        kind().fit([[1.0, 2.0], [3.0, np.nan]], ["p", "q"])


@pytest.mark.parametrize("metric", [KISSME(), LFDA(n_components=3), XQDA()])
def test_euclidean_distances_after_transform_are_the_metric(metric):
    generator = np.random.default_rng(0)
    person = np.arange(48) // 6
    X = generator.normal(size=(48, 5)) + 2 * generator.normal(size=(8, 5))[person]
    metric.fit(X + 3, person)
    projected, difference = metric.transform(X), X[0] - X[9]
    assert projected.shape == (48, len(metric.components_))
    squared = difference @ metric.get_mahalanobis_matrix() @ difference
    assert ((projected[0] - projected[9]) ** 2).sum() == pytest.approx(squared, rel=1e-9)
    assert metric.pair_distance([[X[0], X[9]]]) == pytest.approx(squared**0.5, rel=1e-9)


def test_vectors_of_other_sizes_and_unfitted_metrics_are_refused():
    with pytest.raises(NotFittedError):
        Doubling().transform([[1.0, 2.0]])
    with pytest.raises(ValueError, match="3 features"):
        Doubling().fit([[1.0, 5.0], [3.0, 5.0]], ["q", "p"]).transform([[1.0, 2.0, 3.0]])


def test_pairs_of_vectors_as_metric_learn_has_them():
    metric = Doubling().fit([[1.0, 5.0], [3.0, 5.0]], ["q", "p"])
    pairs = [[[0.0, 9.0], [3.0, 1.0]], [[1.0, 0.0], [1.0, 7.0]]]
    assert metric.pair_distance(pairs).tolist() == [6, 0]
    assert metric.pair_score(pairs).tolist() == [-6, 0]
    distance = metric.get_metric()
    metric.components_ = np.array([[5.0, 0.0]])
    assert distance(*pairs[0]) == 6.0
    assert distance(*pairs[0], squared=True) == 36.0
    neighbours = KNeighborsClassifier(1, metric=distance).fit([[0.0, 0.0], [5.0, 0.0]], [0, 1])
    assert neighbours.predict([[4.0, 99.0]]).tolist() == [1]

    with pytest.raises(ValueError, match=r"pairs have shape \(2, 2\): expected \[pairs, 2, 2\]"):
        metric.pair_distance([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match=r"shapes \(1,\) and \(2,\): expected \(2,\) each"):
        distance([1.0], [1.0, 2.0])
    with pytest.raises(NotFittedError):
        Doubling().get_metric()
    with pytest.raises(NotFittedError):
        Doubling().pair_score(pairs)
