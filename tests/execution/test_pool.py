"""Bookkeeping of the pool, without any worker."""

import pytest

from wherewhen.execution.pool import DEATHS, LostWorkers, Schedule


def schedule(portions=6, ahead=100, **options):
    return Schedule([[f"item {number}"] for number in range(portions)], ahead, **options)


def take_all(schedule, worker):
    numbers = []
    while (number := schedule.next_for(worker)) is not None:
        numbers.append(number)
    return numbers


def test_a_worker_holds_what_it_is_at_and_one_that_waits():
    pool = schedule()
    assert take_all(pool, "a") == [0, 1]
    assert take_all(pool, "b") == [2, 3]
    pool.finished("b", 2, ["2"])
    assert take_all(pool, "b") == [4]


def test_a_long_one_waits_for_a_worker_that_has_none():
    pool = schedule(portions=3, queued=1)
    assert (take_all(pool, "a"), take_all(pool, "b")) == ([0], [1])
    pool.finished("b", 1, ["1"])
    assert (take_all(pool, "a"), take_all(pool, "b")) == ([], [2])


def test_results_come_in_the_order_of_the_items():
    pool = schedule(portions=3)
    take_all(pool, "a"), take_all(pool, "b")
    pool.finished("b", 2, ["third"])
    assert list(pool.ready()) == []
    pool.finished("a", 0, ["first"])
    assert list(pool.ready()) == ["first"]
    pool.finished("a", 1, ["second"])
    assert list(pool.ready()) == ["second", "third"]
    assert pool.over


def test_what_a_dead_worker_had_is_done_first():
    pool = schedule()
    take_all(pool, "a"), take_all(pool, "b")
    pool.lost("a", "killed")
    assert take_all(pool, "c") == [0, 1]


def test_no_more_is_done_ahead_than_is_allowed():
    pool = schedule(ahead=2)
    assert take_all(pool, "a") == [0, 1]
    pool.finished("a", 1, ["1"])
    assert take_all(pool, "a") == take_all(pool, "b") == []  # 0 is not there, 1 is kept
    pool.finished("a", 0, ["0"])
    assert list(pool.ready()) == ["0", "1"]
    assert take_all(pool, "a") == [2, 3]


def test_a_portion_that_kills_its_workers_is_given_up_and_named():
    pool = schedule()
    for death in range(DEATHS - 1):
        take_all(pool, death)
        pool.lost(death, "out of memory")
    take_all(pool, "last")
    with pytest.raises(LostWorkers, match=r"died at item 0: out of memory.*execution\.workers"):
        pool.lost("last", "out of memory")


def test_deaths_at_different_portions_do_not_add_up():
    pool = schedule(portions=DEATHS + 1)
    for number in range(DEATHS + 1):
        assert pool.next_for(number) == number
        pool.lost(number, "its node is gone")
        assert pool.next_for("steady") == number
        pool.finished("steady", number, [number])


def test_workers_that_die_before_they_have_work_are_not_started_for_ever():
    pool = schedule()
    for death in range(DEATHS - 1):
        pool.lost(death, "no such module")
    with pytest.raises(LostWorkers, match="before they had work: no such module"):
        pool.lost("last", "no such module")
