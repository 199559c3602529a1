# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where rays meet boxes, balls and cylinders, in the shapes' own frames.

MuJoCo's `mj_multiRay` would do, but loses pixels: it looks for a body where its contact shapes
are, and releases before 3.4 also where angles wrap around.
"""

import numpy as np

from .engine import mujoco

_BOX = int(mujoco.mjtGeom.mjGEOM_BOX)
_SPHERE = int(mujoco.mjtGeom.mjGEOM_SPHERE)
_CYLINDER = int(mujoco.mjtGeom.mjGEOM_CYLINDER)
_TINY = 1e-12


def distances(kind: int, size: np.ndarray, origins: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Returns how far rays go until they enter a shape, in lengths of the rays, [n].

    It is infinite where they do not, or begin within the shape.

    Args:
        kind: MuJoCo's type of a geom.
        size: [3], MuJoCo's size of it.
        origins: [n, 3].
        rays: [n, 3], of any length but 0.

    Raises:
        NotImplementedError: for other types than box, sphere and cylinder.
    """
    if kind == _BOX:
        entry, leave = _within_slabs(origins, rays, size)
    elif kind == _SPHERE:
        entry, leave = _within_radius(origins, rays, size[0])
    elif kind == _CYLINDER:
        ends = _within_slabs(origins[:, 2:], rays[:, 2:], size[1:2])
        side = _within_radius(origins[:, :2], rays[:, :2], size[0])
        entry, leave = np.maximum(ends[0], side[0]), np.minimum(ends[1], side[1])
    else:
        raise NotImplementedError(f"geoms of type {kind} are not rendered")
    return np.where((entry <= leave) & (entry > 0), entry, np.inf)


def normals(kind: int, size: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the outward normals [n, 3] at points [n, 3] of a shape's surface."""
    if kind == _SPHERE:
        return points / size[0]
    found = np.zeros_like(points)
    if kind == _BOX:
        face = np.argmin(size - np.abs(points), axis=1)
        rows = np.arange(len(points))
        found[rows, face] = np.sign(points[rows, face])
        return found
    is_end = size[1] - np.abs(points[:, 2]) < size[0] - np.linalg.norm(points[:, :2], axis=1)
    found[~is_end, :2] = points[~is_end, :2] / size[0]
    found[is_end, 2] = np.sign(points[is_end, 2])
    return found


def _within_slabs(
    origins: np.ndarray, rays: np.ndarray, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where rays [n, axes] enter and leave what is within `half` [axes] on all axes."""
    rays = np.where(np.abs(rays) < _TINY, _TINY, rays)
    one, other = (-half - origins) / rays, (half - origins) / rays
    return np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)


def _within_radius(
    origins: np.ndarray, rays: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where rays [n, axes] enter and leave a ball, or an endless cylinder."""
    square = np.maximum(np.einsum("na,na->n", rays, rays), _TINY)
    middle = -np.einsum("na,na->n", origins, rays) / square
    nearest = origins + middle[:, None] * rays
    room = radius**2 - np.einsum("na,na->n", nearest, nearest)
    half = np.sqrt(np.maximum(room, 0) / square)
    is_hit = room > 0
    return np.where(is_hit, middle - half, np.inf), np.where(is_hit, middle + half, -np.inf)
