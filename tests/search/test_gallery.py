import numpy as np
import pandas as pd
import pytest

from wherewhen.search.gallery import (
    GalleryError,
    checked_about,
    checked_table,
    checked_vectors,
    chosen_rows,
    refuse_other_model,
)


def test_columns_in_one_form(small):
    table, _ = small
    made = checked_table(table.assign(person=table.person.astype("category"), more=1).iloc[::-1])
    assert list(made) == ["tracklet", "person", "camera", "start", "end", "length", "frames"]
    assert made.frames.tolist() == [[]] * 4
    assert made.index.tolist() == [0, 1, 2, 3]
    assert made.tracklet.tolist() == ["b/bert", "a/bert", "b/anna", "a/anna"]
    assert made.person.dtype != "category"  # which would keep the names of removed persons
    without = checked_table(table.drop(columns=["start", "end"]))
    assert without[["start", "end"]].isna().to_numpy().all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tracklet": "twice"}, "column tracklet, row 1: 'twice'"),
        ({"person": ["anna", "", "x", "y"]}, "column person, row 1: ''"),
        ({"camera": ["a", "b", None, "b"]}, "column camera, row 2"),
        ({"person": [1, 2, 3, 4]}, "column person, row 0: .*expected text"),
        ({"frames": ["a.png"] * 4}, "column frames, row 0: 'a.png' .*expected a list of paths"),
        ({"length": [1, 2, 0, 4]}, "column length, row 2: .*at least 1 frame"),
        ({"length": [1.0, 2, 3, 4]}, "length is float64: expected whole numbers"),
        ({"start": [0, 1, 2, np.inf]}, "column start, row 3: inf"),
        ({"start": ["0", "1", "2", "3"]}, "column start is"),
        ({"start": [0, 111, 50, np.nan]}, "column end, row 1: 110.0 .*in this order"),
        ({"start": [0, np.nan, 50, np.nan]}, "column end, row 1: 110.0 .*both or neither"),
    ],
)
def test_what_is_wrong_with_a_table(small, change, said):
    with pytest.raises(GalleryError, match=said):
        checked_table(small[0].assign(**change))


def test_a_table_without_columns_or_rows(small):
    with pytest.raises(GalleryError, match="lacks person, length: expected the columns"):
        checked_table(small[0].drop(columns=["person", "length"]))
    with pytest.raises(GalleryError, match="table of tracklets is empty"):
        checked_table(small[0].iloc[:0])


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (np.zeros((4, 2)), "vectors are float64: expected an array of float32"),
        ([[0.0]], "vectors are list"),
        (np.zeros(4, np.float32), r"shape \(4,\)"),
        (np.zeros((4, 0), np.float32), r"shape \(4, 0\)"),
        (np.zeros((3, 2), np.float32), "3 vectors for 4 tracklets"),
        (np.array([[0, 0], [0, np.nan], [0, 0], [np.inf, 0]], np.float32), "2 hold NaN.* row 1"),
    ],
)
def test_what_is_wrong_with_vectors(vectors, said):
    with pytest.raises(GalleryError, match=said):
        checked_vectors(vectors, "vectors", 4)


def test_what_is_said_of_a_model():
    assert checked_about({"model": "m", "sizes": (1, 2)}) == {"model": "m", "sizes": [1, 2]}
    for about in ({}, {"model": ""}, {"model": 7}):
        with pytest.raises(GalleryError, match=r"about\.model is"):
            checked_about(about)
    for about in ({"model": "m", "x": float("nan")}, {"model": "m", "x": {1}}):
        with pytest.raises(GalleryError, match="expected a mapping for JSON"):
            checked_about(about)


def test_another_model_is_named():
    refuse_other_model({"metric": "cosine", "model": "m"}, {"model": "m", "metric": "cosine"}, "x")
    with pytest.raises(GalleryError, match=r"the queries are .*: metric is None, not 'cosine'"):
        refuse_other_model({"model": "m"}, {"model": "m", "metric": "cosine"}, "the queries")
    with pytest.raises(GalleryError, match="model is 'n', not 'm'"):
        refuse_other_model({"model": "n"}, {"model": "m"}, "the queries")


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({"persons": ["anna"]}, [0, 1]),
        ({"persons": ["anna", "bert"], "cameras": ["b"]}, [1, 3]),
        ({"not_cameras": ["b"]}, [0, 2]),
        ({"not_cameras": ["a", "b"]}, []),
        ({"exclude": ["a/anna", "b/bert"]}, [1, 2]),
        ({"exclude": []}, [0, 1, 2, 3]),
        ({"after": 10}, [0, 1, 2]),
        ({"after": 10.5}, [1, 2]),
        ({"before": 50}, [0, 2]),
        ({"before": 49}, [0]),
        ({"after": 55, "before": 56}, [2]),
        ({"after": 70, "before": 90}, []),
    ],
)
def test_conditions_by_hand(small, conditions, rows):
    assert chosen_rows(checked_table(small[0]), **conditions).tolist() == rows


def test_no_condition(small):
    assert chosen_rows(checked_table(small[0])) is None


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"persons": ["ana"]}, "persons: no person 'ana' .*did you mean anna?"),
        ({"not_cameras": ["A"]}, "not_cameras: no camera 'A'"),
        ({"exclude": ["a/ana", "a/bert"]}, "no tracklet 'a/ana' .*did you mean a/anna?"),
        ({"persons": "anna"}, "persons is the text 'anna'"),
        ({"cameras": []}, "cameras is empty"),
        ({"after": float("nan")}, "after is nan"),
        ({"after": 2, "before": 1}, "after is 2 and before is 1"),
    ],
)
def test_what_is_wrong_with_conditions(small, conditions, said):
    with pytest.raises(GalleryError, match=said):
        chosen_rows(checked_table(small[0]), **conditions)


def test_the_likely_of_very_many_names(small, monkeypatch):
    monkeypatch.setattr("wherewhen.search.gallery._COMPARED", 2)
    table = checked_table(small[0])
    with pytest.raises(GalleryError, match=r"no tracklet 'b/ana' .*did you mean b/anna\?"):
        chosen_rows(table, exclude=["b/ana"])
    with pytest.raises(GalleryError, match=r"no tracklet 'c/ana' .*: expected names of its table"):
        chosen_rows(table, exclude=["c/ana"])


def test_times_where_none_is_known(small):
    table = checked_table(small[0].drop(columns=["start", "end"]))
    with pytest.raises(GalleryError, match="no tracklet of the gallery has a time"):
        chosen_rows(table, after=1)


def test_a_table_of_objects(small):
    table = checked_table(
        small[0].astype(object).astype({"length": int, "start": float, "end": float})
    )
    pd.testing.assert_frame_equal(table, checked_table(small[0]))
