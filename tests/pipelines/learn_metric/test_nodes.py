import logging

import numpy as np
import pandas as pd
import pytest

from wherewhen.pipelines.learn_metric.nodes import learn
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
    metrics = learn(embeddings, parameters)
    assert list(metrics) == ["xqda", "lfda"]
    assert metrics["lfda"].named_steps["lfda"].k == 3
    assert metrics["lfda"].named_steps["pca"].components_.shape == (5, 6)
    across_cameras = 8 * 4
    assert metrics["xqda"].named_steps["xqda"].similar_pairs_ == across_cameras
    alone = learn(embeddings[embeddings.role == "train"], parameters)
    vectors = np.stack(embeddings.vector)
    np.testing.assert_array_equal(
        metrics["lfda"].transform(vectors), alone["lfda"].transform(vectors)
    )


def test_a_dimension_that_gives_way_is_said_with_its_trial(embeddings, caplog):
    with caplog.at_level(logging.INFO):
        learn(embeddings, LearnMetricParameters())
    assert "trial_00: PCA to 150 dimensions is not possible" in caplog.text
