import logging

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from wherewhen.pipelines.evaluate.fusion import score_fusion, weigh
from wherewhen.pipelines.evaluate.nodes import score_vectors
from wherewhen.pipelines.evaluate.parameters import EvaluateParameters, FusionParameters
from wherewhen.pipelines.evaluate.pipeline import create_pipeline
from wherewhen.pipelines.learn_metric.nodes import learn
from wherewhen.pipelines.learn_metric.parameters import LearnMetricParameters
from wherewhen.retrieval import Task, fuse
from wherewhen.retrieval.evaluate import evaluate_task

PARTS = ("row_pooled/kissme", "mean_pooled/cosine")
NAME = "row_pooled/kissme and mean_pooled/cosine"
LEARNING = LearnMetricParameters(metrics=("kissme",), dimension=4, kissme={"shrinkage": 0.1})


def table(seed, noise, light=0.0, training=12, tested=10):
    """Persons in two cameras: two clips of those who train, one of those who are tested."""
    generator = np.random.default_rng(seed)
    rows = [
        ("trial_00", f"{camera}/{who}", f"p{who:02d}", camera, role, who)
        for who in range(training + tested)
        for camera, side in (("a", "probe"), ("b", "gallery"))
        for role in (["train"] * 2 if who < training else [side])
    ]
    columns = ["trial", "tracklet", "person", "camera", "role", "who"]
    found = pd.DataFrame(rows, columns=columns)
    vectors = generator.normal(size=(training + tested, 5))[found.who]
    vectors = vectors + noise * generator.normal(size=vectors.shape)
    vectors[found.camera == "b"] += light
    return found.drop(columns="who").assign(vector=list(vectors))


@pytest.fixture
def made():
    """Embeddings by two kinds of features, and metrics on the first."""
    rows, means = table(0, 0.8), table(1, 0.8)
    return rows, means, learn(rows, LEARNING)[0]


def fused(made, parameters=None, centre="none", **options):
    fusion = FusionParameters(parts=PARTS, **options)
    weights = weigh(fusion, centre, *made)
    parameters = parameters or EvaluateParameters(resamples=50)
    return weights, *score_fusion(weights, parameters, fusion, centre, *made)


def distances_of(ranked, made):
    probes, gallery = (made[0].tracklet[made[0].role == role] for role in ("probe", "gallery"))
    return ranked.pivot(index="probe", columns="gallery", values="distance").loc[probes, gallery]


def test_a_fusion_is_the_sum_of_what_its_parts_are_scored_by(made):
    rows, means, metrics = made
    parameters = EvaluateParameters(dataset="sheet", resamples=50)
    weights, scores, ranked = fused(made, parameters, weights=[3, 1])
    assert weights[list(PARTS)].values.tolist() == [[0.75, 0.25]]
    assert weights.columns.tolist() == [*PARTS, "mean_ap", "chosen", "trial"]
    kinds = [
        score_vectors(rows, metrics, parameters, features="row_pooled"),
        score_vectors(means, {}, parameters, features="mean_pooled"),
    ]
    tasks = [
        Task.of_tables(
            distances_of(table[table.metric == metric], made).to_numpy(),
            *(rows[rows.role == role] for role in ("probe", "gallery")),
            "single_match",
        )
        for (_, table), metric in zip(kinds, ("kissme", "cosine"), strict=True)
    ]
    np.testing.assert_allclose(distances_of(ranked, made), fuse(tasks, [3, 1]), atol=1e-12)
    # the tables are as those of other kinds
    for one, other in zip((scores, ranked), kinds[0], strict=True):
        assert list(one) == list(other)
        assert one.index.tolist() == list(range(len(one)))
        assert set(one.features) == {"fusion"}
        assert set(one.metric) == {NAME}
    alike = kinds[0][0][kinds[0][0].metric == "kissme"]
    assert scores.measure.tolist() == alike.measure.tolist()
    assert {"rank-1", "rank-1-low", "mAP", "eer", "ties"} < set(scores.measure)
    assert set(scores.dataset) == {"sheet"}


def test_equal_weights_are_the_default(made):
    weights, *_ = fused(made)
    assert weights[list(PARTS)].values.tolist() == [[0.5, 0.5]]
    assert weights.chosen.tolist() == [True]


def test_learned_weights_go_to_the_part_that_tells_persons_apart(made, caplog):
    rows, _, metrics = made
    noise = table(2, 100.0)
    with caplog.at_level(logging.INFO):
        weights, scores, _ = fused((rows, noise, metrics), weights="learned")
    used = weights[weights.chosen].iloc[0]
    assert used["row_pooled/kissme"] >= 0.75
    assert used.mean_ap == weights.mean_ap.max()
    assert len(weights) == 13
    said = f"trial_00: fusion by weights row_pooled/kissme {used['row_pooled/kissme']:.2f}, "
    assert said in caplog.text
    assert f"mAP {100 * used.mean_ap:.1f} % of held-out training persons" in caplog.text
    _, equal, _ = fused((rows, noise, metrics))
    better, worse = (each.set_index("measure").value["mAP"] for each in (scores, equal))
    assert better > worse


def test_weights_do_not_look_at_who_is_tested(made):
    rows, means, metrics = made
    one, _, _ = fused(made, weights="learned")
    strange = [
        each.assign(vector=[v if role == "train" else -3 * v + 1 for v, role in
                            zip(each.vector, each.role, strict=True)])
        for each in (rows, means)
    ]  # fmt: skip
    pd.testing.assert_frame_equal(one, fused((*strange, metrics), weights="learned")[0])


def test_too_few_persons_to_learn_weights_by_are_said(caplog):
    rows, means = table(0, 0.5, training=6), table(1, 0.5, training=6)
    with caplog.at_level(logging.INFO):
        weights, *_ = fused((rows, means, learn(rows, LEARNING)[0]), weights="learned")
    assert weights[list(PARTS)].values.tolist() == [[0.5, 0.5]]
    assert weights.mean_ap.isna().all()
    assert f"trial_00: {NAME}: equal weights, not chosen by cross-validation" in caplog.text


def test_means_of_cameras_are_removed_from_every_part():
    lit = table(0, 0.8, light=3.0), table(1, 0.8, light=-2.0)
    dark = table(0, 0.8), table(1, 0.8)
    parameters = LEARNING.with_changes(centre="camera")
    found = [
        fused((*each, learn(each[0], parameters)[0]), centre="camera", weights="learned")
        for each in (lit, dark)
    ]
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("protocol", ["cross_camera", "official", "query_excluded"])
def test_protocols_leave_out_what_they_leave_out_of_other_scores(made, protocol):
    rows, means, metrics = made

    def searched(table):
        """Add the probes to the gallery where they are searched, and junk that looks alike."""
        if protocol == "cross_camera":
            return table
        probes = table[table.role == "probe"].assign(role="gallery")
        junk = probes.head(3).assign(person="-1", camera="b", tracklet=["j1", "j2", "j3"])
        return pd.concat([table, probes, junk], ignore_index=True)

    parameters = EvaluateParameters(protocol=protocol, resamples=0)
    made = searched(rows), searched(means), metrics
    _, scores, ranked = fused(made, parameters)
    plain = score_vectors(made[0], metrics, parameters, features="row_pooled")[1]
    pairs = [
        set(zip(table.probe, table.gallery, strict=True))
        for table in (ranked, plain[plain.metric == "kissme"])
    ]
    assert pairs[0] == pairs[1]
    assert not [name for name in ranked.gallery if name.startswith("j")]
    assert set(scores.protocol) == {protocol}


def test_features_in_another_order_are_refused(made):
    rows, means, metrics = made
    with pytest.raises(ValueError, match="mean_pooled and row_pooled can't be fused: their"):
        fused((rows, means[::-1].reset_index(drop=True), metrics))


@pytest.mark.parametrize("weights", ["equal", "learned"])
def test_the_pipeline_fuses_every_trial(made, weights):
    rows, means, metrics = made
    fusion = FusionParameters(parts=PARTS, weights=weights)
    parameters = EvaluateParameters(fusion=fusion, resamples=0)
    trials, features = ["trial_00", "trial_01"], ["mean_pooled", "row_pooled"]
    data = {
        "params:evaluate": parameters,
        "params:evaluate.fusion": fusion,
        "params:learn_metric.centre": "none",
    }
    for trial in trials:
        for name, table in (("mean_pooled", means), ("row_pooled", rows)):
            data[f"{trial}.embeddings_{name}"] = table.assign(trial=trial)
            data[f"{trial}.metrics_{name}"] = metrics if name == "row_pooled" else {}
    pipeline = create_pipeline(trials, features, fusion)
    catalog = DataCatalog({name: MemoryDataset(each) for name, each in data.items()})
    SequentialRunner().run(pipeline, catalog)
    scores, ranked = catalog.load("scores"), catalog.load("rankings")
    kinds = {("mean_pooled", "cosine"), ("row_pooled", "cosine"), ("row_pooled", "kissme"),
             ("fusion", NAME)}  # fmt: skip
    for table in (scores, ranked):
        assert set(zip(table.features, table.metric, strict=True)) == kinds
        assert set(table.trial[table.features == "fusion"]) == set(trials)
    # only what is fused is asked for
    [score] = [each for each in pipeline.nodes if each.name == "trial_00.score_fusion"]
    assert "trial_00.metrics_mean_pooled" not in score.inputs


def test_two_kinds_of_features_find_more_than_each(made):
    """Noise of both is independent; the mean over ten draws of persons is compared."""
    found = []
    for seed in range(10):
        rows, means = table(2 * seed, 0.6, tested=40), table(2 * seed + 1, 0.6, tested=40)
        metrics = learn(rows, LEARNING)[0]
        parameters = EvaluateParameters(resamples=0)
        tables = [
            fused((rows, means, metrics), parameters)[1],
            score_vectors(rows, metrics, parameters, features="row_pooled")[0],
            score_vectors(means, {}, parameters, features="mean_pooled")[0],
        ]
        scores = pd.concat(tables)
        found.append(scores[scores.measure == "mAP"].set_index(["features", "metric"]).value)
    mean = pd.concat(found, axis=1).mean(axis=1)
    assert mean["fusion", NAME] > mean.drop("fusion", level="features").max() + 0.05


def test_a_fused_distance_is_ranked_as_any_other(made):
    _, scores, ranked = fused(made, EvaluateParameters(resamples=0))
    rows = made[0]
    task = Task.of_tables(
        distances_of(ranked, made).to_numpy(),
        *(rows[rows.role == role] for role in ("probe", "gallery")),
        "single_match",
    )
    assert scores.set_index("measure").value["mAP"] == evaluate_task(task).mean_ap
