import numpy as np

from wherewhen.retrieval.task import Task

# Probes x/1 and y/2. Gallery: x/1, x/2, y/1, y/2, w/3, junk
NAMES = (["x", "y"], ["x", "x", "y", "y", "w", "-1"], ["1", "2"], ["1", "2", "1", "2", "3", "1"])
DISTANCES = np.arange(12.0).reshape(2, 6)


def test_probes_by_hand():
    task = Task(DISTANCES, *NAMES, protocol="official")
    assert task.columns.tolist() == [0, 1, 2, 3, 4]
    first, second = task.probes()
    assert (first.matches.tolist(), first.dropped.tolist()) == ([1], [0])
    assert (second.number, second.matches.tolist(), second.dropped.tolist()) == (1, [2], [3])
    assert second.distances.tolist() == [6, 7, 8, 9, 10]


def test_pairs_by_hand():
    genuine, impostor = Task(DISTANCES, *NAMES, protocol="official").pairs()
    assert genuine.tolist() == [1, 8]
    assert sorted(impostor) == [2, 3, 4, 6, 7, 10]


def test_a_person_that_only_the_probes_have_finds_nobody():
    persons = (["x", "zz"], *NAMES[1:])
    _, second = Task(DISTANCES, *persons, protocol="official").probes()
    assert len(second.matches) == len(second.dropped) == 0
