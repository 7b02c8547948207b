import time

import numpy as np
import pytest
from sklearn.svm import SVC

from wherewhen.metric_learning import LFDA, distance_of, fit_metrics, metric_pipeline, space_of


def clips(seed, persons=35, dimensions=1000):
    """Simulate two tracklets a person with four clips each: vectors, who and where.

    Views move the vectors further than identities do, partly along the same directions; clips of a
    tracklet differ little. Without learning, about one probe in three finds its person.
    """
    world, generator = np.random.default_rng(12345), np.random.default_rng(seed)
    identity = world.normal(size=(30, dimensions)) * np.exp(-np.arange(30) / 10)[:, None]
    view = world.normal(size=(40, dimensions)) * np.exp(-np.arange(40) / 13)[:, None]
    view[:13] = 0.6 * identity[:13] + 0.8 * view[:13]
    person = np.repeat(np.arange(persons), 8)
    where = np.tile(np.repeat([0, 1], 4), persons)
    shown = 1.3 * generator.normal(size=(2 * persons, 40)).repeat(4, axis=0)
    shown += 0.35 * generator.normal(size=shown.shape)
    vectors = generator.normal(size=(persons, 30))[person] @ identity + shown @ view
    vectors += 0.6 * world.normal(size=(2, dimensions))[where]
    vectors += generator.normal(size=(2 * persons, dimensions)).repeat(4, axis=0)
    vectors += 0.5 * generator.normal(size=vectors.shape)
    return np.maximum(vectors / 4 + 0.3, 0), person, where


def rank_1(vectors, person, where):
    """Share of probes (mean of the clips of a tracklet) whose nearest gallery is their person."""
    means = [
        np.array([vectors[(person == p) & (where == c)].mean(axis=0) for p in np.unique(person)])
        for c in (0, 1)
    ]
    distances = ((means[0][:, None] - means[1][None]) ** 2).sum(axis=2)
    return (distances.argmin(axis=1) == np.arange(len(distances))).mean()


@pytest.mark.parametrize("kind", ["kissme", "lfda", "xqda"])
def test_a_learned_metric_beats_the_cosine_for_persons_it_has_not_seen(kind):
    training, test = clips(0), clips(1, persons=40)
    plain = test[0] / np.linalg.norm(test[0], axis=1, keepdims=True)
    learned = metric_pipeline(kind).fit(*training[:2])
    assert rank_1(learned.transform(test[0]), *test[1:]) > rank_1(plain, *test[1:]) + 0.15


def test_steps_and_options():
    pipeline = metric_pipeline("lfda", dimension=20, k=5)
    assert list(pipeline.named_steps) == ["normalise", "pca", "lfda"]
    assert pipeline.named_steps["lfda"].k == 5
    assert pipeline.named_steps["pca"].dimension == 20
    assert list(metric_pipeline("kissme", normalise=False).named_steps) == ["pca", "kissme"]


def test_normalising_forgets_the_length():
    X, person, _ = clips(0, persons=5, dimensions=40)
    pipeline = metric_pipeline("lfda", 10).fit(X, person)
    np.testing.assert_allclose(pipeline.transform(X * 3), pipeline.transform(X), atol=1e-9)


def test_a_metric_measures_as_its_last_step_says():
    X, person, where = clips(0, persons=5, dimensions=40)
    lfda = metric_pipeline("lfda", 10).fit(X, person)
    mapped = lfda.transform(X)
    by_hand = np.sqrt(((mapped[:3, None] - mapped[None, 3:9]) ** 2).sum(axis=2))
    np.testing.assert_allclose(distance_of(lfda)(X[:3], X[3:9]), by_hand, rtol=1e-9)

    ranking = metric_pipeline("rank_svm").fit(X, person, rank_svm__cameras=where)
    assert list(ranking.named_steps) == ["normalise", "rank_svm"]
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    by_hand = -np.abs(unit[:3, None] - unit[None, 3:9]) @ ranking.named_steps["rank_svm"].weights_
    np.testing.assert_allclose(distance_of(ranking)(X[:3], X[3:9]), by_hand, atol=1e-9)

    bare = metric_pipeline("rank_svm", normalise=False).fit(X, person)
    assert list(bare.named_steps) == ["rank_svm"]
    np.testing.assert_array_equal(
        distance_of(bare)(X[:3], X), bare.named_steps["rank_svm"].distance(X[:3], X)
    )


@pytest.mark.parametrize("kind", ["lfda", "rank_svm"])
def test_a_metric_is_a_projection_and_a_distance_of_what_is_projected(kind):
    X, person, _ = clips(0, persons=5, dimensions=40)
    metric = metric_pipeline(kind, 10).fit(X, person)
    project, distance = space_of(metric)
    expected = distance_of(metric)(X[:3], X)
    np.testing.assert_array_equal(distance(project(X[:3]), project(X)), expected)
    assert project(X).shape[1] == (10 if kind == "lfda" else 40)


def test_an_estimator_alone_measures_too_and_what_cannot_is_named():
    X, person, _ = clips(0, persons=5, dimensions=40)
    alone = LFDA().fit(X, person)
    expected = np.linalg.norm(alone.transform(X[:1]) - alone.transform(X), axis=1)
    np.testing.assert_allclose(distance_of(alone)(X[:1], X)[0], expected)
    with pytest.raises(TypeError, match="SVC has neither distance nor transform: expected a fitt"):
        distance_of(SVC())


def test_cameras_reach_kissme():
    X, person, where = clips(0, persons=5, dimensions=40)
    pipeline = metric_pipeline("kissme", 10).fit(X, person, kissme__cameras=where)
    assert pipeline.named_steps["kissme"].similar_pairs_ == 5 * 16


def test_pcas_of_different_seeds_are_not_shared():
    X, person, where = clips(0, persons=6, dimensions=60)
    options = {"kissme": {}, "lfda": {"random_state": 1}, "xqda": {}}
    metrics = fit_metrics(X, person, where, options, dimension=20)
    assert metrics["kissme"]["pca"] is metrics["xqda"]["pca"]
    assert metrics["lfda"]["pca"].random_state == 1


def test_metrics_fitted_together_are_those_fitted_alone():
    X, person, where = clips(0, persons=6, dimensions=60)
    options = {"kissme": {"shrinkage": 0.1}, "lfda": {}, "xqda": {}, "rank_svm": {}}
    options["lfda"]["normalise"] = False
    together = fit_metrics(X, person, where, options, dimension=20)
    assert list(together) == ["kissme", "lfda", "xqda", "rank_svm"]
    assert together["xqda"].named_steps["pca"] is together["kissme"].named_steps["pca"]
    for kind, given in options.items():
        cameras = {f"{kind}__cameras": where} if kind in ("xqda", "rank_svm") else {}
        alone = metric_pipeline(kind, 20, **given).fit(X, person, **cameras)
        np.testing.assert_array_equal(
            distance_of(together[kind])(X, X[:9]), distance_of(alone)(X, X[:9])
        )
    assert fit_metrics(X, person, where, {}) == {}


def test_the_dimension_gives_way_with_a_warning():
    X, person, _ = clips(0, persons=4, dimensions=40)
    with pytest.warns(UserWarning, match="32 samples of 40 dimensions: 31 are used"):
        pipeline = metric_pipeline("kissme").fit(X, person)
    assert pipeline.transform(X).shape == (32, 31)


def test_same_input_same_result_to_the_last_bit():
    X, person, _ = clips(0, persons=6, dimensions=60)
    first, second = (metric_pipeline("kissme", 20).fit(X, person).transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_row_pooled_sizes_are_quick():
    X = np.random.default_rng(0).normal(size=(300, 9000)).astype(np.float32)
    began = time.process_time()
    metric_pipeline("lfda").fit(X, np.arange(300) // 8)
    assert time.process_time() - began < 20  # about 1 s; a covariance of 9,000^2 takes minutes


def test_errors_name_what_is_known():
    with pytest.raises(
        ValueError, match=r"no metric 'nca': expected one of kissme, lfda, rank_svm, xqda"
    ):
        metric_pipeline("nca")
    with pytest.raises(ValueError, match=r"Invalid parameter 'shrinkge' .* KISSME.*'shrinkage'"):
        metric_pipeline("kissme", shrinkge=0.1)
