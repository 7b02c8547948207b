"""Trunks: the trained layers of a backbone, behind cubes of the frozen ones."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from wherewhen.features.backbones import (
    backbone_weights,
    build_backbone,
    build_trunk,
    trunk_like,
)
from wherewhen.features.trunk import FRAMES_AT_ONCE
from wherewhen.features.weights import WeightsInput, WeightsSource

RANDOM = WeightsSource(source="random", seed=3)
NAME = "timm:test_resnet"


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), np.uint8)


def cubes_of(trained: str, frames: np.ndarray, name: str = NAME) -> torch.Tensor:
    """Cubes of what is not trained, as tensors that may be differentiated through."""
    return build_backbone(name, RANDOM, fold=False, trained=trained)(frames).clone()


@pytest.mark.parametrize("trained", ["last:1", "last:3", "norms", "all"])
@pytest.mark.parametrize("name", [NAME, "googlenet", f"{NAME}:pool"])
def test_both_parts_give_the_backbones_cubes(name, trained, frames):
    trunk = build_trunk(name, RANDOM, trained)
    cubes = cubes_of(trained, frames, name)
    assert tuple(cubes.shape[1:]) == trunk.takes
    with torch.no_grad():
        made = trunk(cubes)
    whole = build_backbone(name, RANDOM, fold=False)(frames)
    assert tuple(made.shape[1:]) == trunk.gives == tuple(whole.shape[1:])
    torch.testing.assert_close(made, whole, rtol=1e-5, atol=1e-5)


def test_cubes_of_a_backbone_that_is_trained_as_a_whole_are_its_pixels(frames):
    backbone = build_backbone(NAME, RANDOM, trained="all")
    shown = np.full((1, *backbone.preprocess.size, 3), (255, 0, 17), np.uint8)
    assert torch.equal(backbone(shown), torch.from_numpy(shown).float())
    assert backbone.record["weights"]["sha256"] is None
    assert backbone.record == build_backbone(NAME, RANDOM, trained="norms").record


def test_a_whole_backbones_record_says_nothing_of_parts():
    assert "trained" not in build_backbone(NAME, RANDOM).record
    assert build_backbone(NAME, RANDOM, trained="last:1").record["trained"] == "last:1"


def test_only_norms_learn_where_only_they_are_trained():
    trunk = build_trunk(NAME, RANDOM, "norms")
    learning = {name for name, each in trunk.named_parameters() if each.requires_grad}
    norms = {
        f"{name}.{kind}"
        for name, part in trunk.named_modules()
        if isinstance(part, torch.nn.BatchNorm2d)
        for kind in ("weight", "bias")
    }
    assert learning == norms
    assert norms


def test_vgg16_has_no_norms_to_train():
    with pytest.raises(ValueError, match="vgg16 has no normalisation layers"):
        build_trunk("vgg16", RANDOM, "norms")


def test_more_stages_than_there_are_are_refused():
    with pytest.raises(ValueError, match="test_resnet has 5 stages: choose at most last:4, or all"):
        build_trunk(NAME, RANDOM, "last:5")


def test_batch_norms_keep_their_statistics_unless_they_are_to_learn(frames):
    trunk, cubes = build_trunk(NAME, RANDOM, "last:1"), cubes_of("last:1", frames)
    before = trunk.state_dict()["stages.0.network.layer4.0.bn1.running_mean"].clone()
    trunk.train()(cubes)
    after = trunk.state_dict()["stages.0.network.layer4.0.bn1.running_mean"]
    assert torch.equal(before, after)
    trunk.batch_statistics = True
    trunk.train()(cubes)
    assert not torch.equal(before, after)


def test_padded_frames_have_no_influence_on_batch_statistics(frames):
    cubes = cubes_of("last:1", frames)
    trunk, other = (build_trunk(NAME, RANDOM, "last:1") for _ in range(2))
    trunk.batch_statistics = other.batch_statistics = True
    padded = torch.stack([cubes[:2], torch.stack([cubes[2], torch.full_like(cubes[2], 1e4)])])
    mask = torch.tensor([[True, True], [True, False]])
    made = trunk.train()(padded, mask)
    alone = other.train()(cubes)
    torch.testing.assert_close(made[mask], alone)
    for ours, theirs in zip(trunk.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_activations_that_are_computed_again_give_the_same_gradients(frames):
    cubes, gradients = cubes_of("last:2", frames), []
    for recompute in (False, True):
        trunk = build_trunk(NAME, RANDOM, "last:2").train()
        trunk.recompute = recompute
        trunk(cubes).square().mean().backward()
        gradients.append([each.grad for each in trunk.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_many_frames_are_computed_in_parts(frames):
    trunk, few = build_trunk(NAME, RANDOM, "last:1"), cubes_of("last:1", frames)
    many = few.repeat(2 * FRAMES_AT_ONCE // len(few) + 1, 1, 1, 1)
    sizes = []
    trunk.enter.register_forward_hook(lambda part, given, made: sizes.append(len(made)))
    with torch.no_grad():
        made = trunk(many)
    assert max(sizes) == FRAMES_AT_ONCE
    assert sum(sizes) == len(many)
    torch.testing.assert_close(made, trunk(many).detach())
    assert sizes[-1] == len(many)  # with gradients all at once


def test_bfloat16_is_close_and_comes_back_as_float32(frames):
    trunk, cubes = build_trunk(NAME, RANDOM, "last:1"), cubes_of("last:1", frames)
    with torch.no_grad():
        exact, rounded = trunk(cubes), trunk(cubes, dtype=torch.bfloat16)
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(exact, rounded, rtol=0.1, atol=0.1 * exact.abs().max().item())


def test_a_trunk_is_built_again_from_its_specification(frames):
    trunk, cubes = build_trunk(NAME, RANDOM, "last:1"), cubes_of("last:1", frames)
    again = trunk_like(trunk.spec)
    again.load_state_dict(trunk.state_dict())
    with torch.no_grad():
        assert torch.equal(trunk(cubes), again(cubes))
    assert again.spec == trunk.spec


@pytest.mark.parametrize(
    "name", ["timm:vit_tiny_patch16_224", "timm:test_convnext", "timm:swin_tiny_patch4_window7_224"]
)
def test_networks_of_other_layouts_can_be_cut(name, frames):
    trunk = build_trunk(name, RANDOM, "all")
    with torch.no_grad():
        made = trunk(cubes_of("all", frames[:1], name))
    whole = build_backbone(name, RANDOM)(frames[:1])
    torch.testing.assert_close(made, whole, rtol=1e-4, atol=1e-4)


def test_images_may_be_higher_than_wide(frames):
    size = (64, 32)
    for trained in ("last:1", "all"):
        trunk = build_trunk(NAME, RANDOM, trained, size)
        cubes = build_backbone(NAME, RANDOM, fold=False, size=size, trained=trained)(frames).clone()
        with torch.no_grad():
            made = trunk(cubes)
        whole = build_backbone(NAME, RANDOM, fold=False, size=size)(frames)
        assert made.shape[1:3] == (2, 1)
        torch.testing.assert_close(made, whole, rtol=1e-5, atol=1e-5)
        assert trunk_like(trunk.spec).takes == trunk.takes


def test_the_order_of_colours_is_a_part_of_a_trunk(frames, tmp_path):
    """A backbone that saw blue first still does after its trunk was built again."""
    save_file(backbone_weights(NAME, RANDOM), tmp_path / "w.safetensors")
    seen = WeightsInput(mean=(0.1, 0.2, 0.3), deviation=(0.5, 0.6, 0.7), channels="BGR")
    blue = WeightsSource(source="file", path=str(tmp_path / "w.safetensors"), input=seen)
    trunk = build_trunk(NAME, blue, "all")
    again = trunk_like(trunk.spec)
    again.load_state_dict(trunk.state_dict())
    cubes = build_backbone(NAME, blue, trained="all")(frames).clone()
    with torch.no_grad():
        made, remade = trunk(cubes), again(cubes)
    whole = build_backbone(NAME, blue, fold=False)(frames)
    torch.testing.assert_close(made, whole, rtol=1e-5, atol=1e-5)
    assert torch.equal(made, remade)
