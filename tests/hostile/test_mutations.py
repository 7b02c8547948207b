"""What was changed is read, or refused by the error that the reader documents."""

import contextlib
import logging
from pathlib import Path

import pytest
from hostile.mutations import mutated
from hostile.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SLOW = ("checkpoint", "index_head", "manifest", "network", "network_file", "splits_csv")
"""Tens of milliseconds an input."""


@pytest.fixture(scope="module", autouse=True)
def quiet():
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def check(name, examples):
    target = TARGETS[name]()
    seed = target.seed()
    target.read(seed)

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.integers(0, 2**32))
    def is_read_or_refused(number):
        with contextlib.suppress(*target.errors):
            target.read(mutated(seed, number))

    is_read_or_refused()


@pytest.mark.parametrize("name", TARGETS)
def test_a_changed_input_is_read_or_refused(name):
    check(name, 15 if name in SLOW else 60)


FOUND = sorted((Path(__file__).parent / "found").iterdir())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_the_fuzzer_found_is_refused(path):
    target = TARGETS[path.name.partition("-")[0]]()
    with pytest.raises(target.errors):
        target.read(path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_changed_inputs(name):
    check(name, 2000)
