from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from wherewhen.retrieval import evaluate
from wherewhen.retrieval.protocols import PROTOCOLS, protocol_named


def test_every_protocol_is_found_by_its_name():
    assert {protocol_named(name).name for name in PROTOCOLS} == set(PROTOCOLS)
    assert set(PROTOCOLS) == {
        "single_match",
        "cross_camera",
        "official",
        "query_excluded",
        "two_camera",
    }


def test_an_unknown_one_lists_the_known():
    with pytest.raises(ValueError, match=r"no protocol 'mars'.*cross_camera, official, query_ex"):
        protocol_named("mars")


MARS = Path(__file__).parents[3] / "shared/data/mars-info"


@pytest.mark.skipif(not MARS.is_dir(), reason="the .mat files of MARS are not here")
def test_the_valid_probes_of_mars():
    rows = loadmat(MARS / "tracks_test_info.mat")["track_test_info"].astype(int)
    queries = loadmat(MARS / "query_IDX.mat")["query_IDX"].astype(int).ravel() - 1
    person, camera = rows[:, 2], rows[:, 3]
    is_query = np.zeros(len(rows), dtype=bool)
    is_query[queries] = True
    whole = (person[queries], person, camera[queries], camera)
    # a distance that finds everybody: how the probes rank does not matter here
    distances = np.random.default_rng(0).random((len(queries), len(rows)), dtype=np.float32)
    distances += person[queries][:, None] != person
    distances[:, person == -1] = -1  # junk lies before all of them, and must not be seen

    official = evaluate(distances, *whole, protocol="official")
    assert (int(official.valid.sum()), official.probes_without_match) == (1980, 0)
    assert official.cmc[0] == official.mean_ap == 1.0
    assert sum(map(len, official.match_ranks)) == 21813

    excluded = evaluate(distances, *whole, protocol="query_excluded", gallery_queries=is_query)
    assert (int(excluded.valid.sum()), excluded.probes_without_match) == (1840, 140)
    assert excluded.cmc[0] == 1.0
    kept = ~is_query
    apart = evaluate(
        distances[:, kept],
        person[queries],
        person[kept],
        camera[queries],
        camera[kept],
        protocol="query_excluded",
    )
    assert apart.measures() == excluded.measures()


# Probe a of camera 1. Gallery: itself, junk, a/2, a/3 (a probe, too), a distractor of camera 1
SMALL = {
    "distances": np.array([[0.0, 0.1, 0.4, 0.2, 0.3]]),
    "probe_persons": ["a"],
    "gallery_persons": ["a", "-1", "a", "a", "0000"],
    "probe_cameras": ["1"],
    "gallery_cameras": ["1", "2", "2", "3", "1"],
}


@pytest.mark.parametrize(
    ("protocol", "ranks"), [("official", [1, 3]), ("query_excluded", [2]), ("cross_camera", [2, 4])]
)
def test_protocols_by_hand(protocol, ranks):
    queries = [True, False, False, True, False]
    result = evaluate(**SMALL, protocol=protocol, gallery_queries=queries)
    assert [found.tolist() for found in result.match_ranks] == [ranks]


def test_junk_may_be_marked_whatever_its_name():
    persons = ["a", "somebody", "a", "a", "0000"]
    task = SMALL | {"gallery_persons": persons}
    marked = [False, True, False, False, False]
    assert evaluate(**task, protocol="official").match_ranks[0].tolist() == [2, 4]
    marked = evaluate(**task, protocol="official", gallery_junk=marked)
    assert marked.match_ranks[0].tolist() == [1, 3]


def test_two_camera_has_one_match_a_person():
    with pytest.raises(ValueError, match="two_camera: probe 0"):
        evaluate(**SMALL, protocol="two_camera")
    task = SMALL | {
        "distances": [[0.3, 0.1, 0.2]],
        "gallery_persons": ["a", "00-1", "b"],
        "gallery_cameras": ["2", "2", "1"],
    }
    assert evaluate(**task, protocol="two_camera").first_ranks.tolist() == [2]
