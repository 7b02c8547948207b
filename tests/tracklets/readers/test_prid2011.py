from functools import partial

import pytest

from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError

read = partial(readers.read, "prid2011")


@pytest.fixture
def root(tmp_path, write_frames):
    """Build a small set: 1 and 2 in both cameras, 3 and 4 in one each, 201 two different people."""
    for camera, counts in {
        "cam_a": {1: 3, 2: 2, 3: 2, 201: 2},
        "cam_b": {1: 3, 2: 3, 4: 2, 201: 2},
    }.items():
        for person, count in counts.items():
            write_frames(tmp_path / "prid_2011/multi_shot" / camera / f"person_{person:04d}", count)
    return tmp_path


def test_only_the_shared_persons_are_read(root):
    ingested = read(root, progress=False)
    assert ingested.tracklets.to_numpy().tolist() == [
        ["cam_a/person_0001", "person_0001", "cam_a", 3],
        ["cam_a/person_0002", "person_0002", "cam_a", 2],
        ["cam_b/person_0001", "person_0001", "cam_b", 3],
        ["cam_b/person_0002", "person_0002", "cam_b", 3],
    ]
    assert ingested.report["persons_in_one_camera"] == ["person_0003", "person_0004"]
    assert ["person_0201"] in ingested.report["left_out"].values()
    assert ingested.frames["path"][0] == "prid_2011/multi_shot/cam_a/person_0001/0001.png"


def test_more_persons_may_be_shared_in_other_sets(root):
    ingested = read(root, shared_persons=999, progress=False)
    assert "person_0201" in set(ingested.tracklets["person"])


def test_enough_frames_in_both_cameras(root):
    ingested = read(root, persons="min_frames", min_frames=3, progress=False)
    assert set(ingested.tracklets["person"]) == {"person_0001"}
    assert ["person_0002"] in ingested.report["left_out"].values()
    assert ingested.report["convention"] == "min_frames 3"
    with pytest.raises(IngestError, match=r"no person is left.*fewer than 27 .*person_0001"):
        read(root, persons="min_frames", progress=False)


@pytest.mark.parametrize("inside", ["prid_2011", "prid_2011/multi_shot"])
def test_the_root_may_be_any_of_the_outer_folders(root, inside):
    tracklets = read(root / inside, progress=False).tracklets
    assert tracklets["tracklet"][0] == "cam_a/person_0001"


def test_the_common_size_is_expected(root, write_frames):
    cameras = root / "prid_2011/multi_shot"
    write_frames(cameras / "cam_a/person_0005", 1, size=(6, 8))
    write_frames(cameras / "cam_b/person_0005", 1)
    with pytest.raises(IngestError, match=r"cam_a/person_0005/0001.png: size 6x8, expected 4x8"):
        read(root, progress=False)


def test_errors_name_what_is_expected(root, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(FileNotFoundError, match="no multi_shot folder with cam_a and cam_b"):
        read(empty, progress=False)
    with pytest.raises(FileNotFoundError, match="Get the data set"):
        read(empty / "nowhere", progress=False)
    (root / "prid_2011/multi_shot/cam_a/unknown").mkdir()
    with pytest.raises(IngestError, match="'unknown' has no person's number"):
        read(root, progress=False)


def test_nobody_left(tmp_path, write_frames):
    write_frames(tmp_path / "multi_shot/cam_a/person_0001")
    (tmp_path / "multi_shot/cam_b").mkdir()
    with pytest.raises(IngestError, match=r"no person is left.*in one camera only: person_0001"):
        read(tmp_path, progress=False)


def test_real_footage(real_footage):
    ingested = read(real_footage, progress=False)
    assert (len(ingested.tracklets), len(ingested.frames)) == (38, 2094)
    report = ingested.report
    assert report["length"] == {"min": 19, "mean": 55.11, "max": 129}
    assert (report["persons"], report["sizes"], report["faults"]) == (19, ["64x128"], [])
    assert ingested.tracklets.set_index("tracklet")["length"]["cam_b/person_0014"] == 39

    shorter = read(real_footage, persons="min_frames", progress=False).tracklets
    assert shorter["person"].nunique() == 15  # 7, 8, 16 and 18 have fewer than 27 frames


def test_persons_of_the_second_camera_may_join_the_gallery(root):
    ingested = read(root, distractors=True, progress=False)
    distractors = ingested.tracklets[ingested.tracklets["kind"] == "distractor"]
    assert distractors["tracklet"].tolist() == ["cam_b/person_0004", "cam_b/person_0201"]
    assert ingested.report["persons"] == 2
    assert ingested.report["distractors"] == 2
    assert ingested.report["persons_in_one_camera"] == ["person_0003"]
    assert "kind" not in read(root, progress=False).tracklets


def test_what_differs_from_the_published_set_is_told(root):
    differs = read(root, progress=False).report["differs_from_published"]
    assert differs["persons in cam_b"] == {"published": 749, "found": 4}
    assert differs["persons in both"] == {"published": 200, "found": 2}
    assert "differs_from_published" not in read(root, shared_persons=999, progress=False).report
