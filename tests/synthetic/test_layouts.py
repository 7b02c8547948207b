"""Every layout: written in flat colours, read by its reader, split, and counted."""

import zipfile

import numpy as np
import pytest
from flat_footage import flat_frames, write_flat
from PIL import Image
from scipy.io import loadmat

from wherewhen.retrieval.evaluate import evaluate
from wherewhen.synthetic.layouts import LAYOUTS, check, layout_named
from wherewhen.synthetic.shots import list_shots
from wherewhen.tracklets.readers import READERS, read
from wherewhen.tracklets.split_files import official_splits
from wherewhen.tracklets.splits import draw_splits, fixed_splits


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*g"))


def counts(splits):
    return splits.groupby("role").size().to_dict()


def test_every_layout_has_a_reader_of_its_name():
    """And `tracklets` and `mot`, which have no persons, are those that nobody is rendered in."""
    assert set(LAYOUTS) == set(READERS) - {"mot", "tracklets"}


def test_prid2011_with_distractors(tmp_path):
    root = write_flat("prid2011", tmp_path, persons=4, distractors=3, single=1, length=2)
    assert files(root)[:2] == [
        "prid_2011/multi_shot/cam_a/person_0001/0001.png",
        "prid_2011/multi_shot/cam_a/person_0001/0002.png",
    ]
    ingested = read("prid2011", root, shared_persons=4, distractors=True, progress=False)
    assert ingested.tracklets.groupby("kind").size().to_dict() == {"person": 6, "distractor": 3}
    splits = draw_splits(ingested.tracklets, 1, seed=0, train_fraction=1 / 3)
    assert counts(splits) == {"train": 2, "probe": 2, "gallery": 2 + 3}
    plain = read("prid2011", root, shared_persons=4, progress=False).tracklets
    assert counts(draw_splits(plain, 1, seed=0, train_fraction=1 / 3))["gallery"] == 2


def test_ilids_vid_at_its_real_size(tmp_path):
    root = write_flat("ilids_vid", tmp_path, persons=300, length=1, size=(1, 1))
    ingested = read("ilids_vid", root, progress=False)
    tracklets = ingested.tracklets
    assert (len(tracklets), tracklets["person"].nunique()) == (600, 300)
    assert max(tracklets["person"]) == "person319"
    assert ingested.report["numbers_left_out"] == list(range(16, 320, 16))
    splits, source = official_splits(tracklets, root, trials=10)
    assert source == "official, train_test_splits_ilidsvid.mat"
    sizes = splits.groupby(["trial", "role"]).size().unstack()
    assert sizes.to_dict("list") == {
        "gallery": [150] * 10,
        "probe": [150] * 10,
        "train": [300] * 10,
    }


def test_ilids_vid_numbers_frames_from_anywhere(tmp_path):
    root = write_flat("ilids_vid", tmp_path, persons=17, length=3)
    frames = read("ilids_vid", root, progress=False).frames
    assert (frames.groupby("tracklet")["frame"].min() > 1).all()
    name = "i-LIDS-VID/sequences/cam2/person018/cam2_person018_01652.png"
    assert (root / name).is_file()  # person 17: every sixteenth number is missing
    listed = loadmat(root / "train-test people splits/train_test_splits_ilidsvid.mat")["ls_set"]
    assert listed.shape == (10, 17)
    assert listed.dtype == np.uint16
    assert (np.sort(listed, axis=1) == np.arange(1, 18)).all()


def test_mars_with_all_that_makes_it_hard(tmp_path):
    root = write_flat(
        "mars", tmp_path, persons=8, cameras=6, takes=3, distractors=5, junk=4, single=2,
        length=lambda person, camera, take: 2 + take % 3,
    )  # fmt: skip
    tracklets = read("mars", root, progress=False).tracklets
    kinds = tracklets.groupby("kind").size()
    assert (kinds["junk"], kinds["distractor"]) == (4, 5)
    test = tracklets[tracklets["subset"] == "test"]
    persons = test[test["kind"] == "person"]
    # one query a person and camera, and none of the person whom one camera saw
    cameras = persons.groupby("person")["camera"].nunique()
    assert (cameras == 1).sum() == 1
    assert test["query"].sum() == cameras[cameras > 1].sum()
    queries = test[test["query"]]
    assert not queries.duplicated(["person", "camera"]).any()
    assert set(queries["person"]) == set(cameras.index[cameras > 1])
    official = counts(fixed_splits(tracklets, 1))
    assert official == {
        "train": (tracklets["subset"] == "train").sum(),
        "probe": len(queries),
        "gallery": len(test),
    }
    drawn = counts(fixed_splits(tracklets, 1, protocol="two_camera"))
    assert drawn["probe"] == drawn["gallery"] == (cameras > 1).sum()


def test_folder_with_several_tracklets(tmp_path):
    root = write_flat("folder", tmp_path, persons=3, takes=2, length=2)
    assert root == tmp_path / "crops"
    assert files(root)[0] == "cam_a/person_0001/01/0001.png"
    tracklets = read("folder", root, progress=False).tracklets
    assert len(tracklets) == 3 * 2 * 2
    assert counts(draw_splits(tracklets, 1, seed=0)) == {"train": 8, "probe": 2, "gallery": 2}


def test_manifest_cuts_crops_out_of_whole_pictures(tmp_path):
    root = write_flat("manifest", tmp_path, persons=2, length=3, size=(4, 8))
    with Image.open(root / "pictures/cam_a/person_0001/0001.png") as picture:
        assert picture.size == (9, 18)
    ingested = read("manifest", root, progress=False)
    assert ingested.report["sizes"] == ["4x8"]
    (shot, *_) = list_shots(2, ["cam_a", "cam_b"], lambda *_: 3)
    rows = ingested.frames[ingested.frames["tracklet"] == shot.tracklet]
    crops = [np.asarray(Image.open(ingested.root / path)) for path in rows["path"]]
    np.testing.assert_array_equal(crops, flat_frames(shot, (4, 8)))


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("prid2011", ["prid_2011.zip"]),
        ("ilids_vid", ["iLIDS-VID.tar"]),
        ("mars", ["bbox_test.zip", "bbox_train.zip", "info.zip"]),
    ],
)
def test_packed_as_the_owners_do(tmp_path, layout, names):
    """The same set gives the same bytes."""
    packed = [write_flat(layout, tmp_path / part, archive=True) for part in ("one", "two")]
    for name in names:
        one, two = (tmp_path / part / "archive" / name for part in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    assert packed[0] == (one if len(names) == 1 else one.parent)
    if layout == "prid2011":
        with zipfile.ZipFile(one) as archive:
            assert archive.namelist()[0] == "prid_2011/multi_shot/cam_a/person_0001/0001.png"


@pytest.mark.parametrize(
    ("layout", "asked", "message"),
    [
        ("ilids_vid", {"cameras": 3}, "ilids_vid has places for 2 cameras, but there are 3"),
        ("mars", {"cameras": 7}, "mars has places for 6 cameras"),
        ("prid2011", {"takes": 2}, "prid2011 has one tracklet a person and camera"),
        ("ilids_vid", {"distractors": 1}, "ilids_vid has no place for distractor"),
        ("prid2011", {"junk": 1}, r"prid2011 has no place for junk.*\(mars\)"),
        ("folder", {"archive": True}, "folder has no official archive"),
    ],
)
def test_what_a_layout_has_no_place_for_is_refused(layout, asked, message):
    plain = {"cameras": 2, "takes": 1, "distractors": 0, "junk": 0}
    check(layout_named(layout), **plain)
    with pytest.raises(ValueError, match=message):
        check(layout_named(layout), **plain | asked)


def test_unknown_layouts_list_the_known():
    with pytest.raises(ValueError, match="no layout 'viper': expected one of folder, ilids_vid"):
        layout_named("viper")


def test_nothing_unfinished_is_left(tmp_path):
    write_flat("mars", tmp_path, archive=True)
    assert not [path for path in tmp_path.rglob("*") if "unfinished" in path.name]


def test_every_protocol_of_mars_from_the_files_to_the_counts(tmp_path):
    """Which probes can find somebody, once by the rules in words and once by the evaluation."""
    root = write_flat(
        "mars", tmp_path, persons=24, cameras=4, takes=2, distractors=3, junk=3, length=1
    )
    tracklets = read("mars", root, progress=False).tracklets
    queries = tracklets[tracklets["query"]]
    for protocol, others in (
        ("official", tracklets[tracklets["subset"] == "test"]),
        ("query_excluded", tracklets[(tracklets["subset"] == "test") & ~tracklets["query"]]),
    ):
        findable = [
            bool(((others["person"] == query.person) & (others["camera"] != query.camera)).any())
            for query in queries.sort_values("tracklet").itertuples()
        ]
        splits = fixed_splits(tracklets, 1, protocol=protocol)
        probes, gallery = (splits[splits["role"] == role] for role in ("probe", "gallery"))
        distances = np.random.default_rng(0).random((len(probes), len(gallery)))
        evaluation = evaluate(
            distances,
            probes["person"].tolist(),
            gallery["person"].tolist(),
            probes["camera"].tolist(),
            gallery["camera"].tolist(),
            protocol=protocol,
            gallery_queries=gallery["tracklet"].isin(probes["tracklet"]).tolist(),
        )
        assert evaluation.valid.tolist() == findable
        assert all(findable) == (protocol == "official")  # as in the real one
