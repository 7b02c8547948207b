"""Variants and finished trials on disk, without running anything."""

import pandas as pd
import pytest
from wherewhen.experiments.results import Done, Results
from wherewhen.experiments.variants import decisive_parameters, variant


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path, "synthetic")


@pytest.fixture
def make_variant():
    """Return a function that makes a variant of the plainest tree by overrides."""

    def make(env=None, tree=None, **overrides):
        base = {"evaluate": {"dataset": "synthetic"}, "embed": {"features": ["network"]}}
        return variant("a test", env, {**base, **(tree or {})}, overrides)

    return make


@pytest.fixture
def finish(results):
    """Return a function that leaves a finished trial on disk, as a session and the engine do."""

    def write(variant, trial, data="data", at=0, rank_1=0.5, features="network", metric="cosine"):
        folder = results.output(variant, trial)
        folder.mkdir(parents=True, exist_ok=True)
        values = {"rank-1": rank_1, "rank-5": 0.8, "mAP": 0.6}
        table = pd.DataFrame({"measure": list(values), "value": list(values.values())})
        table.assign(
            dataset="synthetic",
            protocol="single_match",
            trial=trial,
            features=features,
            metric=metric,
        ).to_parquet(folder / f"scores_{features}.parquet")
        results.record(
            Done(
                variant=variant.key,
                dataset="synthetic",
                trial=trial,
                data=data,
                split="split",
                parameters=decisive_parameters(variant.parameters),
                commit="0" * 40,
                seconds=1.0,
                finished=f"2026-01-01T00:00:{at:02}+00:00",
            )
        )

    return write
