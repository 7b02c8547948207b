import pandas as pd
import pytest

from wherewhen.tracklets.schema import SPLITS, TRACKLETS, TableError, validate, validate_tables


def tables():
    tracklets = pd.DataFrame(
        {
            "tracklet": ["a/x", "b/x"],
            "person": ["x", "x"],
            "camera": ["a", "b"],
            "length": [2, 1],
        }
    )
    frames = pd.DataFrame(
        {
            "tracklet": ["a/x", "a/x", "b/x"],
            "position": [0, 1, 0],
            "frame": [3, 7, 1],
            "path": ["a/x/3.png", "a/x/7.png", "b/x/1.png"],
            "width": [64] * 3,
            "height": [128] * 3,
            "sha256": ["0" * 64] * 3,
        }
    )
    return tracklets, frames


def test_good_tables_pass_and_may_have_further_columns():
    tracklets, frames = tables()
    validate_tables(tracklets.assign(note="x"), frames)
    assert validate(tracklets, TRACKLETS) is tracklets


def test_tables_pass_after_parquet(tmp_path):
    tracklets, frames = tables()
    for name, table in (("tracklets", tracklets), ("frames", frames)):
        table.to_parquet(tmp_path / name)
    validate_tables(*(pd.read_parquet(tmp_path / name) for name in ("tracklets", "frames")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": [2, 0]}, r"tracklets.*column length, row 1: 0 breaks"),
        ({"length": [2.0, 1.0]}, "tracklets.*length"),
        ({"tracklet": ["a/x", "a/x"]}, "tracklets.*tracklet.*row"),
        ({"person": ["x", None]}, "tracklets.*column person, row 1"),
        ({"camera": ["a", ""]}, "tracklets.*column camera, row 1"),
        ({"length": [3, 1]}, "'a/x' has length 3 but 2 frames"),
        ({"tracklet": ["a/x", "c/x"]}, r"rows of no tracklet .*: row 2 \('b/x', 0, 1\)"),
    ],
)
def test_faults_of_tracklets_are_named(change, message):
    tracklets, frames = tables()
    with pytest.raises(TableError, match=f"(?s){message}"):
        validate_tables(tracklets.assign(**change), frames)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": [0, 2, 0]}, r"positions must run 0, 1, .*: row 1 \('a/x', 2, 7\)"),
        ({"position": [1, 0, 0]}, r"positions must run 0, 1, .*: row 0 \(.*\); row 1 \("),
        ({"frame": [3, 3, 1]}, r"frame numbers must rise .*: row 1 \('a/x', 1, 3\)"),
        ({"sha256": ["0" * 64, "zz", "0" * 64]}, "column sha256, row 1: 'zz'"),
        ({"tracklet": ["a/x", "a/x", "a/x"], "position": [0, 1, 2]}, "'a/x' has length 2 but 3"),
    ],
)
def test_faults_of_frames_are_named(change, message):
    tracklets, frames = tables()
    with pytest.raises(TableError, match=f"(?s){message}"):
        validate_tables(tracklets, frames.assign(**change))


def test_a_missing_column_is_named():
    tracklets, frames = tables()
    with pytest.raises(TableError, match="path"):
        validate_tables(tracklets, frames.drop(columns="path"))


def test_long_lists_of_faults_are_counted():
    tracklets = pd.DataFrame(
        {"tracklet": [str(i) for i in range(9)], "person": "x", "camera": "a", "length": 0}
    )
    with pytest.raises(TableError, match="and 4 more"):
        validate(tracklets, TRACKLETS)


def test_a_role_must_be_known():
    split = pd.DataFrame(
        {"trial": ["t"], "tracklet": ["a/x"], "person": ["x"], "camera": ["a"], "role": ["query"]}
    )
    with pytest.raises(TableError, match="column role, row 0: 'query'"):
        validate(split, SPLITS)


FIXED = {"subset": ["test", "test"], "query": [True, False], "kind": ["person", "distractor"]}


def test_what_the_authors_fixed_passes_also_after_parquet(tmp_path):
    tracklets, frames = tables()
    tracklets.assign(**FIXED).to_parquet(tmp_path / "tracklets")
    validate_tables(pd.read_parquet(tmp_path / "tracklets"), frames)
    validate(tracklets.assign(kind="distractor"), TRACKLETS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subset": ["test", "gallery"]}, "column subset, row 1: 'gallery'"),
        ({"kind": ["person", "bird"]}, "column kind, row 1: 'bird'"),
        ({"query": ["yes", "no"]}, "column query"),
        (
            {"kind": ["junk", "person"]},
            "row 0: breaks the rule: a query is a test person",
        ),
        ({"subset": ["train", "test"]}, "a query is a test person"),
        ({"subset": ["test", "train"]}, "only persons train"),
    ],
)
def test_what_the_authors_fixed_must_agree(change, message):
    tracklets, _ = tables()
    with pytest.raises(TableError, match=message):
        validate(tracklets.assign(**{**FIXED, **change}), TRACKLETS)
