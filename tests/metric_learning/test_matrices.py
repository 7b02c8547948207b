import numpy as np
import pytest

from wherewhen.metric_learning.matrices import (
    components_of,
    fix_signs,
    project_semidefinite,
    shrink,
)


def test_shrink_by_hand():
    C = np.array([[3.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(shrink(C, 0.5, "dimensions", 8), [[2.5, 0.5], [0.5, 1.5]])
    np.testing.assert_allclose(shrink(C, 0.5, "samples", 8), [[1.75, 0.5], [0.5, 0.75]])
    np.testing.assert_array_equal(shrink(C, 0.0, "samples", 8), C)
    np.testing.assert_allclose(shrink(C, 1.0, "dimensions", 8), 2 * np.eye(2))


@pytest.mark.parametrize(
    ("projection", "expected"),
    [("clip", [4, 0.0, 0.0]), ("mars", [4, 1e-6, 1e-6])],
)
def test_projections_by_hand(projection, expected):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    M = turn @ np.diag([4.0, 1e-12, -2.0]) @ turn.T
    result = project_semidefinite((M + M.T) / 2, projection)
    np.testing.assert_allclose(np.linalg.eigvalsh(result)[::-1], expected, atol=1e-11)
    np.testing.assert_array_equal(result, result.T)


@pytest.mark.parametrize("projection", ["clip", "mars"])
def test_a_definite_matrix_is_left_alone(projection):
    M = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert project_semidefinite(M, projection) is M


def test_components_give_the_matrix_back_strongest_first():
    M = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    L = components_of(M)
    np.testing.assert_allclose(L.T @ L, M, atol=1e-12)
    np.testing.assert_allclose(L[0], np.sqrt(3 / 2) * np.array([1, 1, 0]), atol=1e-12)


def test_signs():
    np.testing.assert_array_equal(fix_signs(np.array([[1.0, -3.0], [2.0, 1.0]])), [[-1, 3], [2, 1]])


def test_errors():
    with pytest.raises(ValueError, match=r"shrinkage == 1.5, must be <= 1"):
        shrink(np.eye(2), 1.5, "samples", 3)
    with pytest.raises(ValueError, match="shrinkage is nan: expected a finite number"):
        shrink(np.eye(2), float("nan"), "samples", 3)
    with pytest.raises(ValueError, match="shrinkage_scale is 'rows'"):
        shrink(np.eye(2), 0.5, "rows", 3)
    with pytest.raises(ValueError, match="projection is 'none'"):
        project_semidefinite(np.eye(2), "none")
