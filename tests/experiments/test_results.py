import json

import pytest


def test_nothing_is_finished_before_its_record_is_there(results, make_variant, finish):
    variant = make_variant()
    assert results.trials(variant) == []
    assert results.scores(variant).empty
    finish(variant, "trial_00")
    assert results.trials(variant) == results.trials(variant.key) == ["trial_00"]
    results.forget(variant, "trial_00")
    assert results.trials(variant) == []
    assert results.done(variant, "trial_00") is None


def test_scores_of_all_finished_trials(results, make_variant, finish):
    variant = make_variant()
    finish(variant, "trial_00", rank_1=0.25)
    finish(variant, "trial_01", rank_1=0.75)
    finish(make_variant(embed={"features": ["network"], "frames": 3}), "trial_02")
    scores = results.scores(variant)
    assert list(scores.columns) == [
        "dataset", "protocol", "trial", "features", "metric", "measure", "value",
    ]  # fmt: skip
    assert scores[scores.measure == "rank-1"].value.to_list() == [0.25, 0.75]


def test_scores_of_features_that_a_trial_did_not_make_are_older(results, make_variant, finish):
    variant = make_variant()
    finish(variant, "trial_00", features="untrained")
    finish(variant, "trial_00")
    assert set(results.scores(variant).features) == {"network"}


def test_trials_on_other_data_than_the_last_do_not_count(results, make_variant, finish):
    variant = make_variant()
    finish(variant, "trial_00", data="old", at=0)
    finish(variant, "trial_01", data="old", at=1)
    finish(variant, "trial_00", data="new", at=2)
    assert results.trials(variant) == ["trial_00"]


def test_a_record_says_all_that_was_written(results, make_variant, finish):
    variant = make_variant()
    finish(variant, "trial_00", data="d")
    done = results.done(variant, "trial_00")
    assert (done.variant, done.trial, done.data) == (variant.key, "trial_00", "d")
    assert done.parameters["embed"]["features"] == ["network"]
    assert not list(results.root.rglob("*.tmp"))


def test_what_is_not_there_is_named(results, make_variant, finish):
    variant = make_variant()
    with pytest.raises(LookupError, match=r"trial_00 of variant .* not finished"):
        results.rankings(variant, "trial_00", "network")
    finish(variant, "trial_00")
    with pytest.raises(LookupError, match=r"no rankings_network.parquet .* scores_network"):
        results.rankings(variant, "trial_00", "network")
    with pytest.raises(LookupError, match="trains no network"):
        results.network_path(variant, "trial_00")


def test_the_newest_network_is_meant(results, make_variant, finish):
    variant = make_variant()
    finish(variant, "trial_00")
    folder = results.folder("06_models", variant) / "trial_00/network.safetensors"
    for version in ("2026-01-02", "2026-01-01"):
        (folder / version).mkdir(parents=True)
        (folder / version / "network.safetensors").touch()
    assert results.network_path(variant, "trial_00").parent.name == "2026-01-02"


def test_the_fingerprint_is_that_of_the_last_ingestion(results):
    assert results.data_fingerprint() is None
    folder = results.root / "data/02_intermediate/synthetic/ingest_report.json"
    for version, name in (("2026-01-02", "new"), ("2026-01-01", "old")):
        (folder / version).mkdir(parents=True)
        (folder / version / "ingest_report.json").write_text(json.dumps({"fingerprint": name}))
    assert results.data_fingerprint() == "new"
