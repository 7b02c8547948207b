import numpy as np
import pytest
from scipy.spatial.distance import cdist

from wherewhen.metric_learning import metric_pipeline
from wherewhen.metric_learning.fusion_weights import FusionPart, choose_weights
from wherewhen.metric_learning.selection import divide, mean_average_precision, means_of_views


def best(tried):
    [chosen] = [each for each in tried if each.chosen]
    return chosen


@pytest.fixture
def labels():
    """Twenty persons, two clips in each of two cameras."""
    return np.arange(20).repeat(4), np.tile(list("aabb"), 20)


def views(labels, generator, dimensions, noise):
    """Vectors of persons; each view has noise of its own, each clip a little."""
    person, _ = labels
    vectors = generator.normal(size=(20, dimensions))[person]
    vectors += noise * generator.normal(size=(40, dimensions)).repeat(2, axis=0)
    return vectors + 0.05 * generator.normal(size=vectors.shape)


@pytest.mark.parametrize("seed", range(3))
def test_noise_gets_little_weight(labels, seed):
    generator = np.random.default_rng(seed)
    telling, noise = views(labels, generator, 6, 0.6), generator.normal(size=(80, 6))
    forth = best(choose_weights([FusionPart(telling, cdist), FusionPart(noise, cdist)], *labels))
    back = best(choose_weights([FusionPart(noise, cdist), FusionPart(telling, cdist)], *labels))
    assert forth.weights[0] >= 0.75
    assert forth.weights == back.weights[::-1]


def test_parts_that_know_as_much_weigh_alike(labels):
    vectors = views(labels, np.random.default_rng(0), 6, 0.6)
    tried = choose_weights([FusionPart(vectors, cdist), FusionPart(3 * vectors, cdist)], *labels)
    assert best(tried).weights == (0.5, 0.5)
    assert len(tried) == 13
    np.testing.assert_allclose([sum(each.weights) for each in tried], 1)
    three = choose_weights([FusionPart(vectors, cdist)] * 3, *labels)
    np.testing.assert_allclose(best(three).weights, 1 / 3)
    assert len({each.weights for each in three}) == 91


def test_the_score_is_the_mean_over_folds_of_the_weighted_distances(labels):
    generator = np.random.default_rng(4)
    one, two = (views(labels, generator, 4, noise) for noise in (0.9, 1.2))
    tried = choose_weights([FusionPart(one, cdist), FusionPart(two, cdist)], *labels)
    scores = []
    for held in divide(*labels):
        distances = []
        for vectors in (one, two):
            means, who, where = means_of_views(vectors[held], *(each[held] for each in labels))
            found = cdist(means, means)
            distances.append(found / found[where == "a"][:, where == "b"].std())
        scores.append(mean_average_precision(0.25 * distances[0] + 0.75 * distances[1], who, where))
    [score] = [each.mean_ap for each in tried if each.weights == (0.25, 0.75)]
    assert score == pytest.approx(np.mean(scores))


def test_a_metric_is_learned_without_those_who_are_searched_for(labels):
    """Fitted to everybody, a metric of many dimensions would seem to know them all."""
    generator = np.random.default_rng(0)
    person, camera = labels
    noise = generator.normal(size=(80, 60))
    metric = metric_pipeline("kissme", dimension=60, shrinkage=1e-6, normalise=False)
    fitted = metric.fit(noise, person)
    before = fitted["kissme"].components_.copy()
    tried = choose_weights([FusionPart(noise, fitted), FusionPart(noise, cdist)], *labels)
    [alone] = [each.mean_ap for each in tried if each.weights == (1.0, 0.0)]
    chance = np.mean(1 / np.arange(1, 5))  # one match among four persons of the other camera
    assert alone < chance + 0.15
    known = fitted.transform(means_of_views(noise, person, camera)[0])
    who, where = means_of_views(noise, person, camera)[1:]
    assert mean_average_precision(cdist(known, known), who, where) > 0.9
    np.testing.assert_array_equal(fitted["kissme"].components_, before)


def test_cameras_reach_the_metrics_that_are_fitted_with_them(labels):
    vectors = views(labels, np.random.default_rng(0), 6, 0.6)
    metric = metric_pipeline("xqda", dimension=5).fit(vectors, labels[0], xqda__cameras=labels[1])
    tried = choose_weights([FusionPart(vectors, metric), FusionPart(vectors, cdist)], *labels)
    assert best(tried).mean_ap > 0.8


def test_features_that_know_the_training_persons_weigh_too_much(labels):
    """Both are as good on strangers, but training persons are not held out of the first's."""
    known, fair = [], []
    for seed in range(5):
        generator = np.random.default_rng(seed)
        plain = views(labels, generator, 6, 1.0)
        for weights, noise in ((known, 0.3), (fair, 1.0)):
            parts = [
                FusionPart(views(labels, generator, 6, noise), cdist),
                FusionPart(plain, cdist),
            ]
            weights.append(best(choose_weights(parts, *labels)).weights[0])
    assert np.mean(known) > np.mean(fair) + 0.1


def test_too_few_persons_weigh_alike(labels):
    few = labels[0] < 9
    vectors = np.random.default_rng(0).normal(size=(36, 3))
    with pytest.warns(UserWarning, match="equal weights, not chosen .* fewer than 10 training"):
        [only] = choose_weights([FusionPart(vectors, cdist)] * 2, *(each[few] for each in labels))
    assert only.weights == (0.5, 0.5)
    assert np.isnan(only.mean_ap)


def test_a_part_that_cannot_be_learned_in_a_fold_is_said(labels):
    vectors = np.ones((80, 3))
    with pytest.warns(UserWarning, match=r"equal weights, .* have the deviation 0\.0"):
        [only] = choose_weights([FusionPart(vectors, cdist)] * 2, *labels)
    assert only.chosen
