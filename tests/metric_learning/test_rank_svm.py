from itertools import product

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from wherewhen.metric_learning import RankSVM
from wherewhen.metric_learning.rank_svm import RankingProblem


def samples(seed=0, persons=6, each=4, dimensions=8):
    """The first half of the features tells persons apart, the rest is noise; two cameras."""
    generator = np.random.default_rng(seed)
    person = np.arange(persons).repeat(each)
    camera = np.tile([0, 1], persons * each // 2)
    X = generator.normal(size=(len(person), dimensions))
    half = dimensions // 2
    X[:, :half] = generator.normal(size=(persons, half))[person] + 0.1 * X[:, :half]
    return X, person, camera


def plain_objective(weights, X, triplets, penalty):
    """Sum over triplets one by one, their differences scaled as the docstring says."""
    pairs = {(query, other) for query, *others in triplets for other in others}
    squares = [((X[query] - X[other]) ** 2).sum() for query, other in pairs]
    scale = np.sqrt(np.mean(squares))
    loss = 0.0
    for query, same, other in triplets:
        z = (abs(X[query] - X[same]) - abs(X[query] - X[other])) / scale
        loss += max(0.0, 1 - weights @ z) ** 2
    return weights @ weights / 2 + penalty * loss / len(triplets)


def all_triplets(person, camera):
    rows = range(len(person))
    return [
        (query, same, other)
        for query, same, other in product(rows, rows, rows)
        if person[query] == person[same] != person[other]
        and camera[query] not in (camera[same], camera[other])
    ]


def problem(X, person, camera, **options):
    metric = RankSVM(relevant=100, irrelevant=100, **options)
    return metric._problem(X, person, camera)[0]


def test_the_objective_against_a_loop_over_triplets():
    X, person, camera = samples()
    weights = np.random.default_rng(1).normal(size=X.shape[1])
    value, _ = problem(X, person, camera, penalty=7.0).objective(weights)
    expected = plain_objective(weights, X, all_triplets(person, camera), 7.0)
    assert value == pytest.approx(expected, rel=1e-9)


def test_the_gradient_against_finite_differences():
    X, person, camera = samples()
    asked = problem(X, person, camera, penalty=7.0)
    weights = np.random.default_rng(1).normal(size=X.shape[1])
    numeric = approx_fprime(weights, lambda w: asked.objective(w)[0], 1e-7)
    np.testing.assert_allclose(asked.objective(weights)[1], numeric, rtol=1e-4, atol=1e-5)


def test_by_hand():
    """One triplet with z = -2 in one dimension: 1/2 w^2 + C (1 + 2 w)^2."""
    asked = RankingProblem(np.array([[1.0], [3.0]]), np.array([0]), np.array([1]), penalty=3.0)
    value, gradient = asked.objective(np.array([-0.25]))
    assert value == pytest.approx(0.03125 + 3 * 0.25)
    assert gradient == pytest.approx([-0.25 + 3 * 2 * 0.5 * 2])
    assert asked.objective(np.array([-1.0]))[1] == pytest.approx([-1.0])  # the margin is kept


def test_what_is_found_is_the_minimum():
    X, person, camera = samples()
    metric = RankSVM(relevant=100, irrelevant=100, penalty=5.0).fit(X, person, camera)
    asked, scale = metric._problem(X, person, camera)
    _, gradient = asked.objective(metric.weights_ * scale)
    assert np.abs(gradient).max() < 1e-3 * np.abs(asked.objective(np.zeros(8))[1]).max()


def test_a_separable_case_is_separated_and_noise_is_not_heeded():
    X, person, camera = samples(persons=12)
    metric = RankSVM().fit(X, person, camera)
    assert metric.weights_[:4].max() < 0
    assert np.abs(metric.weights_[4:]).max() < 0.2 * np.abs(metric.weights_[:4]).min()

    unseen, person, camera = samples(seed=9, persons=12, each=2)
    distances = metric.distance(unseen[camera == 0], unseen[camera == 1])
    np.testing.assert_array_equal(distances.argmin(axis=1), np.arange(12))
    euclidean = np.linalg.norm(unseen[camera == 0][:, None] - unseen[camera == 1][None], axis=2)
    assert (euclidean.argmin(axis=1) == np.arange(12)).mean() < 0.8


def test_distance_is_minus_the_score():
    X, person, _ = samples()
    metric = RankSVM().fit(X, person)
    expected = [[-(metric.weights_ @ abs(x - y)) for y in X[5:]] for x in X[:5]]
    np.testing.assert_allclose(metric.distance(X[:5], X[5:]), expected, atol=1e-9)
    assert {np.sign(weight) for weight in metric.weights_} == {-1.0, 1.0}
    assert np.diag(metric.distance(X, X)).tolist() == [0.0] * len(X)


def test_draws_are_bounded_seeded_and_fair_to_persons():
    X, person, camera = samples(persons=6, each=20)
    options = {"queries": 9, "relevant": 3, "irrelevant": 5}
    metric = RankSVM(random_state=3, **options)
    drawn = list(metric._drawn(person, camera))
    assert sorted(np.bincount(person[[query for query, *_ in drawn]])) == [1, 1, 1, 2, 2, 2]
    for query, same, others in drawn:
        assert (len(set(same)), len(set(others))) == (3, 5)
        assert (person[same] == person[query]).all()
        assert (person[others] != person[query]).all()
        assert (camera[np.r_[same, others]] != camera[query]).all()
    assert metric.fit(X, person, camera).triplets_ == 9 * 3 * 5
    again = RankSVM(random_state=3, **options).fit(X, person, camera)
    np.testing.assert_array_equal(metric.weights_, again.weights_)
    other = RankSVM(random_state=4, **options).fit(X, person, camera)
    assert not np.allclose(metric.weights_, other.weights_)


def test_the_penalty_means_the_same_in_other_units():
    X, person, camera = samples()
    one, thousand = (RankSVM(penalty=5.0).fit(X * unit, person, camera) for unit in (1, 1000))
    np.testing.assert_allclose(thousand.weights_ * 1000, one.weights_, rtol=1e-3, atol=1e-4)


def test_errors_name_what_is_wrong():
    X, person, _ = samples()
    with pytest.raises(ValueError, match="penalty == 0, must be > 0"):
        RankSVM(penalty=0).fit(X, person)
    with pytest.raises(ValueError, match="nothing to rank"):
        RankSVM().fit(X, np.arange(len(X)))
    with pytest.raises(RuntimeError, match="no minimum in 1 steps"):
        RankSVM(max_iter=1).fit(X, person)
