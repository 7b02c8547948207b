"""Synthetic room: the warp kernels. Imported by `rendering` alone, when something is rendered.

Warp reads the source of a kernel, so annotations here are warp's types and every literal counts:
`1.0` is a float, `1` an int.
"""

# In a kernel `float(0.0)` declares a variable that changes later; a bare literal is a constant.
# ruff: noqa: UP018, RUF046, SIM102

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


@wp.func
def wave(value: float) -> float:
    """Alternate between 0 and 1 with period 1."""
    part = value - wp.floor(value)
    if part < 0.5:
        return 0.0
    return 1.0


@wp.func
def dye(kind: wp.vec3, first: wp.vec3, second: wp.vec3, place: wp.vec3) -> wp.vec3:
    """Give a cloth's colour at a place on the body at rest."""
    pattern = int(kind[0])
    scale = kind[1]
    mix = float(0.0)
    if pattern == 1:
        mix = wave(place[2] / scale)
    elif pattern == 2:
        mix = 0.6 * wave(place[0] / scale)
    elif pattern == 3:
        mix = 0.35 * wave(place[2] / scale) + 0.35 * wave((place[0] + 0.3 * place[1]) / scale)
    elif pattern == 4:
        state = wp.rand_init(7)
        mix = wp.clamp(0.25 + 0.5 * wp.noise(state, place / scale), 0.0, 0.6)
    elif pattern == 5:
        if place[2] > 1.28:
            mix = 1.0
    elif pattern == 6:
        if wp.abs(place[0]) < 0.10 and place[2] > 1.14 and place[2] < 1.30 and place[1] < 0.0:
            mix = 0.9
    return (1.0 - mix) * first + mix * second


@wp.kernel
def cast(
    mesh: wp.uint64,
    rest: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=int),
    materials: wp.array(dtype=int),
    colours: wp.array(dtype=wp.vec3),
    seconds: wp.array(dtype=wp.vec3),
    kinds: wp.array(dtype=wp.vec3),
    origin: wp.vec3,
    right: wp.vec3,
    up: wp.vec3,
    forward: wp.vec3,
    left_edge: float,
    upper_edge: float,
    step: float,
    rays: int,
    sun: wp.vec3,
    sunlight: float,
    frame: int,
    colour: wp.array3d(dtype=wp.vec4),
    shadow: wp.array3d(dtype=float),
):
    """Shade one pixel by rays x rays rays, and one more towards the sun."""
    row, column = wp.tid()
    total = wp.vec4(0.0, 0.0, 0.0, 0.0)
    lit = float(1.0)
    fold = float(0.0)
    asked = int(0)
    missed = int(0)
    cast_rays = float(0.0)
    first = int(-2)  # the cloth that the first ray met; -1: none
    agree = int(1)
    for turn in range(rays * rays):
        # The diagonal first: where its rays meet the same cloth, the others would, too.
        ray = turn * (rays + 1)
        if turn >= rays:
            ray = turn - rays + 1 + (turn - rays) / rays
        if turn < rays or agree == 0:
            i = ray / rays
            j = ray - i * rays
            x = left_edge + step * (float(column) + (float(j) + 0.5) / float(rays))
            y = upper_edge - step * (float(row) + (float(i) + 0.5) / float(rays))
            direction = wp.normalize(forward + x * right + y * up)
            hit = wp.mesh_query_ray(mesh, origin, direction, 60.0)
            cast_rays += 1.0
            met = int(-1)
            if hit.result:
                face = hit.face
                a = faces[3 * face]
                b = faces[3 * face + 1]
                c = faces[3 * face + 2]
                w = 1.0 - hit.u - hit.v
                place = hit.u * rest[a] + hit.v * rest[b] + w * rest[c]
                normal = hit.normal
                if wp.dot(normal, direction) > 0.0:
                    normal = -normal
                cloth = materials[face]
                met = cloth
                kind = kinds[cloth]
                albedo = dye(kind, colours[cloth], seconds[cloth], place)
                if asked == 0:
                    asked = 1
                    # Folds of the cloth, long ones and crumples; once a pixel.
                    bend = 2.0 * wp.sin(9.0 * place[2] + 5.0 * place[1])
                    fold = 0.07 * wp.sin(38.0 * place[0] + 23.0 * place[1] + bend)
                    fold += 0.05 * wp.sin(61.0 * place[2] + 2.0 * bend - 47.0 * place[0])
                    point = origin + hit.t * direction + 0.006 * normal
                    if wp.dot(normal, sun) > 0.0:
                        block = wp.mesh_query_ray_anyhit(mesh, point, sun, 3.0)
                        if block:
                            lit = 0.25
                relief = 1.0 + kind[2] * fold
                sky = 0.62 + 0.38 * normal[2]
                beam = lit * wp.max(wp.dot(normal, sun), 0.0)
                facing = 0.88 + 0.12 * wp.abs(wp.dot(normal, direction))
                height = wp.clamp(0.82 + 0.14 * place[2], 0.8, 1.05)
                open_sky = (1.0 - sunlight) * sky + 1.3 * sunlight * beam + 0.12
                light = facing * height * relief * open_sky
                total += wp.vec4(albedo[0] * light, albedo[1] * light, albedo[2] * light, 1.0)
            else:
                missed = 1
            if first == -2:
                first = met
            if met != first:
                agree = 0
    colour[frame, row, column] = total / cast_rays
    dark = float(0.0)
    if missed == 1:
        x = left_edge + step * (float(column) + 0.5)
        y = upper_edge - step * (float(row) + 0.5)
        direction = wp.normalize(forward + x * right + y * up)
        if direction[2] < -0.001:
            ground = origin - (origin[2] / direction[2]) * direction
            gap = wp.length(ground)  # the person stays above the origin
            dark = 0.45 * wp.exp(-gap * gap / 0.07)
            if gap < 2.5:
                block = wp.mesh_query_ray_anyhit(mesh, ground, sun, 4.0)
                if block:
                    dark = wp.max(dark, 0.75 * sunlight)
    shadow[frame, row, column] = dark
