"""A small gallery whose frames are on the disk, with a tracklet of an evil name."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from recognisers import coloured_clips, random_backbone, random_parts, random_recogniser

from wherewhen.galleries.marks import MarksFile
from wherewhen.galleries.page.desk import Desk
from wherewhen.recogniser.gallery import Gallery

EVIL = "</script><img src=x onerror=alert(1)>"
NAMES = ["hall/anna", "yard/anna", "yard/bert", EVIL]


@pytest.fixture(scope="session")
def recogniser(tmp_path_factory):
    parts = random_parts(random_backbone(), tmp_path_factory.mktemp("model") / "files")
    return random_recogniser(parts, "cosine")


@pytest.fixture(scope="session")
def embedded(recogniser, tmp_path_factory):
    """The table of four tracklets, and the folder of their frames."""
    root = tmp_path_factory.mktemp("footage")
    clips = coloured_clips()
    clips.append(clips[2][::-1])
    frames = []
    for number, clip in enumerate(clips):
        paths = [f"{number}/{position}.png" for position in range(len(clip))]
        (root / str(number)).mkdir()
        for path, frame in zip(paths, clip, strict=True):
            Image.fromarray(frame).save(root / path)
        frames.append(paths)
    vectors = recogniser.project(recogniser.embed(clips, role="gallery"))
    table = pd.DataFrame(
        {
            "tracklet": NAMES,
            "person": ["anna", "anna", "bert", EVIL],
            "camera": ["hall", "yard", "yard", "yard"],
            "start": [0.0, 10.0, 20.0, np.nan],
            "end": [3.0, 12.0, 25.0, np.nan],
            "length": [len(clip) for clip in clips],
            "frames": frames,
            "vector": list(vectors.astype(np.float32)),
        }
    )
    return table, root


@pytest.fixture
def gallery(embedded, recogniser, tmp_path):
    table, root = embedded
    report = {"model": recogniser.identity, "root": "crops", "tracklets": 4, "difference": 0.7}
    return Gallery.create(tmp_path / "gallery", table, report, root)


@pytest.fixture
def desk(gallery, recogniser, tmp_path):
    marks = MarksFile(tmp_path / "search" / "marks.csv")
    return Desk(
        "site", lambda: Gallery.open(gallery.folder, gallery.root), recogniser, marks, frames=4
    )
