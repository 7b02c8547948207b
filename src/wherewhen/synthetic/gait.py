"""Gait: rotations of bones over time.

Angles over the gait cycle follow the textbook curves of hip, knee and ankle (heel strike at phase
0, toe-off near 0.62, the knee's large flexion near 0.73); arms swing opposite to the legs. World
axes: z up, the body faces -y, its left is +x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wherewhen.synthetic.bodies import Body, BodyModel


@dataclass(frozen=True)
class Gait:
    """Parameters of a person's gait."""

    cadence: float
    """Steps a second."""
    stride: float
    """Amplitude of the hip's flexion (rad)."""
    arm_swing: float
    """Amplitude of the shoulders' flexion (rad)."""
    elbow: float
    """Mean flexion of the elbows (rad)."""
    lean: float
    """Forward lean of the trunk (rad)."""
    stoop: float
    """Forward bend of neck and head (rad)."""
    sway: float
    """Turn of the pelvis to and fro (rad)."""
    width: float
    """Angle by which arms are held off the trunk (rad)."""


def draw_gait(generator: np.random.Generator, old: bool, spread: float = 1.0) -> Gait:
    """Draw a gait.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of the choices.
    old : bool
        Old people walk slower, with shorter steps and a stoop.
    spread : float
        How much wider than usual the ranges are that gaits are drawn from.

    Returns
    -------
    Gait
        The gait.
    """
    slower = 0.85 if old else 1.0

    def uniform(low: float, high: float) -> float:
        return float(generator.uniform(*widened(low, high, spread)))

    return Gait(
        cadence=uniform(1.65, 2.1) * slower,
        stride=uniform(0.32, 0.46) * slower,
        arm_swing=uniform(0.14, 0.48) * slower,
        elbow=uniform(0.2, 0.6),
        lean=uniform(0.0, 0.09) + 0.08 * old,
        stoop=uniform(0.0, 0.15) + 0.15 * old,
        sway=uniform(0.03, 0.12),
        width=uniform(0.10, 0.22),
    )


def widened(low: float, high: float, spread: float) -> tuple[float, float]:
    """Return a range of positive numbers, widened around its middle but not below 0.

    Examples
    --------
    >>> widened(2.0, 4.0, 1.5)
    (1.5, 4.5)
    """
    further = 0.5 * (spread - 1) * (high - low)
    return max(low - further, 0.0), high + further


def walking_speed(gait: Gait, body: Body, model: BodyModel) -> float:
    """Compute the speed (m/s) from a gait's step and a body's leg length."""
    leg = float(body.joints[model.index("upperleg01.L"), 2])
    return gait.cadence * 2 * leg * float(np.sin(gait.stride * 0.85))


def bone_rotations(gait: Gait, body: Body, model: BodyModel, phases: np.ndarray) -> np.ndarray:
    """Compute the rotation of every bone in every frame.

    Parameters
    ----------
    gait : Gait
        The way of walking.
    body : Body
        The body at rest, whose arms hang off and whose legs straddle a little.
    model : BodyModel
        From `load_body_model`.
    phases : numpy.ndarray
        Phase of the gait cycle (0 to 1, two steps) of each frame, [frames].

    Returns
    -------
    numpy.ndarray
        World rotation of each bone relative to rest, float64 [frames, bones, 3, 3].
    """
    frames = len(phases)
    turn = 2 * np.pi * phases
    pelvis = _about_z(gait.sway * np.sin(turn)) @ _about_y(0.03 * np.sin(turn))
    trunk = _about_z(-0.8 * gait.sway * np.sin(turn)) @ _forward(np.full(frames, -gait.lean))
    neck = _forward(np.full(frames, -gait.lean - gait.stoop))
    rotations = {
        "root": pelvis,
        "spine05": pelvis,
        "spine04": 0.5 * (pelvis + trunk),
        "spine03": trunk,
        "neck01": neck,
        "head": _forward(np.full(frames, -0.6 * gait.stoop) + 0.02 * np.sin(2 * turn)),
    }
    rotations["spine04"] = _orthonormal(rotations["spine04"])
    for side, sign, offset in (("L", 1.0, 0.0), ("R", -1.0, 0.5)):
        phase = (phases + offset) % 1.0
        rotations |= _leg(gait, body, model, side, phase, pelvis)
        rotations |= _arm(gait, body, model, side, sign, phase, trunk)
    result = np.empty((frames, len(model.bones), 3, 3))
    for bone, (name, parent) in enumerate(zip(model.bones, model.parents, strict=True)):
        result[:, bone] = rotations[name] if name in rotations else result[:, parent]
    return result


def _leg(gait: Gait, body: Body, model: BodyModel, side: str, phase, pelvis) -> dict:
    hip = 0.07 + gait.stride * np.cos(2 * np.pi * (phase - 0.93))
    knee = 0.06 + 0.22 * _bump(phase, 0.14, 6.0) + 1.02 * _bump(phase, 0.73, 5.0)
    # At toe-off the heel rises; at heel strike the toes point up.
    ankle = 0.12 * _bump(phase, 0.0, 8.0) - 0.38 * _bump(phase, 0.63, 9.0)
    thigh_rest = _straighten(body, model, f"upperleg01.{side}", f"lowerleg01.{side}", 0.03)
    shin_rest = _straighten(body, model, f"lowerleg01.{side}", f"foot.{side}", 0.01)
    thigh = pelvis @ _forward(hip) @ thigh_rest
    shin = pelvis @ _forward(hip - knee) @ shin_rest
    foot = pelvis @ _forward(hip - knee + ankle)
    return {f"upperleg01.{side}": thigh, f"lowerleg01.{side}": shin, f"foot.{side}": foot}


def _arm(gait: Gait, body: Body, model: BodyModel, side: str, sign: float, phase, trunk) -> dict:
    # Opposite to the leg of the same side.
    swing = 0.03 + gait.arm_swing * np.cos(2 * np.pi * (phase - 0.45))
    bend = gait.elbow + 0.35 * gait.arm_swing * (1 + np.cos(2 * np.pi * (phase - 0.45)))
    out = _about_y(np.array([-sign * gait.width]))
    upper_rest = _straighten(body, model, f"upperarm01.{side}", f"lowerarm01.{side}", 0.0)
    lower_rest = _straighten(body, model, f"lowerarm01.{side}", f"wrist.{side}", 0.0)
    upper = trunk @ _forward(swing) @ out @ upper_rest
    lower = (
        trunk @ _forward(swing + bend) @ _about_y(np.array([-sign * 0.4 * gait.width])) @ lower_rest
    )
    # Shoulders drop as the arms hang, else they stay shrugged as in the rest pose.
    shoulder = trunk @ _about_y(np.array([sign * 0.10]))
    return {
        f"clavicle.{side}": trunk,
        f"shoulder01.{side}": shoulder,
        f"upperarm01.{side}": upper,
        f"lowerarm01.{side}": lower,
    }


def _straighten(body: Body, model: BodyModel, start: str, end: str, outward: float) -> np.ndarray:
    """Compute the smallest rotation that makes a limb's segment vertical, [3, 3]."""
    segment = body.joints[model.index(end)] - body.joints[model.index(start)]
    segment = segment.astype(np.float64) / np.linalg.norm(segment)
    target = np.array([outward * np.sign(segment[0]), 0.0, -1.0])
    target /= np.linalg.norm(target)
    axis = np.cross(segment, target)
    cross = np.array(
        [[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]], dtype=np.float64
    )
    return np.eye(3) + cross + cross @ cross / (1.0 + segment @ target)


def bone_transforms(
    rotations: np.ndarray, body: Body, model: BodyModel, soles: np.ndarray
) -> np.ndarray:
    """Compute forward kinematics, with the lower foot on the ground.

    Parameters
    ----------
    rotations : numpy.ndarray
        From `bone_rotations`, [frames, bones, 3, 3].
    body : Body
        The body at rest.
    model : BodyModel
        From `load_body_model`.
    soles : numpy.ndarray
        Indices of vertices of the body under the feet.

    Returns
    -------
    numpy.ndarray
        Maps rest positions to posed ones, float32 [frames, bones, 3, 4].
    """
    joints = body.joints.astype(np.float64)
    offsets = np.empty((*rotations.shape[:2], 3))
    turned = np.einsum("fbij,bj->fbi", rotations, joints)
    for bone, parent in enumerate(model.parents):
        if parent < 0:
            offsets[:, bone] = joints[bone] - turned[:, bone]
            continue
        head = rotations[:, parent] @ joints[bone] + offsets[:, parent]
        offsets[:, bone] = head - turned[:, bone]
    bones = model.dominant[soles]
    points = body.vertices[soles].astype(np.float64)
    heights = np.einsum("fvj,vj->fv", rotations[:, bones, 2], points) + offsets[:, bones, 2]
    offsets[..., 2] -= heights.min(axis=1)[:, None]
    return np.concatenate([rotations, offsets[..., None]], axis=3).astype(np.float32)


def _bump(phase: np.ndarray, centre: float, sharpness: float) -> np.ndarray:
    """Compute a periodic bump of height 1."""
    return np.exp(sharpness * (np.cos(2 * np.pi * (phase - centre)) - 1))


def _forward(angle: np.ndarray) -> np.ndarray:
    """Rotate hanging segments forward and upright ones backward, [frames, 3, 3]."""
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([i, o, o, o, c, s, o, -s, c], axis=-1).reshape(-1, 3, 3)


def _about_y(angle: np.ndarray) -> np.ndarray:
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([c, o, s, o, i, o, -s, o, c], axis=-1).reshape(-1, 3, 3)


def _about_z(angle: np.ndarray) -> np.ndarray:
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([c, -s, o, s, c, o, o, o, i], axis=-1).reshape(-1, 3, 3)


def _orthonormal(matrices: np.ndarray) -> np.ndarray:
    """Project means of rotations back on rotations."""
    left, _, right = np.linalg.svd(matrices)
    return left @ right
