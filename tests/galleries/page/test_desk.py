"""What the page shows: the gallery's own answers, films, marks."""

import io
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wherewhen.galleries.page import films
from wherewhen.galleries.page.desk import Desk, Probe, Question
from wherewhen.recogniser.gallery import Gallery, about

ALL = Question(rate=0.01, top=50)


def size(picture):
    return Image.open(io.BytesIO(picture)).size


def as_file(frame):
    content = io.BytesIO()
    Image.fromarray(frame).save(content, "PNG")
    return content.getvalue()


class TestAnAnswer:
    def test_it_is_the_gallery_s_own(self, desk, gallery, recogniser):
        answer = desk.ask(Probe("yard/anna"), ALL)
        expected = gallery.query(recogniser, "yard/anna", 50, 0.01)
        pd.testing.assert_frame_equal(answer.found, expected.found)

    def test_filters_reach_it(self, desk):
        question = Question(0.01, not_cameras=["hall"], persons=["anna", "bert"], after=15.0)
        assert desk.ask(Probe("hall/anna"), question).found.tracklet.tolist() == ["yard/bert"]
        question = Question(0.01, top=1, cameras=["yard"], before=11.0)
        assert desk.ask(Probe("hall/anna"), question).found.tracklet.tolist() == ["yard/anna"]

    def test_uploaded_pictures_rank_as_their_frames_do(self, desk, gallery, recogniser):
        path = gallery.frames_of("yard/bert")[0]
        probe = Probe.of_files([("../../x.png", path.read_bytes())])
        found = desk.ask(probe, ALL).found
        pd.testing.assert_frame_equal(found, gallery.query(recogniser, [path], 50).found)
        assert len(found) == 4  # nothing is left out: it is no tracklet

    def test_an_upload_is_named_by_what_is_in_it(self):
        black, white = (as_file(np.full((8, 4, 3), value, np.uint8)) for value in (0, 255))
        names = {Probe.of_files([(name, black)]).name for name in ("a.png", "b.png")}
        assert len(names) == 1
        assert Probe.of_files([("a.png", white)]).name not in names


def test_tracklets_are_found_by_a_part_of_the_name(desk):
    assert desk.find("ANNA") == ["hall/anna", "yard/anna"]
    assert len(desk.find("")) == 4
    assert desk.find(".*") == []


def test_what_the_filters_offer(desk):
    assert desk.cameras == ["hall", "yard"]
    assert desk.rates == [0.01]
    assert "difference 0.7" in desk.warning


class TestFilms:
    def test_all_frames_play(self, desk):
        film = desk.film("yard/bert")
        assert (film.count, film.words) == (5, "5 frames")
        assert size(film.picture) == (5 * films.WIDTH, films.HEIGHT)

    def test_attention_is_over_the_frames_that_were_embedded(self, desk, recogniser, gallery):
        film = desk.film("yard/bert", attention=True)
        look = recogniser.look(gallery.frames_of("yard/bert")[1:])
        heaviest = look.frame_weights.argmax()
        assert film.count == 4
        assert size(film.picture) == (4 * films.WIDTH, films.HEIGHT + films.BARS)
        assert film.words.startswith("Looked at frames 2 to 5 of 5. Strongest cell ")
        assert f"heaviest frame {heaviest + 2}, " in film.words

    def test_an_uploaded_probe_has_one_too(self, desk):
        frame = np.full((8, 4, 3), 90, np.uint8)
        probe = Probe("upload", [frame, frame])
        assert desk.film_of(probe).words == "2 frames"
        assert desk.film_of(probe, attention=True).words.startswith("Looked at frames 1 to 2 of 2.")
        assert desk.film_of(Probe("yard/bert")).count == 5

    def test_frames_that_are_gone_are_blank_and_said(self, embedded, desk, tmp_path):
        shutil.copytree(embedded[1], tmp_path / "copy")
        (tmp_path / "copy/2/3.png").unlink()
        (tmp_path / "copy/2/2.png").write_bytes(b"broken")
        opening = lambda: Gallery.open(tmp_path / "gallery", tmp_path / "copy")  # noqa: E731
        other = Desk("site", opening, desk.recogniser, desk.marks, desk.frames)
        film = other.film("yard/bert")
        assert (film.count, film.words) == (5, "5 frames; 2 of those are gone or damaged")
        assert other.film("yard/bert", attention=True).words.startswith("No attention: ")
        assert size(other.thumbnail("yard/bert")) == (48, 96)

    @pytest.mark.parametrize("name", ["yard/carl", "../../etc/passwd", "0/0.png", ""])
    def test_only_tracklets_of_the_gallery_have_any(self, desk, name):
        for make in (desk.film, desk.thumbnail):
            with pytest.raises(KeyError, match="in the gallery"):
                make(name)


class TestMarks:
    def test_they_say_what_was_marked(self, desk):
        probe = Probe("hall/anna")
        desk.mark(probe, "yard/anna", 0.25, "same")
        desk.mark(probe, "yard/bert", 0.5, "not same")
        desk.mark(probe, "yard/bert", 0.5, None)
        assert desk.marks_of(probe) == {"yard/anna": "same"}
        assert desk.marks_of(Probe("yard/anna")) == {}
        [mark] = desk.marks.read().by_pair.values()
        assert mark.model == about(desk.recogniser.identity)["model"]
        assert (mark.metric, mark.distance) == ("cosine", 0.25)


def test_who_was_removed_is_not_shown_any_more(desk, gallery):
    assert desk.film("hall/anna").count == 3
    Gallery.open(gallery.folder, gallery.root).remove(persons=["anna"])
    assert "hall/anna" not in desk.find("")
    with pytest.raises(KeyError):
        desk.film("hall/anna")
    assert "yard/anna" not in desk.ask(Probe("yard/bert"), ALL).found.tracklet.tolist()
