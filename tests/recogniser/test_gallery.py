import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.pretrained import PretrainedError
from wherewhen.recogniser import gallery as module
from wherewhen.recogniser.gallery import Gallery
from wherewhen.search import GalleryError

NAMES = ["hall/anna", "yard/anna", "yard/bert"]


@pytest.fixture(scope="module")
def embedded(build, clips):
    """Embed three tracklets by the cosine's vectors."""
    recogniser = build("cosine")
    vectors = recogniser.project(recogniser.embed(clips, role="gallery"))
    return pd.DataFrame(
        {
            "tracklet": NAMES,
            "person": ["anna", "anna", "bert"],
            "camera": ["hall", "yard", "yard"],
            "length": [len(clip) for clip in clips],
            "frames": [[f"{name}/{n}.png" for n in range(3)] for name in NAMES],
            "vector": list(vectors.astype(np.float32)),
        }
    )


@pytest.fixture
def report(build):
    return {
        "model": build("cosine").identity,
        "root": "crops",
        "tracklets": 3,
        "difference": 0.5,
    }


@pytest.fixture
def gallery(tmp_path, embedded, report):
    return Gallery.create(tmp_path / "gallery", embedded, report, tmp_path)


class TestAQuery:
    def test_it_ranks_as_the_recogniser_does(self, gallery, build, clips):
        recogniser = build("cosine")
        answer = gallery.query(recogniser, clips[0], top=3)
        ranked = recogniser.rank(clips[0], clips)
        assert answer.found.tracklet.tolist() == [NAMES[place] for place in ranked.gallery]
        np.testing.assert_allclose(answer.found.distance, ranked.distance, atol=1e-6)
        np.testing.assert_allclose(answer.found.probability, ranked.probability, atol=1e-4)

    def test_who_is_in_the_gallery_can_be_the_probe(self, gallery, build):
        answer = gallery.query(build("cosine"), "yard/anna", not_cameras=["yard"])
        assert answer.found.tracklet.tolist() == ["hall/anna"]

    def test_matches_are_below_the_threshold_of_the_card(self, gallery, build, clips):
        answer = gallery.query(build("cosine"), clips[0], false_match_rate=0.01)
        assert (answer.threshold, answer.false_match_rate) == (0.3, 0.01)
        assert answer.found.match.tolist() == (answer.found.distance < 0.3).tolist()
        assert answer.nobody == (not answer.found.match.any())
        with pytest.raises(PretrainedError, match=r"rate of 0\.5: expected 0\.01"):
            gallery.query(build("cosine"), clips[0], false_match_rate=0.5)

    def test_nobody_is_an_answer(self, gallery, build, clips):
        recogniser = build("cosine")
        [at] = recogniser.calibration.thresholds
        strict = at.model_copy(update={"distance": -1.0})
        recogniser.calibration = recogniser.calibration.model_copy(update={"thresholds": (strict,)})
        assert gallery.query(recogniser, clips[0]).nobody

    def test_another_metric_is_refused(self, gallery, build, clips):
        with pytest.raises(GalleryError, match="metric"):
            gallery.query(build("kissme"), clips[0])


class TestLinks:
    @pytest.fixture
    def angles(self, tmp_path, report):
        """Make a gallery of unit vectors; below the threshold, 0.3, are angles up to 45 degrees."""
        degrees = np.deg2rad([0, 20, 30, 90])
        embedded = pd.DataFrame(
            {
                "tracklet": ["hall/1", "hall/2", "yard/1", "yard/2"],
                "person": ["anna", "bert", "anna", "carl"],
                "camera": ["hall", "hall", "yard", "yard"],
                "start": [0.0, 4.0, 0.0, 3.0],
                "end": [5.0, 6.0, 2.0, 4.0],
                "length": [10, 20, 30, 40],
                "vector": list(np.stack([np.cos(degrees), np.sin(degrees)], 1).astype(np.float32)),
            }
        )

        def gallery(**changes):
            table = embedded.assign(**changes)
            return Gallery.create(tmp_path / "gallery", table, report, tmp_path)

        return gallery

    def test_groups_by_the_cards_threshold(self, angles, build):
        linked = angles(start=np.nan, end=np.nan).link(build("cosine"), 0.01)
        assert (linked.threshold, linked.false_match_rate, linked.apart) == (0.3, 0.01, 0)
        groups = linked.groups
        assert groups.columns.tolist() == [
            *("group", "tracklet", "person", "camera", "start", "end", "size", "distance")
        ]
        assert groups.group.tolist() == [1, 1, 1, 2]
        assert groups["size"].tolist() == [3, 3, 3, 1]
        mean = np.mean([1 - np.cos(np.deg2rad(angle)) for angle in (20, 30, 10)])
        assert groups.distance[:3].to_list() == pytest.approx([mean] * 3, abs=1e-6)
        assert np.isnan(groups.distance[3])
        # 1 of 3 pairs is Anna's; her 40 frames and Carl's 40 of 100 are in their groups
        assert linked.scores == pytest.approx(
            {"pairwise precision": 1 / 3, "pairwise recall": 1, "pairwise F1": 0.5, "IDF1": 0.8}
        )

    def test_who_was_seen_together_is_apart(self, angles, build):
        linked = angles().link(build("cosine"), 0.01)
        assert linked.apart == 1  # in the hall from 4 to 5
        # 20 and 30 degrees are nearest
        assert linked.groups.tracklet.tolist() == ["hall/2", "yard/1", "hall/1", "yard/2"]
        assert linked.groups.group.tolist() == [1, 1, 2, 3]

    def test_a_part_of_the_gallery(self, angles, build):
        linked = angles().link(build("cosine"), 0.01, cameras=["yard"])
        assert linked.groups.tracklet.tolist() == ["yard/1", "yard/2"]
        assert linked.scores is None  # each of another person, so there is nothing to score

    def test_what_is_refused(self, angles, build, monkeypatch):
        with pytest.raises(GalleryError, match="metric is 'kissme', not 'cosine'"):
            angles().link(build("kissme"), 0.01)
        with pytest.raises(PretrainedError, match=r"rate of 0\.5: expected 0\.01"):
            angles().link(build("cosine"), 0.5)
        monkeypatch.setattr(module, "MOST_LINKED", 3)
        with pytest.raises(GalleryError, match="4 tracklets are to be linked: expected at most 3"):
            angles().link(build("cosine"), 0.01)


class TestWhatIsKept:
    def test_it_is_read_as_it_was_written(self, gallery, tmp_path, build, clips):
        again = Gallery.open(gallery.folder, tmp_path)
        assert len(again) == 3
        assert again.difference == 0.5
        found, expected = (each.query(build("cosine"), clips[1]).found for each in (again, gallery))
        pd.testing.assert_frame_equal(found, expected)

    def test_more_footage_is_added(self, gallery, tmp_path, embedded, report):
        with pytest.raises(GalleryError, match="hall/anna"):
            gallery.add(embedded, report)
        more = embedded.assign(tracklet=["x/1", "x/2", "x/3"])
        gallery.add(more, report | {"difference": 1.5})
        again = Gallery.open(gallery.folder, tmp_path)
        assert len(again) == 6
        assert again.difference == 1.5
        assert again.frames_of("x/2") == [tmp_path / f"yard/anna/{n}.png" for n in range(3)]

    def test_nothing_of_a_person_is_left(self, gallery, tmp_path, embedded):
        vector = embedded.vector.iloc[0].tobytes()
        files = lambda: [p for p in gallery.folder.rglob("*") if p.is_file()]  # noqa: E731
        assert any(vector in path.read_bytes() for path in files())
        assert gallery.remove(persons=["anna"]) == ["hall/anna", "yard/anna"]
        for path in files():
            content = path.read_bytes()
            assert vector not in content
            assert b"anna" not in content
        assert Gallery.open(gallery.folder, tmp_path).index.tracklets.tracklet.tolist() == NAMES[2:]
        with pytest.raises(GalleryError, match="anna"):
            gallery.remove(persons=["anna"])

    def test_a_damaged_list_of_footage_is_named(self, gallery, tmp_path):
        (gallery.folder / "footage.json").write_text("{", "utf-8")
        with pytest.raises(GalleryError, match=r"footage\.json can't be read"):
            Gallery.open(gallery.folder, tmp_path)

    def test_there_is_none(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            Gallery.open(tmp_path / "nowhere", tmp_path)


def test_a_tracklets_middle_frame_stands_for_it(gallery, tmp_path):
    assert gallery.picture_of("yard/bert") is None
    (tmp_path / "yard/bert").mkdir(parents=True)
    Image.new("RGB", (4, 8), (9, 9, 9)).save(tmp_path / "yard/bert/1.png")
    assert gallery.picture_of("yard/bert").shape == (8, 4, 3)
    with pytest.raises(GalleryError, match="no tracklet 'yard/carl'"):
        gallery.frames_of("yard/carl")
