import numpy as np
import pytest

from wherewhen.metric_learning.centring import without_camera_means


def test_the_mean_of_training_vectors_is_removed_from_all_of_a_camera():
    vectors = np.array([[1.0, 0], [3, 2], [10, 10], [7, 7], [20, 0]], dtype=np.float32)
    cameras = ["a", "a", "b", "a", "b"]
    training = [True, True, True, False, False]
    found = without_camera_means(vectors, cameras, training)
    assert found.tolist() == [[-1, -1], [1, 1], [0, 0], [5, 6], [10, -10]]
    assert found.dtype == np.float64
    assert vectors[0, 0] == 1.0


def test_a_camera_that_taught_nothing_is_named():
    with pytest.raises(ValueError, match=r"by the camera 7, so .* learn_metric\.centre to none"):
        without_camera_means(np.eye(3), [5, 5, 7], [True, False, False])
