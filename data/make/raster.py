"""A small software renderer: z-buffer, textures, one soft-shadowed light, supersampling. No display or GPU."""

import math
from dataclasses import dataclass

import numba
import numpy as np

SHADOW = 320  # shadow map, pixels a side, covering 3 m


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. Rows of ``axes`` are image right, image down and forwards; ``size`` in pixels."""

    eye: np.ndarray
    axes: np.ndarray
    focal: float
    size: int

    @staticmethod
    def looking(eye, target, fov: float, size: int) -> "Camera":
        forward = (target - eye) / np.linalg.norm(target - eye)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        return Camera(eye, np.stack([right, down, forward]), size / 2 / math.tan(math.radians(fov) / 2), size)

    def project(self, points: np.ndarray):
        """(…, 3) metres → (…, 2) pixels from the image's upper-left corner, and depth (…,)."""
        local = (points - self.eye) @ self.axes.T
        return self.focal * local[..., :2] / local[..., 2:] + self.size / 2, local[..., 2]


@dataclass(frozen=True)
class Light:
    """One directional light towards ``direction`` with colour ``key``, and hemispheric ambient ``sky`` / ``ground``."""

    direction: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


@numba.njit(cache=True, fastmath=True)
def _normals(vertices, triangles):
    """Area-weighted vertex normals (scalars throughout: numba allocates for every array slice)."""
    out = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            out[i, 0] += nx
            out[i, 1] += ny
            out[i, 2] += nz
    for i in range(out.shape[0]):
        length = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-12
        for k in range(3):
            out[i, k] /= length
    return out


@numba.njit(cache=True, fastmath=True)
def _bounds(a, b, c, size):
    return max(0, math.ceil(min(a, b, c) - 0.5)), min(size - 1, math.floor(max(a, b, c) - 0.5))


@numba.njit(cache=True, fastmath=True)
def _draw(xy, inverse_depth, triangles, uv, normals, world, texture, nearest, colour, normal_image, world_image):
    """Rasterise one mesh into the buffers with perspective-correct interpolation and an alpha test."""
    size = nearest.shape[0]
    rows, columns = texture.shape[:2]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        za, zb, zc = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        if za <= 0 or zb <= 0 or zc <= 0:
            continue
        x0, y0, x1, y1, x2, y2 = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], xy[c, 0], xy[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = _bounds(x0, x1, x2, size)
        top, bottom = _bounds(y0, y1, y2, size)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5, y + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) / area
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) / area
                w0 = 1 - w1 - w2
                if w0 < -1e-5 or w1 < -1e-5 or w2 < -1e-5:
                    continue
                z = w0 * za + w1 * zb + w2 * zc
                if z <= nearest[y, x]:
                    continue
                p0, p1, p2 = w0 * za / z, w1 * zb / z, w2 * zc / z
                u = p0 * uv[t, 0, 0] + p1 * uv[t, 1, 0] + p2 * uv[t, 2, 0]
                v = p0 * uv[t, 0, 1] + p1 * uv[t, 1, 1] + p2 * uv[t, 2, 1]
                column = min(columns - 1, int((u - math.floor(u)) * columns))
                row = min(rows - 1, int((1 - (v - math.floor(v))) * rows))
                if texture[row, column, 3] < 0.35:
                    continue
                nearest[y, x] = z
                for k in range(3):
                    colour[y, x, k] = texture[row, column, k]
                    normal_image[y, x, k] = p0 * normals[a, k] + p1 * normals[b, k] + p2 * normals[c, k]
                    world_image[y, x, k] = p0 * world[a, k] + p1 * world[b, k] + p2 * world[c, k]


@numba.njit(cache=True, fastmath=True)
def _draw_shadow(xyz, triangles, shadow):
    """Orthographic depth from the light: keeps the largest z (closest to the light) in each cell."""
    size = shadow.shape[0]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        x0, y0, x1, y1, x2, y2 = xyz[a, 0], xyz[a, 1], xyz[b, 0], xyz[b, 1], xyz[c, 0], xyz[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = _bounds(x0, x1, x2, size)
        top, bottom = _bounds(y0, y1, y2, size)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                w1 = ((x + 0.5 - x0) * (y2 - y0) - (x2 - x0) * (y + 0.5 - y0)) / area
                w2 = ((x1 - x0) * (y + 0.5 - y0) - (x + 0.5 - x0) * (y1 - y0)) / area
                w0 = 1 - w1 - w2
                if w0 >= 0 and w1 >= 0 and w2 >= 0:
                    shadow[y, x] = max(shadow[y, x], w0 * xyz[a, 2] + w1 * xyz[b, 2] + w2 * xyz[c, 2])


@numba.njit(cache=True, fastmath=True)
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(cache=True, fastmath=True)
def _unit(a):
    length = math.sqrt(_dot(a, a)) + 1e-9
    return a[0] / length, a[1] / length, a[2] / length


@numba.njit(cache=True, fastmath=True)
def _lit_share(shadow, row, column, depth):
    """Share of the 5×5 shadow-map cells around (row, column) that do not lie before ``depth``."""
    size, lit = shadow.shape[0], 0
    for i in range(row - 2, row + 3):
        for j in range(column - 2, column + 3):
            if i < 0 or j < 0 or i >= size or j >= size or shadow[i, j] < depth:
                lit += 1
    return lit / 25


@numba.njit(cache=True, fastmath=True)
def _shade(colour, normals, world, eye, centre, basis, shadow, key, sky, ground, out):
    """Diffuse light through a soft shadow, hemispheric ambient and a faint highlight."""
    size, scale = shadow.shape[0], shadow.shape[0] / 3.0
    towards = (basis[2, 0], basis[2, 1], basis[2, 2])
    for y in range(colour.shape[0]):
        for x in range(colour.shape[1]):
            n = (normals[y, x, 0], normals[y, x, 1], normals[y, x, 2])
            if _dot(n, n) < 1e-9:
                continue
            n = _unit(n)
            at = (world[y, x, 0], world[y, x, 1], world[y, x, 2])
            view = _unit((eye[0] - at[0], eye[1] - at[1], eye[2] - at[2]))
            if _dot(n, view) < 0:
                n = (-n[0], -n[1], -n[2])
            p = (
                at[0] + n[0] * 0.012 - centre[0],
                at[1] + n[1] * 0.012 - centre[1],
                at[2] + n[2] * 0.012 - centre[2],
            )
            column, row = int(_dot(p, basis[0]) * scale + size / 2), int(_dot(p, basis[1]) * scale + size / 2)
            lit = _lit_share(shadow, row, column, _dot(p, towards) + 0.01)
            half = _unit((towards[0] + view[0], towards[1] + view[1], towards[2] + view[2]))
            diffuse = lit * max(0.0, _dot(n, towards))
            shine = 0.02 * lit * max(0.0, _dot(n, half)) ** 24
            up = 0.5 + 0.5 * n[2]
            for k in range(3):
                out[y, x, k] = (
                    colour[y, x, k] * (diffuse * key[k] + up * sky[k] + (1 - up) * ground[k]) + shine * key[k]
                )


def render(parts: list, vertices: list, camera: Camera, room: tuple, light: Light, size: int):
    """Draw a person in a room.

    parts, vertices: a Body's parts and their posed vertices; room: (colour, world, normal) images
    of the empty room from ``room.paint_room``. Returns sRGB (size, size, 3) and person coverage
    (size, size), both in [0, 1], averaged down from the camera's larger size.
    """
    empty_colour, empty_world, empty_normal = room
    full = camera.size
    nearest = np.zeros((full, full), np.float32)
    colour, normal, world = empty_colour.copy(), empty_normal.copy(), empty_world.copy()
    towards = light.direction
    across = np.cross(towards, [0, 0, 1.0])
    across /= np.linalg.norm(across)
    basis = np.stack([across, np.cross(towards, across), towards]).astype(np.float32)
    centre = vertices[0].mean(0)
    shadow = np.full((SHADOW, SHADOW), -1e9, np.float32)
    for part, points in zip(parts, vertices, strict=True):
        xy, depth = camera.project(points)
        inverse = np.where(depth > 0.05, 1 / depth, -1).astype(np.float32)
        normals = _normals(points, part["triangles"])
        buffers = (nearest, colour, normal, world)
        _draw(xy.astype(np.float32), inverse, part["triangles"], part["uv"], normals, points, part["texture"], *buffers)
        seen = (points - centre) @ basis.T
        seen[:, :2] = seen[:, :2] * (SHADOW / 3.0) + SHADOW / 2
        _draw_shadow(seen.astype(np.float32), part["triangles"], shadow)
    lit = colour.copy()
    parameters = [np.asarray(v, np.float32) for v in (light.key, light.sky, light.ground)]
    _shade(colour, normal, world, camera.eye.astype(np.float32), centre, basis, shadow, *parameters, lit)
    k = full // size
    linear = lit.reshape(size, k, size, k, 3).mean((1, 3)).clip(0, 1)
    covered = (nearest > 0).reshape(size, k, size, k).mean((1, 3))
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055), covered
