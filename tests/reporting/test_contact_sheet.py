import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from wherewhen.reporting.contact_sheet import Frame, Section, Sheet, Tracklet, render, thumbnail

HOSTILE = "<img src=x onerror=alert(1)>\"'&</title><script>alert(2)</script>"


@pytest.fixture(scope="module")
def jpeg():
    return thumbnail(np.full((300, 100, 3), 90, np.uint8))


class Elements(HTMLParser):
    """Notes all elements of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_a_frame_is_a_small_jpeg(jpeg):
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.size) == ("JPEG", (43, 128))
    noise = np.random.default_rng(0).integers(0, 256, (900, 1600, 3), dtype=np.uint8)
    assert len(thumbnail(noise)) < 20_000
    assert Image.open(io.BytesIO(thumbnail(noise[:8, :4]))).size == (4, 8)


def test_every_text_is_shown_as_text(jpeg):
    frame = Frame(jpeg, HOSTILE)
    tracklet = Tracklet(HOSTILE, [HOSTILE], [frame], match=True)
    sheet = Sheet(HOSTILE, [HOSTILE], HOSTILE, [Section(HOSTILE, [tracklet]), Section("b", [])])
    page = render(sheet)
    elements = Elements(page)
    images = [attributes for tag, attributes in elements.found if tag == "img"]
    assert [image["alt"] for image in images] == [HOSTILE]
    assert images[0]["src"].startswith("data:image/jpeg;base64,")
    assert not [tag for tag, _ in elements.found if tag == "script"]
    assert not [name for _, attributes in elements.found for name in attributes if name[:2] == "on"]
    # title, heading, note, warning, link, section's heading, name, fact
    assert elements.text.count(HOSTILE) == 8


def test_nothing_is_loaded(jpeg):
    sheet = Sheet("Gallery", [], None, [Section("a", [Tracklet("1", [], [Frame(jpeg, "f")])])])
    page = render(sheet)
    assert "default-src 'none'; img-src data:" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert 'role="note"' not in page  # no warning
    assert "<nav" not in page  # one section needs no contents


def test_matches_are_said_in_words_and_lost_frames_too(jpeg):
    tracklets = [Tracklet("1", [], [Frame(jpeg, "f")], match=True), Tracklet("2", [], [])]
    page = render(Sheet("Gallery", [], None, [Section("a", tracklets)]))
    assert page.count("<mark>match</mark>") == 1
    assert page.count("Its frames are gone.") == 1
