import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wherewhen
from wherewhen import metric_learning
from wherewhen.metric_learning import METRICS
from wherewhen.metric_learning.base import MahalanobisMetric, MetricLearner
from wherewhen.metric_learning.pipeline import metric_pipeline

HALVES = '''"""A metric of one number: the difference of the means of both halves."""

import numpy as np

from wherewhen.metric_learning.base import MahalanobisMetric


class Halves(MahalanobisMetric):
    """The difference of the halves."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def _fit(self, X, person, camera):
        half = X.shape[1] // 2
        signs = np.repeat([self.scale, -self.scale], [half, X.shape[1] - half])
        self.components_ = signs[None] / half
'''
RECORD = (
    '        MetricKind("halves", "Halves", "wherewhen.metric_learning.halves:Halves", False),\n'
)
USE = """
import numpy as np, pandas as pd
from wherewhen.metric_learning import read_metrics, write_metrics
from wherewhen.pipelines.evaluate.nodes import score_vectors
from wherewhen.pipelines.learn_metric.nodes import learn
from wherewhen.pipelines.parameters import check_name, check_parameters
from wherewhen.pipelines.evaluate.parameters import EvaluateParameters
from wherewhen.reporting.style import describe_metric

asked = check_parameters({"learn_metric": {"metrics": ["halves"], "halves": {"scale": 3}}})
check_name("learn_metric.halves.scale")
roles = ["train"] * 4 + ["probe"] * 2 + ["gallery"] * 2
table = pd.DataFrame({"trial": "t", "tracklet": list("abcdefgh"), "role": roles,
                      "person": list("ppqqxyxy"), "camera": list("12121122")})
# normalised: (.6, .8), (.8, .6), (.8, .6), (.6, .8): x finds y and y finds x by their halves
table["vector"] = [np.array(v) for v in [(1., 0), (1, 1), (0, 1), (1, 3),
                                         (3, 4), (4, 3), (8, 6), (6, 8)]]
metrics, _ = learn(table, asked.learn_metric)
write_metrics(metrics, "metrics.safetensors")
scores, ranked = score_vectors(table, read_metrics("metrics.safetensors"),
                               EvaluateParameters(resamples=0), features="mean_pooled")
of_halves = ranked[(ranked.metric == "halves") & (ranked["rank"] == 1)]
assert of_halves.gallery.tolist() == ["h", "g"], of_halves
np.testing.assert_allclose(ranked[ranked.metric == "halves"].distance.max(), 3 * .4)
assert set(scores.metric) == {"cosine", "halves"}
assert describe_metric("halves-re-ranked") == "Halves, re-ranked"
"""


def test_a_metric_is_its_file_and_one_line(tmp_path):
    package = tmp_path / "wherewhen"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(wherewhen.__file__).parent, package, ignore=leave)
    (package / "metric_learning/halves.py").write_text(HALVES)
    registry = package / "metric_learning/registry.py"
    before, after = registry.read_text().split("        # RankSVM weighs", 1)
    registry.write_text(f"{before}{RECORD}        # RankSVM weighs{after}")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", USE]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)


@pytest.mark.parametrize("name", METRICS)
def test_every_record_is_of_its_estimator(name):
    kind = METRICS[name]
    assert kind.name == name
    assert issubclass(kind.estimator(), MetricLearner)
    assert kind.is_distance == issubclass(kind.estimator(), MahalanobisMetric)
    assert kind.estimator().FITTED
    steps = metric_pipeline(name).named_steps
    assert ("pca" in steps) == kind.after_pca
    assert isinstance(steps[name], kind.estimator())


def test_names_cost_nothing_and_the_rest_is_imported_when_used():
    program = (
        "import sys; from wherewhen.metric_learning import METRICS, MetricKind;"
        "assert not {'numpy', 'sklearn'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    for name in metric_learning.__all__:
        assert getattr(metric_learning, name).__name__ == name if name != "METRICS" else True
    with pytest.raises(AttributeError, match="no attribute 'NCA'"):
        metric_learning.NCA  # noqa: B018
