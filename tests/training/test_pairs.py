import itertools

import numpy as np
import pandas as pd
import pytest

from wherewhen.tracklets.windows import Window
from wherewhen.training.config import TrainingConfig
from wherewhen.training.pairs import AllInBatch, DrawnPairs, build_sampler


def table(persons, cameras="ab", tracklets=1):
    rows = [
        (f"{camera}/{person}/{number}", f"p{person}", camera)
        for person, camera, number in itertools.product(range(persons), cameras, range(tracklets))
    ]
    return pd.DataFrame(rows, columns=["tracklet", "person", "camera"])


def lengths(tracklets, length=9):
    return dict.fromkeys(tracklets["tracklet"], length)


def facts(tracklets):
    return tracklets.set_index("tracklet")[["person", "camera"]].to_dict("index")


def assert_pairs_are_true(batch, tracklets):
    known = facts(tracklets)
    for left, right, same in zip(batch.left, batch.right, batch.same, strict=True):
        one, other = (known[batch.windows[index].tracklet] for index in (left, right))
        assert one["camera"] != other["camera"]
        assert (one["person"] == other["person"]) == same


def test_all_in_batch_shows_every_person_once_and_pairs_all_across_cameras():
    tracklets = table(10, tracklets=2)
    sampler = AllInBatch(tracklets, lengths(tracklets), 4, persons_per_batch=4)
    batches = list(sampler.epoch(np.random.default_rng(0)))
    assert len(batches) == sampler.batches_per_epoch == 3
    assert sorted(len(batch.windows) for batch in batches) == [6, 6, 8]
    seen = [facts(tracklets)[w.tracklet]["person"] for b in batches for w in b.windows]
    assert sorted(seen) == sorted([f"p{person}" for person in range(10)] * 2)
    for batch in batches:
        persons = len(batch.windows) // 2
        assert batch.same.sum() == persons  # two cameras: persons x persons pairs across them
        assert len(batch.same) == persons**2
        assert_pairs_are_true(batch, tracklets)
        assert all(w.length == 4 and 0 <= w.start <= 5 for w in batch.windows)


def test_no_batch_is_left_with_one_person():
    tracklets = table(5)
    sampler = AllInBatch(tracklets, lengths(tracklets), 4, persons_per_batch=2)
    sizes = [len(batch.windows) // 2 for batch in sampler.epoch(np.random.default_rng(0))]
    assert sorted(sizes) == [2, 3]


def test_all_in_batch_with_many_cameras_pairs_different_ones():
    tracklets = table(6, cameras="abcd", tracklets=2)
    sampler = AllInBatch(tracklets, lengths(tracklets), 4, persons_per_batch=3)
    for batch in sampler.epoch(np.random.default_rng(1)):
        assert batch.same.sum() == 3
        assert_pairs_are_true(batch, tracklets)


def test_a_person_has_k_tracklets_of_different_cameras_first():
    tracklets = table(6, cameras="abc", tracklets=2)
    sampler = AllInBatch(tracklets, lengths(tracklets), 4, 3, tracklets_per_person=4)
    for batch in sampler.epoch(np.random.default_rng(0)):
        assert len(batch.windows) == 3 * 4
        assert_pairs_are_true(batch, tracklets)
        for person in np.unique(batch.persons):
            own = batch.persons == person
            assert own.sum() == 4
            cameras, counts = np.unique(batch.cameras[own], return_counts=True)
            assert cameras.tolist() == ["a", "b", "c"]
            assert sorted(counts) == [1, 1, 2]
            assert (
                len({w.tracklet for w, is_own in zip(batch.windows, own, strict=True) if is_own})
                == 4
            )


@pytest.mark.parametrize(("count", "repeats"), [(4, [1, 1, 2]), (6, [2, 2, 2]), (8, [2, 3, 3])])
def test_a_person_with_fewer_tracklets_has_several_clips_of_some(count, repeats):
    tracklets = table(4, cameras="abc").query("tracklet != 'a/0/0'")
    sampler = AllInBatch(tracklets, lengths(tracklets, 500), 4, 4, tracklets_per_person=count)
    (batch,) = sampler.epoch(np.random.default_rng(0))
    for person in range(1, 4):
        windows = [w for w, p in zip(batch.windows, batch.persons, strict=True) if p == person]
        drawn = [sum(w.tracklet == name for w in windows) for name in {w.tracklet for w in windows}]
        assert sorted(drawn) == repeats
        assert len(set(windows)) == count  # of 500 frames, other clips


def test_two_tracklets_are_drawn_as_by_hand():
    """The draws of versions that knew two alone."""
    tracklets = table(5, cameras="abc", tracklets=3)
    sampler = AllInBatch(tracklets, lengths(tracklets), 4, persons_per_batch=5)
    (batch,) = sampler.epoch(np.random.default_rng(7))
    generator = np.random.default_rng(7)
    expected = []
    for person in generator.permutation(5):
        for camera in generator.choice(3, 2, replace=False):
            expected.append(f"{'abc'[camera]}/{person}/{generator.integers(3)}")
    assert [window.tracklet for window in batch.windows] == expected
    assert [window.start for window in batch.windows] == [
        int(generator.random() * 6) for _ in expected
    ]


@pytest.mark.parametrize("pairs", ["all_in_batch", "drawn"])
def test_clips_may_be_spread_over_their_tracklets(pairs):
    tracklets = table(4)
    config = TrainingConfig(pairs=pairs, clips="spread", frames=4)
    sampler = build_sampler(config, tracklets, lengths(tracklets, 40) | {"a/0/0": 3})
    for batch in sampler.epoch(np.random.default_rng(0)):
        for clip in batch.windows:
            if clip.tracklet == "a/0/0":
                assert clip.positions == (0, 1, 2)
            else:
                assert [position // 10 for position in clip.positions] == [0, 1, 2, 3]


def test_drawn_pairs_are_half_positive_and_an_epoch_has_one_for_every_person():
    tracklets = table(12, cameras="abc")
    sampler = DrawnPairs(tracklets, lengths(tracklets), 4, pairs_per_batch=10)
    batches = list(sampler.epoch(np.random.default_rng(0)))
    assert [len(batch.left) for batch in batches] == [10, 10, 4]
    assert sampler.batches_per_epoch == 3
    positives = []
    for batch in batches:
        assert batch.same.mean() == 0.5
        assert sorted([*batch.left, *batch.right]) == list(range(len(batch.windows)))
        assert_pairs_are_true(batch, tracklets)
        positives += [
            facts(tracklets)[batch.windows[index].tracklet]["person"]
            for index in batch.left[batch.same]
        ]
    assert sorted(positives) == sorted(f"p{person}" for person in range(12))


def test_the_ratio_of_negative_to_positive_pairs_is_as_asked():
    tracklets = table(6)
    config = TrainingConfig.from_preset(
        "paper", frames=4, pairs_per_batch=12, negatives_per_positive=3
    )
    sampler = build_sampler(config, tracklets, lengths(tracklets))
    batches = list(sampler.epoch(np.random.default_rng(0)))
    assert [int(batch.same.sum()) for batch in batches] == [3, 3]
    assert [int((~batch.same).sum()) for batch in batches] == [9, 9]
    for batch in batches:
        assert_pairs_are_true(batch, tracklets)


def test_a_person_in_one_camera_serves_as_a_negative_alone():
    tracklets = pd.concat(
        [table(3), pd.DataFrame({"tracklet": ["x"], "person": ["px"], "camera": ["a"]})]
    )
    sampler = DrawnPairs(tracklets, lengths(tracklets), 4, pairs_per_batch=4)
    generator = np.random.default_rng(0)
    batches = [batch for _ in range(20) for batch in sampler.epoch(generator)]
    members = [
        (batch.windows[index].tracklet, same)
        for batch in batches
        for index, same in zip(batch.left, batch.same, strict=True)
    ]
    assert ("x", False) in members
    assert ("x", True) not in members
    everywhere = AllInBatch(tracklets, lengths(tracklets), 4, 3).epoch(generator)
    assert all(w.tracklet != "x" for batch in everywhere for w in batch.windows)


def test_windows_are_drawn_anew_and_short_tracklets_are_taken_whole():
    tracklets = table(4)
    sampler = AllInBatch(tracklets, lengths(tracklets) | {"a/0/0": 2}, 4, 4)
    generator = np.random.default_rng(0)
    windows = {w for _ in range(40) for batch in sampler.epoch(generator) for w in batch.windows}
    assert {w for w in windows if w.tracklet == "a/0/0"} == {Window("a/0/0", 0, 2)}
    assert {w.start for w in windows if w.tracklet == "b/1/0"} == set(range(6))


def test_draws_depend_on_the_generator_and_not_on_the_order_of_rows():
    tracklets = table(8, tracklets=2)
    for preset in ("modern", "paper"):
        config = TrainingConfig.from_preset(preset, frames=4)
        first, again, shuffled = (
            list(build_sampler(config, rows, lengths(tracklets)).epoch(np.random.default_rng(3)))
            for rows in (tracklets, tracklets, tracklets.sample(frac=1, random_state=0))
        )
        other = list(
            build_sampler(config, tracklets, lengths(tracklets)).epoch(np.random.default_rng(4))
        )
        assert [b.windows for b in first] == [b.windows for b in again]
        assert [b.windows for b in first] == [b.windows for b in shuffled]
        assert [b.windows for b in first] != [b.windows for b in other]


def test_persons_without_a_partner_are_refused():
    tracklets = table(4, cameras="a")
    with pytest.raises(ValueError, match="0 of 4 persons are seen by two cameras"):
        AllInBatch(tracklets, lengths(tracklets), 4, 4)


def test_no_batch_has_more_pairs_than_said():
    for cameras, preset in itertools.product(("ab", "abc"), ("modern", "paper")):
        tracklets = table(7, cameras=cameras)
        sampler = build_sampler(
            TrainingConfig.from_preset(preset, frames=4, persons_per_batch=3),
            tracklets,
            lengths(tracklets),
        )
        for batch in sampler.epoch(np.random.default_rng(0)):
            most = sampler.most_pairs(len(batch.windows))
            assert len(batch.left) <= most
            if cameras == "ab" or preset == "paper":
                assert len(batch.left) == most  # no pairs to fill up with


def test_a_batch_knows_whom_and_where_its_clips_show():
    tracklets = table(6, cameras="abc")
    known = facts(tracklets)
    for preset in ("modern", "paper"):
        config = TrainingConfig.from_preset(preset, frames=4, persons_per_batch=3)
        sampler = build_sampler(config, tracklets, lengths(tracklets))
        for batch in sampler.epoch(np.random.default_rng(0)):
            for window, person, camera in zip(
                batch.windows, batch.persons, batch.cameras, strict=True
            ):
                assert sampler.everybody[person] == known[window.tracklet]["person"]
                assert camera == known[window.tracklet]["camera"]
