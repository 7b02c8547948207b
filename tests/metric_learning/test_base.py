import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from wherewhen.metric_learning.base import MahalanobisMetric


class Doubling(MahalanobisMetric):
    """A metric that looks at twice the first coordinate."""

    def fit(self, X, y):
        self.seen_, self.person_ = self._labelled(X, y)
        self.components_ = np.array([[2.0, 0.0]])
        return self


def test_by_hand():
    metric = Doubling().fit([[1.0, 5.0], [3.0, 5.0]], ["q", "p"])
    np.testing.assert_array_equal(metric.seen_, [[-1, 0], [1, 0]])
    np.testing.assert_array_equal(metric.person_, [1, 0])
    np.testing.assert_array_equal(metric.transform([[3.0, 1.0]]), [[6.0]])
    np.testing.assert_array_equal(metric.get_mahalanobis_matrix(), [[4, 0], [0, 0]])
    assert metric.get_feature_names_out().tolist() == ["doubling0"]


def test_errors_name_what_is_wrong():
    with pytest.raises(NotFittedError):
        Doubling().transform([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"Doubling learns .* got 1 class"):
        Doubling().fit([[1.0, 2.0], [3.0, 4.0]], ["p", "p"])
    with pytest.raises(ValueError, match="3 features"):
        Doubling().fit([[1.0, 5.0], [3.0, 5.0]], ["q", "p"]).transform([[1.0, 2.0, 3.0]])
