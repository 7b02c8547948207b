import numpy as np
import pytest

from wherewhen.synthetic import bodies, gait


@pytest.fixture(scope="module")
def walk():
    model = bodies.load_body_model()
    body = bodies.shape_body(model, bodies.Phenotype(0.5, 0.67, 0.5, 0.5, 0.5, 0.5))
    style = gait.Gait(1.8, 0.4, 0.35, 0.3, 0.03, 0.05, 0.06, 0.12)
    phases = np.linspace(0, 1, 40, endpoint=False)
    soles = np.flatnonzero(model.dominant == model.index("foot.L"))
    soles = np.concatenate([soles, np.flatnonzero(model.dominant == model.index("foot.R"))])
    rotations = gait.bone_rotations(style, body, model, phases)
    return model, body, soles, rotations, gait.bone_transforms(rotations, body, model, soles)


def joint_path(walk, bone):
    model, body, _, _, transforms = walk
    index = model.index(bone)
    return transforms[:, index, :, :3] @ body.joints[index] + transforms[:, index, :, 3]


def test_rotations_are_rotations(walk):
    rotations = walk[3]
    identity = np.einsum("fbij,fbkj->fbik", rotations, rotations)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-6)


def test_bones_keep_their_lengths_and_stay_joined(walk):
    model, body, _, _, _ = walk
    for start, end in (("upperleg01.L", "lowerleg01.L"), ("lowerarm01.R", "wrist.R")):
        posed = np.linalg.norm(joint_path(walk, start) - joint_path(walk, end), axis=1)
        rest = np.linalg.norm(body.joints[model.index(start)] - body.joints[model.index(end)])
        np.testing.assert_allclose(posed, rest, rtol=2e-2)


def test_feet_alternate_and_arms_swing_opposite(walk):
    # The body faces -y: forward is minus y.
    left, right = -joint_path(walk, "foot.L")[:, 1], -joint_path(walk, "foot.R")[:, 1]
    assert np.corrcoef(left, right)[0, 1] < -0.5
    np.testing.assert_allclose(np.roll(left, 20), right, atol=0.08)
    hand_left, hand_right = (-joint_path(walk, f"wrist.{side}")[:, 1] for side in "LR")
    assert np.corrcoef(hand_left, left)[0, 1] < -0.5
    assert np.corrcoef(hand_left, hand_right)[0, 1] < -0.5
    assert np.ptp(left) > 0.5  # steps, not shuffles


def test_the_lower_foot_stands_on_the_ground(walk):
    model, body, soles, _, transforms = walk
    bones = model.dominant[soles]
    heights = (
        np.einsum("fvj,vj->fv", transforms[:, bones, 2, :3], body.vertices[soles])
        + transforms[:, bones, 2, 3]
    )
    np.testing.assert_allclose(heights.min(axis=1), 0, atol=1e-5)


def test_bodies_of_other_numbers_are_other_bodies():
    model = bodies.load_body_model()
    short = bodies.shape_body(model, bodies.Phenotype(1.0, 0.67, 0.5, 0.5, 0.3, 0.5))
    tall = bodies.shape_body(model, bodies.Phenotype(0.0, 0.67, 0.5, 0.5, 0.66, 0.5))
    assert 1.3 < np.ptp(short.vertices[:, 2]) < np.ptp(tall.vertices[:, 2]) < 2.2
