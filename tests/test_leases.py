"""Leases: one holder at a time, and none for long after a holder is dead."""

import json
import threading

import fsspec
import pytest

from wherewhen import leases
from wherewhen.buckets import Bucket
from wherewhen.files import BucketError


class Refused(Exception):
    """Raised by a test instead of waiting."""


def refuse(who):
    raise Refused(who)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(leases, "BEAT", 0.05)
    monkeypatch.setattr(leases, "EXPIRY", 0.6)
    monkeypatch.setattr(leases, "POLL", 0.02)


@pytest.fixture
def machines(tmp_path):
    yield [Bucket("memory://bucket/prefix", tmp_path / name) for name in ("one", "two")]
    fsspec.filesystem("memory").store.clear()


def lock(bucket):
    return bucket.root / "data/.lock"


def objects():
    return sorted(fsspec.filesystem("memory").find("memory://bucket/prefix/.leases/data/.lock"))


def test_a_lock_that_is_held_is_refused_and_the_holder_named(machines):
    one, two = machines
    said = r"process \d+ on .+ since \d{4}-"
    with one.held(lock(one), refuse), pytest.raises(Refused, match=said):
        two.held(lock(two), refuse).__enter__()
    with two.held(lock(two), refuse):
        assert len(objects()) == 1 and one.locks(one.root / "data") == [lock(one)]


def test_who_waits_gets_it_when_it_is_released(machines):
    one, two = machines
    order, told = [], threading.Event()

    def wait(who):
        told.set()

    def second():
        with two.held(lock(two), wait):
            order.append("two")

    with one.held(lock(one), refuse):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        order.append("one")
    thread.join(10)
    assert order == ["one", "two"]


def kill(bucket):
    """Leave the lock of a bucket as a killed process does: held, and silent."""
    held = bucket.held(lock(bucket), refuse)
    held.__enter__()
    (lease,) = bucket._leases
    lease._ended.set()
    lease._thread.join()
    return held


def test_a_silent_holder_loses_it_and_is_told_so(machines):
    one, two = machines
    killed = kill(one)
    with two.held(lock(two), refuse):
        lost = pytest.raises(BucketError, match=r"another one took its lock over: nothing more is")
        with lost, one.replacing(one.root / "a.txt") as partial:
            partial.write_text("late")
        assert not (one.root / "a.txt").exists() and not one.exists(one.root / "a.txt")
    assert killed


def test_a_holder_that_was_only_slow_goes_on(machines):
    one, _ = machines
    killed = kill(one)
    one._leases[0]._seen -= 10
    with one.replacing(one.root / "a.txt") as partial:
        partial.write_text("late")
    assert one.exists(one.root / "a.txt") and killed


def test_a_killed_process_of_the_same_copy_is_not_waited_for(machines, tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "EXPIRY", 1e9)
    place = "memory://bucket/prefix/.leases/data/.lock/000000007.json"
    note = {"copy": "abc", "released": False, "nonce": "1", "process": 1, "host": "h"}
    fsspec.filesystem("memory").pipe_file(place, json.dumps(note).encode())
    bucket = Bucket("memory://bucket/prefix", tmp_path / "three", copy="abc")
    with bucket.held(lock(bucket), refuse):
        assert objects() == ["/bucket/prefix/.leases/data/.lock/000000008.json"]
