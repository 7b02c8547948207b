import base64
import io
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_model import write_small

from wherewhen.recogniser import Recogniser, requests
from wherewhen.recogniser.requests import RequestError, answer


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_small(folder)
    return Recogniser.from_pretrained(folder, device="cpu")


def image(seed=0, size=(16, 32)):
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    )


def encoded(picture, kind="PNG", **options):
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def text(content):
    return base64.b64encode(content).decode()


def sent(*rows):
    return pd.DataFrame(rows, columns=["tracklet", "role", "frames"])


FRAMES = [text(encoded(image(seed))) for seed in range(4)]
REQUEST = sent(
    ("anna, hall", "probe", FRAMES[:2]),
    ("bert, yard", "gallery", FRAMES[2:]),
    ("anna, yard", "gallery", FRAMES[:2]),
)


class TestAnswer:
    def test_it_is_what_the_recogniser_says_of_the_same_frames(self, recogniser, one_thread):
        found = answer(recogniser, REQUEST)
        assert found.tracklet.to_list() == REQUEST.tracklet.to_list()
        assert found.role.to_list() == REQUEST.role.to_list()
        arrays = [[np.array(image(seed)) for seed in seeds] for seeds in ((0, 1), (2, 3), (0, 1))]
        expected = recogniser.rank(arrays[0], arrays[1:])
        ranking = pd.DataFrame(found.ranking[0])
        assert ranking.tracklet.to_list() == ["anna, yard", "bert, yard"]
        assert ranking["rank"].to_list() == [1, 2]
        np.testing.assert_allclose(ranking.distance, expected.distance, atol=1e-6)
        np.testing.assert_allclose(ranking.probability, expected.probability, atol=1e-6)
        np.testing.assert_allclose(
            found.embedding.to_list(), recogniser.embed(arrays), rtol=1e-4, atol=1e-6
        )
        assert found.ranking[1] == found.ranking[2] == []
        means = recogniser.describe(recogniser.cubes(arrays)).means
        assert found.difference.to_list() == pytest.approx([recogniser.difference(means)] * 3)

    def test_pairs_are_matches_below_the_threshold_of_the_rate(self, recogniser):
        for rate in (0.1, 0.01):
            for each in answer(recogniser, REQUEST, rate).ranking[0]:
                assert each["match"] is (each["distance"] < rate)
        assert {each["match"] for each in answer(recogniser, REQUEST).ranking[0]} == {None}

    def test_without_a_gallery_there_are_embeddings_alone(self, recogniser):
        found = answer(recogniser, REQUEST[:1])
        assert found.ranking.to_list() == [[]]
        assert len(found.embedding[0]) == recogniser.network.embedding_size

    def test_of_a_long_tracklet_a_probes_first_and_a_gallerys_last_frames(self, recogniser):
        many, limit = FRAMES * 6, recogniser.card.frames
        found = answer(recogniser, sent(("p", "probe", many), ("g", "gallery", many)))
        for row, part in enumerate((many[:limit], many[-limit:])):
            [expected] = answer(recogniser, sent(("x", "probe", part))).embedding
            np.testing.assert_allclose(found.embedding[row], expected, atol=1e-5)

    @pytest.mark.parametrize("kind", ["JPEG", "BMP"])
    def test_other_formats(self, recogniser, kind):
        frames = [text(encoded(image(), kind))]
        assert len(answer(recogniser, sent(("a", "probe", frames)))) == 1


def damaged():
    content = bytearray(encoded(image()))
    content[-30] ^= 255
    return bytes(content)


def wrong_sum():
    """A PNG with a wrong checksum inside right ones: torchvision's decoder ends the process."""
    content = encoded(image())
    start = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[start - 4 : start])
    chunk = bytearray(content[start : start + 4 + length])
    chunk[-1] ^= 255
    return (
        content[:start]
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + content[start + 8 + length :]
    )


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image(), "JPEG", exif=exif)


PNG, JPEG = encoded(image()), encoded(image(), "JPEG")

PICTURES = {
    "PNG cut": (PNG[: len(PNG) // 2], "cannot be decoded"),
    "JPEG cut": (JPEG[: len(JPEG) // 2], "cannot be decoded"),
    "PNG damaged": (damaged(), "cannot be decoded: broken PNG"),
    "PNG of a wrong sum": (wrong_sum(), "cannot be decoded: broken data stream"),
    "grey": (encoded(image().convert("L")), "mode L, expected RGB"),
    "alpha": (encoded(image().convert("RGBA")), "mode RGBA, expected RGB"),
    "CMYK": (encoded(image().convert("CMYK"), "JPEG"), "mode CMYK, expected RGB"),
    "turned": (turned(), "EXIF orientation"),
    "animated": (encoded(image(), save_all=True, append_images=[image(1)]), "it has 2 pictures"),
    "GIF": (encoded(image(), "GIF"), "it is a GIF, expected PNG, JPEG or BMP"),
    "nothing": (b"", "no picture"),
    "bomb": (encoded(Image.new("RGB", (2500, 2000))), "size 2500x2000: 5,000,000 pixels, expected"),
    "bomb of a bomb": (encoded(Image.new("RGB", (9000, 9000))), "size 9000x9000"),
    "file": (bytes(requests.MOST_BYTES + 10), "the file is too large: expected at most 4,194,304"),
}


class TestRefusals:
    @pytest.mark.parametrize("name", PICTURES)
    def test_a_picture_is_named_with_the_reason(self, recogniser, name):
        content, reason = PICTURES[name]
        request = sent(("anna", "probe", [FRAMES[0], text(content)]))
        with pytest.raises(RequestError, match=f"^tracklet 'anna', frame 1: .*{reason}"):
            answer(recogniser, request)

    @pytest.mark.parametrize(
        ("frame", "reason"),
        [
            ("not base64!", "no base64"),
            (FRAMES[0][:76] + "\n" + FRAMES[0][76:], "line breaks have to be left out"),
            (float("nan"), "expected a picture in base64, got float"),
            (7, "got int"),
            (["x"], "got list"),
            (None, "got NoneType"),
        ],
    )
    def test_what_is_no_base64(self, recogniser, frame, reason):
        with pytest.raises(RequestError, match=f"tracklet 'a', frame 0: .*{reason}"):
            answer(recogniser, sent(("a", "probe", [frame])))

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ((" ", "probe", FRAMES), "tracklet of row 0: expected a name"),
            ((7, "probe", FRAMES), "tracklet of row 0: expected a name"),
            (("x" * 201, "probe", FRAMES), "a name of 201 characters, expected at most 200"),
            (("a", "prob", FRAMES), r"role 'prob'; did you mean probe\?"),
            (("a", None, FRAMES), "role 'None'; expected probe or gallery"),
            (("a", ["probe"], FRAMES), "tracklet 'a': role"),
            (("a", "probe", []), "expected a list of frames, at least one"),
            (("a", "probe", float("nan")), "expected a list of frames"),
            (("a", "probe", FRAMES[0]), "expected a list of frames"),
            (("a", "probe", FRAMES[:1] * 257), "has 257 frames: expected at most 256"),
        ],
    )
    def test_a_row(self, recogniser, row, reason):
        with pytest.raises(RequestError, match=reason):
            answer(recogniser, sent(row))

    def test_a_request(self, recogniser, monkeypatch):
        row = ("a", "probe", FRAMES[:1])
        many = [(f"t{number}", "gallery", FRAMES) for number in range(65)]
        for request, reason in (
            (REQUEST.drop(columns=["role", "frames"]), "the request has no role, frames: expected"),
            (sent(), "has 0 tracklets: expected 1 to 64"),
            (sent(*many), "has 65 tracklets: expected 1 to 64"),
            (sent(row, row), "tracklet 'a' is there twice"),
            (
                sent(*((n, r, f * 64) for n, r, f in many[:9])),
                "has 2304 frames: expected at most",
            ),
        ):
            with pytest.raises(RequestError, match=reason):
                answer(recogniser, request)
        monkeypatch.setattr(requests, "MOST_PIXELS_TOGETHER", 3 * 16 * 32)
        with pytest.raises(RequestError, match="frame 3: with it the request has more than 1,536"):
            answer(recogniser, sent(("a", "probe", FRAMES)))
        assert len(answer(recogniser, sent(("a", "probe", FRAMES[:3])))) == 1

    @pytest.mark.parametrize("rate", [0.5, float("nan"), 0.0, -1.0])
    def test_a_rate_that_the_card_has_not(self, recogniser, rate):
        with pytest.raises(
            RequestError, match=r"false_match_rate: no threshold .* expected 0\.1, 0\.01"
        ):
            answer(recogniser, REQUEST, rate)
