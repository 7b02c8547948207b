import os
import threading

import pytest

from wherewhen.tracklets.threads import in_threads, processors


def test_results_come_in_the_order_of_the_items():
    first = threading.Event()

    def work(item):
        if item == 0:
            assert first.wait(10)  # the second ends before it
        first.set()
        return 10 * item

    assert list(in_threads(work, range(5), workers=2, ahead=3)) == [0, 10, 20, 30, 40]


def test_no_more_is_taken_than_may_wait():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_threads(str, items(), workers=2, ahead=4)
    assert next(results) == "0"
    assert taken == [0, 1, 2, 3]
    results.close()
    assert taken == [0, 1, 2, 3]


def test_an_error_comes_where_its_result_would():
    results = in_threads(lambda item: 1 // item, [1, 0, 1], workers=1, ahead=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_every_thread_is_prepared():
    prepared = set()

    def start():
        prepared.add(threading.get_ident())

    idents = in_threads(
        lambda item: threading.get_ident(), range(20), workers=3, ahead=6, start=start
    )
    assert set(idents) <= prepared
    assert threading.get_ident() not in prepared


def test_processors_without_affinity(monkeypatch):
    assert processors() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert processors() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
