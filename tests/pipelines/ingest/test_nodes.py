import zipfile

import pytest
from flat_footage import write_flat
from PIL import Image

from wherewhen.pipelines.ingest.nodes import admit, read_frames
from wherewhen.pipelines.ingest.parameters import IngestParameters
from wherewhen.pipelines.parameters import check_parameters
from wherewhen.tracklets.ingest import IngestError


@pytest.fixture
def root(tmp_path):
    for camera in ("cam_a", "cam_b"):
        folder = tmp_path / "prid_2011/multi_shot" / camera / "person_0001"
        folder.mkdir(parents=True)
        for frame in (1, 2):
            Image.new("RGB", (8, 16), (frame, 0, 0)).save(folder / f"{frame:04d}.png")
    return tmp_path


def first_frame(root):
    return root / "prid_2011/multi_shot/cam_a/person_0001/0001.png"


def test_a_sound_set_is_admitted(root):
    found, report = read_frames(root, IngestParameters())
    tracklets, frames, folder = admit(found)
    assert (len(tracklets), len(frames)) == (2, 4)
    assert folder == root.as_posix()
    assert report["faults"] == []


def test_of_a_faulty_set_the_report_is_kept_and_the_reason_given(root):
    first_frame(root).write_bytes(b"")
    found, report = read_frames(root, IngestParameters())
    assert [fault["fault"] for fault in report["faults"]] == ["empty file"]
    with pytest.raises(IngestError, match=r"person_0001/0001\.png: empty file"):
        admit(found)


def test_as_many_faults_as_allowed_are_left_out(root):
    first_frame(root).write_bytes(b"")
    found, report = read_frames(root, IngestParameters(allow_faulty=1))
    _, frames, _ = admit(found)
    assert len(frames) == 3
    assert len(report["faults"]) == 1


def test_a_missing_folder_is_no_report(root):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_frames(root / "nowhere", IngestParameters())


def test_an_archive_is_unpacked_where_the_parameter_says(root, tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive") / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in root.rglob("*.png"):
            file.write(path, path.relative_to(root))
    target = root / "elsewhere"
    found, _ = read_frames(archive, IngestParameters(unpack_to=str(target)))
    _, frames, folder = admit(found)
    assert folder == (target / "set").as_posix()
    assert (target / "set" / frames["path"][0]).is_file()


def test_the_readers_options_are_handed_on(root):
    options = {"prid2011": {"persons": "min_frames", "min_frames": 3}}
    with pytest.raises(IngestError, match=r"no person is left.*fewer than 3 frames"):
        admit(read_frames(root, IngestParameters(options=options))[0])


def test_lists_are_read_where_the_parameter_says(tmp_path):
    root = write_flat("mars", tmp_path / "set", persons=3, cameras=3, takes=2, length=1)
    (root / "info").rename(tmp_path / "lists")
    with pytest.raises(FileNotFoundError, match="or set the option info"):
        read_frames(root, asked_for(root))
    found, _ = read_frames(root, asked_for(root, info=str(tmp_path / "lists")))
    tracklets, _, _ = admit(found)
    assert tracklets.person.nunique() >= 3


def asked_for(root, **options):
    """Type the parameters of a set in MARS's layout as a session does."""
    tree = {"reader": "mars", "root": str(root), "options": {"mars": options}}
    return check_parameters({"ingest": tree}).ingest
