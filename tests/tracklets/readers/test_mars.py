import shutil
from functools import partial

import numpy as np
import pytest
from flat_footage import write_flat
from scipy.io import loadmat, savemat

from wherewhen.synthetic.mars import derive_info, write_info
from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError
from wherewhen.tracklets.readers.mars import PUBLISHED, QUERY, TABLES, read_info, read_names
from wherewhen.tracklets.schema import TRACKLETS, validate

read = partial(readers.read, "mars", progress=False)


@pytest.fixture
def root(tmp_path):
    """Build a small MARS: persons 1 and 3 train, 2 and 4 are tested, two distractors, one junk."""
    return write_flat(
        "mars", tmp_path / "mars", persons=4, cameras=3, takes=2, distractors=2, junk=1
    )


def test_the_authors_facts_become_columns(root):
    ingested = read(root)
    tracklets = ingested.tracklets
    assert tracklets["tracklet"].iloc[0] == "test/00001_00-1C1"
    by_kind = tracklets.groupby("kind")["person"].agg(set).to_dict()
    assert by_kind == {
        "junk": {"-1"},
        "distractor": {"0000"},
        "person": {"0001", "0002", "0003", "0004"},
    }
    assert set(tracklets.loc[tracklets["subset"] == "train", "person"]) == {"0001", "0003"}
    queries = tracklets[tracklets["query"]]
    assert not queries.duplicated(["person", "camera"]).any()
    assert set(queries["person"]) == {"0002", "0004"}
    path = ingested.frames.loc[ingested.frames["tracklet"] == "test/00001_00-1C1", "path"].iloc[0]
    assert path == "bbox_test/00-1/00-1C1T0001F001.jpg"
    report = ingested.report
    assert report["persons"] == 4
    assert report["kind"]["junk"] == 1
    assert report["differs_from_published"]["queries"]["published"] == 1980
    assert report["notes"] == []


def test_rows_count_from_one_and_hold_both_ends(root):
    names = read_names(root / "info", "test")
    last = read_info(root / "info").iloc[-1]
    assert (last["last"], last["length"]) == (len(names), last["last"] - last["first"] + 1)
    frames = read(root).frames
    assert frames.groupby("tracklet").size()[last["tracklet"]] == last["length"]


def test_a_part_is_read_and_the_rest_counted(root):
    shutil.rmtree(root / "bbox_train")
    shutil.rmtree(root / "bbox_test/0004")
    (root / "bbox_test/0002/spare.jpg").touch()
    ingested = read(root)
    assert set(ingested.tracklets["person"]) == {"-1", "0000", "0002"}
    report = ingested.report
    assert all(
        name.startswith("train") or "0004" in name
        for name in report["left_out"]["not one image is there"]
    )
    assert report["notes"][0].startswith("there is no bbox_train: its tracklets are left out")
    assert (
        "1 files or folders that are no frames are passed over: bbox_test/0002/spare.jpg"
        in (report["notes"])
    )


def test_the_lists_may_lie_elsewhere(root, tmp_path):
    shutil.move(root / "info", tmp_path / "lists")
    with pytest.raises(
        FileNotFoundError, match=r"no folder with tracks_test_info.mat.*option info"
    ):
        read(root)
    assert read(root, info="../lists").report["faults"] == []
    with pytest.raises(FileNotFoundError, match="MARS's lists"):
        read(root, info="other")


def mat(change, subset="test"):
    """Return a way to spoil a table of tracklets."""
    file, variable = TABLES[subset]

    def spoil(root):
        rows = loadmat(root / "info" / file)[variable].astype(np.int64)
        savemat(root / "info" / file, {variable: change(rows)})

    return spoil


def cell(row, column, value):
    def change(rows):
        rows[row, column] = value
        return rows

    return change


def query(values, dtype=np.uint16):
    def spoil(root):
        savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([values], dtype)})

    return spoil


def lines(change):
    def spoil(root):
        path = root / "info/test_name.txt"
        path.write_text("\n".join(change(path.read_text().split())) + "\n")

    return spoil


def remove(name):
    return lambda root: (root / name).unlink()


def write(name, content):
    return lambda root: (root / name).write_bytes(content)


def variable_of_another_name(root):
    savemat(root / "info/query_IDX.mat", {"idx": np.array([[1]])})


FAULTS = {
    "no name file": (
        remove("info/train_name.txt"),
        r"no MARS's list at .*train_name\.txt",
    ),
    "no table": (
        remove("info/tracks_train_info.mat"),
        r"no MATLAB .*tracks_train_info\.mat",
    ),
    "no queries": (remove("info/query_IDX.mat"), r"no MATLAB file at .*query_IDX\.mat: get all of"),
    "no .mat file": (write("info/query_IDX.mat", b"\0" * 200), "can't be read as a .mat file"),
    "other variable": (variable_of_another_name, "no variable query_IDX but idx"),
    "shape": (mat(lambda rows: rows[:, :3]), r"has shape \[\d+, 3\], expected \[tracklets, 4\]"),
    "fractions": (mat(lambda rows: rows + 0.5), "track_test_info is not made of whole numbers"),
    "zero": (mat(cell(0, 0, 0)), r"first is below 1.*row 1 \(0, 2, -1, 1\)"),
    "backwards": (mat(cell(1, 1, 1)), "last is below first"),
    "camera": (mat(cell(2, 3, 7)), r"camera is outside 1\.\.6.*row 3"),
    "person": (mat(cell(2, 2, -2)), "person is below -1"),
    "junk trains": (mat(cell(0, 2, 0), "train"), "junk and distractors do not train"),
    "overlap": (mat(cell(1, 0, 2)), "shares images with another tracklet.*row 2"),
    "both sides": (
        mat(lambda rows: np.where(rows == 1, 2, rows), "train"),
        "1 persons are in tracks_train_info.mat and in tracks_test_info.mat: 0002",
    ),
    "past the end": (
        lines(lambda names: names[:-1]),
        r"1 tracklets reach past the end of test_name.txt, which has \d+ names",
    ),
    "other person in the name": (
        lines(lambda names: [*names[:-1], "0009C1T0001F001.jpg"]),
        r"contradict each other: 1 names say another person or camera.*0009C1T0001F001",
    ),
    "shifted": (
        lines(lambda names: ["00-1C1T0009F001.jpg", *names[:-1]]),
        "test_name.txt and tracks_test_info.mat contradict each other",
    ),
    "no name": (
        lines(lambda names: ["../../x.jpg", *names[1:]]),
        r"is no image.*: line 1 \('../..",
    ),
    "twice": (
        lines(lambda names: [names[1], *names[1:]]),
        r"occurs twice.*: line 2 \('.*F002",
    ),
    "query of row 0": (query([0]), r"a query is below 1.*: entry 1 \(0\)"),
    "query past the end": (
        query([5, 999]),
        r"past the end: .* has \d+ .*: entry 2 \(999",
    ),
    "query twice": (query([5, 5]), r"a query occurs twice \(row\): entry 2 \(5\)"),
    "query of junk": (query([1]), r"a query is junk .*: entry 1 \(1\)"),
    "missing image": (
        remove("bbox_test/0002/0002C1T0001F001.jpg"),
        r"bbox_test/0002/0002C1T0001F001.jpg: missing: no such file",
    ),
    "empty image": (
        write("bbox_test/0002/0002C1T0001F001.jpg", b""),
        "0002C1T0001F001.jpg: empty file",
    ),
    "no images": (
        lambda root: [shutil.rmtree(root / name) for name in ("bbox_train", "bbox_test")],
        "has neither bbox_train nor bbox_test",
    ),
    "empty folders": (
        lambda root: [
            (shutil.rmtree(root / name), (root / name).mkdir())
            for name in ("bbox_train", "bbox_test")
        ],
        r"of \d+ tracklets not one has an image",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(root, fault):
    spoil, message = FAULTS[fault]
    spoil(root)
    with pytest.raises((IngestError, FileNotFoundError), match=f"(?s){message}"):
        read(root)


def test_every_fault_has_a_message_of_its_own():
    assert len({message for _, message in FAULTS.values()}) == len(FAULTS) >= 20


def test_names_of_four_digits_and_suffixes_in_upper_case_are_read(root):
    for path in list((root / "bbox_test").rglob("*.jpg")):
        path.rename(path.with_name(path.name.replace("F00", "F000").replace(".jpg", ".JPG")))
    path = root / "info/test_name.txt"
    path.write_text(path.read_text().replace("F00", "F000").replace(".jpg", ".JPG"))
    assert read(root).frames["frame"].tolist()[:2] == [1, 2]


def test_a_gap_between_tracklets_is_noted(root):
    mat(lambda rows: np.delete(rows, 3, axis=0))(root)
    query([5])(root)
    assert any("names of test_name.txt are in no tracklet" in n for n in read(root).report["notes"])


def test_unsigned_indices_do_not_wrap(tmp_path):
    """Row 300 minus 1 is 299, also where the file has 16 bits; 8 bits can't name it at all."""
    rows = np.arange(1, 301)
    test = np.stack([rows, rows, rows + 10, np.ones_like(rows)], axis=1)
    write_info(tmp_path, np.array([[1, 1, 1, 1]]), test, np.array([300, 1]))
    tracklets = read_info(tmp_path)
    assert tracklets.loc[tracklets["query"], "person"].tolist() == ["0011", "0310"]
    savemat(tmp_path / QUERY[0], {QUERY[1]: np.array([[1, 44]], np.uint8)})
    with pytest.raises(IngestError, match="saved as uint8, which can't name all 300 rows"):
        read_info(tmp_path)


def test_the_real_lists(mars_info, tmp_path):
    """The counts that MARS's authors published, and names that agree with every row."""
    derive_info(mars_info, tmp_path)
    tracklets = validate(read_info(tmp_path), TRACKLETS)
    kinds, train = tracklets["kind"].value_counts(), tracklets["subset"] == "train"
    assert (train.sum(), (~train).sum()) == (8298, 12180)
    assert (kinds["junk"], kinds["distractor"], tracklets["query"].sum()) == (870, 3248, 1980)
    persons = tracklets[tracklets["kind"] == "person"].groupby("subset")["person"].nunique()
    assert (persons["train"], persons["test"]) == (625, 634)
    assert not tracklets[tracklets["query"]].duplicated(["person", "camera"]).any()
    for subset in TABLES:
        rows = tracklets[tracklets["subset"] == subset]
        names = read_names(tmp_path, subset)
        assert len(names) == rows["length"].sum() == PUBLISHED[f"{subset} images"]
        readers.mars._check_names(rows, names, subset)
