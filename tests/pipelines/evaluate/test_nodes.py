"""Four vectors in a plane, whose ranks can be read off a sheet of paper."""

import numpy as np
import pandas as pd
import pytest
import torch

from wherewhen.pipelines.evaluate.nodes import collect, score_network, score_vectors
from wherewhen.pipelines.parameters import EvaluateParameters

PARAMETERS = EvaluateParameters(dataset="sheet", max_rank=2)


@pytest.fixture
def embeddings():
    """Person p looks alike by angle, person q does not; a training row must not matter."""
    rows = [
        ("a/p", "p", "cam_a", "probe", (1.0, 0.0)),
        ("a/q", "q", "cam_a", "probe", (1.0, 1.0)),
        ("b/p", "p", "cam_b", "gallery", (10.0, 1.0)),
        ("b/q", "q", "cam_b", "gallery", (0.0, 1.0)),
        ("a/t", "t", "cam_a", "train", (1.0, 0.0)),
    ]
    table = pd.DataFrame(rows, columns=["tracklet", "person", "camera", "role", "vector"])
    return table.assign(
        trial="trial_00", vector=[np.array(v, dtype=np.float32) for v in table.vector]
    )


class Swapped:
    """A metric that keeps the first coordinate's sign turned: everybody is found last."""

    def transform(self, vectors):
        return np.array([[0.0], [1.0]])[:: 1 if vectors[0, 1] == 0.0 else -1]


class Network:
    """A similarity that knows the answer."""

    def pairwise_logits(self, probes, gallery):
        assert probes.dtype == gallery.dtype == torch.float32
        return torch.tensor([[5.0, -5.0], [-5.0, 5.0]])


def measured(scores, metric):
    return scores[scores.metric == metric].set_index("measure").value.to_dict()


def test_by_angle_one_of_two_is_found_first(embeddings):
    # p: 5.7 degrees to its match, 90 to q. q: 45 to its match, 39.3 to p.
    scores, _ = score_vectors(embeddings, {}, PARAMETERS, features="mean_pooled")
    assert measured(scores, "cosine") == {"rank-1": 0.5, "rank-2": 1.0, "mAP": 0.75}


def test_every_number_says_what_it_is_of(embeddings):
    scores, ranked = score_vectors(embeddings, {"lfda": Swapped()}, PARAMETERS, "row_pooled")
    assert set(scores.metric) == set(ranked.metric) == {"cosine", "lfda"}
    for column, value in {
        "dataset": "sheet",
        "protocol": "single_match",
        "trial": "trial_00",
        "features": "row_pooled",
    }.items():
        assert set(scores[column]) == {value}
    assert set(ranked.features) == {"row_pooled"}


def test_a_learned_metric_measures_in_its_own_space(embeddings):
    scores, _ = score_vectors(embeddings, {"lfda": Swapped()}, PARAMETERS, "row_pooled")
    assert measured(scores, "lfda")["rank-1"] == 0.0


def test_the_rankings_are_whole_and_name_their_tracklets(embeddings):
    _, ranked = score_vectors(embeddings, {}, PARAMETERS, features="mean_pooled")
    order = ranked.sort_values(["probe", "rank"]).groupby("probe").gallery.apply(list).to_dict()
    assert order == {"a/p": ["b/p", "b/q"], "a/q": ["b/p", "b/q"]}
    found = ranked[ranked.correct].set_index("probe")["rank"].to_dict()
    assert found == {"a/p": 1, "a/q": 2}


def test_a_network_is_also_scored_by_its_own_similarity_and_by_length(embeddings):
    scores, _ = score_network(embeddings, {}, Network(), PARAMETERS, features="network")
    assert set(scores.metric) == {"cosine", "euclidean", "siamese"}
    assert measured(scores, "siamese")["rank-1"] == 1.0
    # p: 9.06 to its match, 1.41 to q. q: 1 to its match, 9 to p.
    assert measured(scores, "euclidean")["rank-1"] == 0.5


def test_trials_are_put_together_and_averaged():
    def scores(trial, value):
        row = {"trial": trial, "features": "network", "metric": "cosine"}
        return pd.DataFrame([{**row, "measure": m, "value": value} for m in ("rank-1", "rank-3")])

    def ranked(trial):
        return pd.DataFrame({"trial": [trial], "rank": [1]})

    tables = [scores("trial_00", 0.5), scores("trial_01", 1.0), ranked("a"), ranked("b")]
    together, rankings, metrics = collect(*tables)
    assert len(together) == 4
    assert rankings.trial.tolist() == ["a", "b"]
    assert metrics == {"network.cosine.rank-1": {"value": 0.75, "step": 0}}
