import re
from functools import partial

import numpy as np
import pytest
from PIL import Image

from wherewhen.tracklets import readers
from wherewhen.tracklets.ingest import IngestError
from wherewhen.tracklets.readers import READERS
from wherewhen.tracklets.readers.mot import MotOptions, filmed

read = partial(readers.read, "mot", progress=False)

BOXES = """\
1,1,10,4,5,6,1,-1,-1,-1
3,1,60,40,9,20,1,-1,-1,-1
8,2,-3,0,8,6,0.5,-1,-1,-1
4,3,0,0,5,5,0,-1,-1,-1
"""
"""Of a video of 64x48: the second box leaves it at the right and below, the third at the left."""


def shades(ingested):
    return [
        round((np.array(Image.open(ingested.root / path)).mean() - 20) / 20)
        for path in ingested.frames["path"]
    ]


def test_tracks_of_a_video_are_tracklets(tmp_path, film):
    film(tmp_path / "yard.mp4")
    (tmp_path / "yard.txt").write_text(BOXES)
    ingested = read(tmp_path / "yard.mp4")
    # at 25 pictures a second, frame 1 at 0 s: frame 3 at 2/25 s, frame 8 at 7/25 s
    assert ingested.tracklets.to_numpy().tolist() == [
        ["yard/0001", "yard/0001", "yard", 2, 0.0, pytest.approx(0.08)],
        ["yard/0002", "yard/0002", "yard", 1, pytest.approx(0.28), pytest.approx(0.28)],
    ]
    assert shades(ingested) == [0, 2, 7]
    assert ingested.frames[["width", "height"]].to_numpy().tolist() == [[5, 6], [4, 8], [5, 6]]
    report = ingested.report
    assert report["cut_from"] == {"pictures": 0, "videos": 1}
    assert report["clipped_boxes"] == 2
    assert report["notes"] == [
        "yard.txt: boxes are left out: 1 with confidence 0, which means ignored",
        "2 boxes of yard.txt are clipped to their pictures: lines 2, 3",
    ]
    again = read(tmp_path / "yard.mp4", frame_rate=2.0)
    assert again.root == ingested.root
    assert again.tracklets["end"].tolist() == [1.0, 3.5]


def test_each_video_of_a_folder_is_a_camera(tmp_path, film):
    for name in ("hall.AVI", "yard.mp4"):
        film(tmp_path / name, form={"hall.AVI": "avi"}.get(name))
    (tmp_path / "boxes").mkdir()
    for name in ("hall", "yard"):
        (tmp_path / f"boxes/{name}.txt").write_text("2,5,0,0,9,9\n")
    ingested = read(tmp_path, boxes="boxes")
    assert ingested.tracklets["tracklet"].tolist() == ["hall/0005", "yard/0005"]
    assert ingested.tracklets["camera"].tolist() == ["hall", "yard"]
    with pytest.raises(IngestError, match=r"hall.txt is no folder, and there are 2 videos"):
        read(tmp_path, boxes="boxes/hall.txt")
    (tmp_path / "boxes/yard.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"yard.mp4 has no boxes. Expected a video with"):
        read(tmp_path, boxes="boxes")
    film(tmp_path / "yard.mkv")
    with pytest.raises(IngestError, match=r"yard.mkv and yard.mp4 would both be the camera yard"):
        read(tmp_path)


@pytest.fixture
def sequence(tmp_path):
    """A sequence of three pictures of 30x20, every pixel of which says where it is."""
    home = tmp_path / "MOT17-02"
    for folder in ("img1", "gt"):
        (home / folder).mkdir(parents=True)
    for number in (1, 2, 3):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = np.meshgrid(np.arange(30), np.arange(20))
        pixels[..., 2] = number
        Image.fromarray(pixels).save(home / f"img1/{number:06d}.png")
    (home / "seqinfo.ini").write_text(
        "[Sequence]\nname=MOT17-02\nimDir=img1\nframeRate=10\nseqLength=3\nimExt=.png\n"
    )
    (home / "gt/gt.txt").write_text(
        "2,1,3,4,5,6,1,1,1\n3,1,4,4,5,6,1,1,0.1\n1,2,0,0,5,5,1,7,1\n1,3,25,14,5,6,0,1,1\n"
    )
    return home


def test_a_sequence_of_motchallenge(sequence):
    ingested = read(sequence)
    assert ingested.tracklets.to_numpy().tolist() == [
        ["MOT17-02/0001", "MOT17-02/0001", "MOT17-02", 2, pytest.approx(0.1), pytest.approx(0.2)]
    ]
    crop = np.array(Image.open(ingested.root / ingested.frames["path"][1]))
    assert crop.shape == (6, 5, 3)
    assert crop[0, 0].tolist() == [4, 4, 3]
    assert ingested.report["notes"] == [
        "gt/gt.txt: boxes are left out: 1 with confidence 0, which means ignored, 1 of other "
        "classes than pedestrian (1)"
    ]
    assert read(sequence, min_visibility=0.5).frames["frame"].tolist() == [2]


def test_a_tracker_s_file_beside_a_sequence_counts(sequence, tmp_path):
    (tmp_path / "MOT17-02.txt").write_text("3,9,0,0,5,5,0.9,-1,-1,-1\n")
    for root in (sequence, tmp_path):
        ingested = read(root)
        assert ingested.tracklets["tracklet"].tolist() == ["MOT17-02/0009"]
    locate = READERS["mot"].locate
    assert locate(sequence, MotOptions())[1].boxes == tmp_path / "MOT17-02.txt"
    assert locate(tmp_path, MotOptions())[1].boxes is None  # the folder's content has it


def test_what_a_sequence_says_of_itself(sequence):
    info = sequence / "seqinfo.ini"
    info.write_text("[Sequence]\nseqLength=4\n")
    ingested = read(sequence)
    assert "start" not in ingested.tracklets
    assert ingested.report["notes"][1:] == [
        "MOT17-02: seqinfo.ini says 4 pictures, and 3 are there",
        "MOT17-02: without seqinfo.ini or the option frame_rate, times are not known",
    ]
    info.write_text("[Sequence]\nframeRate=fast\n")
    with pytest.raises(IngestError, match=r"seqinfo.ini: frameRate is 'fast', expected pictures"):
        read(sequence)
    info.write_text("frameRate=25\n")
    with pytest.raises(IngestError, match=r"seqinfo.ini: File contains no section headers"):
        read(sequence)
    info.unlink()
    (sequence / "img1/000002.png").rename(sequence / "img1/3.png")
    with pytest.raises(IngestError, match=r"several pictures have the frame number 3: remove"):
        read(sequence)


def test_boxes_beyond_the_end_are_refused_with_both_numbers(sequence, tmp_path, film):
    (sequence / "gt/gt.txt").write_text("2,1,3,4,5,6\n4,1,3,4,5,6\n")
    with pytest.raises(IngestError, match=r"MOT17-02 has 3 pictures, but line 2 .* of frame 4"):
        read(sequence)
    (sequence / "gt/gt.txt").write_text("2,1,3,4,5,6\n3,1,3,4,5,6\n")
    (sequence / "img1/000002.png").unlink()
    with pytest.raises(IngestError, match=r"img1/000002.jpg: missing: no such file; 1 crops"):
        read(sequence)
    film(tmp_path / "yard.avi")
    (tmp_path / "yard.txt").write_text("9,1,3,4,5,6\n")
    with pytest.raises(IngestError, match=r"yard.avi has 8 pictures, but line 1 .* of frame 9"):
        read(tmp_path / "yard.avi")


def test_broken_videos_are_named_with_the_frame(tmp_path, film):
    path = tmp_path / "yard.avi"
    (tmp_path / "yard.txt").write_text("1,1,3,4,5,6\n8,1,3,4,5,6\n")
    path.write_bytes(b"no video" * 9)
    with pytest.raises(IngestError, match=r"yard.avi: (cannot be decoded|.*it is text).* video"):
        read(path)
    film(path, form="avi")
    content = path.read_bytes()
    first = content.index(b"movi")
    chunks = [match.start() for match in re.finditer(b"00dc", content) if match.start() > first]
    path.write_bytes(content[: chunks[5]])
    with pytest.raises(IngestError, match=r"yard.avi has 5 pictures, but line 2 .* of frame 8"):
        read(path)
    broken = bytearray(content)
    broken[chunks[5] + 8 : chunks[6]] = bytes(chunks[6] - chunks[5] - 8)
    path.write_bytes(broken)
    with pytest.raises(IngestError, match=r"yard.avi: cannot be .* after frame 4; 1 crops of it"):
        read(path)


def test_a_variable_frame_rate_counts_and_is_noted(tmp_path, film):
    film(tmp_path / "yard.mkv", pictures=4, shown_at=[0, 1, 2, 27])
    (tmp_path / "yard.txt").write_text("2,1,3,4,5,6\n4,1,3,4,5,6\n")
    ingested = read(tmp_path / "yard.mkv")
    assert ingested.tracklets[["start", "end"]].to_numpy().tolist() == [
        [pytest.approx(0.04), pytest.approx(1.08)]
    ]
    assert ingested.report["notes"][0].startswith(
        "yard.mkv: its frame rate varies (pictures follow each other after 0.04 to 1 s)"
    )


def test_a_folder_without_footage(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no videos or sequences\. Expected a v"):
        read(tmp_path)
    assert filmed(tmp_path) == []
