import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering

from wherewhen.retrieval.linking import link_tracklets, seen_together

LINKAGES = ("average", "complete")


def on_a_line(*places):
    """Return the distances between points of a line."""
    return np.abs(np.subtract.outer(places, places)).astype(float)


def apart(count, *pairs):
    """Return the matrix of some pairs."""
    matrix = np.zeros((count, count), dtype=bool)
    for one, other in pairs:
        matrix[one, other] = matrix[other, one] = True
    return matrix


def partition(labels):
    return {frozenset(np.flatnonzero(labels == label)) for label in labels}


class TestSeenTogether:
    def test_pairs_of_one_camera_at_one_time(self):
        cameras = ["hall", "hall", "hall", "yard", "hall"]
        start, end = [0, 4, 5, 0, 9], [5, 6, 9, 9, 10]
        found = np.argwhere(np.triu(seen_together(cameras, start, end)))
        # 0 and 1 from 4 to 5, 1 and 2 from 5 to 6; 2 begins when 0 ends, and 4 when 2 does
        assert found.tolist() == [[0, 1], [1, 2]]

    def test_one_inside_the_other(self):
        assert seen_together(["a", "a"], [0, 2], [9, 3]).tolist() == apart(2, (0, 1)).tolist()

    def test_unknown_times_say_nothing(self):
        assert not seen_together(["a", "a"], [0, np.nan], [9, np.nan]).any()


@pytest.mark.parametrize("linkage", LINKAGES)
class TestLinkage:
    def test_it_is_scikit_learns(self, linkage):
        generator = np.random.default_rng(0)
        vectors = generator.normal(size=(12, 3))[generator.integers(12, size=80)]
        vectors = vectors + 0.5 * generator.normal(size=vectors.shape)
        distances = cdist(vectors, vectors)
        for threshold in (0.5, 1.0, 2.0):
            expected = AgglomerativeClustering(
                None, metric="precomputed", linkage=linkage, distance_threshold=threshold
            ).fit_predict(distances)
            found = link_tracklets(distances, threshold, None, linkage)
            assert partition(found) == partition(expected)

    def test_the_threshold_itself_is_not_below_it(self, linkage):
        assert link_tracklets(on_a_line(0, 1), 1.0, None, linkage).tolist() == [1, 2]
        assert link_tracklets(on_a_line(0, 1), 1.0001, None, linkage).tolist() == [1, 1]

    def test_whole_groups_stay_apart(self, linkage):
        """The pair 0 and 3 keeps its groups apart, not only itself."""
        distances, one_pair = on_a_line(0, 0.1, 0.3, 0.4), apart(4, (0, 3))
        assert link_tracklets(distances, 9.0, None, linkage).tolist() == [1, 1, 1, 1]
        assert link_tracklets(distances, 9.0, one_pair, linkage).tolist() == [1, 1, 2, 2]

    @pytest.mark.parametrize("seed", range(5))
    def test_no_group_ever_holds_a_pair_that_is_apart(self, linkage, seed):
        generator = np.random.default_rng(seed)
        vectors = generator.normal(size=(120, 2))
        matrix = generator.random((120, 120)) < 0.01
        matrix = np.triu(matrix, 1) | np.triu(matrix, 1).T
        groups = link_tracklets(cdist(vectors, vectors), 50.0, matrix, linkage)
        assert not matrix[groups[:, None] == groups].any()
        # all else is below the threshold, so that no two groups could be merged
        for one, other in np.argwhere(np.triu(np.ones((groups.max(),) * 2), 1)) + 1:
            assert matrix[np.ix_(groups == one, groups == other)].any()


def test_linkages_differ_in_what_is_far():
    """Of 0, 1 and 1.8, the mean distance to 0 is 1.4, the greatest 1.8."""
    assert link_tracklets(on_a_line(0, 1, 1.8), 1.5, None, "average").tolist() == [1, 1, 1]
    assert link_tracklets(on_a_line(0, 1, 1.8), 1.5, None, "complete").tolist() == [2, 1, 1]


def test_groups_are_numbered_by_size_then_by_place():
    found = link_tracklets(on_a_line(50, 0, 90, 91, 0.1, 92, 51), 5.0)
    assert found.tolist() == [2, 3, 1, 1, 3, 1, 2]
    assert link_tracklets([[0.0]], 1.0).tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 3)), 1.0), r"shape \(2, 3\): expected \[tracklets, tracklets\]"),
        ((np.zeros((0, 0)), 1.0), r"shape \(0, 0\)"),
        (([[0, np.nan], [np.nan, 0]], 1.0), "finite numbers from 0"),
        (([[0, -1], [-1, 0]], 1.0), "finite numbers from 0"),
        (([[0, 1], [2, 0]], 1.0), "symmetric"),
        ((on_a_line(0, 1), 0.0), "threshold is 0.0: expected a number above 0"),
        ((on_a_line(0, 1), 1.0, apart(3)), r"apart has shape \(3, 3\): expected \(2, 2\)"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        link_tracklets(*arguments)
