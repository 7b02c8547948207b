"""The warp kernels. Imported by `rendering` alone, when something is rendered.

Warp reads the source of a kernel, so annotations here are warp's types and every literal counts:
`1.0` is a float, `1` an int.
"""

# In a kernel `float(0.0)` declares a variable that changes later; a bare literal is a constant.
# ruff: noqa: UP018, SIM102

import warp as wp

wp.set_module_options({"enable_backward": False, "fast_math": False})


@wp.kernel
def skin(
    rest: wp.array(dtype=wp.vec3),
    bones: wp.array(dtype=wp.vec4i),
    weights: wp.array(dtype=wp.vec4),
    transforms: wp.array2d(dtype=wp.mat44),
    frame: int,
    points: wp.array(dtype=wp.vec3),
):
    """Move each vertex by the bones that carry it (linear blend skinning)."""
    vertex = wp.tid()
    place = rest[vertex]
    which = bones[vertex]
    share = weights[vertex]
    moved = wp.vec3(0.0, 0.0, 0.0)
    for i in range(4):
        if share[i] > 0.0:
            moved += share[i] * wp.transform_point(transforms[frame, which[i]], place)
    points[vertex] = moved


@wp.struct
class Scene:
    """Inputs and outputs of the kernels; one argument is packed faster than twenty."""

    mesh: wp.uint64
    rest: wp.array(dtype=wp.vec3)
    faces: wp.array(dtype=int)
    materials: wp.array(dtype=int)
    colours: wp.array(dtype=wp.vec3)
    seconds: wp.array(dtype=wp.vec3)
    kinds: wp.array(dtype=wp.vec3)
    origins: wp.array(dtype=wp.vec3)
    axes: wp.array(dtype=wp.mat33)
    boxes: wp.array(dtype=wp.vec3)  # left and upper edge, size of a pixel
    suns: wp.array(dtype=wp.vec3)
    sunlight: float
    rays: int
    # What the ray through each pixel's middle met, in the frame at hand; cloth -1: nothing.
    cloth: wp.array2d(dtype=int)
    place: wp.array2d(dtype=wp.vec3)
    normal: wp.array2d(dtype=wp.vec3)
    lit: wp.array2d(dtype=float)
    # Colour towards the right, lower, left and upper neighbour, where that one met another thing.
    sides: wp.array3d(dtype=wp.vec4)
    colour: wp.array3d(dtype=wp.vec4)
    shadow: wp.array3d(dtype=float)


@wp.struct
class Met:
    """A ray's hit: the cloth, its rest position, and its current position and normal."""

    cloth: int
    place: wp.vec3
    normal: wp.vec3
    point: wp.vec3


@wp.func
def wave(value: float, scale: float) -> float:
    """Compute a square wave between 0 and 1 with period 1, smoothed over a pixel (15 mm)."""
    return wp.clamp(0.5 - 10.0 * scale * wp.sin(6.2831853 * value), 0.0, 1.0)


@wp.func
def dye(kind: wp.vec3, first: wp.vec3, second: wp.vec3, place: wp.vec3) -> wp.vec3:
    """Return a cloth's colour at a point of the body at rest."""
    pattern = int(kind[0])
    scale = kind[1]
    mix = float(0.0)
    if pattern == 1:
        mix = wave(place[2] / scale, scale)
    elif pattern == 2:
        mix = 0.6 * wave(place[0] / scale, scale)
    elif pattern == 3:
        mix = 0.35 * wave(place[2] / scale, scale)
        mix += 0.35 * wave((place[0] + 0.3 * place[1]) / scale, scale)
    elif pattern == 4:
        state = wp.rand_init(7)
        mix = wp.clamp(0.25 + 0.5 * wp.noise(state, place / scale), 0.0, 0.6)
    elif pattern == 5:
        if place[2] > 1.28:
            mix = 1.0
    elif pattern == 6:
        if wp.abs(place[0]) < 0.10 and place[2] > 1.14 and place[2] < 1.30 and place[1] < 0.0:
            mix = 0.9
    elif pattern == 7:
        mix = wave((place[2] + place[0]) / scale, scale)
    elif pattern == 8:
        across = place[0] / scale
        along = place[2] / scale
        x = across - wp.floor(across) - 0.5
        z = along - wp.floor(along) - 0.5
        mix = wp.clamp(0.5 + (0.3 - wp.sqrt(x * x + z * z)) * scale / 0.015, 0.0, 1.0)
    elif pattern == 9:
        if place[2] > 1.20 and place[2] < 1.32:
            mix = 0.95
    elif pattern == 10:
        state = wp.rand_init(11)
        mix = wp.clamp(0.5 + 6.0 * wp.noise(state, place / scale), 0.0, 1.0)
    elif pattern == 11:
        mix = wave(place[0] / scale, scale)
    elif pattern == 12:
        if place[0] > 0.0:
            mix = 1.0
    elif pattern == 13:
        column = wave(place[0] / scale, scale)
        row = wave(place[2] / scale, scale)
        mix = column + row - 2.0 * column * row
    elif pattern == 14:
        if place[2] < 1.08:
            mix = 1.0
    return (1.0 - mix) * first + mix * second


@wp.func
def ray(scene: Scene, frame: int, row: float, column: float) -> wp.vec3:
    """Return the direction of the ray through a point of the crop (pixels)."""
    box = scene.boxes[frame]
    inside = wp.vec3(box[0] + box[2] * column, box[1] - box[2] * row, 1.0)
    return wp.normalize(wp.transpose(scene.axes[frame]) * inside)


@wp.func
def meet(scene: Scene, frame: int, direction: wp.vec3) -> Met:
    """Cast a ray from the camera."""
    met = Met()
    met.cloth = -1
    origin = scene.origins[frame]
    hit = wp.mesh_query_ray(scene.mesh, origin, direction, 60.0)
    if hit.result:
        a = scene.faces[3 * hit.face]
        b = scene.faces[3 * hit.face + 1]
        c = scene.faces[3 * hit.face + 2]
        w = 1.0 - hit.u - hit.v
        met.cloth = scene.materials[hit.face]
        met.place = hit.u * scene.rest[a] + hit.v * scene.rest[b] + w * scene.rest[c]
        met.normal = hit.normal
        if wp.dot(hit.normal, direction) > 0.0:
            met.normal = -hit.normal
        met.point = origin + hit.t * direction + 0.006 * met.normal
    return met


@wp.func
def ground_shadow(scene: Scene, frame: int, direction: wp.vec3) -> float:
    """Return the shadow of the person where a ray that missed them meets the ground."""
    if direction[2] > -0.001:
        return 0.0
    origin = scene.origins[frame]
    ground = origin - (origin[2] / direction[2]) * direction
    gap = wp.length(ground)  # the person stays above the origin
    dark = 0.45 * wp.exp(-gap * gap / 0.07)
    if gap < 2.5:
        if wp.mesh_query_ray_anyhit(scene.mesh, ground, scene.suns[frame], 4.0):
            dark = wp.max(dark, 0.75 * scene.sunlight)
    return dark


@wp.func
def alike(scene: Scene, row: int, column: int, row2: int, column2: int) -> bool:
    """Return whether two pixels hit nothing, or one cloth at neighbouring points."""
    cloth = scene.cloth[row, column]
    if cloth != scene.cloth[row2, column2]:
        return False
    if cloth < 0:
        return True
    # At rest arms and legs stand apart, so one sleeve before the other half is found, too.
    return wp.length(scene.place[row, column] - scene.place[row2, column2]) < 0.08


@wp.kernel
def look(scene: Scene, frame: int, parity: int):
    """Cast a ray through the middle of each pixel of one colour of the chess-board.

    The black squares (parity 0) are cast all. A white one between four that met the same is not
    cast but takes their mean: that saves most of the other half.
    """
    row, half = wp.tid()
    column = 2 * half + (row + parity) % 2
    height = scene.cloth.shape[0]
    width = scene.cloth.shape[1]
    if column >= width:
        return
    if parity == 1 and row > 0 and column > 0 and row < height - 1 and column < width - 1:
        if (
            alike(scene, row - 1, column, row + 1, column)
            and alike(scene, row, column - 1, row, column + 1)
            and alike(scene, row - 1, column, row, column - 1)
        ):
            cloth = scene.cloth[row - 1, column]
            scene.cloth[row, column] = cloth
            if cloth < 0:
                scene.shadow[frame, row, column] = 0.25 * (
                    scene.shadow[frame, row - 1, column]
                    + scene.shadow[frame, row + 1, column]
                    + scene.shadow[frame, row, column - 1]
                    + scene.shadow[frame, row, column + 1]
                )
            else:
                scene.place[row, column] = 0.25 * (
                    scene.place[row - 1, column]
                    + scene.place[row + 1, column]
                    + scene.place[row, column - 1]
                    + scene.place[row, column + 1]
                )
                scene.normal[row, column] = wp.normalize(
                    scene.normal[row - 1, column]
                    + scene.normal[row + 1, column]
                    + scene.normal[row, column - 1]
                    + scene.normal[row, column + 1]
                )
                scene.lit[row, column] = 0.25 * (
                    scene.lit[row - 1, column]
                    + scene.lit[row + 1, column]
                    + scene.lit[row, column - 1]
                    + scene.lit[row, column + 1]
                )
            return
    direction = ray(scene, frame, float(row) + 0.5, float(column) + 0.5)
    met = meet(scene, frame, direction)
    scene.cloth[row, column] = met.cloth
    lit = float(1.0)
    dark = float(0.0)
    if met.cloth < 0:
        dark = ground_shadow(scene, frame, direction)
    else:
        scene.place[row, column] = met.place
        scene.normal[row, column] = met.normal
        if wp.dot(met.normal, scene.suns[frame]) > 0.0:
            if wp.mesh_query_ray_anyhit(scene.mesh, met.point, scene.suns[frame], 3.0):
                lit = 0.25
    scene.lit[row, column] = lit
    scene.shadow[frame, row, column] = dark


@wp.func
def shine(
    scene: Scene,
    frame: int,
    cloth: int,
    place: wp.vec3,
    normal: wp.vec3,
    lit: float,
    direction: wp.vec3,
) -> wp.vec4:
    """Return the shaded colour of a point on the body, and 1 (opaque)."""
    kind = scene.kinds[cloth]
    albedo = dye(kind, scene.colours[cloth], scene.seconds[cloth], place)
    # Folds of the cloth, long ones and crumples.
    bend = 2.0 * wp.sin(9.0 * place[2] + 5.0 * place[1])
    fold = 0.07 * wp.sin(38.0 * place[0] + 23.0 * place[1] + bend)
    fold += 0.05 * wp.sin(61.0 * place[2] + 2.0 * bend - 47.0 * place[0])
    relief = 1.0 + kind[2] * fold
    sky = 0.62 + 0.38 * normal[2]
    beam = lit * wp.max(wp.dot(normal, scene.suns[frame]), 0.0)
    facing = 0.88 + 0.12 * wp.abs(wp.dot(normal, direction))
    height = wp.clamp(0.82 + 0.14 * place[2], 0.8, 1.05)
    open_sky = (1.0 - scene.sunlight) * sky + 1.3 * scene.sunlight * beam + 0.12
    light = facing * height * relief * open_sky
    return wp.vec4(albedo[0] * light, albedo[1] * light, albedo[2] * light, 1.0)


@wp.kernel
def border(scene: Scene, frame: int):
    """Cast rays - 1 rays between the middles of two neighbours that met different things."""
    row, column, side = wp.tid()
    row2 = row + side
    column2 = column + 1 - side
    if row2 >= scene.cloth.shape[0] or column2 >= scene.cloth.shape[1]:
        return
    if alike(scene, row, column, row2, column2):
        return
    near = wp.vec4(0.0, 0.0, 0.0, 0.0)
    far = wp.vec4(0.0, 0.0, 0.0, 0.0)
    nears = float(0.0)
    fars = float(0.0)
    for turn in range(1, scene.rays):
        share = float(turn) / float(scene.rays)
        y = float(row) + 0.5 + share * float(side)
        x = float(column) + 0.5 + share * float(1 - side)
        direction = ray(scene, frame, y, x)
        met = meet(scene, frame, direction)
        seen = wp.vec4(0.0, 0.0, 0.0, 0.0)
        if met.cloth >= 0:
            lit = scene.lit[row, column]
            if met.cloth == scene.cloth[row2, column2]:
                lit = scene.lit[row2, column2]
            seen = shine(scene, frame, met.cloth, met.place, met.normal, lit, direction)
        if share < 0.51:
            near += seen
            nears += 1.0
        if share > 0.49:
            far += seen
            fars += 1.0
    scene.sides[row, column, side] = near / nears
    scene.sides[row2, column2, side + 2] = far / fars


@wp.kernel
def shade(scene: Scene, frame: int):
    """Colour each pixel: a quarter for each side, its own colour where the neighbour is alike."""
    row, column = wp.tid()
    own = wp.vec4(0.0, 0.0, 0.0, 0.0)
    cloth = scene.cloth[row, column]
    if cloth >= 0:
        direction = ray(scene, frame, float(row) + 0.5, float(column) + 0.5)
        place = scene.place[row, column]
        normal = scene.normal[row, column]
        own = shine(scene, frame, cloth, place, normal, scene.lit[row, column], direction)
    total = wp.vec4(0.0, 0.0, 0.0, 0.0)
    for side in range(4):
        row2 = row
        column2 = column
        if side == 0:
            column2 = wp.min(column + 1, scene.cloth.shape[1] - 1)
        elif side == 1:
            row2 = wp.min(row + 1, scene.cloth.shape[0] - 1)
        elif side == 2:
            column2 = wp.max(column - 1, 0)
        else:
            row2 = wp.max(row - 1, 0)
        if scene.rays == 1 or alike(scene, row, column, row2, column2):
            total += own
        else:
            total += scene.sides[row, column, side]
    scene.colour[frame, row, column] = 0.25 * total
