import pytest
from shipped import BACKBONE, FINGERPRINT, IDENTITY, write_shipped

from wherewhen.pretrained import PretrainedError
from wherewhen.pretrained.card import page


@pytest.fixture
def card(tmp_path):
    return write_shipped(tmp_path / "files")


def prepared(**changes):
    return IDENTITY | {"backbone": BACKBONE | changes}


class TestCubes:
    def test_those_of_the_same_preparation_fit(self, card):
        card.require_backbone("timm:tf_efficientnet_lite0")
        card.require_cubes(IDENTITY)
        card.require_cubes(prepared(device="cuda"))
        card.require_cubes(prepared(weights={"source": "file", "sha256": "a" * 64}))

    def test_another_backbone_is_refused_with_both_names(self, card):
        said = "takes cubes of timm:tf_efficientnet_lite0, and extract.backbone is googlenet"
        with pytest.raises(PretrainedError, match=said):
            card.require_backbone("googlenet")

    def test_images_of_another_size_are_refused_before_any_work(self, card):
        card.require_backbone("timm:tf_efficientnet_lite0", (224, 224))
        with pytest.raises(PretrainedError, match=r"images of 224 x 224, and extract\.size is"):
            card.require_backbone("timm:tf_efficientnet_lite0", (256, 128))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"name": "vgg16"}, "name timm:tf_efficientnet_lite0, not vgg16"),
            ({"weights": {"sha256": "b"}}, f"weights {'a' * 64}, not b"),
            ({"precision": "bfloat16"}, "precision float32, not bfloat16"),
            ({"preprocessing": {"size": 8}}, "preprocessing {'size': 224}, not {'size': 8}"),
        ],
    )
    def test_what_differs_is_named_with_both_values(self, card, change, said):
        with pytest.raises(PretrainedError, match=f"cubes of another kind: {said}$"):
            card.require_cubes(prepared(**change))


class TestPeople:
    """People whom the network learned from are no test of it."""

    def test_their_frames_are_refused(self, card):
        said = f"learned from the people of population, and these frames .* {FINGERPRINT}"
        with pytest.raises(PretrainedError, match=said):
            card.require_cubes(IDENTITY | {"dataset": FINGERPRINT})

    def test_their_seed_is_refused(self, card):
        with pytest.raises(PretrainedError, match=r"population, and synthesise\.seed is 2"):
            card.require_other_seed(2)
        card.require_other_seed(3)


def test_the_page_says_what_it_learned_from_and_what_it_scored(card):
    text = " ".join(page(card).split())
    for said in (
        "Learned from 8 of 12 rendered persons",
        f"fingerprint of the frames `{FINGERPRINT}`",
        "`uv run kedro run --env population`, trial_00, at commit ccc",
        "sha256 of their values `aaa",
        "On 4 test persons of the same data set, protocol `two_camera`",
        "| features | metric | rank-1 | |---|---|---| | network | cosine | 50.0 (45.6 ± 3.2; 5) |",
        "- Rendered people alone.",
    ):
        assert said in text
    assert "working tree" not in text
    dirty = card.model_copy(update={"making": card.making.model_copy(update={"dirty": True})})
    assert "of a working tree that differed from it" in page(dirty)
