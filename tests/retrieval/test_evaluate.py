import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.retrieval import PROTOCOLS, Protocol, Task, evaluate, rankings
from wherewhen.retrieval.evaluate import _counted, _sorted
from wherewhen.retrieval.task import Probe

# Probes: persons x, y, z in camera 1. Gallery: x, y, w in camera 2.
DISTANCES = np.array([[0.1, 0.5, 0.9], [0.2, 0.3, 0.1], [0.5, 0.6, 0.7]])
SMALL = {
    "probe_persons": ["x", "y", "z"],
    "gallery_persons": ["x", "y", "w"],
    "probe_cameras": ["1"] * 3,
    "gallery_cameras": ["2"] * 3,
}
# One probe x of camera 1. In order: x/2, y/1, x/1 (its own camera), x/3, y/2
CROSS = {
    "distances": np.array([[0.4, 0.2, 0.1, 0.6, 0.5]]),
    "probe_persons": ["x"],
    "gallery_persons": ["x", "y", "x", "x", "y"],
    "probe_cameras": ["1"],
    "gallery_cameras": ["2", "1", "1", "3", "2"],
    "protocol": "cross_camera",
}


def test_single_match_by_hand():
    result = evaluate(DISTANCES, **SMALL, max_rank=4)
    np.testing.assert_array_equal(result.first_ranks, [1, 3, 0])
    np.testing.assert_array_equal(result.valid, [True, True, False])
    assert result.probes_without_match == 1
    np.testing.assert_array_equal(result.cmc, [0.5, 0.5, 1.0, 1.0])
    np.testing.assert_array_equal(result.average_precisions, [1.0, 1 / 3, np.nan])
    assert result.mean_ap == pytest.approx(2 / 3)
    assert (result.ties, result.protocol, result.average_precision) == (
        0,
        "single_match",
        "mean_precision",
    )


def test_measures_carry_the_names_of_the_tables():
    result = evaluate(DISTANCES, **SMALL, max_rank=2)
    assert result.measures() == {"rank-1": 0.5, "rank-2": 0.5, "mAP": pytest.approx(2 / 3)}
    result = evaluate(DISTANCES, **SMALL, max_rank=1, average_precision="trapezoid")
    # first probe: 1; second: found at rank 3 with nothing before, (0 + 1/3) / 2
    assert result.measures() == {"rank-1": 0.5, "mAP-trapezoid": pytest.approx((1 + 1 / 6) / 2)}


def test_cross_camera_by_hand():
    result = evaluate(**CROSS)
    # without x/1: y/1, x/2, y/2, x/3, so the matches stand at 2 and 4
    assert result.first_ranks.tolist() == [2]
    assert result.mean_ap == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert result.cmc.shape == (20,)


def test_a_probe_seen_by_its_own_camera_only_has_no_match():
    task = CROSS | {
        "distances": np.array([[0.4, 0.2], [0.1, 0.3]]),
        "probe_persons": ["x", "y"],
        "probe_cameras": ["1", "1"],
        "gallery_persons": ["x", "y"],
        "gallery_cameras": ["1", "2"],
    }
    result = evaluate(**task)
    assert result.valid.tolist() == [False, True]
    assert result.first_ranks.tolist() == [0, 2]


def test_ties_follow_the_gallery_and_are_counted():
    distances = np.array([[0.5, 0.5, 0.9], [0.3, 0.3, 0.1], [1.0, 1.0, 1.0]])
    result = evaluate(distances, **SMALL)
    assert result.first_ranks.tolist() == [1, 3, 0]  # x first of two, y second of two after w
    assert result.ties == 2


def test_matches_tied_among_themselves_are_no_ties():
    result = evaluate(**(CROSS | {"distances": np.array([[0.4, 0.2, 0.4, 0.4, 0.5]])}))
    assert result.ties == 0


def test_junk_persons_stand_in_no_ranking(monkeypatch):
    junk = Protocol("junk", drops_same_camera=True, dropped_persons=frozenset({"y"}))
    monkeypatch.setitem(PROTOCOLS, "junk", junk)
    assert evaluate(**(CROSS | {"protocol": "junk"})).mean_ap == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
def test_any_type_of_distance(dtype):
    result = evaluate((DISTANCES * 10).astype(dtype), **SMALL)
    assert result.first_ranks.tolist() == [1, 3, 0]
    assert result.cmc.dtype == np.float64


def plain(distances, probe_persons, gallery_persons, probe_cameras, gallery_cameras, max_rank):
    """Rank, drop and count one by one."""
    first, average, curve = [], [], [0] * max_rank
    for i, person in enumerate(probe_persons):
        order = sorted(range(len(gallery_persons)), key=lambda j: (distances[i][j], j))
        order = [
            j
            for j in order
            if not (gallery_persons[j] == person and gallery_cameras[j] == probe_cameras[i])
        ]
        hits = [gallery_persons[j] == person for j in order]
        if not any(hits):
            first.append(0)
            continue
        first.append(hits.index(True) + 1)
        precisions = [sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit]
        average.append(sum(precisions) / len(precisions))
        for k in range(max_rank):
            curve[k] += any(hits[: k + 1])
    return first, [c / len(average) for c in curve], sum(average) / len(average)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_against_a_plain_loop(data):
    probes, gallery = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 12))
    person, camera = st.sampled_from("wxyz"), st.sampled_from("123")
    names = [
        data.draw(st.lists(kind, min_size=size, max_size=size))
        for kind, size in ((person, probes), (person, gallery), (camera, probes), (camera, gallery))
    ]
    # few different distances, so that there are many ties
    distances = np.array(
        data.draw(
            st.lists(
                st.lists(st.integers(0, 4), min_size=gallery, max_size=gallery),
                min_size=probes,
                max_size=probes,
            )
        ),
        dtype=float,
    )
    try:
        first, curve, mean_ap = plain(distances.tolist(), *names, max_rank=5)
    except ZeroDivisionError:
        with pytest.raises(ValueError, match="has a true match"):
            evaluate(distances, *names, protocol="cross_camera", max_rank=5)
        return
    result = evaluate(distances, *names, protocol="cross_camera", max_rank=5)
    assert result.first_ranks.tolist() == first
    np.testing.assert_allclose(result.cmc, curve, rtol=1e-12)
    assert result.mean_ap == pytest.approx(mean_ap, rel=1e-12)

    task = Task(distances, *names, protocol="cross_camera")
    ids = [f"p{i}" for i in range(probes)], [f"g{j}" for j in range(gallery)]
    table = rankings(task, *ids, max_rank=None)
    cut = rankings(task, *ids, max_rank=2, all_matches=True)
    expected = table[(table["rank"] <= 2) | table["correct"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(cut, expected)
    best = table[table["correct"]].groupby("probe")["rank"].min()
    assert [best.get(f"p{i}", 0) for i in range(probes)] == first


def test_rankings_by_hand():
    task = Task(**CROSS)
    table = rankings(task, ["p"], list("abcde"), max_rank=3)
    assert table.columns.tolist() == ["probe", "rank", "gallery", "distance", "correct"]
    assert table.to_numpy().tolist() == [
        ["p", 1, "b", 0.2, False],
        ["p", 2, "a", 0.4, True],
        ["p", 3, "e", 0.5, False],
    ]
    assert table["rank"].dtype == np.int64
    assert table["correct"].dtype == bool
    assert len(rankings(task, ["p"], list("abcde"), max_rank=None)) == 4


def test_tracklets_may_be_numbered_by_any_array():
    found = rankings(Task(**CROSS), torch.tensor([7]), [torch.tensor(j) for j in range(5)])
    assert (found.probe.tolist(), found.gallery.tolist()) == (["7"] * 4, ["1", "0", "4", "3"])


def test_true_matches_beyond_the_last_rank_are_listed_when_asked_for():
    table = rankings(Task(**CROSS), ["p"], list("abcde"), max_rank=1, all_matches=True)
    assert table[["rank", "gallery"]].to_numpy().tolist() == [[1, "b"], [2, "a"], [4, "d"]]


@settings(deadline=None)
@given(st.data())
def test_counting_and_sorting_find_the_same_ranks_and_ties(data):
    size = data.draw(st.integers(2, 30))
    row = np.array(data.draw(st.lists(st.integers(0, 6), min_size=size, max_size=size)), float)
    places = np.array(data.draw(st.permutations(range(size))))
    first, second = sorted(data.draw(st.tuples(st.integers(1, size), st.integers(1, size))))
    probe = Probe(0, row, np.sort(places[:first]), np.sort(places[first:second]))
    (counted, ties), (found, tied) = _counted(probe), _sorted(probe)
    assert (counted.tolist(), ties) == (found.tolist(), tied)
    assert (counted.dtype, found.dtype) == (np.int64, np.int64)


def test_many_matches_are_ranked_by_a_sort():
    """2,000 matches in a gallery of 20,000: counting takes 30 times as long."""
    generator = np.random.default_rng(0)
    distances = generator.random((10, 20_000), dtype=np.float32)
    persons = ["x"] * 2_000 + ["y"] * 18_000
    names = ["x"] * 10, persons, ["1"] * 10, ["2"] * 20_000
    began = time.process_time()
    result = evaluate(distances, *names, protocol="cross_camera")
    assert time.process_time() - began < 0.4  # 0.05 s by sorts, 1.5 s by counting
    expected = np.flatnonzero(np.argsort(distances[3], kind="stable") < 2_000) + 1
    assert result.match_ranks[3].tolist() == expected.tolist()


def test_both_definitions_of_average_precision_judge_the_same_ranks():
    result = evaluate(**CROSS)
    assert result.match_ranks[0].tolist() == [2, 4]
    trapezoid = evaluate(**CROSS, average_precision="trapezoid")
    np.testing.assert_array_equal(
        result.average_precisions_by("trapezoid"), trapezoid.average_precisions
    )


def test_ties_with_what_is_dropped_are_none():
    # x/1, of the probe's own camera, is as far away as the first match
    result = evaluate(**(CROSS | {"distances": np.array([[0.4, 0.2, 0.4, 0.6, 0.5]])}))
    assert (result.ties, result.match_ranks[0].tolist()) == (0, [2, 4])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (SMALL | {"distances": DISTANCES[:2]}, "probe_persons has 3 entries: expected 2"),
        (SMALL | {"distances": DISTANCES[0]}, "shape"),
        (
            SMALL | {"distances": [[1, 2, 3], [1, 2, np.nan], [1, 2, 3]]},
            "1 are NaN, first in row 1, column 2",
        ),
        (
            SMALL | {"distances": DISTANCES, "average_precision": "map"},
            "no average precision 'map'",
        ),
        (
            SMALL | {"distances": DISTANCES, "gallery_persons": ["a", "b", "c"]},
            "none of 3 probes",
        ),
        (CROSS | {"protocol": "single_match"}, r"single_match: probe 0 .* rows \[0, 2, 3\]"),
        (CROSS | {"gallery_junk": [True]}, "gallery_junk has 1 entries: expected 5"),
        (
            CROSS | {"gallery_junk": np.zeros(5, dtype=np.int64)},
            "gallery_junk holds int64: expected True or False",
        ),
        (CROSS | {"gallery_junk": [True] * 5}, "all 5 gallery tracklets are junk"),
    ],
)
def test_a_task_without_an_answer_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        evaluate(**given)


def test_rankings_without_names_or_ranks_are_refused():
    with pytest.raises(ValueError, match="gallery_ids has 4 entries: expected 5"):
        rankings(Task(**CROSS), ["p"], list("abcd"))
    with pytest.raises(ValueError, match="max_rank is 0"):
        rankings(Task(**CROSS), ["p"], list("abcde"), max_rank=0)


def test_the_ground_floor_needs_no_torch():
    program = (
        "import sys, wherewhen.retrieval, wherewhen.metric_learning.pipeline, "
        "wherewhen.tracklets.readers, wherewhen.tracklets.splits, wherewhen.tracklets.clips; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'kedro', 'mlflow')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
