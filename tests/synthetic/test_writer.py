import dataclasses
import errno
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wherewhen.synthetic import layouts
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.mosaic import mosaic
from wherewhen.synthetic.planning import plan
from wherewhen.synthetic.writer import home_of, is_complete, write_set
from wherewhen.tracklets.readers import read

CONFIG = SyntheticConfig(persons=2, min_frames=2, max_frames=3, workers=1)


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic")
    return root, write_set(plan(CONFIG), root, progress=False)


def test_layout_is_that_of_prid_2011(written):
    root, folder = written
    synthetic_set = plan(CONFIG)
    assert folder == root / synthetic_set.fingerprint
    shots = folder / "prid_2011/multi_shot"
    for name, length in synthetic_set.lengths.items():
        files = sorted(path.name for path in (shots / name).iterdir())
        assert files == [f"{number:04d}.png" for number in range(1, length + 1)]
    assert sorted(path.name for path in folder.iterdir()) == [
        "SHA256SUMS",
        "manifest.json",
        "prid_2011",
        "truth",
    ]
    first = Image.open(shots / "cam_a/person_0001/0001.png")
    assert first.size == (64, 128)
    assert first.mode == "RGB"
    expected = synthetic_set.render("cam_a/person_0001")[0]
    np.testing.assert_array_equal(np.asarray(first), expected)


def test_manifest_names_config_and_versions(written):
    _, folder = written
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["fingerprint"] == CONFIG.fingerprint
    assert manifest["config"]["persons"] == 2
    assert {"anny", "warp-lang"} <= manifest["versions"].keys()
    assert "workers" not in manifest["config"]


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"other"), Path.unlink])
@pytest.mark.parametrize("frame", ["0001.png", "0002.png"])
def test_what_was_changed_is_rendered_anew(written, tmp_path, caplog, spoil, frame):
    _, whole = written
    shutil.copytree(whole, tmp_path / whole.name)
    spoil(tmp_path / whole.name / "prid_2011/multi_shot/cam_b/person_0001" / frame)
    folder = write_set(plan(CONFIG), tmp_path, progress=False)
    assert contents(folder) == contents(whole)
    assert f"cam_b/person_0001/{frame} for instance; rendered anew" in caplog.text


def test_sets_of_earlier_versions_get_their_truth(written, tmp_path, caplog):
    _, whole = written
    folder = shutil.copytree(whole, tmp_path / whole.name)
    shutil.rmtree(folder / "truth")
    sums = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if "truth" not in line))
    assert not is_complete(plan(CONFIG), tmp_path)
    with caplog.at_level("INFO"):
        write_set(plan(CONFIG), tmp_path, progress=False)
    assert contents(folder) == contents(whole)
    assert "what the pixels of 4 tracklets show: rendered again" in caplog.text


def test_changed_truth_is_made_anew(written, tmp_path, caplog):
    _, whole = written
    folder = shutil.copytree(whole, tmp_path / whole.name)
    (folder / "truth/multi_shot_cam_b_person_0001_0001.npz").write_bytes(b"other")
    write_set(plan(CONFIG), tmp_path, progress=False)
    assert contents(folder) == contents(whole)
    assert "1 of its files, truth/multi_shot_cam_b_person_0001" in caplog.text


def test_a_copy_is_complete(written, tmp_path, monkeypatch):
    """Times of the last change are other ones: contents count."""
    _, whole = written
    shutil.copytree(whole, tmp_path / whole.name, copy_function=shutil.copyfile)
    monkeypatch.setattr(layouts, "write_tracklet", None)
    write_set(plan(CONFIG), tmp_path, progress=False)


def test_what_a_killed_call_had_half_written_has_no_checksum(written, tmp_path):
    _, whole = written
    folder = shutil.copytree(whole, tmp_path / whole.name)
    (folder / "SHA256SUMS").unlink()
    (folder / ".SHA256SUMS.elsewhere-1-00000000.tmp").write_text("half")
    write_set(plan(CONFIG), tmp_path, progress=False)
    assert (folder / "SHA256SUMS").read_bytes() == (whole / "SHA256SUMS").read_bytes()


def test_checksums_are_those_of_the_usual_tool(written):
    _, folder = written
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    lengths = plan(CONFIG).lengths
    assert len(lines) == sum(lengths.values()) + len(lengths)  # pictures, and what they show
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


def test_a_killed_call_is_gone_on_with(written, tmp_path, monkeypatch):
    _, whole = written
    writes = []
    original = layouts.write_tracklet

    def write_two_then_die(home, places, *rest):
        if len(writes) == 2:
            raise KeyboardInterrupt
        writes.append(places[0])
        original(home, places, *rest)

    monkeypatch.setattr(layouts, "write_tracklet", write_two_then_die)
    with pytest.raises(KeyboardInterrupt):
        write_set(plan(CONFIG), tmp_path, progress=False)
    assert not is_complete(plan(CONFIG), tmp_path)
    # What SIGKILL leaves: a tracklet that was being written, and one of which not all has moved.
    home = tmp_path / CONFIG.fingerprint
    for half in (".unfinished/half", "prid_2011/multi_shot/cam_b/person_0002"):
        (home / half).mkdir(parents=True)
        (home / half / "0001.png").write_bytes(b"half")
    monkeypatch.setattr(
        layouts, "write_tracklet", lambda *args: (writes.append(1), original(*args))
    )
    folder = write_set(plan(CONFIG), tmp_path, progress=False)
    assert len(writes) == 4  # two before, two after: nothing twice
    assert contents(folder) == contents(whole)


def test_a_complete_set_is_not_rendered_again(written, monkeypatch):
    root, folder = written
    monkeypatch.setattr(layouts, "write_tracklet", lambda *_: pytest.fail("rendered again"))
    assert write_set(plan(CONFIG), root, progress=False) == folder


def test_another_config_gets_a_folder_of_its_own():
    for change in ({"noise": 5.0}, {"layout": "folder"}, {"distractors": 1}, {"archive": True}):
        assert CONFIG.model_copy(update=change).fingerprint != CONFIG.fingerprint


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def no_space(self, path, **_):
        path.write_bytes(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    synthetic_set = plan(CONFIG)
    monkeypatch.setattr(Image.Image, "save", no_space)
    monkeypatch.setattr(
        synthetic_set, "film", lambda name: (np.zeros((2, 8, 4, 3), dtype=np.uint8), None)
    )
    monkeypatch.setattr(
        synthetic_set,
        "_shots",
        {name: dataclasses.replace(shot, length=2) for name, shot in synthetic_set._shots.items()},
    )
    with pytest.raises(OSError, match=r"cam_a/person_0001.*free space and run again"):
        write_set(synthetic_set, tmp_path, progress=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_mosaic_of_folder_and_of_set_have_one_layout(written):
    _, home = written
    synthetic_set = plan(CONFIG)
    picture = mosaic(synthetic_set, home, persons=2, columns=2, zoom=1)
    assert picture.size == (2 * (64 + 3) + 3, 2 * 128 + 2 * 3)
    assert mosaic(synthetic_set, persons=2, columns=2, zoom=1).size == picture.size
    wide = mosaic(synthetic_set, home, persons=[2], frames=2, zoom=2)
    assert wide.size == (2 * 128 + 2 * 6, 512 + 2 * 6)
    with pytest.raises(FileNotFoundError, match=r"nobody of .77. is in this set"):
        mosaic(synthetic_set, home, persons=[77])
    with pytest.raises(FileNotFoundError, match="write_set"):
        mosaic(synthetic_set, home / "elsewhere")


def test_people_are_rendered_into_another_layout(tmp_path):
    """MARS, packed: two people in two cameras, of whom one trains; a distractor and a bad crop."""
    config = SyntheticConfig(
        layout="mars", archive=True, persons=2, tracklets=2, distractors=1, junk=1,
        min_frames=1, max_frames=2, height=32, width=16, occluders=0.0, workers=1,
    )  # fmt: skip
    synthetic_set = plan(config)
    root = write_set(synthetic_set, tmp_path, progress=False)
    home = home_of(synthetic_set, tmp_path)
    assert sorted(path.name for path in root.iterdir()) == [
        "bbox_test.zip", "bbox_train.zip", "info.zip",
    ]  # fmt: skip
    assert is_complete(synthetic_set, tmp_path)
    tracklets = read("mars", root, unpack_to=tmp_path / "unpacked", progress=False).tracklets
    assert tracklets.groupby("kind").size().to_dict() == {"distractor": 1, "junk": 1, "person": 6}
    assert int(tracklets["length"].sum()) == sum(synthetic_set.lengths.values())
    folder = home / "bbox_train/0001"  # seen twice by the first camera
    takes = [(folder / f"0001C1T000{take}F001.jpg").read_bytes() for take in (1, 2)]
    assert takes[0] != takes[1]
    assert mosaic(synthetic_set, home, zoom=1).size == (2 * (16 + 3) + 3, 2 * 32 + 2 * 3)
