import itertools

import faiss
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherewhen.search import GalleryError, Index
from wherewhen.search.gallery import checked_table
from wherewhen.search.kinds import KINDS

ALL = sorted(KINDS)


@pytest.fixture
def index(small, about):
    return Index.create(*small, about)


def plain(table, vectors, queries, top, rows):
    """Search by a loop over everything."""
    table, found = checked_table(table), []
    for number, query in enumerate(queries.astype(np.float64)):
        distances = [(np.linalg.norm(query - vectors[row]), row) for row in rows]
        for rank, (distance, row) in enumerate(sorted(distances)[:top], 1):
            found.append((number, rank, table.tracklet[row], distance))
    return pd.DataFrame(found, columns=["query", "rank", "tracklet", "distance"]).astype(
        {"distance": float}
    )


def assert_same(found, expected):
    assert found[["query", "rank", "tracklet"]].values.tolist() == (
        expected[["query", "rank", "tracklet"]].values.tolist()
    )
    np.testing.assert_allclose(found.distance, expected.distance, rtol=1e-9, atol=1e-12)


def test_by_hand(index, about):
    found = index.search(np.array([[0, 0], [3, 4]], np.float32), about, top=3)
    assert list(found) == [
        "query",
        "rank",
        "tracklet",
        "person",
        "camera",
        "start",
        "end",
        "distance",
    ]
    assert found[["query", "rank", "tracklet", "person", "camera", "distance"]].values.tolist() == [
        [0, 1, "a/anna", "anna", "a", 0.0],
        [0, 2, "b/anna", "anna", "b", 1.0],
        [0, 3, "b/bert", "bert", "b", 1.0],
        [1, 1, "a/bert", "bert", "a", 0.0],
        [1, 2, "b/anna", "anna", "b", 18**0.5],
        [1, 3, "b/bert", "bert", "b", 18**0.5],
    ]
    assert found.start.tolist()[:2] == [0, 100]
    assert np.isnan(found.end[2])


def test_what_an_index_says_of_itself(index, about, small):
    assert (len(index), index.dimensions, index.kind, index.about) == (4, 2, "exact", about)
    pd.testing.assert_frame_equal(index.tracklets, checked_table(small[0]))
    assert index.vectors_of(["a/bert", "a/anna"]).tolist() == [[3, 4], [0, 0]]
    with pytest.raises(GalleryError, match=r"no tracklet 'a/berta'.*did you mean a/bert?"):
        index.vectors_of(["a/berta"])


def test_what_was_handed_over_is_not_shared(small, about):
    table, vectors = small
    index = Index.create(table, vectors, about)
    vectors[:] = 9
    copy = index.tracklets
    copy["person"] = "nobody"
    index.vectors_of(["a/anna"])[:] = 9
    index.about["model"] = "another"
    found = index.search(np.zeros((1, 2), np.float32), about, top=1)
    assert found[["person", "distance"]].values.tolist() == [["anna", 0.0]]


def test_rows_of_the_table_are_selected(index):
    assert index.select().equals(index.tracklets)
    chosen = index.select(cameras=["b"], exclude=["b/bert"])
    assert chosen.tracklet.tolist() == ["b/anna"]
    assert chosen.index.tolist() == [0]
    with pytest.raises(GalleryError, match="cameras: no camera 'c' in the gallery"):
        index.select(cameras=["c"])


def test_fewer_match_than_asked_for(index, about):
    asked = np.zeros((2, 2), np.float32)
    assert len(index.search(asked, about, top=9)) == 8
    assert index.search(asked, about, cameras=["a"], after=20).tracklet.tolist() == ["a/bert"] * 2
    none = index.search(asked, about, after=70, before=90)
    assert len(none) == 0
    assert none.dtypes.equals(index.search(asked, about).dtypes)


@pytest.mark.parametrize("kind", ALL)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_conditions_hold_exactly(kind, gallery, about, data):
    """What is found meets the conditions, is as much as there is, and is the nearest of it.

    The short cuts visit the whole of so small a gallery.
    """
    table, vectors = gallery(60, persons=4, dimensions=2)
    vectors = np.round(vectors)  # ties
    index = Index.create(table, vectors, about, kind)
    some = lambda names: st.none() | st.lists(st.sampled_from(sorted(names)), min_size=1)  # noqa: E731
    conditions = data.draw(
        st.fixed_dictionaries(
            {
                "persons": some(set(table.person)),
                "cameras": some(set(table.camera)),
                "not_cameras": some(set(table.camera)),
                "exclude": some(table.tracklet),
                "after": st.none() | st.floats(-10, 500),
                "before": st.none() | st.floats(500, 1100),
            }
        )
    )
    top = data.draw(st.integers(1, 70))
    rows = [row for row, tracklet in table.iterrows() if meets(tracklet, **conditions)]
    queries = vectors[:3] + np.float32(0.25)
    found = index.search(queries, about, top, **conditions)
    expected = plain(table, vectors, queries, top, rows)
    if kind == "exact":
        assert_same(found, expected)
    else:  # a short cut may miss some: which, is no condition
        assert (
            found[["query", "rank"]].values.tolist() == expected[["query", "rank"]].values.tolist()
        )
        assert set(found.tracklet) <= set(table.tracklet[rows])
        assert not found.duplicated(["query", "tracklet"]).any()


def meets(tracklet, persons, cameras, not_cameras, exclude, after, before):
    seen = lambda time: not np.isnan(time)  # noqa: E731
    return (
        (persons is None or tracklet.person in persons)
        and (cameras is None or tracklet.camera in cameras)
        and (not_cameras is None or tracklet.camera not in not_cameras)
        and (exclude is None or tracklet.tracklet not in exclude)
        and (after is None or (seen(tracklet.end) and tracklet.end >= after))
        and (before is None or (seen(tracklet.start) and tracklet.start <= before))
    )


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "conditions",
    [{}, {"not_cameras": ["cam_a"]}, {"cameras": ["cam_a"]}, {"persons": ["person-0007"]}],
)
def test_most_of_the_nearest_are_found(kind, conditions, gallery, about):
    table, vectors = gallery(6000, persons=300, dimensions=16)
    queries = vectors[::50] + np.float32(0.1)
    exact = Index.create(table, vectors, about, "exact").search(queries, about, **conditions)
    found = Index.create(table, vectors, about, kind).search(queries, about, **conditions)
    assert len(found) == len(exact)
    assert (found.groupby("query").distance.diff().dropna() >= 0).all()
    both = found.merge(exact, on=["query", "tracklet"])
    assert (both.distance_x == both.distance_y).all()  # to the bit
    assert len(both) >= (1 if kind == "exact" else 0.97) * len(exact)
    if "persons" in conditions:
        assert len(both) == len(exact)  # few rows are compared one by one


@pytest.mark.parametrize("kind", ALL)
def test_the_same_whatever_the_batch_and_the_threads(kind, gallery, about):
    table, vectors = gallery(3000, persons=300)
    index = Index.create(table, vectors, about, kind)
    whole = index.search(vectors[:300], about)
    before = faiss.omp_get_max_threads()
    for threads, some in itertools.product((1, 3), (1, 20, 300)):
        faiss.omp_set_num_threads(threads)
        try:
            found = index.search(vectors[:some], about)
            again = Index.create(table, vectors, about, kind).search(vectors[:some], about)
        finally:
            faiss.omp_set_num_threads(before)
        pd.testing.assert_frame_equal(found, whole[whole["query"] < some])
        pd.testing.assert_frame_equal(again, found)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_many_equal_vectors(kind, gallery, about):
    table, vectors = gallery(500)
    vectors[:400] = vectors[0]
    found = Index.create(table, vectors, about, kind).search(vectors[:1], about, top=20)
    assert found.distance.tolist() == [0] * 20
    assert found.tracklet.is_monotonic_increasing


@pytest.mark.parametrize("kind", ALL)
def test_added_tracklets_are_found(kind, gallery, about):
    table, vectors = gallery(400)
    more, new = gallery(300, seed=1)
    index = Index.create(table, vectors, about, kind)
    index.add(more, new, about)
    assert len(index) == 700
    found = index.search(new, about, top=1)
    assert found.tracklet.tolist() == more.tracklet.tolist()
    assert found.distance.max() == 0
    assert index.search(vectors, about, top=1).tracklet.tolist() == table.tracklet.tolist()
    np.testing.assert_array_equal(index.vectors_of(more.tracklet), new)


@pytest.mark.parametrize("kind", ALL)
def test_removed_tracklets_are_not_found(kind, gallery, about):
    table, vectors = gallery(600)
    index = Index.create(table, vectors, about, kind)
    one = table.tracklet[table.person == "person-0002"].iloc[0]
    removed = index.remove(persons=["person-0001"], tracklets=[one])
    going = (table.person == "person-0001") | (table.tracklet == one)
    assert removed == table.tracklet[going].tolist()
    without = Index.create(table[~going], vectors[~going], about, kind)
    pd.testing.assert_frame_equal(index.tracklets, without.tracklets)
    pd.testing.assert_frame_equal(
        index.search(vectors[:50], about, 40), without.search(vectors[:50], about, 40)
    )


def test_what_can_not_be_added(index, small, about):
    table, vectors = small
    new = table.assign(tracklet=table.tracklet + "/2")
    for arguments, said in [
        ((table[:2], vectors[:2], about), "'a/anna' is in the gallery .2 of the new ones are"),
        ((new, vectors[:3], about), "3 vectors for 4 tracklets"),
        ((new, np.zeros((4, 3), np.float32), about), "vectors have 3 dimensions, .* 2"),
        ((new, vectors, {**about, "model": "f"}), "new vectors are of another model .*'f'"),
    ]:
        with pytest.raises(GalleryError, match=said):
            index.add(*arguments)
    assert len(index) == 4


def test_what_can_not_be_removed(index):
    for arguments, said in [
        ({}, "nothing to remove"),
        ({"persons": ["berta"]}, "no person 'berta' .*did you mean bert?"),
        ({"persons": ["bert"], "tracklets": ["a/ana"]}, "no tracklet 'a/ana'"),
        ({"persons": []}, "persons is empty"),
        ({"persons": "bert"}, "persons is the text"),
        ({"persons": ["bert", "anna"]}, "no tracklet would be left: delete the folder"),
    ]:
        with pytest.raises(GalleryError, match=said):
            index.remove(**arguments)
    assert len(index) == 4


def test_what_can_not_be_searched(index, about):
    asked = np.zeros((1, 2), np.float32)
    for arguments, said in [
        ((np.zeros((1, 3), np.float32), about), "queries have 3 dimensions"),
        ((asked[0], about), r"queries have shape \(2,\)"),
        ((asked[:0], about), r"queries have shape \(0, 2\)"),
        ((asked.astype(np.float64), about), "queries are float64"),
        ((asked + np.float32(np.nan), about), "queries: 1 hold NaN"),
        ((asked, {"model": "x"}), "queries are of another model"),
        ((asked, about, 0), "top is 0: expected a whole number from 1"),
        ((asked, about, 1.5), r"top is 1\.5"),
        ((asked, about, True), "top is True"),
    ]:
        with pytest.raises(GalleryError, match=said):
            index.search(*arguments)


def test_kinds(small, gallery, about, monkeypatch):
    with pytest.raises(GalleryError, match=r"kind is 'hnws': did you mean hnsw?"):
        Index.create(*small, about, "hnws")
    monkeypatch.setattr("wherewhen.search.index.EXACT_UP_TO", 4)
    assert Index.create(*small, about).kind == "exact"
    assert Index.create(*gallery(5), about).kind == "ivf"


def test_a_name_and_its_frames_are_found(small, about):
    table, vectors = small
    frames = [["a/1.png", "a/2.png"], [], ["c.png"], ["d.png"]]
    index = Index.create(table.assign(frames=frames), vectors, about)
    assert "a/anna" in index
    assert "a/carl" not in index
    assert index.frames_of("a/anna") == ["a/1.png", "a/2.png"]
    assert index.frames_of("b/anna") == []
    with pytest.raises(GalleryError, match="no tracklet 'a/carl' in the gallery"):
        index.frames_of("a/carl")
