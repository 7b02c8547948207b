"""Four vectors in a plane, whose ranks can be read off a sheet of paper."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from wherewhen.pipelines.evaluate.nodes import (
    collect,
    collect_reliability,
    score_network,
    score_vectors,
)
from wherewhen.pipelines.evaluate.parameters import EvaluateParameters
from wherewhen.retrieval import Task, re_rank, score
from wherewhen.retrieval.distances import cosine, euclidean

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


LOGITS = np.array([[5.0, -5.0], [-5.0, 5.0]], dtype=np.float32)
"""A similarity that knows the answer."""


def measured(scores, metric):
    return scores[scores.metric == metric].set_index("measure").value.to_dict()


def test_by_angle_one_of_two_is_found_first(embeddings):
    # p: 5.7 degrees to its match, 90 to q. q: 45 to its match, 39.3 to p.
    scores, _ = score_vectors(embeddings, {}, PARAMETERS, features="mean_pooled")
    found = measured(scores, "cosine")
    assert {name: found[name] for name in ("rank-1", "rank-2", "mAP")} == {
        "rank-1": 0.5,
        "rank-2": 1.0,
        "mAP": 0.75,
    }
    assert found["mAP-trapezoid"] == pytest.approx((1 + (0 + 1 / 2) / 2) / 2)
    assert (found["probes"], found["probes-without-match"], found["ties"]) == (2, 0, 0)
    assert found["rank-1-low"] == 0.0
    # pairs of one person: 5.7 and 45 degrees; of two: 39.3 and 90. At 39.3 one of two is refused
    # and none accepted before, one after.
    assert found["eer"] == 0.5
    assert (scores["value"] >= 0).all()


def test_every_number_says_what_it_is_of(embeddings):
    scores, ranked = score_vectors(
        embeddings, {"lfda": Pipeline([("swapped", Swapped())])}, PARAMETERS, features="row_pooled"
    )
    assert set(scores.metric) == set(ranked.metric) == {"cosine", "lfda"}
    for column, value in {
        "dataset": "sheet",
        "protocol": "single_match",
        "trial": "trial_00",
        "features": "row_pooled",
    }.items():
        assert set(scores[column]) == {value}
    assert set(ranked.features) == {"row_pooled"}
    assert set(ranked.trial) == {"trial_00"}


def test_what_looks_at_raw_frames_is_scored_by_euclidean_distance_too(embeddings):
    scores, _ = score_vectors(embeddings, {}, PARAMETERS, features="rcn", by_euclidean=True)
    assert set(scores.metric) == {"cosine", "euclidean"}
    # p: 9.1 to its match, 1.4 to q. q: 1 to its match, 9 to p.
    assert measured(scores, "euclidean")["rank-1"] == 0.5


def test_a_learned_metric_measures_in_its_own_space(embeddings):
    scores, _ = score_vectors(
        embeddings, {"lfda": Pipeline([("swapped", Swapped())])}, PARAMETERS, features="row_pooled"
    )
    assert measured(scores, "lfda")["rank-1"] == 0.0


def test_the_rankings_are_whole_and_name_their_tracklets(embeddings):
    _, ranked = score_vectors(embeddings, {}, PARAMETERS, features="mean_pooled")
    order = ranked.sort_values(["probe", "rank"]).groupby("probe").gallery.apply(list).to_dict()
    assert order == {"a/p": ["b/p", "b/q"], "a/q": ["b/p", "b/q"]}
    found = ranked[ranked.correct].set_index("probe")["rank"].to_dict()
    assert found == {"a/p": 1, "a/q": 2}


def test_a_network_is_also_scored_by_its_own_similarity_and_by_length(embeddings):
    scores, _, _ = score_network(embeddings, {}, LOGITS, PARAMETERS, features="network")
    assert list(scores.metric.unique()) == ["cosine", "euclidean", "siamese"]
    assert measured(scores, "siamese")["rank-1"] == 1.0
    # p: 9.06 to its match, 1.41 to q. q: 1 to its match, 9 to p.
    assert measured(scores, "euclidean")["rank-1"] == 0.5


def test_the_similarity_is_asked_what_its_promises_are_worth(embeddings):
    scores, _, table = score_network(embeddings, {}, LOGITS, PARAMETERS, features="network")
    sigmoid = 1 / (1 + np.exp(5.0))  # 0.7 %, where no pair is of one person
    assert measured(scores, "siamese")["ece"] == pytest.approx(sigmoid, rel=1e-5)
    assert table["confidence"].tolist() == pytest.approx([sigmoid, 1 - sigmoid])
    assert table["frequency"].tolist() == [0, 1]
    assert set(table["features"]) == {"network"}
    assert collect_reliability(table, table).index.tolist() == [0, 1, 2, 3]


def test_re_ranking_is_one_metric_more(embeddings):
    parameters = EvaluateParameters(dataset="sheet", re_ranking={"k1": 2, "k2": 1, "lambda": 1})
    scores, ranked, _ = score_network(embeddings, {}, LOGITS, parameters, features="network")
    assert set(scores.metric) == set(ranked.metric)
    assert "siamese-re-ranked" not in set(scores.metric)
    assert {"cosine", "cosine-re-ranked", "euclidean-re-ranked"} < set(scores.metric)
    # with lambda 1 the original order stays
    plain, again = (measured(scores, name) for name in ("cosine", "cosine-re-ranked"))
    assert plain["mAP"] == again["mAP"]


@pytest.fixture
def crowd():
    """Twelve persons in two cameras, two gallery tracklets each, hard to tell apart."""
    generator = np.random.default_rng(5)
    person = np.arange(12).repeat(3)
    vectors = generator.normal(size=(12, 4))[person] + 0.8 * generator.normal(size=(36, 4))
    table = pd.DataFrame({"person": [f"p{i}" for i in person], "role": list("pgg") * 12})
    return table.assign(
        role=table.role.map({"p": "probe", "g": "gallery"}),
        camera=np.where(table.role == "p", "a", "b"),
        tracklet=[f"t{i}" for i in range(36)],
        trial="trial_00",
        vector=list(vectors),
    )


def of_metric(table, metric):
    return table[table.metric == metric].drop(columns="metric").reset_index(drop=True)


def test_re_ranked_distances_are_those_of_every_metric_in_its_own_space(crowd):
    stretched = np.diag([9.0, 0.1, 1.0, 1.0])
    metric = Pipeline([("mapped", FunctionTransformer(lambda vectors: vectors @ stretched))])
    given = {"dataset": "sheet", "protocol": "cross_camera", "resamples": 0}
    parameters = EvaluateParameters(**given, re_ranking={"k1": 5, "k2": 3, "lambda": 0.4})
    scores, ranked = score_vectors(
        crowd, {"lfda": metric}, parameters, features="rcn", by_euclidean=True
    )
    assert list(scores.metric.unique()) == [
        "cosine", "cosine-re-ranked", "lfda", "lfda-re-ranked", "euclidean", "euclidean-re-ranked"
    ]  # fmt: skip
    probes, gallery = (
        np.stack(crowd[crowd.role == role].vector.to_list()) for role in ("probe", "gallery")
    )
    spaces = {
        "cosine": (probes, gallery, cosine),
        "lfda": (probes @ stretched, gallery @ stretched, euclidean),
        "euclidean": (probes, gallery, euclidean),
    }
    for name, (one, other, distance) in spaces.items():
        for suffix, expected in (
            ("", distance(one, other)),
            ("-re-ranked", re_rank(one, other, distance, k1=5, k2=3, weight=0.4)),
        ):
            table = of_metric(ranked, f"{name}{suffix}")
            found = table.pivot(index="probe", columns="gallery", values="distance")
            found = found.loc[crowd.tracklet[::3], crowd.tracklet[crowd.role == "gallery"]]
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_vectors_are_projected_once_however_often_they_are_compared(crowd):
    projected = []

    def project(vectors):
        projected.append(len(vectors))
        return vectors

    metric = Pipeline([("mapped", FunctionTransformer(project))])
    parameters = EvaluateParameters(protocol="cross_camera", resamples=0, re_ranking={})
    score_vectors(crowd, {"lfda": metric}, parameters, features="mean_pooled")
    assert projected == [12, 24]


@pytest.mark.parametrize(
    "changed", [{"max_rank": 3}, {"confidence": 0.5}, {"resamples": 9}, {"seed": 7}]
)
def test_every_parameter_reaches_the_scores(crowd, changed):
    given = {"max_rank": 5, "confidence": 0.9, "resamples": 40, "seed": 1} | changed
    parameters = EvaluateParameters(dataset="sheet", protocol="cross_camera", **given)
    scores, _ = score_vectors(crowd, {}, parameters, features="mean_pooled")
    sides = [crowd[crowd.role == role] for role in ("probe", "gallery")]
    distances = cosine(*(np.stack(side.vector.to_list()) for side in sides))
    labels = [side[column] for column in ("person", "camera") for side in sides]
    expected = score(Task(distances, *labels, "cross_camera"), **given)
    assert measured(scores, "cosine") == expected
    before = {"max_rank": 5, "confidence": 0.9, "resamples": 40, "seed": 1}
    assert score(Task(distances, *labels, "cross_camera"), **before) != expected


def test_a_networks_reliability_obeys_the_protocol(crowd):
    """A probe in the gallery, and junk: neither is a pair."""
    junk = crowd[crowd.role == "gallery"].head(1).assign(person="-1", tracklet="junk")
    again = crowd[crowd.role == "probe"].assign(role="gallery")
    table = pd.concat([crowd, again, junk], ignore_index=True)
    logits = np.full((12, 37), -3.0)
    logits[:, 24:] = 3.0  # probes and junk, which would look right
    parameters = EvaluateParameters(protocol="query_excluded", resamples=0)
    scores, _, reliability = score_network(table, {}, logits, parameters, features="network")
    assert reliability.pairs.tolist() == [12 * 24]
    assert measured(scores, "siamese")["ties"] == 24
    assert set(reliability.columns) >= {"dataset", "protocol", "trial", "features", "metric"}
    assert set(reliability.metric) == {"siamese"}


def test_long_rankings_are_cut_but_keep_the_true_matches(embeddings):
    parameters = EvaluateParameters(dataset="sheet", ranked=1)
    _, ranked = score_vectors(embeddings, {}, parameters, features="mean_pooled")
    assert ranked.groupby("probe")["rank"].apply(list).to_dict() == {"a/p": [1], "a/q": [1, 2]}


def test_a_tracklet_on_both_sides_is_left_out_where_the_protocol_asks(embeddings):
    both = embeddings[embeddings.role == "probe"].assign(role="gallery")
    parameters = EvaluateParameters(dataset="sheet", protocol="query_excluded", ranked=None)
    table = pd.concat([embeddings, both], ignore_index=True)
    _, ranked = score_vectors(table, {}, parameters, features="mean_pooled")
    assert set(ranked.gallery) == {"b/p", "b/q"}


@pytest.mark.parametrize("protocol", ["official", "query_excluded"])
def test_splits_of_another_protocol_get_no_false_name(embeddings, protocol):
    parameters = EvaluateParameters(dataset="sheet", protocol=protocol)
    with pytest.raises(ValueError, match=f"protocol is {protocol}, but 0 of 2 .* from split on"):
        score_vectors(embeddings, {}, parameters, features="mean_pooled")


@pytest.mark.parametrize("protocol", ["single_match", "two_camera"])
def test_a_probe_in_the_gallery_is_another_protocols(embeddings, protocol):
    both = embeddings[embeddings.tracklet == "a/p"].assign(role="gallery")
    parameters = EvaluateParameters(dataset="sheet", protocol=protocol)
    with pytest.raises(ValueError, match="but 1 of 2 probes are in the gallery, and none should"):
        score_vectors(pd.concat([embeddings, both]), {}, parameters, features="mean_pooled")


def test_evaluating_imports_no_torch():
    program = (
        "import sys, numpy as np, pandas as pd;"
        "from wherewhen.pipelines.evaluate.nodes import score_network;"
        "from wherewhen.pipelines.learn_metric.nodes import learn;"
        "from wherewhen.pipelines.evaluate.parameters import EvaluateParameters;"
        "from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters;"
        "from wherewhen.reporting.tables import console_table, summarise;"
        "roles = ['train'] * 8 + ['probe'] * 2 + ['gallery'] * 2;"
        "vectors = list(np.random.default_rng(0).normal(size=(12, 3)));"
        "table = pd.DataFrame({'trial': 't', 'tracklet': list('abcdefghijkl'), 'role': roles,"
        " 'person': list('aabbccddxyxy'), 'camera': list('121212121122'), 'vector': vectors});"
        "kinds = LearnMetricParameters(dimension=2, metrics=['kissme', 'lfda', 'xqda'],"
        " xqda={'regularisation': 0});"
        "metrics, _ = learn(table, kinds);"
        "scores = score_network("
        "table, metrics, np.eye(2), EvaluateParameters(), features='network')[0];"
        "console_table(summarise(scores), 'd', 'p');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_rows_are_numbered_through(crowd):
    parameters = EvaluateParameters(protocol="cross_camera", resamples=0)
    logits = np.random.default_rng(0).normal(size=(12, 24))
    tables = score_network(crowd, {}, logits, parameters, features="network")
    for table in (*tables, *score_vectors(crowd, {}, parameters, features="rcn")):
        assert table.index.tolist() == list(range(len(table)))


def test_trials_are_put_together():
    def scores(trial, value):
        return pd.DataFrame({"trial": trial, "measure": ["rank-1", "rank-3"], "value": value})

    def ranked(trial):
        return pd.DataFrame({"trial": [trial], "rank": [1]})

    values = {"trial_00": 0.5, "trial_01": 1.0, "trial_02": 0.25}
    tables = [scores(trial, value) for trial, value in values.items()]
    together, rankings = collect(*tables, *map(ranked, "abc"))
    assert together.value.tolist() == [0.5, 0.5, 1.0, 1.0, 0.25, 0.25]
    assert together.index.tolist() == [0, 1, 2, 3, 4, 5]
    assert rankings.trial.tolist() == ["a", "b", "c"]
    assert rankings.index.tolist() == [0, 1, 2]


def test_means_of_cameras_are_those_of_training_persons(embeddings):
    """Camera b adds (4, 4) to everything: without it the nearest are those of the same person."""
    generator = np.random.default_rng(0)
    persons = {who: generator.normal(size=2) for who in "klmnxy"}
    rows = [
        ("trial_00", f"{camera}/{who}", who, camera, role)
        for camera, test in (("a", "probe"), ("b", "gallery"))
        for who, role in [*((who, "train") for who in "klmn"), ("x", test), ("y", test)]
    ]
    table = pd.DataFrame(rows, columns=["trial", "tracklet", "person", "camera", "role"])
    table["vector"] = [
        persons[row.person] + 4 * (row.camera == "b") for row in table.itertuples(index=False)
    ]
    parameters = EvaluateParameters(resamples=0)
    _, plain = score_vectors(table, {}, parameters, features="rcn", by_euclidean=True)
    scores, ranked = score_vectors(
        table, {}, parameters, "camera", features="rcn", by_euclidean=True
    )
    for metric in ("cosine", "euclidean"):
        own = ranked[(ranked.metric == metric) & ranked.correct]
        np.testing.assert_allclose(own.distance, 0, atol=1e-12)
        assert measured(scores, metric)["rank-1"] == 1.0
    far = plain[(plain.metric == "euclidean") & plain.correct]
    np.testing.assert_allclose(far.distance, 4 * np.sqrt(2))

    _, _, reliability = score_network(table, {}, np.eye(2), parameters, features="network")
    _, ranked, same = score_network(table, {}, np.eye(2), parameters, "camera", features="network")
    pd.testing.assert_frame_equal(reliability, same)  # the network's own score is of its vectors
    own = ranked[(ranked.metric == "siamese") & ranked.correct]
    assert own.distance.tolist() == [-1.0, -1.0]


def test_a_camera_without_training_persons_is_named(embeddings):
    with pytest.raises(ValueError, match="no training person was seen by the camera cam_b, so"):
        score_vectors(embeddings, {}, PARAMETERS, "camera", features="rcn")
