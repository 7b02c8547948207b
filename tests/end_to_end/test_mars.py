"""MARS's layout by command: rendered, packed, read from its archives, judged as by its authors."""

import pandas as pd
import pytest

PERSONS, JUNK, DISTRACTORS = 8, 1, 2

RENDERED = {
    "synthesise.layout": "mars",
    "synthesise.archive": "true",
    "synthesise.persons": PERSONS,
    "synthesise.cameras": 3,
    "synthesise.tracklets": 2,
    "synthesise.junk": JUNK,
    "synthesise.distractors": DISTRACTORS,
    "synthesise.min_frames": 2,
    "synthesise.max_frames": 3,
    "synthesise.mean_frames": 2.5,
    "ingest.root": "null",
}
SHRUNKEN = {
    "split.trials": 1,
    "preset": "modern",
    "extract.precision": "bfloat16",
    "extract.size": "[256,128]",  # cubes of 8 x 4, through all stages
    "train.network.channels": "[16]",
    "train.network.input_kernels": "[1]",
    "train.network.hidden_kernels": "[1]",
    "train.training.epochs": 2,
    "train.training.frames": 2,
    "train.training.persons_per_batch": 2,
    "train.training.validation_fraction": 0,
    "embed.clip_frames": 2,
    "learn_metric.metrics": "[kissme,lfda,xqda]",
    "report.probes": 1,
}


@pytest.mark.slow
def test_from_archives_to_the_official_protocol_and_on_to_others(project):
    output = project.run("--env", "mars", **RENDERED, **SHRUNKEN)
    assert "protocol official" in output and "mAP-trapezoid" in output
    tracklets = pd.read_parquet(project.latest("03_primary/mars/tracklets.parquet"))
    test = tracklets[tracklets.subset == "test"]
    assert (test.kind == "junk").sum() == JUNK
    assert (test.kind == "distractor").sum() == DISTRACTORS
    scores = project.scores("mars")
    assert set(scores.protocol) == {"official"}
    assert {"cosine", "kissme", "lfda", "xqda"} <= set(scores.metric)
    queries = test["query"].sum()
    assert set(scores.value[scores.measure == "probes"]) == {queries}

    re_ranking = {"evaluate.re_ranking": "{k1: 5, k2: 3, lambda: 0.3}"}
    judged = {"evaluate.protocol": "query_excluded"}
    output = project.run("--env", "mars", **RENDERED, **SHRUNKEN, **re_ranking, **judged)
    assert "made by split" in output  # splits depend on the protocol: here they are the same ones
    assert len(project.made("06_models/mars/trial_00/network.safetensors")) == 1
    scores = project.scores("mars")
    assert set(scores.protocol) == {"query_excluded"}
    assert "kissme-re-ranked" in set(scores.metric)

    other = {"evaluate.protocol": "two_camera"}
    message = project.fail(
        "--env", "mars", "--pipelines", "evaluate", **RENDERED, **SHRUNKEN, **other
    )
    assert '-> "two_camera"' in message
    assert "kedro run --pipelines split,train" in message
