from collections import Counter

import pytest
from flat_footage import flat_frames

from wherewhen.synthetic.shots import list_shots

CAMERAS = ("cam_a", "cam_b")


def shots(persons, cameras=CAMERAS, **options):
    return list_shots(persons, cameras, lambda person, camera, take: 1 + take, **options)


def test_everybody_once_in_every_camera():
    assert [shot.tracklet for shot in shots(2)] == [
        "cam_a/person_0001",
        "cam_a/person_0002",
        "cam_b/person_0001",
        "cam_b/person_0002",
    ]


def test_several_takes_have_their_own_lengths():
    assert [(shot.tracklet, shot.take, shot.length) for shot in shots(1, takes=2)] == [
        ("cam_a/person_0001/01", 0, 1),
        ("cam_a/person_0001/02", 1, 2),
        ("cam_b/person_0001/01", 0, 1),
        ("cam_b/person_0001/02", 1, 2),
    ]


def test_distractors_follow_the_persons_and_are_in_the_last_camera():
    others = [shot for shot in shots(3, distractors=2) if shot.kind == "distractor"]
    assert [(shot.person, shot.camera) for shot in others] == [(4, 1), (5, 1)]


def test_single_persons_are_in_one_camera():
    seen = Counter(shot.person for shot in shots(4, single=1))
    assert seen == {1: 2, 2: 2, 3: 2, 4: 1}


def test_junk_is_a_take_of_its_own_of_a_person_to_be_tested():
    everything = shots(4, takes=2, junk=3)
    junk = [shot for shot in everything if shot.kind == "junk"]
    assert [shot.person for shot in junk] == [2, 4, 2]
    taken = [(shot.person, shot.camera, shot.take) for shot in everything]
    assert len(set(taken)) == len(taken)


def test_varied_people_differ_in_cameras_and_takes_alike_on_both_sides():
    cameras = [f"cam_{letter}" for letter in "abcdef"]
    everything = shots(60, cameras, takes=3, varied=True, distractors=6)
    persons = [shot for shot in everything if shot.kind == "person"]
    for side in (0, 1):
        seen = {}
        for shot in persons:
            if shot.person % 2 == side:
                seen.setdefault(shot.person, set()).add(shot.camera)
        assert Counter(map(len, seen.values())) == {2: 6, 3: 6, 4: 6, 5: 6, 6: 6}
    takes = Counter((shot.person, shot.camera) for shot in persons)
    assert set(takes.values()) == {1, 2, 3}
    assert {shot.camera for shot in everything if shot.kind == "distractor"} == set(range(6))


@pytest.mark.parametrize("size", [(4, 8), (1, 1)])
def test_flat_frames_differ_between_tracklets_and_in_time(size):
    painted = [flat_frames(shot, size) for shot in shots(3, takes=3)]
    for shot, frames in zip(shots(3, takes=3), painted, strict=True):
        assert frames.shape == (shot.length, size[1], size[0], 3)
    assert len({frames[0].tobytes() for frames in painted}) == len(painted)
    assert len({frame.tobytes() for frame in painted[2]}) == 3
