import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherewhen.tracklets.readers.mars import read_info
from wherewhen.tracklets.splits import (
    FIXED_PROTOCOLS,
    assert_persons_disjoint,
    draw_splits,
    fixed_splits,
    hold_out,
    split_fingerprint,
    splits_of,
    validation_split,
)


def tracklets(persons=10, cameras="ab", single=()):
    rows = [
        (f"{camera}/p{person:02d}", f"p{person:02d}", camera, 5)
        for person in range(persons)
        for camera in cameras
        if person not in single or camera == cameras[0]
    ]
    return pd.DataFrame(rows, columns=["tracklet", "person", "camera", "length"])


@settings(deadline=None, max_examples=12)
@given(st.integers(2, 25), st.integers(1, 4), st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
def test_every_trial_is_a_partition_of_the_persons(persons, trials, seed, fraction):
    table = tracklets(persons)
    if not 0 < round(fraction * persons) < persons:
        return
    splits = draw_splits(table, trials, seed, fraction)
    assert splits["trial"].unique().tolist() == [f"trial_{i:02d}" for i in range(trials)]
    for _, split in splits.groupby("trial"):
        by_role = {role: rows for role, rows in split.groupby("role")}
        assert by_role["train"]["person"].nunique() == round(fraction * persons)
        assert set(by_role["probe"]["person"]) == set(by_role["gallery"]["person"])
        assert set(by_role["probe"]["camera"]) == {"a"}
        assert set(by_role["gallery"]["camera"]) == {"b"}
        assert sorted(split["tracklet"]) == sorted(table["tracklet"])


def test_deterministic_whatever_the_order_of_rows_and_the_number_of_trials():
    table = tracklets()
    splits = draw_splits(table, 3, seed=7)
    shuffled = draw_splits(table.sample(frac=1, random_state=0), 3, seed=7)
    pd.testing.assert_frame_equal(splits, shuffled)
    longer = draw_splits(table, 5, seed=7)
    pd.testing.assert_frame_equal(splits, longer[longer["trial"] < "trial_03"])
    assert split_fingerprint(splits) == split_fingerprint(splits.sample(frac=1, random_state=1))
    assert split_fingerprint(splits) != split_fingerprint(draw_splits(table, 3, seed=8))
    assert len({split_fingerprint(split) for _, split in splits.groupby("trial")}) == 3


def test_who_is_in_one_camera_only_trains():
    splits = draw_splits(tracklets(10, single={0, 3}), 4, seed=0)
    roles = splits[splits["person"].isin(["p00", "p03"])].groupby("trial")["role"].agg(set)
    assert roles.tolist() == [{"train"}] * 4
    assert (splits[splits["role"] == "probe"].groupby("trial").size() == 4).all()


def test_further_cameras_train_but_do_not_test():
    splits = draw_splits(tracklets(6, "abc"), 1, 0, probe_camera="c", gallery_camera="a")
    cameras = splits.groupby("role")["camera"].agg(set).to_dict()
    assert cameras == {"train": {"a", "b", "c"}, "probe": {"c"}, "gallery": {"a"}}


def test_a_given_gallery_camera_leaves_the_first_other_to_the_probes():
    splits = draw_splits(tracklets(6), 1, 0, gallery_camera="a")
    assert set(splits.loc[splits["role"] == "probe", "camera"]) == {"b"}


def test_two_drawn_cameras_test_whoever_is_seen_by_any_two():
    table = tracklets(20, "abcd", single={0, 3})
    table = table[~((table["person"] == "p05") & table["camera"].isin(["a", "b"]))]
    splits = draw_splits(table, 8, seed=1, train_fraction=0.5, protocol="two_camera")
    pairs = set()
    for _, split in splits.groupby("trial"):
        probes = split[split["role"] == "probe"].set_index("person")["camera"]
        gallery = split[split["role"] == "gallery"].set_index("person")["camera"]
        assert len(probes) == 9  # half of the 18 who are seen by two
        assert probes.index.is_unique
        assert set(probes.index) == set(gallery.index)
        assert (probes != gallery.reindex(probes.index)).all()
        assert {"p00", "p03"} <= set(split.loc[split["role"] == "train", "person"])
        pairs |= set(zip(probes, gallery.reindex(probes.index), strict=True))
    assert len(pairs) == 12  # all ordered pairs of four cameras
    tested = set(splits.loc[splits["role"] != "train", "person"])
    assert "p05" in tested  # seen by neither a nor b
    again = draw_splits(
        table.sample(frac=1, random_state=0), 8, 1, train_fraction=0.5, protocol="two_camera"
    )
    pd.testing.assert_frame_equal(splits, again)
    with pytest.raises(ValueError, match="1 persons are seen by any two cameras: too few"):
        draw_splits(tracklets(2, "ab", single={0}), 1, 0, protocol="two_camera")


def test_disjointness_is_asserted_by_name():
    splits = draw_splits(tracklets(), 2, 0)
    assert_persons_disjoint(splits)
    tested = splits.index[(splits["role"] == "probe") & (splits["trial"] == "trial_01")][0]
    splits.loc[tested, "role"] = "train"
    with pytest.raises(ValueError, match=f"trial_01: 1 persons .*{splits.person[tested]}"):
        assert_persons_disjoint(splits)


def test_errors_name_the_parameter():
    with pytest.raises(ValueError, match="trials is 0"):
        draw_splits(tracklets(), 0, 0)
    with pytest.raises(ValueError, match="train_fraction is 1"):
        draw_splits(tracklets(), 1, 0, train_fraction=1)
    with pytest.raises(ValueError, match="probe_camera is 'z': expected one of a, b"):
        draw_splits(tracklets(), 1, 0, probe_camera="z")
    with pytest.raises(ValueError, match="two different cameras"):
        draw_splits(tracklets(cameras="a"), 1, 0)
    with pytest.raises(ValueError, match="1 persons are seen by both a and b"):
        draw_splits(tracklets(3, single={0, 1}), 1, 0)


def test_hold_out():
    persons = [f"p{i}" for i in range(10)]
    training, validation = hold_out(persons, 0.3, seed=1)
    assert len(validation) == 3
    assert sorted(training + validation) == persons
    assert (training, validation) == hold_out([*reversed(persons), "p1"], 0.3, seed=1)
    assert hold_out(persons, 0.0, seed=1) == (persons, [])
    assert len(hold_out(persons, 0.01, seed=1)[1]) == 1
    with pytest.raises(ValueError, match="leaves none to train"):
        hold_out(["p1"], 0.5, seed=1)
    with pytest.raises(ValueError, match="held out is 1"):
        hold_out(persons, 1, seed=1)


def test_who_is_tested_may_be_listed():
    splits = splits_of(tracklets(4), [["p01"], ["p00", "p03"]])
    roles = splits[splits["camera"] == "b"].pivot(index="trial", columns="person", values="role")
    assert roles.to_numpy().tolist() == [
        ["train", "gallery", "train", "train"],
        ["gallery", "train", "train", "gallery"],
    ]
    with pytest.raises(ValueError, match=r"trial_01 tests 1 persons .* both a and b: p09"):
        splits_of(tracklets(4), [["p01"], ["p09"]])
    with pytest.raises(ValueError, match="trial_00 tests nobody"):
        splits_of(tracklets(4), [[]])


def test_distractors_are_gallery_and_junk_is_nothing():
    table = tracklets(6).assign(kind="person")
    table.loc[table["tracklet"].isin(["a/p04", "b/p04"]), "kind"] = "distractor"
    table.loc[table["tracklet"] == "b/p05", "kind"] = "junk"
    for splits in (draw_splits(table, 3, seed=0), splits_of(table, [["p00"]] * 3)):
        roles = splits.groupby("tracklet")["role"].agg(set)
        assert roles["b/p04"] == {"gallery"}  # a distractor in the gallery's camera, in every trial
        assert "a/p04" not in roles.index
        assert "b/p05" not in roles.index
        assert roles["a/p05"] == {"train"}  # junk leaves the person in one camera
        assert (splits[splits["role"] == "gallery"].groupby("trial").size() > 1).all()


def mars():
    """Four test persons, the last in one camera; two who train; junk and a distractor."""
    rows = [
        # tracklet, person, camera, subset, query, kind
        ("t1", "0001", "C1", "train", False, "person"),
        ("t2", "0003", "C2", "train", False, "person"),
        ("j1", "00-1", "C1", "test", False, "junk"),
        ("d1", "0000", "C2", "test", False, "distractor"),
        ("a1", "0002", "C1", "test", True, "person"),
        ("a2", "0002", "C1", "test", False, "person"),
        ("a3", "0002", "C2", "test", True, "person"),
        ("b1", "0004", "C3", "test", True, "person"),
        ("b2", "0004", "C5", "test", True, "person"),
        ("b3", "0004", "C6", "test", True, "person"),
        ("c1", "0006", "C1", "test", False, "person"),
    ]
    columns = ["tracklet", "person", "camera", "subset", "query", "kind"]
    return pd.DataFrame(rows, columns=columns).assign(length=5)


def members(splits, role):
    return splits[splits["role"] == role].groupby("trial")["tracklet"].agg(list).tolist()


def test_a_fixed_split_is_the_same_in_every_trial():
    splits = fixed_splits(mars(), 3)
    assert members(splits, "train") == [["t1", "t2"]] * 3
    assert members(splits, "probe") == [["a1", "a3", "b1", "b2", "b3"]] * 3
    test = ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "d1", "j1"]
    assert members(splits, "gallery") == [test] * 3
    shuffled = fixed_splits(mars().sample(frac=1, random_state=1), 3)
    pd.testing.assert_frame_equal(splits, shuffled)


def test_queries_are_left_out_by_the_evaluation_and_not_by_the_split():
    excluded = fixed_splits(mars(), 1, protocol="query_excluded")
    pd.testing.assert_frame_equal(excluded, fixed_splits(mars(), 1, protocol="official"))


def test_two_cameras_are_drawn_for_every_person_who_has_them():
    splits = fixed_splits(mars(), 40, seed=1, protocol="two_camera")
    pairs = splits[splits["role"] != "train"].pivot(
        index=["trial", "person"], columns="role", values=["camera", "tracklet"]
    )
    assert pairs.index.get_level_values("person").value_counts().to_dict() == {
        "0002": 40,
        "0004": 40,
    }
    assert (pairs["camera", "probe"] != pairs["camera", "gallery"]).all()
    seen = set(map(tuple, pairs["tracklet"].to_numpy()))
    assert {("a1", "a3"), ("a3", "a1"), ("a2", "a3"), ("b1", "b2"), ("b3", "b2")} <= seen
    assert len(seen) == 4 + 6
    again = fixed_splits(mars().iloc[::-1], 2, seed=1, protocol="two_camera")
    pd.testing.assert_frame_equal(again, splits[splits["trial"] < "trial_02"])
    other = fixed_splits(mars(), 40, seed=2, protocol="two_camera")
    assert split_fingerprint(splits) != split_fingerprint(other)


def test_the_real_mars(mars_info):
    tracklets = read_info(mars_info)

    def roles(protocol):
        splits = fixed_splits(tracklets, 1, protocol=protocol)
        return splits.groupby("role").size().to_dict(), splits

    sides = {"train": 8298, "probe": 1980}
    assert roles("official")[0] == sides | {"gallery": 12_180}
    sizes, splits = roles("query_excluded")
    assert sizes == sides | {"gallery": 12_180}
    junk = splits["tracklet"].isin(tracklets.loc[tracklets["kind"] == "junk", "tracklet"])
    queries = splits["tracklet"].isin(splits.loc[splits["role"] == "probe", "tracklet"])
    assert (~junk & ~queries & (splits["role"] == "gallery")).sum() == 9330
    assert roles("two_camera")[0] == sides | {"probe": 626, "gallery": 626}  # 8 have one camera


def test_faults_of_a_fixed_split():
    with pytest.raises(ValueError, match="no columns subset and query"):
        fixed_splits(tracklets(), 1)
    with pytest.raises(ValueError, match=r"'single_match' gives no roles .* official, query_exc"):
        fixed_splits(mars(), 1, protocol="single_match")
    with pytest.raises(ValueError, match="trials is 0"):
        fixed_splits(mars(), 0)
    with pytest.raises(ValueError, match="no test person is seen by two cameras"):
        fixed_splits(mars().query("camera == 'C1'"), 1, protocol="two_camera")
    crossed = mars()
    crossed.loc[crossed["tracklet"] == "c1", "person"] = "0001"
    with pytest.raises(ValueError, match="trial_00: 1 persons train and are tested: 0001"):
        fixed_splits(crossed, 1)


def test_validation_persons_are_training_persons_with_test_roles():
    split = draw_splits(tracklets(12, cameras="abc", single={0}), 2, seed=0).query(
        "trial == 'trial_01'"
    )
    derived = validation_split(split, 0.4, seed=5)
    training = split[split["role"] == "train"]
    assert set(derived["trial"]) == {"trial_01"}
    by_role = {role: rows for role, rows in derived.groupby("role")}
    held_out = set(by_role["probe"]["person"])
    # of 6 training persons p00 has one camera and can't be held out: 0.4 of 5 are 2
    assert len(held_out) == 2 and "p00" not in held_out
    assert set(by_role["gallery"]["person"]) == held_out
    assert set(by_role["probe"]["camera"]) == {"a"} and set(by_role["gallery"]["camera"]) == {"b"}
    others = training[~training["person"].isin(held_out)]
    assert set(by_role["train"]["tracklet"]) == set(others["tracklet"])  # camera c among them
    pd.testing.assert_frame_equal(derived, validation_split(split.iloc[::-1], 0.4, seed=5))
    assert held_out != set(validation_split(split, 0.4, seed=6).query("role == 'probe'")["person"])


@pytest.mark.parametrize("protocol", ["single_match", "cross_camera", *FIXED_PROTOCOLS])
def test_test_persons_have_no_say_in_the_validation_split(protocol):
    split = draw_splits(tracklets(12, cameras="ab"), 1, seed=0)
    derived = validation_split(split, 0.5, 0, protocol)
    tested = split["role"] != "train"
    assert not set(derived["person"]) & set(split.loc[tested, "person"])
    # whatever they are called and wherever they were seen, they may as well be gone
    other = split.assign(camera=split["camera"].where(~tested, "0"))
    for changed in (split[~tested], other):
        pd.testing.assert_frame_equal(derived, validation_split(changed, 0.5, 0, protocol))


def test_validation_cameras_may_be_named():
    split = draw_splits(tracklets(8), 1, seed=0, probe_camera="b")
    derived = validation_split(split, 0.5, 0, probe_camera="b")
    assert set(derived.loc[derived["role"] == "probe", "camera"]) == {"b"}


def test_validation_persons_of_a_fixed_split_are_searched_as_its_protocol_searches():
    names = ["p1", "p2", "p3", "p4"]
    rows = [
        ("trial_00", f"{person}/{camera}/{number}", person, camera, "train")
        for person in names
        for camera in ("c1", "c2", "c3")
        for number in (0, 1)
    ]
    split = pd.DataFrame(rows, columns=["trial", "tracklet", "person", "camera", "role"])
    sides = {
        protocol: dict(list(validation_split(split, 0.5, 1, protocol).groupby("role")))
        for protocol in FIXED_PROTOCOLS
    }
    held_out = set(sides["official"]["gallery"]["person"])
    assert len(held_out) == 2
    # a query a camera; all are searched, and the evaluation leaves out the queries or doesn't
    queries = {f"{person}/{camera}/0" for person in held_out for camera in ("c1", "c2", "c3")}
    assert set(sides["official"]["probe"]["tracklet"]) == queries
    assert len(sides["official"]["gallery"]) == 12
    pd.testing.assert_frame_equal(sides["query_excluded"]["gallery"], sides["official"]["gallery"])
    drawn = sides["two_camera"]["probe"].merge(sides["two_camera"]["gallery"], on="person")
    assert len(drawn) == 2 and (drawn["camera_x"] != drawn["camera_y"]).all()


def test_faults_of_a_validation_split():
    splits = draw_splits(tracklets(8), 2, seed=0)
    with pytest.raises(ValueError, match=r"2 trials \(trial_00, trial_01\): expected one"):
        validation_split(splits, 0.5, 0)
    first = splits[splits["trial"] == "trial_00"]
    with pytest.raises(ValueError, match="nobody is held out of 4 training persons"):
        validation_split(first, 0.0, 0)
    with pytest.raises(ValueError, match="leaves none to train"):
        validation_split(first, 0.9, 0)
    with pytest.raises(ValueError, match="probe_camera is 'x': expected one of a, b"):
        validation_split(first, 0.5, 0, probe_camera="x")
