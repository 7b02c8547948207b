import errno
import json

import numpy as np
import pytest
from PIL import Image

from wherewhen.synthetic import writer
from wherewhen.synthetic.config import SyntheticConfig
from wherewhen.synthetic.mosaic import mosaic
from wherewhen.synthetic.planning import plan
from wherewhen.synthetic.writer import is_complete, write_prid2011

CONFIG = SyntheticConfig(persons=2, min_frames=2, max_frames=3, workers=1)


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic")
    return root, write_prid2011(plan(CONFIG), root, progress=False)


def test_layout_is_that_of_prid_2011(written):
    root, folder = written
    synthetic_set = plan(CONFIG)
    assert folder == root / synthetic_set.fingerprint / "prid_2011"
    for name, length in synthetic_set.lengths.items():
        files = sorted(path.name for path in (folder / "multi_shot" / name).iterdir())
        assert files == [f"{number:04d}.png" for number in range(1, length + 1)]
    first = Image.open(folder / "multi_shot" / "cam_a" / "person_0001" / "0001.png")
    assert first.size == (64, 128)
    assert first.mode == "RGB"
    expected = synthetic_set.render("cam_a/person_0001")[0]
    np.testing.assert_array_equal(np.asarray(first), expected)


def test_manifest_names_config_and_versions(written):
    _, folder = written
    manifest = json.loads((folder.parent / "manifest.json").read_text())
    assert manifest["fingerprint"] == CONFIG.fingerprint
    assert manifest["config"]["persons"] == 2
    assert {"anny", "warp-lang"} <= manifest["versions"].keys()
    assert "workers" not in manifest["config"]


def test_a_killed_call_is_gone_on_with(written, tmp_path, monkeypatch):
    _, whole = written
    writes = []
    original = writer._write_tracklet

    def write_two_then_die(folder, frames):
        if len(writes) == 2:
            raise KeyboardInterrupt
        writes.append(folder)
        original(folder, frames)

    monkeypatch.setattr(writer, "_write_tracklet", write_two_then_die)
    with pytest.raises(KeyboardInterrupt):
        write_prid2011(plan(CONFIG), tmp_path, progress=False)
    assert not is_complete(plan(CONFIG), tmp_path)
    # What SIGKILL leaves: a folder of a tracklet that was being written.
    half = tmp_path / CONFIG.fingerprint / "prid_2011/multi_shot/cam_b/person_0001.unfinished"
    half.mkdir(parents=True)
    (half / "0001.png").write_bytes(b"half")
    monkeypatch.setattr(
        writer, "_write_tracklet", lambda *args: (writes.append(1), original(*args))
    )
    folder = write_prid2011(plan(CONFIG), tmp_path, progress=False)
    assert len(writes) == 4  # two before, two after: nothing twice
    assert contents(folder) == contents(whole)


def test_a_complete_set_is_not_rendered_again(written, monkeypatch):
    root, folder = written
    monkeypatch.setattr(writer, "_write_tracklet", lambda *_: pytest.fail("rendered again"))
    assert write_prid2011(plan(CONFIG), root, progress=False) == folder


def test_another_config_gets_a_folder_of_its_own():
    other = CONFIG.model_copy(update={"noise": 5.0})
    assert other.fingerprint != CONFIG.fingerprint


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    frames = np.zeros((2, 8, 4, 3), dtype=np.uint8)

    def no_space(self, path, **_):
        path.write_bytes(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", no_space)
    with pytest.raises(OSError, match="free space and run again"):
        writer._write_tracklet(tmp_path / "cam_a" / "person_0001", frames)
    assert list((tmp_path / "cam_a").iterdir()) == []


def test_mosaic_of_folder_and_of_set_have_one_layout(written):
    _, folder = written
    picture = mosaic(folder, persons=2, columns=2, zoom=1)
    assert picture.size == (2 * (64 + 3) + 3, 2 * 128 + 2 * 3)
    assert mosaic(plan(CONFIG), persons=2, columns=2, zoom=1).size == picture.size
    assert mosaic(folder, persons=[2], frames=2, zoom=2).size == (2 * 128 + 2 * 6, 512 + 2 * 6)
    with pytest.raises(FileNotFoundError, match="write_prid2011"):
        mosaic(folder, persons=[77])
