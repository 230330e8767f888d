"""Procedural rooms and their light: a floor, four walls, posters and furniture, painted once a clip (the camera does
not move).
"""

import numpy as np
from people import random_colour
from raster import Camera, Light


def _noise(u, v, scale, seed):
    """Four octaves of smooth value noise in [0, 1] at surface coordinates u, v (metres)."""
    grid = np.random.default_rng(seed).random((64, 64))
    total, weight, amplitude = 0.0, 0.0, 1.0
    for octave in range(4):
        a, b = u * scale * 2**octave, v * scale * 2**octave
        i, j = np.floor(a).astype(int), np.floor(b).astype(int)
        fa, fb = a - i, b - j
        fa, fb = fa * fa * (3 - 2 * fa), fb * fb * (3 - 2 * fb)
        i0, i1, j0, j1 = i % 64, (i + 1) % 64, j % 64, (j + 1) % 64
        low = grid[i0, j0] * (1 - fa) + grid[i1, j0] * fa
        high = grid[i0, j1] * (1 - fa) + grid[i1, j1] * fa
        total, weight = total + amplitude * (low * (1 - fb) + high * fb), weight + amplitude
        amplitude *= 0.55
    return total / weight


def _material(kind, u, v, base, seed):
    """Linear colour (…, 3) of a surface of the given kind at coordinates u, v (metres)."""
    tones = np.random.default_rng(seed).random(4096)
    rough = _noise(u, v, 3, seed)[..., None]
    if kind == "planks":
        row = np.floor(v / 0.18).astype(int)
        board = np.floor((u + 2 * tones[row % 4096]) / 1.3).astype(int)
        tone = tones[(37 * row + 11 * board) % 4096] + _noise(0.6 * u, 9 * v, 4, seed + 1) - 0.5
        return base * (0.75 + 0.25 * tone)[..., None] * np.where(v / 0.18 - row < 0.04, 0.55, 1)[..., None]
    if kind == "tiles":
        tone = tones[(31 * np.floor(u / 0.5) + 17 * np.floor(v / 0.5)).astype(int) % 4096]
        joint = ((u / 0.5) % 1 < 0.03) | ((v / 0.5) % 1 < 0.03)
        return np.where(joint[..., None], base * 0.6, base * (0.88 + 0.12 * tone)[..., None]) * (0.9 + 0.2 * rough)
    if kind == "brick":
        row = np.floor(v / 0.12)
        shifted = u + np.where(row % 2 == 0, 0, 0.15)
        tone = tones[(31 * row + 17 * np.floor(shifted / 0.3)).astype(int) % 4096]
        mortar = ((v / 0.12) % 1 < 0.1) | ((shifted / 0.3) % 1 < 0.05)
        return np.where(mortar[..., None], 0.45, base * (0.7 + 0.5 * tone)[..., None]) * (0.85 + 0.3 * rough)
    return base * (0.88 + 0.24 * rough)


def paint_room(camera: Camera, rng: np.random.Generator):
    """The empty room as the camera sees it: linear colour, world position and normal, each (S, S, 3) float32."""
    size = camera.size
    y, x = np.mgrid[0:size, 0:size] + 0.5
    ray = np.stack([(x - size / 2) / camera.focal, (y - size / 2) / camera.focal, np.ones_like(x)], -1) @ camera.axes
    colour, world, normal = (np.zeros((size, size, 3)) for _ in range(3))
    distance = np.full((size, size), np.inf)

    def plane(facing, point, u_axis, v_axis, kind, base, seed):
        toward = ray @ facing
        t = ((point - camera.eye) @ facing) / np.where(abs(toward) < 1e-6, 1e-6, toward)
        if (camera.eye - point) @ facing <= 0:
            return  # the camera is behind this wall: leave it out
        seen = (t > 0) & (t < distance)
        at = camera.eye + t[seen][:, None] * ray[seen]
        distance[seen], world[seen], normal[seen] = t[seen], at, facing
        colour[seen] = _material(kind, at @ u_axis, at @ v_axis, base, seed)

    def linear(c):
        return np.asarray(c) ** 2.2

    seed = int(rng.integers(1 << 30))
    angle = rng.uniform(0, np.pi / 2)
    a, up = np.array([np.cos(angle), np.sin(angle), 0]), np.array([0, 0, 1.0])
    b = np.array([-a[1], a[0], 0])
    wood = linear(np.array([0.55, 0.4, 0.28]) * rng.uniform(0.7, 1.3))
    floor = linear(random_colour(rng, 0.35, 0.8)) if rng.random() < 0.4 else wood
    plane(up, np.zeros(3), a, b, rng.choice(["planks", "tiles", "plain"]), floor, seed)
    kind, wall = rng.choice(["plain", "plain", "brick", "tiles"]), linear(random_colour(rng, 0.45, 0.95))
    for k, (facing, along) in enumerate([(a, b), (-a, b), (b, a), (-b, a)]):
        plane(facing, -facing * rng.uniform(1.6, 3), along, up, kind, wall * rng.uniform(0.7, 1), seed + 11 + k)
    for k in range(rng.integers(2, 6)):  # posters, cupboards, windows
        u = world @ (a if rng.random() < 0.5 else b)
        v = world[..., 2]
        middle_u, middle_v = rng.uniform(-2, 2), rng.uniform(0.3, 2.2)
        half_u, half_v = rng.uniform(0.15, 0.6), rng.uniform(0.15, 0.7)
        on = (normal[..., 2] == 0) & (abs(u - middle_u) < half_u) & (abs(v - middle_v) < half_v)
        colour[on] = linear(random_colour(rng, 0.1, 0.95)) * (0.6 + 0.8 * _noise(u, v, 5, seed + 50 + k)[on])[:, None]
    return tuple(v.astype(np.float32) for v in (colour, world, normal))


def light_room(azimuth: float, rng: np.random.Generator) -> Light:
    """One light from about the camera's side (``azimuth`` in degrees), sky and ground light, of random strength and
    warmth.
    """
    a, e = np.radians(azimuth) + rng.uniform(-1.2, 1.2), np.radians(rng.uniform(35, 70))
    direction = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    warm = rng.uniform(-0.08, 0.08)
    return Light(
        direction,
        rng.uniform(0.75, 1.05) * np.array([1 + warm, 1, 1 - warm]),
        rng.uniform(0.4, 0.55) * np.array([1 - warm, 1, 1 + warm]),
        rng.uniform(0.18, 0.3) * np.ones(3),
    )
