import logging

import numpy as np
import pandas as pd
import pytest

from wherewhen.metric_learning.files import write_metrics
from wherewhen.metric_learning.registry import METRICS
from wherewhen.pipelines.learn_metric.nodes import borrow, learn, leave_out
from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters


@pytest.fixture
def embeddings():
    """Eight training persons in two cameras; a tested one that must not matter."""
    generator = np.random.default_rng(0)
    person = np.arange(9).repeat(4)
    vectors = generator.normal(size=(9, 6))[person] + 0.3 * generator.normal(size=(36, 6))
    table = pd.DataFrame({"person": [f"p{i}" for i in person], "camera": list("aabb") * 9})
    return table.assign(
        trial="trial_00", role=np.where(person < 8, "train", "probe"), vector=list(vectors)
    )


def test_the_metrics_asked_for_are_learned_from_those_who_train(embeddings):
    parameters = LearnMetricParameters(metrics=("xqda", "lfda"), dimension=5, lfda={"k": 3})
    metrics, settings = learn(embeddings, parameters)
    assert list(metrics) == ["xqda", "lfda"]
    assert metrics["lfda"].named_steps["lfda"].k == 3
    assert metrics["lfda"].named_steps["pca"].components_.shape == (5, 6)
    across_cameras = 8 * 4
    assert metrics["xqda"].named_steps["xqda"].similar_pairs_ == across_cameras
    alone, _ = learn(embeddings[embeddings.role == "train"], parameters)
    vectors = np.stack(embeddings.vector)
    np.testing.assert_array_equal(
        metrics["lfda"].transform(vectors), alone["lfda"].transform(vectors)
    )
    assert settings[["trial", "metric", "dimension", "shrinkage", "chosen"]].values.tolist() == [
        ["trial_00", "xqda", 5, 0.001, True],
        ["trial_00", "lfda", 5, 0.001, True],
    ]


def test_what_is_chosen_is_learned_and_listed_and_said(embeddings, caplog):
    """With two more persons there are ten who train, seen by both cameras."""
    more = embeddings[embeddings.person.isin(["p0", "p1"])]
    more = more.assign(person=more.person + "'", vector=[1 - vector for vector in more.vector])
    parameters = LearnMetricParameters(metrics=["kissme"], kissme={"shrinkage": "auto"})
    with caplog.at_level(logging.INFO):
        metrics, settings = learn(pd.concat([embeddings, more]), parameters)
    assert len(settings) == len(METRICS["kissme"].shrinkage.tried)
    best = settings[settings.chosen].iloc[0]
    assert best.mean_ap > settings.mean_ap.max() - 0.1
    assert metrics["kissme"]["kissme"].shrinkage == best.shrinkage
    assert metrics["kissme"]["pca"].dimension == best.dimension == 6
    said = f"trial_00: KISSME with dimension 6, shrinkage {best.shrinkage}: mAP "
    assert said in caplog.text


def test_too_few_persons_to_choose_by_are_said_with_their_trial(embeddings, caplog):
    with caplog.at_level(logging.INFO):
        _, settings = learn(embeddings, LearnMetricParameters(kissme={"shrinkage": "auto"}))
    assert "trial_00: KISSME with dimension 6, shrinkage 0.01, not chosen by cross" in caplog.text
    assert settings.mean_ap.isna().all()
    assert settings.chosen.all()


def test_a_metric_is_learned_from_what_is_left_without_the_means_of_cameras(embeddings):
    light = embeddings.camera.map({"a": 0.0, "b": 5.0})
    lit = embeddings.assign(vector=embeddings.vector + light)
    parameters = LearnMetricParameters(
        metrics=["lfda"], dimension=5, lfda={"normalise": False}, centre="camera"
    )
    one, other = (learn(table, parameters)[0]["lfda"] for table in (embeddings, lit))
    vectors = np.stack(embeddings.vector)
    np.testing.assert_allclose(one.transform(vectors), other.transform(vectors), atol=1e-6)


def test_a_dimension_that_gives_way_is_said_with_its_trial(embeddings, caplog):
    with caplog.at_level(logging.INFO):
        learn(embeddings, LearnMetricParameters(dimension=150))
    assert "trial_00: PCA to 150 dimensions is not possible" in caplog.text


def test_metrics_of_a_file_are_taken_as_they_are(embeddings, tmp_path):
    learned, _ = learn(embeddings, LearnMetricParameters(metrics=("kissme",), dimension=5))
    write_metrics(learned, tmp_path / "m.safetensors")
    metrics, settings = borrow(tmp_path / "m.safetensors")
    vectors = np.stack(embeddings.vector)
    np.testing.assert_array_equal(
        metrics["kissme"].transform(vectors), learned["kissme"].transform(vectors)
    )
    assert settings.empty
    none, nothing = leave_out(embeddings)
    assert none == {}
    assert list(nothing) == list(settings)
