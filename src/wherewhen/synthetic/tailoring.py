"""Clothing of a body: cloth offset from the skin, hair, bags, and their colours.

Colour alone would look like paint on a nude at any resolution. So cloth is smoothed and lifted off
the body, trousers hang from the knee, and what falls freely (skirts, the lower half of coats, long
hair) and bags are meshes of their own, moved by the same bones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from wherewhen.synthetic.bodies import BONES_A_VERTEX, Body, BodyModel
from wherewhen.synthetic.wardrobe import Bag, Cloth, Outfit

AROUND = 32
"""Points around a hem."""

THICKNESS = {"beanie": 0.022, "cap": 0.020, "curls": 0.050, "sun hat": 0.026}
"""How far some styles of the head stand off the scalp (m); 0.018 else."""

FALLING = {"long": 0.24, "bob": 0.11, "headscarf": 0.15}
"""How far below the eyes hair or a scarf hangs at the back of the head (m)."""


@dataclass(frozen=True)
class Dressed:
    """A dressed body at rest, ready to be posed and ray-cast.

    Attributes
    ----------
    vertices : numpy.ndarray
        float32 [vertices, 3]; the body's own come first, in anny's order.
    faces : numpy.ndarray
        int32 [faces, 3].
    weight_bones, weights : numpy.ndarray
        int32 and float32 [vertices, 4].
    materials : numpy.ndarray
        Index of each face's cloth, int32 [faces].
    cloths : tuple of Cloth
        The cloths.
    """

    vertices: np.ndarray
    faces: np.ndarray
    weight_bones: np.ndarray
    weights: np.ndarray
    materials: np.ndarray
    cloths: tuple[Cloth, ...]


class Anatomy:
    """Body parts of vertices, and their positions along arm, leg and neck.

    Parameters
    ----------
    body : Body
        The body at rest.
    model : BodyModel
        From `load_body_model`.
    """

    def __init__(self, body: Body, model: BodyModel) -> None:
        self.body, self.model = body, model
        names = np.array(model.bones)
        dominant = names[model.dominant]
        starts = np.char.startswith
        self.finger = starts(dominant, "finger") | starts(dominant, "metacarpal")
        self.hand = self.finger | starts(dominant, "wrist")
        self.arm = starts(dominant, "upperarm") | starts(dominant, "lowerarm")
        self.foot = starts(dominant, "foot") | starts(dominant, "toe")
        self.leg = starts(dominant, "upperleg") | starts(dominant, "lowerleg")
        self.head = starts(dominant, "head") | starts(dominant, "eye")
        self.neck = starts(dominant, "neck")
        self.torso = ~(self.hand | self.arm | self.foot | self.leg | self.head | self.neck)
        self.left = np.char.endswith(dominant, ".L")
        self.x, self.y, self.z = body.vertices.T
        self.hip = self.joint("upperleg01.L")[2]
        self.ankle = self.joint("foot.L")[2]
        self.waist = self.joint("spine04")[2]
        self.shoulder = self.joint("upperarm01.L")[2]
        self.along_leg = (self.hip - self.z) / self.hip
        self.along_arm = self._along_arm()

    def joint(self, bone: str) -> np.ndarray:
        """Return the position of a bone's head (m)."""
        return self.body.joints[self.model.index(bone)]

    def _along_arm(self) -> np.ndarray:
        """Return the position along the arm: 0 shoulder, 0.5 elbow, 1 wrist."""
        result = np.where(self.hand, 1.1, -0.1)
        for side, left in (("L", True), ("R", False)):
            joints = [self.joint(f"{b}.{side}") for b in ("upperarm01", "lowerarm01", "wrist")]
            for part, (start, end) in enumerate(itertools.pairwise(joints)):
                bone = "upperarm" if part == 0 else "lowerarm"
                mask = self.arm & (self.left == left)
                mask &= np.char.startswith(np.array(self.model.bones)[self.model.dominant], bone)
                share = (self.body.vertices[mask] - start) @ (end - start)
                share /= float((end - start) @ (end - start))
                result[mask] = 0.5 * part + 0.5 * share
        return result

    def around_limb(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each vertex's offset from its limb's axis, and the axis point, [vertices, 3]."""
        points = self.body.vertices.copy()
        for side, left in (("L", True), ("R", False)):
            for start, end, part in (
                ("upperleg01", "lowerleg01", "upperleg"),
                ("lowerleg01", "foot", "lowerleg"),
                ("upperarm01", "lowerarm01", "upperarm"),
                ("lowerarm01", "wrist", "lowerarm"),
            ):
                a, b = self.joint(f"{start}.{side}"), self.joint(f"{end}.{side}")
                names = np.array(self.model.bones)[self.model.dominant]
                mask = np.char.startswith(names, part) & (self.left == left)
                axis = (b - a) / np.linalg.norm(b - a)
                along = (self.body.vertices[mask] - a) @ axis
                points[mask] = a + along[:, None] * axis
        return self.body.vertices - points, points


@dataclass
class _Pieces:
    """Meshes and cloths, added piece by piece."""

    vertices: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    bones: list[np.ndarray] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    materials: list[np.ndarray] = field(default_factory=list)
    cloths: list[Cloth] = field(default_factory=list)
    count: int = 0

    def cloth(self, cloth: Cloth) -> int:
        if cloth not in self.cloths:
            self.cloths.append(cloth)
        return self.cloths.index(cloth)

    def add(self, vertices, faces, bones, weights, material) -> None:
        self.vertices.append(vertices.astype(np.float32))
        self.faces.append((faces + self.count).astype(np.int32))
        self.bones.append(bones.astype(np.int32))
        self.weights.append(weights.astype(np.float32))
        self.materials.append(np.broadcast_to(material, len(faces)).astype(np.int32))
        self.count += len(vertices)

    def add_rigid(self, vertices, faces, bone: int, material: int) -> None:
        """Add a mesh that one bone carries."""
        bones = np.zeros((len(vertices), BONES_A_VERTEX))
        bones[:, 0] = bone
        weights = np.zeros_like(bones)
        weights[:, 0] = 1.0
        self.add(vertices, faces, bones, weights, material)


def dress_body(body: Body, model: BodyModel, outfit: Outfit) -> Dressed:
    """Put an outfit on a body.

    Parameters
    ----------
    body : Body
        The body at rest.
    model : BodyModel
        From `load_body_model`.
    outfit : Outfit
        What is worn.

    Returns
    -------
    Dressed
        One mesh of the body in its clothes.
    """
    anatomy = Anatomy(body, model)
    vertices = _fit_clothes(anatomy, outfit)
    pieces = _Pieces()
    materials = _colour_faces(anatomy, outfit, pieces)
    pieces.add(vertices, model.faces, model.weight_bones, model.weights, materials)
    _add_hems(pieces, anatomy, vertices, outfit)
    _add_hair(pieces, anatomy, outfit)
    if outfit.bag is not None:
        _add_bag(pieces, anatomy, vertices, outfit.bag)
    return Dressed(
        vertices=np.concatenate(pieces.vertices),
        faces=np.concatenate(pieces.faces),
        weight_bones=np.concatenate(pieces.bones),
        weights=np.concatenate(pieces.weights),
        materials=np.concatenate(pieces.materials),
        cloths=tuple(pieces.cloths),
    )


def _fit_clothes(anatomy: Anatomy, outfit: Outfit) -> np.ndarray:
    """Smooth and lift the clothed parts of the body's surface, [vertices, 3]."""
    model, top, bottom, shoes = anatomy.model, outfit.top, outfit.bottom, outfit.shoes
    trousers = bottom.kind == "trousers"
    in_sleeve = anatomy.arm & (anatomy.along_arm < top.sleeves)
    in_top = anatomy.torso | in_sleeve | (anatomy.neck & (_up_neck(anatomy) < top.collar))
    in_trousers = anatomy.leg & (anatomy.along_leg < bottom.length) & trousers
    above_sole = anatomy.z / anatomy.hip
    in_shoes = anatomy.foot | (anatomy.leg & (above_sole < shoes.height))
    ease = np.zeros(len(anatomy.z))
    ease[in_top] = top.ease
    ease[in_trousers] = bottom.ease
    ease[in_shoes] = np.maximum(ease[in_shoes], 0.012)
    ease[_scalp(anatomy)] = THICKNESS.get(outfit.head.style, 0.018)
    neighbours = _neighbours(model)
    clothed = in_top | in_trousers | in_shoes
    vertices = anatomy.body.vertices.astype(np.float64)
    vertices = _hang_limbs(anatomy, vertices, outfit, in_sleeve, in_trousers)
    vertices = _hang_torso(anatomy, vertices, top.ease)
    rows = np.flatnonzero(clothed)
    smoothing = neighbours[rows]
    for _ in range(24):  # no cloth shows the body's every fold
        vertices[rows] = smoothing @ vertices
    for _ in range(2):  # an edge of cloth is thick, not a cliff
        ease = 0.5 * ease + 0.5 * (neighbours @ ease)
    return vertices + ease[:, None] * _vertex_normals(vertices, model.faces)


def _hang_limbs(anatomy, vertices, outfit: Outfit, in_sleeve, in_trousers) -> np.ndarray:
    """Widen sleeves and trouser legs to tubes, as cloth does not follow calf and wrist."""
    offsets, axis = anatomy.around_limb()
    radius = np.linalg.norm(offsets, axis=1)
    least = np.zeros_like(radius)
    knee = 0.5
    share = np.clip((anatomy.along_leg - 0.25) / max(outfit.bottom.length - 0.25, 0.05), 0, 1)
    width = outfit.bottom.leg_width
    least[in_trousers] = ((1 - share) * max(width, 0.080) + share * width)[in_trousers]
    least[in_trousers & (anatomy.along_leg < 0.22 * knee)] = 0.0
    least[in_sleeve] = 0.030 + 0.9 * outfit.top.ease
    gain = np.where(radius < least, least / np.maximum(radius, 1e-6), 1.0)
    gain = np.minimum(gain, 2.5)
    change = (in_sleeve | in_trousers) & (gain > 1)
    vertices[change] = (axis + offsets * gain[:, None])[change]
    return vertices


def _hang_torso(anatomy: Anatomy, vertices: np.ndarray, ease: float) -> np.ndarray:
    """Fill the waist under a loose top; a tight one follows the body."""
    torso = anatomy.torso & (anatomy.z < anatomy.shoulder - 0.02)
    z = anatomy.z[torso]
    bins = np.linspace(z.min(), z.max() + 1e-6, 25)
    which = np.digitize(z, bins) - 1
    looseness = np.clip((ease - 0.008) / 0.02, 0.0, 1.0)
    for column in (0, 1):
        middle = np.median(vertices[torso, column]) if column else 0.0
        size = np.abs(vertices[torso, column] - middle)
        width = np.array([size[which == b].max(initial=0.01) for b in range(24)])
        full = np.minimum(np.maximum.accumulate(width), np.maximum.accumulate(width[::-1])[::-1])
        wanted = width + looseness * (full - width)
        gain = np.interp(z, 0.5 * (bins[1:] + bins[:-1]), wanted / width)
        vertices[torso, column] = middle + (vertices[torso, column] - middle) * gain
    return vertices


def _up_neck(anatomy: Anatomy) -> np.ndarray:
    low, high = anatomy.joint("neck01")[2], anatomy.joint("head")[2]
    return (anatomy.z - low) / (high - low)


def _head_place(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre of the skull and its half sizes (m)."""
    skull = anatomy.head & (anatomy.z > anatomy.joint("eye.L")[2] - 0.02)
    points = anatomy.body.vertices[skull]
    low, high = points.min(axis=0), points.max(axis=0)
    middle = 0.5 * (low + high)
    middle[2] = anatomy.joint("eye.L")[2] + 0.02
    half = 0.5 * (high - low)
    half[2] = high[2] - middle[2]
    return middle, half


def _scalp(anatomy: Anatomy) -> np.ndarray:
    """Return the vertices with hair: above a line from forehead to nape."""
    middle, half = _head_place(anatomy)
    back = (anatomy.y - (middle[1] - half[1])) / (2 * half[1])  # 0: forehead, 1: back of the head
    eye = anatomy.joint("eye.L")[2]
    hairline = np.interp(back, [0.0, 0.12, 0.45, 0.62, 1.0], [0.072, 0.060, 0.020, -0.02, -0.07])
    return (anatomy.head | anatomy.neck) & (anatomy.z > eye + hairline) & (
        anatomy.z > anatomy.joint("head")[2] - 0.02
    )  # fmt: skip


def _colour_faces(anatomy: Anatomy, outfit: Outfit, pieces: _Pieces) -> np.ndarray:
    """Choose the cloth of each of the body's faces, int [faces]."""
    model, top, bottom, head = anatomy.model, outfit.top, outfit.bottom, outfit.head
    faces = model.faces

    def most(mask: np.ndarray) -> np.ndarray:
        return mask[faces].sum(axis=1) >= 2

    along_leg = anatomy.along_leg[faces].mean(axis=1)
    along_arm = anatomy.along_arm[faces].mean(axis=1)
    x, y, z = anatomy.body.vertices[faces].mean(axis=1).T
    leg, torso, neck = most(anatomy.leg), most(anatomy.torso), most(anatomy.neck)
    arm = most(anatomy.arm)
    foot = most(anatomy.foot)
    result = np.full(len(faces), pieces.cloth(head.skin))
    legs = bottom.cloth if bottom.kind == "trousers" else bottom.tights
    covered = bottom.length if bottom.kind == "trousers" else 1.0
    result[leg & (along_leg < covered)] = pieces.cloth(legs)
    if bottom.kind == "trousers" and bottom.length < 0.9:
        result[leg & (along_leg > 0.80)] = pieces.cloth(Cloth((0.8, 0.8, 0.8), folds=0.0))
    shoe = foot | (leg & (z < outfit.shoes.height * anatomy.hip))
    result[shoe] = pieces.cloth(outfit.shoes.cloth)
    result[shoe & (z < 0.028)] = pieces.cloth(outfit.shoes.sole)
    result[torso] = pieces.cloth(top.cloth)
    result[torso & (z < anatomy.hip + 0.03)] = pieces.cloth(bottom.cloth)
    result[arm & (along_arm < top.sleeves)] = pieces.cloth(top.sleeve_cloth)
    result[neck & (_up_neck(anatomy)[faces].mean(axis=1) < top.collar)] = pieces.cloth(
        top.collar_cloth
    )
    if top.open_front is not None:
        opening = 0.035 + 0.05 * np.clip((z - anatomy.waist) / 0.35, 0, 1)
        front = (torso | neck) & (np.abs(x) < opening) & (y < anatomy.joint("spine02")[1])
        result[front & (z > anatomy.hip)] = pieces.cloth(top.open_front)
    _colour_head(anatomy, outfit, pieces, result, (x, y, z))
    if outfit.bag is not None:
        _colour_straps(anatomy, outfit.bag, pieces, result, torso, (x, y, z))
    return result


def _colour_head(anatomy, outfit: Outfit, pieces: _Pieces, result, centres) -> None:
    x, y, z = centres
    faces, head = anatomy.model.faces, outfit.head
    on_head = anatomy.head[faces].all(axis=1)
    eye = anatomy.joint("eye.L")
    dark = Cloth(tuple(0.45 * channel for channel in head.skin.colour), folds=0.0)
    face = on_head & (y < eye[1] + 0.02)
    brow = face & (np.abs(z - eye[2] - 0.016) < 0.006) & (np.abs(np.abs(x) - eye[0]) < 0.018)
    eyes = face & (np.abs(z - eye[2]) < 0.008) & (np.abs(np.abs(x) - eye[0]) < 0.014)
    mouth = face & (np.abs(z - eye[2] + 0.072) < 0.006) & (np.abs(x) < 0.022)
    result[brow] = pieces.cloth(head.hair)
    result[eyes] = pieces.cloth(dark)
    lips = (head.skin.colour[0] * 0.85, head.skin.colour[1] * 0.6, head.skin.colour[2] * 0.6)
    result[mouth] = pieces.cloth(Cloth(lips, folds=0.0))
    if head.beard:
        chin = on_head & (z < eye[2] - 0.055) & ~mouth
        result[chin & (y < eye[1] + 0.09)] = pieces.cloth(head.hair)
    scalp = _scalp(anatomy)[faces].sum(axis=1) >= 2
    result[scalp] = pieces.cloth(head.cover if head.cover is not None else head.hair)
    if head.cover is not None and head.style != "headscarf":  # hair shows under the rim
        rim = scalp & (y > eye[1] + 0.08) & (z < eye[2] + 0.0)
        result[rim] = pieces.cloth(head.hair)


def _colour_straps(anatomy, bag: Bag, pieces: _Pieces, result, torso, centres) -> None:
    x, _, z = centres
    cloth = pieces.cloth(bag.cloth)
    if bag.kind == "backpack":
        above = z > anatomy.waist + 0.05
        result[torso & above & (np.abs(np.abs(x) - 0.105) < 0.024)] = cloth
    elif bag.kind == "shoulder":
        # From the shoulder of the other side down to the bag at the hip.
        low, high = anatomy.hip, anatomy.shoulder + 0.06
        line = bag.side * (0.16 - 0.28 * (z - low) / (high - low))
        result[torso & (np.abs(x - line) < 0.022)] = cloth


def _add_hems(pieces: _Pieces, anatomy: Anatomy, vertices: np.ndarray, outfit: Outfit) -> None:
    """Add the skirt, and the part of the top below the waist."""
    bottom, top = outfit.bottom, outfit.top
    legs = anatomy.hip
    if bottom.kind == "skirt":
        _add_tube(
            pieces, anatomy, vertices, anatomy.waist, anatomy.hip - bottom.length * legs,
            bottom.ease + 0.012, 0.12, bottom.cloth, None,
        )  # fmt: skip
    start = anatomy.waist + 0.06
    flare = 0.02 if top.hem < 0.2 else 0.05
    _add_tube(
        pieces, anatomy, vertices, start, anatomy.hip - top.hem * legs,
        0.010 + 0.5 * top.ease, flare, top.cloth, top.open_front,
    )  # fmt: skip


def _add_tube(pieces, anatomy, vertices, upper, lower, ease, flare, cloth, front) -> None:
    """Add a tube around trunk and thighs, from one height to another (m).

    Its upper part moves with the pelvis; further down each half moves with the thigh under it.
    """
    model = anatomy.model
    rows = max(3, int((upper - lower) / 0.03) + 1)
    heights = np.linspace(upper, lower, rows)
    angles = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inside = anatomy.torso | anatomy.leg
    middle = np.array([0.0, float(np.median(anatomy.y[anatomy.torso]))])
    hull = np.zeros((rows, AROUND))
    for row, height in enumerate(heights):
        near = inside & (np.abs(vertices[:, 2] - max(height, anatomy.hip * 0.62)) < 0.035)
        points = vertices[near][:, :2] - middle
        hull[row] = (points @ directions.T).max(axis=0, initial=0.05)
    below = np.clip(anatomy.hip + 0.05 - heights, 0, None)
    # Cloth falls straight from the widest point and never follows the thigh inwards.
    hull = np.where(heights[:, None] < anatomy.hip, np.maximum.accumulate(hull, axis=0), hull)
    radius = hull + ease + (flare * below)[:, None]
    ring = middle + radius[..., None] * directions
    points = np.concatenate(
        [ring, np.broadcast_to(heights[:, None, None], (rows, AROUND, 1))], axis=2
    ).reshape(-1, 3)
    leg_share = np.clip((anatomy.hip + 0.02 - points[:, 2]) / 0.14, 0, 1)
    left = 1 / (1 + np.exp(-points[:, 0] / 0.035))
    trunk_share = np.clip((points[:, 2] - anatomy.waist) / 0.08, 0, 1)
    bones = np.broadcast_to(
        [model.index(b) for b in ("root", "upperleg01.L", "upperleg01.R", "spine03")],
        (len(points), BONES_A_VERTEX),
    )
    weights = np.stack(
        [
            (1 - leg_share) * (1 - trunk_share),
            leg_share * left * (1 - trunk_share),
            leg_share * (1 - left) * (1 - trunk_share),
            trunk_share,
        ],
        axis=1,
    )
    faces = _grid_faces(rows, AROUND, closed=True)
    materials = np.full(len(faces), pieces.cloth(cloth))
    if front is not None:  # an open jacket shows what is under it
        centres = points[faces].mean(axis=1)
        opening = (np.abs(centres[:, 0]) < 0.045) & (centres[:, 1] < middle[1])
        faces, materials = faces[~opening], materials[~opening]
    pieces.add(points, faces, bones, weights, materials)


def _add_hair(pieces: _Pieces, anatomy: Anatomy, outfit: Outfit) -> None:
    """Add hair, headgear or hood outside the skull."""
    head, bone = outfit.head, anatomy.model.index("head")
    middle, half = _head_place(anatomy)
    hair = pieces.cloth(head.hair)
    back = middle[1] + half[1]
    if head.style in FALLING:
        length = FALLING[head.style]
        points, faces = _hair_shell(middle, half + 0.024, length)
        bones = np.zeros((len(points), BONES_A_VERTEX))
        bones[:, 0], bones[:, 1] = bone, anatomy.model.index("spine01")
        low = np.clip((middle[2] - 0.08 - points[:, 2]) / 0.15, 0, 0.8)
        weights = np.stack([1 - low, low, 0 * low, 0 * low], axis=1)
        scarf = head.style == "headscarf"
        pieces.add(points, faces, bones, weights, pieces.cloth(head.cover) if scarf else hair)
    elif head.style == "ponytail":
        points, faces = _blob((0.035, 0.045, 0.12), 2.0)
        place = [0, back + 0.035, middle[2] - 0.06]
        pieces.add_rigid(points + place, faces, bone, hair)
    elif head.style == "bun":
        points, faces = _blob((0.045, 0.045, 0.045), 2.0)
        place = [0, back + 0.025, middle[2] + 0.03]
        pieces.add_rigid(points + place, faces, bone, hair)
    elif head.style == "cap":
        points, faces = _blob((0.075, 0.075, 0.008), 2.2)
        place = [0, middle[1] - half[1] - 0.035, middle[2] + 0.055]
        pieces.add_rigid(points + place, faces, bone, pieces.cloth(head.cover))
    elif head.style == "sun hat":
        points, faces = _blob((half[0] + 0.07, half[1] + 0.07, 0.010), 2.0)
        place = [0, middle[1], middle[2] + 0.030]
        pieces.add_rigid(points + place, faces, bone, pieces.cloth(head.cover))
    if outfit.top.hood:
        points, faces = _blob((0.12, 0.055, 0.075), 2.3)
        neck = anatomy.joint("neck01")
        place = [0, neck[1] + 0.095, neck[2] + 0.0]
        pieces.add_rigid(
            points + place, faces, anatomy.model.index("spine01"), pieces.cloth(outfit.top.cloth)
        )


def _hair_shell(middle: np.ndarray, half: np.ndarray, length: float):
    """Build the shell of long hair, from the crown down the back of the head."""
    rows, columns = 16, 25
    around = np.linspace(-1.95, 1.95, columns)  # 0 is the back of the head
    polar = np.linspace(0.05, np.pi / 2, rows // 2)
    ring = np.concatenate([np.sin(polar), np.linspace(1.0, 0.92, rows - rows // 2)])
    drop = np.concatenate([half[2] * np.cos(polar), np.linspace(-0.02, -length, rows - rows // 2)])
    x = half[0] * ring[:, None] * np.sin(around)
    y = half[1] * ring[:, None] * np.cos(around)
    z = np.broadcast_to(drop[:, None], x.shape)
    points = np.stack([x, y, z], axis=2).reshape(-1, 3) + middle
    return points, _grid_faces(rows, columns, closed=False)


def _add_bag(pieces: _Pieces, anatomy: Anatomy, vertices: np.ndarray, bag: Bag) -> None:
    model, cloth = anatomy.model, pieces.cloth(bag.cloth)
    width, depth, height = bag.size
    points, faces = _blob((width / 2, depth / 2, height / 2), 4.0)
    if bag.kind == "backpack":
        top = anatomy.shoulder + 0.02
        back = vertices[anatomy.torso & (np.abs(vertices[:, 2] - top + 0.15) < 0.05), 1].max()
        place = [0.0, back + 0.42 * depth, top - 0.5 * height]
        bone = model.index("spine02")
    elif bag.kind == "shoulder":
        near = anatomy.torso & (np.abs(vertices[:, 2] - anatomy.hip) < 0.06)
        side = np.abs(vertices[near, 0]).max()
        place = [bag.side * (side + 0.45 * width), 0.02, anatomy.hip - 0.02]
        bone = model.index("root")
    else:
        name = "L" if bag.side > 0 else "R"
        wrist = anatomy.joint(f"wrist.{name}")
        elbow = anatomy.joint(f"lowerarm01.{name}")
        hand = wrist + 0.10 * (wrist - elbow) / np.linalg.norm(wrist - elbow)
        # The bag hangs along the forearm, which points down when one walks.
        points = points @ _turn_down(wrist - elbow)
        place = hand + (0.5 * height + 0.02) * (wrist - elbow) / np.linalg.norm(wrist - elbow)
        bone = model.index(f"lowerarm01.{name}")
    pieces.add_rigid(points + np.asarray(place), faces, bone, cloth)


def _turn_down(direction: np.ndarray) -> np.ndarray:
    """Return the rotation (for row vectors) of the downward axis to a direction."""
    down = np.array([0.0, 0.0, -1.0])
    unit = direction.astype(np.float64) / np.linalg.norm(direction)
    axis = np.cross(down, unit)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + cross + cross @ cross / (1 + down @ unit)).T


def _blob(half: tuple[float, float, float], power: float) -> tuple[np.ndarray, np.ndarray]:
    """Make a superellipsoid around the origin: 2 an ellipsoid, 4 a rounded box."""
    rows, columns = 13, 20
    polar = np.linspace(0.0, np.pi, rows)
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    unit = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(around),
            np.sin(polar)[:, None] * np.sin(around),
            np.broadcast_to(np.cos(polar)[:, None], (rows, columns)),
        ],
        axis=2,
    ).reshape(-1, 3)
    length = (np.abs(unit) ** power).sum(axis=1) ** (1 / power)
    return unit / length[:, None] * np.array(half), _grid_faces(rows, columns, closed=True)


def _grid_faces(rows: int, columns: int, closed: bool) -> np.ndarray:
    """Triangulate a grid of points, whose columns may close to a ring."""
    row, column = np.meshgrid(
        np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij"
    )
    a = row * columns + column
    b = row * columns + (column + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], axis=-1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


_NEIGHBOURS: dict[int, sparse.csr_matrix] = {}


def _neighbours(model: BodyModel) -> sparse.csr_matrix:
    """Return the matrix that averages each vertex's neighbours; cached."""
    key = id(model)
    if key not in _NEIGHBOURS:
        count = len(model.dominant)
        edges = np.concatenate(
            [model.faces[:, [0, 1]], model.faces[:, [1, 2]], model.faces[:, [2, 0]]]
        )
        edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
        ones = np.ones(len(edges))
        matrix = sparse.csr_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
        degree = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1)
        _NEIGHBOURS[key] = sparse.diags(1 / degree) @ matrix
    return _NEIGHBOURS[key]


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for corner in range(3):
        for column in range(3):
            total[:, column] += np.bincount(
                faces[:, corner], weights=normals[:, column], minlength=len(vertices)
            )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
