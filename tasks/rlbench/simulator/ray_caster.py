# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Renders without GL: casts a ray for each pixel and shades matt colours as GL does."""

import functools
import itertools

import numpy as np

from . import placements, shapes
from .world import World

# The groups of geoms that MuJoCo draws; the others are for contacts only.
_NUM_DRAWN_GROUPS = 3
# A point is in shadow where something begins more than this nearer to the light, in metres.
_MARGIN = 0.002
_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


class RayCaster:
    """Renders one world in square pictures of one size; boxes, balls and cylinders only."""

    def __init__(self, world: World, size: int, shadows: bool):
        self._model = world.model
        self._data = world.data
        self._size = size
        self._shadows = shadows
        self._drawn = np.flatnonzero(world.model.geom_group < _NUM_DRAWN_GROUPS).tolist()

    def render(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns what a camera sees: uint8 [H, W, 3], and depth in metres [H, W]."""
        placed, size = self._data.camera(name), self._size
        axes = placed.xmat.reshape(3, 3)
        rays = _rays(name, size)
        depth = np.full((size, size), np.inf)
        geoms = np.full((size, size), -1)
        for geom in self._drawn:
            window = self._window(geom, placed.xpos, axes, rays)
            some = rays[window]
            if some.size:
                found = self._distances(geom, placed.xpos, some.reshape(-1, 3) @ axes.T)
                is_nearer = found.reshape(some.shape[:2]) < depth[window]
                depth[window][is_nearer] = found.reshape(some.shape[:2])[is_nearer]
                geoms[window][is_nearer] = geom
        is_hit = geoms >= 0
        points = placed.xpos + rays[is_hit] @ axes.T * depth[is_hit, None]
        colours = np.zeros((size, size, 3))
        colours[is_hit] = self._shade(geoms[is_hit], points)
        return np.floor(np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8), depth

    def close(self) -> None:
        """Frees nothing: there is nothing to free."""

    def _window(
        self, geom: int, position: np.ndarray, axes: np.ndarray, rays: np.ndarray
    ) -> tuple[slice, slice]:
        """Returns the rows and columns of the pixels where a geom can be seen."""
        middle, half = self._model.geom_aabb[geom, :3], self._model.geom_aabb[geom, 3:]
        turned = self._data.geom_xmat[geom].reshape(3, 3)
        corners = self._data.geom_xpos[geom] + (middle + _CORNERS * half) @ turned.T
        x, y, z = ((corners - position) @ axes).T
        if z.max() > -placements.NEAR:
            return np.s_[:, :]
        columns, rows = x / -z, y / z
        # The rays of a row have the same y, downwards, and those of a column the same x.
        across, down = rays[0, :, 0], -rays[:, 0, 1]
        first, last = np.searchsorted(across, [columns.min(), columns.max()])
        top, bottom = np.searchsorted(down, [rows.min(), rows.max()])
        return np.s_[top:bottom, first:last]

    def _distances(self, geom: int, origins: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """Returns how far rays [n, 3] from origins [3] or [n, 3] go until a geom, [n]."""
        axes = self._data.geom_xmat[geom].reshape(3, 3)
        kind, size = self._model.geom_type[geom], self._model.geom_size[geom]
        local = (origins - self._data.geom_xpos[geom]) @ axes
        return shapes.distances(kind, size, np.broadcast_to(local, rays.shape), rays @ axes)

    def _shade(self, geoms: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Returns the colours [n, 3] of points [n, 3] on geoms [n]."""
        model, data = self._model, self._data
        normals = self._normals(geoms, points)
        light = np.tile(model.vis.headlight.ambient.astype(np.float64), (len(points), 1))
        for number in range(model.nlight):
            towards = -data.light_xdir[number]
            strength = np.maximum(normals @ towards, 0)
            if self._shadows and model.light_castshadow[number]:
                is_lit = strength > 0
                strength[is_lit] *= ~self._is_shadowed(points[is_lit], towards)
            light += strength[:, None] * model.light_diffuse[number]
        return model.geom_rgba[geoms, :3] * light

    def _is_shadowed(self, points: np.ndarray, towards: np.ndarray) -> np.ndarray:
        """Says for each point [n, 3] whether something is between it and a far light."""
        is_shadowed = np.zeros(len(points), bool)
        for geom in self._drawn:
            ways = self._data.geom_xpos[geom] - points
            beside = ways - np.outer(ways @ towards, towards)
            is_near = np.einsum("na,na->n", beside, beside) < self._model.geom_rbound[geom] ** 2
            is_near &= ~is_shadowed
            rays = np.broadcast_to(towards, (int(is_near.sum()), 3))
            found = self._distances(geom, points[is_near] + _MARGIN * towards, rays)
            is_shadowed[is_near] = np.isfinite(found)
        return is_shadowed

    def _normals(self, geoms: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Returns the outward normals [n, 3] of geoms [n] at points [n, 3] of their surface."""
        found = np.empty_like(points)
        for geom in np.unique(geoms):
            is_here = geoms == geom
            axes = self._data.geom_xmat[geom].reshape(3, 3)
            local = (points[is_here] - self._data.geom_xpos[geom]) @ axes
            kind, size = self._model.geom_type[geom], self._model.geom_size[geom]
            found[is_here] = shapes.normals(kind, size, local) @ axes.T
        return found


@functools.cache
def _rays(name: str, size: int) -> np.ndarray:
    """Returns the rays [H, W, 3] of a camera in its own frame, each reaching depth 1."""
    return placements.rays(placements.PLACED[name], size)
