"""The registered model of a run, served by MLflow and asked over HTTP."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from answers import ranked, rankings_of

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def serving():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("serving")


@pytest.fixture(scope="module")
def server(serving, finished, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{finished.root / 'mlflow.db'}")
        folder = tmp_path_factory.mktemp("server")
        with serving.serving("models:/synthetic@champion", folder) as server:
            yield server


def test_ranks_over_http_are_those_of_the_run(serving, server, finished):
    request, expected = ranked(finished)
    body = serving.body(*request.to_dict(orient="records"))
    reply = server.ask(serving.Request("good", True, body))
    assert reply.status == 200, reply.text
    found = rankings_of(json.loads(reply.text)["predictions"])
    assert found.gallery.to_list() == expected.gallery.to_list()
    np.testing.assert_allclose(found.distance, expected.distance, rtol=0, atol=2e-5)


def test_good_and_bad_requests_at_once(serving, server):
    """The short form of ``benchmarks/serving.py``: every kind of bad request once."""
    sent = serving.requests(2 * len(serving.BAD))
    replies, _ = serving.measure(server, sent, at_once=8)
    faults = [serving.fault(*pair) for pair in zip(sent, replies, strict=True)]
    assert not any(faults), [
        (request.kind, fault, reply.text[-300:])
        for request, reply, fault in zip(sent, replies, faults, strict=True)
        if fault
    ]
