import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score

from wherewhen.metric_learning import choose, fit_metrics, metric_pipeline
from wherewhen.metric_learning.registry import METRICS
from wherewhen.metric_learning.selection import (
    DIMENSIONS,
    cross_validate,
    divide,
    in_words,
    largest_of_the_best,
)

AUTO = {"kissme": {"shrinkage": "auto"}, "lfda": {"shrinkage": "auto"}}


def noisy(persons=20, clips=2, dimensions=40, seed=0):
    """Two views a person; the first five dimensions tell persons apart, the others are noise.

    Dimensions of persons and of noise have about the same spread, so that PCA mixes them: where
    more of them are kept, more covariances have to be estimated from as few persons.
    """
    generator = np.random.default_rng(seed)
    person = np.arange(persons).repeat(2 * clips)
    camera = np.tile(np.repeat(["a", "b"], clips), persons)
    vectors = generator.normal(size=(2 * persons, dimensions)).repeat(clips, axis=0)
    vectors[:, :5] = 2 * generator.normal(size=(persons, 5))[person]
    vectors += 0.3 * generator.normal(size=vectors.shape)
    return vectors, np.array([f"p{number:02d}" for number in person]), camera


def rank_1(metric, vectors, person, camera):
    """Share of the views in camera a whose nearest view in camera b is of the same person."""
    a, b = (metric.transform(vectors[camera == each]) for each in "ab")
    nearest = ((a[:, None] - b[None]) ** 2).sum(axis=2).argmin(axis=1)
    return (person[camera == "b"][nearest] == person[camera == "a"]).mean()


def test_what_is_chosen_finds_more_strangers_than_the_papers_values():
    training, strangers = noisy(), noisy(persons=60, clips=1, seed=1)
    options, tried = choose(*training, AUTO)
    chosen = fit_metrics(*training, options)
    fixed = fit_metrics(*training, {kind: {"shrinkage": 0.001} for kind in AUTO}, dimension=150)
    for kind in AUTO:
        assert rank_1(chosen[kind], *strangers) > rank_1(fixed[kind], *strangers) + 0.1
        [best] = [each for each in tried if each.metric == kind and each.chosen]
        assert options[kind] == {"dimension": best.dimension, "shrinkage": best.shrinkage}


def test_each_candidate_is_scored_by_persons_whom_the_metric_has_not_seen():
    """One by one, with nothing shared: a pipeline for each, and scikit-learn's precision."""
    X, person, camera = noisy()
    grid = [(3, 0.1), (20, 0.3)]
    folds = divide(person, camera)
    found = cross_validate("lfda", {"k": 2}, grid, X, person, camera, folds)
    for (dimension, shrinkage), scores in zip(grid, found.T, strict=True):
        by_hand = []
        for held in folds:
            metric = metric_pipeline("lfda", dimension, k=2, shrinkage=shrinkage)
            metric.fit(X[~held], person[~held])
            views = sorted({*zip(person[held], camera[held], strict=True)})
            means = [X[(person == who) & (camera == where)].mean(axis=0) for who, where in views]
            mapped = metric.transform(means)
            closeness = -((mapped[:, None] - mapped[None]) ** 2).sum(axis=2)
            who, where = (np.array(each) for each in zip(*views, strict=True))
            across = where[:, None] != where
            by_hand.append(
                label_ranking_average_precision_score(
                    across & (who[:, None] == who), np.where(across, closeness, -1e9)
                )
            )
        assert scores == pytest.approx(by_hand)


def test_vectors_of_many_dimensions_are_scored_as_they_are():
    """Inside, fewer samples than dimensions are rotated into their span."""
    X, person, camera = noisy(dimensions=300)
    _, tried = choose(X, person, camera, {"kissme": {"shrinkage": "auto"}}, 20)
    grid = [(each.dimension, each.shrinkage) for each in tried]
    folds = divide(person, camera)
    found = cross_validate("kissme", {}, grid, X, person, camera, folds)
    np.testing.assert_allclose([each.mean_ap for each in tried], found.mean(axis=0), atol=1e-6)
    assert [each.chosen for each in tried].index(True) == largest_of_the_best(found)


def test_cameras_reach_the_metrics_that_want_them():
    X, person, camera = noisy()
    options, tried = choose(X, person, camera, {"xqda": {"regularisation": "auto"}}, 10)
    assert [each.shrinkage for each in tried] == [*METRICS["xqda"].shrinkage.tried]
    assert options["xqda"]["regularisation"] in METRICS["xqda"].shrinkage.tried
    assert all(0 < each.mean_ap <= 1 for each in tried)


def test_only_what_is_automatic_is_chosen():
    X, person, camera = noisy()
    given = {"kissme": {"shrinkage": 0.2}, "lfda": {"shrinkage": "auto", "k": 3}, "rank_svm": {}}
    options, tried = choose(X, person, camera, given, 7)
    assert options["kissme"] == {"shrinkage": 0.2, "dimension": 7}
    assert options["lfda"]["dimension"] == 7
    assert options["lfda"]["k"] == 3
    assert options["rank_svm"] == {}
    kissme, rank_svm = (
        [each for each in tried if each.metric == kind] for kind in ("kissme", "rank_svm")
    )
    assert [each[:3] for each in kissme + rank_svm] == [
        ("kissme", 7, 0.2),
        ("rank_svm", None, None),
    ]
    assert all(each.chosen and np.isnan(each.mean_ap) for each in kissme + rank_svm)
    assert given["lfda"] == {"shrinkage": "auto", "k": 3}


def test_dimensions_are_those_that_the_samples_of_every_fold_allow():
    X, person, camera = noisy(persons=11)  # 44 clips, at least 32 of them in four folds
    _, tried = choose(X, person, camera, {"kissme": {}})
    assert [each.dimension for each in tried] == [10, 20, 30, 31]
    _, tried = choose(X[:, :6], person, camera, {"kissme": {}})
    assert [each.dimension for each in tried] == [6]
    _, fixed = choose(X, person, camera, {"kissme": {"shrinkage": "auto"}}, 150)
    assert {each.dimension for each in fixed} == {150}  # the whole set may allow more than a fold


class TestLargestOfTheBest:
    def test_a_larger_one_within_one_standard_error_of_the_difference_is_chosen(self):
        """Differences .1 and -.02 have mean .04 and error .06; .1 and .02 have .06 and .04."""
        best = np.array([0.9, 0.7])
        assert largest_of_the_best(np.column_stack([best, best - [0.1, -0.02]])) == 1
        assert largest_of_the_best(np.column_stack([best, best - [0.1, 0.02]])) == 0

    def test_what_makes_a_fold_easy_is_no_error(self):
        """The best has a standard error of .2, but leads by .01 in each fold."""
        best = np.array([0.9, 0.5])
        assert largest_of_the_best(np.column_stack([best, best - 0.01 + [0, 0.001]])) == 0

    def test_equals_give_the_largest_and_smaller_ones_never_win_by_it(self):
        assert largest_of_the_best(np.full((5, 4), 0.9)) == 3
        assert largest_of_the_best(np.array([[0.5, 0.9], [0.9, 0.6]])) == 1

    def test_what_cannot_be_learned_in_a_fold_is_not_chosen(self):
        assert largest_of_the_best(np.array([[0.5, 0.4, 0.9], [0.5, 0.4, np.nan]])) == 0


class TestDivide:
    def test_a_person_is_in_one_fold_with_all_that_shows_him(self):
        _, person, camera = noisy(persons=23)
        folds = divide(person, camera)
        assert np.array_equal(np.sum(folds, axis=0), np.ones(len(person)))
        parts = [{*person[held]} for held in folds]
        assert sorted(map(len, parts)) == [4, 4, 5, 5, 5]
        assert sum(map(len, parts)) == 23

    def test_persons_in_one_camera_are_spread_over_the_folds(self):
        _, person, camera = noisy(persons=20)
        alone = np.isin(person, [f"p{number:02d}" for number in range(10)])
        kept = ~(alone & (camera == "b"))
        folds = divide(person[kept], camera[kept])
        for held in folds:
            seen = {*person[kept][held]}
            assert len(seen) == 4
            assert len(seen & {*person[alone]}) == 2

    def test_the_seed_decides(self):
        _, person, camera = noisy()
        one, same, other = (np.array(divide(person, camera, seed)) for seed in (0, 0, 1))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


class TestTooFew:
    def test_the_largest_dimension_and_the_fixed_shrinkage_are_used_and_that_is_said(self):
        X, person, camera = noisy(persons=9)
        said = "KISSME with dimension 35, shrinkage 0.01, not chosen .* fewer than 10 training"
        with pytest.warns(UserWarning, match=said):
            options, tried = choose(X, person, camera, {"kissme": {"shrinkage": "auto"}})
        assert options["kissme"] == {"dimension": 35, "shrinkage": 0.01}  # of 36 clips
        assert len(tried) == 1
        assert in_words(tried[0]).endswith("shrinkage 0.01")

    def test_persons_in_one_camera_do_not_count(self):
        X, person, _ = noisy()
        with pytest.warns(UserWarning, match="seen by several cameras"):
            choose(X, person, np.full(len(X), "a"), AUTO)

    def test_what_can_never_be_learned_is_left_to_fail_where_it_is_fitted(self):
        X, person, camera = noisy()
        with pytest.warns(UserWarning, match="LFDA .* with none of the values that are tried"):
            options, _ = choose(X, person, camera, {"lfda": {"n_components": 500}})
        with pytest.raises(ValueError, match="n_components"):
            fit_metrics(X, person, camera, options)

    def test_nothing_is_said_where_nothing_was_to_be_chosen(self, recwarn):
        X, person, camera = noisy(persons=4)
        choose(X, person, camera, {"kissme": {"shrinkage": 0.1}, "rank_svm": {}}, 5)
        assert not recwarn.list


def test_same_input_same_choice():
    assert repr(choose(*noisy(), AUTO)) == repr(choose(*noisy(), AUTO))


def test_the_papers_dimension_is_tried():
    assert 150 in DIMENSIONS
