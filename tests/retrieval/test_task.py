import numpy as np
import pandas as pd
import pytest

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


def test_tables_give_the_labels_and_say_which_gallery_rows_are_probes():
    gallery = pd.DataFrame(
        {
            "tracklet": ["1/x", "2/x", "1/y", "2/y", "3/w", "1/junk"],
            "person": NAMES[1],
            "camera": NAMES[3],
        },
        index=[9, 8, 7, 6, 5, 4],
    )
    probes = gallery.iloc[[0, 3]]
    task = Task.of_tables(DISTANCES, probes, gallery, "query_excluded")
    assert task.columns.tolist() == [1, 2, 4]  # without both probes and junk
    first, second = task.probes()
    assert (first.matches.tolist(), second.matches.tolist()) == ([0], [1])
    with pytest.raises(ValueError, match=r"evaluate\.protocol is official, but 1 of 2 probes"):
        Task.of_tables(DISTANCES[:, 1:], probes, gallery[1:], "official")
