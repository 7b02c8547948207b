"""Two probes and three gallery tracklets, whose z-scores can be computed by hand."""

import numpy as np
import pytest

from wherewhen.retrieval import Task, evaluate, fuse
from wherewhen.retrieval.evaluate import evaluate_task
from wherewhen.retrieval.fusion import shares_of

LABELS = ["p", "q"], ["p", "q", "r"], ["1", "1"], ["2", "2", "2"]

FIRST = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
"""Mean 2, deviation sqrt(4 / 6): of z-scores -u, 0, u with u = sqrt(3 / 2)."""
SECOND = [[10.0, 10.0, 30.0], [30.0, 10.0, 30.0]]
"""Mean 20, deviation 10: of z-scores -1 and 1."""
U = np.sqrt(1.5)


def tasks(*matrices, protocol="single_match", labels=LABELS):
    return [Task(matrix, *labels, protocol) for matrix in matrices]


def test_z_scores_are_summed_by_weight():
    expected = [[-U / 2 - 0.5, -0.5, U / 2 + 0.5], [U / 2 + 0.5, -0.5, -U / 2 + 0.5]]
    np.testing.assert_allclose(fuse(tasks(FIRST, SECOND)), expected)
    u = 0.75 * U
    expected = [[-u - 0.25, -0.25, u + 0.25], [u + 0.25, -0.25, -u + 0.25]]
    np.testing.assert_allclose(fuse(tasks(FIRST, SECOND), [3, 1]), expected)
    np.testing.assert_allclose(fuse(tasks(FIRST, SECOND), [0.3, 0.1]), expected)


def test_a_part_alone_keeps_its_ranking():
    matrix = np.random.default_rng(0).normal(size=(2, 3))
    for fused in (fuse(tasks(matrix)), fuse(tasks(matrix, SECOND), [1, 0])):
        np.testing.assert_array_equal(fused.argsort(), matrix.argsort())


def test_two_parts_find_what_neither_finds():
    """Each part takes another wrong person for the right one; the right one is second for both."""
    one = [[2.0, 1.0, 9.0], [9.0, 2.0, 1.0]]
    two = [[2.0, 9.0, 1.0], [1.0, 2.0, 9.0]]
    ranks = [evaluate(each, *LABELS).first_ranks.tolist() for each in (one, two)]
    assert ranks == [[2, 2], [2, 2]]
    [task] = tasks(fuse(tasks(one, two)))
    assert evaluate_task(task).first_ranks.tolist() == [1, 1]


def test_the_scale_and_the_origin_of_a_part_do_not_count():
    generator = np.random.default_rng(1)
    one, two = generator.normal(size=(2, 2, 3))
    np.testing.assert_allclose(fuse(tasks(one, two)), fuse(tasks(one * 1e6 - 7, two)))


def test_what_the_protocol_leaves_out_decides_nothing():
    """Junk, and probes in the gallery, have distances unlike all others."""
    one, two = np.random.default_rng(2).normal(size=(2, 2, 3))
    plain = fuse(tasks(one, two, protocol="cross_camera"))
    left_out = np.array([[0.0, 5.0, 700.0], [5.0, 0.0, -400.0]])
    labels = ["p", "q"], ["p", "q", "r", "p", "q", "-1"], ["1", "1"], ["2", "2", "2", "1", "1", "2"]
    probes = [False] * 3 + [True] * 2 + [False]
    wide = [
        Task(np.hstack([part, scale * left_out]), *labels, "query_excluded", gallery_queries=probes)
        for part, scale in ((one, 1.0), (two, -30.0))
    ]
    np.testing.assert_allclose(fuse(wide)[:, :3], plain)


def test_the_probes_person_in_its_own_camera_decides_nothing():
    """Under cross_camera its own person in its own camera is left out for it alone."""
    labels = ["p"], ["p", "q", "p"], ["1"], ["2", "2", "1"]
    parts = tasks([[1.0, 3.0, 90.0]], [[2.0, 8.0, 0.0]], protocol="cross_camera", labels=labels)
    np.testing.assert_allclose(fuse(parts)[0, :2], [-1, 1])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "there are 2 parts, but weights of shape"),
        ([1, -1], "expected none below 0"),
        ([0, 0], "and one above"),
        ([1, np.nan], "expected none below 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        fuse(tasks(FIRST, SECOND), weights)


def test_parts_that_do_not_fit_are_refused():
    other = Task([[1.0, 2.0], [2.0, 1.0]], ["p", "q"], ["p", "q"], ["1", "1"], ["2", "2"])
    with pytest.raises(ValueError, match=r"part 1 has \(2, 2\) distances .* the first \(2, 3\)"):
        fuse([*tasks(FIRST), other])
    with pytest.raises(ValueError, match=r"under cross_camera, the first .* under single_match"):
        fuse([*tasks(FIRST), *tasks(SECOND, protocol="cross_camera")])
    with pytest.raises(ValueError, match="there are 0 parts"):
        fuse([])


@pytest.mark.parametrize("value", [4.0, np.inf])
def test_distances_without_z_scores_are_refused(value):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match="part 1 have the deviation"),
    ):
        fuse(tasks(FIRST, np.full((2, 3), value)))


def test_shares_sum_to_one():
    assert shares_of([1, 3], 2).tolist() == [0.25, 0.75]
    assert shares_of(None, 4).tolist() == [0.25] * 4
