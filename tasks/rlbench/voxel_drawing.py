# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Draws voxels as cubes, seen from afar from one side and above."""

import dataclasses
import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

# How bright the faces across x, y and z are.
_SHADES = (0.85, 0.7, 1.0)


@dataclasses.dataclass(frozen=True)
class View:
    """A direction to look from, without perspective.

    Attributes:
        azimuth: degrees from the x axis to the y axis.
        elevation: degrees above the horizontal.
    """

    azimuth: float
    elevation: float

    @property
    def to_viewer(self) -> np.ndarray:
        """The direction [3] from the scene to the viewer."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        across = np.cos(elevation)
        return np.array([across * np.cos(azimuth), across * np.sin(azimuth), np.sin(elevation)])

    def projected(self, points: np.ndarray) -> np.ndarray:
        """Returns where points [..., 3] are on paper, to the right and up, [..., 2]."""
        azimuth = np.radians(self.azimuth)
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
        return points @ np.stack([right, np.cross(self.to_viewer, right)], axis=-1)


def draw_voxels(axes: Axes, occupied: np.ndarray, colours: np.ndarray, view: View) -> None:
    """Draws cubes of side 1, that of index (i, j, k) from corner (i, j, k) on.

    Args:
        axes: what to draw on.
        occupied: bool [V, V, V].
        colours: [V, V, V, 3], 0 to 1.
        view: where from.
    """
    side = np.where(view.to_viewer > 0, 1, -1)
    corners, shaded, cells = [], [], []
    for axis, shade in enumerate(_SHADES):
        cell = np.argwhere(occupied & ~_neighbours(occupied, axis, side[axis]))
        corners.append(cell[:, None] + _face(axis, side[axis]))
        shaded.append(colours[tuple(cell.T)] * shade)
        cells.append(cell * side)
    # From the back to the front: cubes of a grid hide each other in the order of any axis.
    order = np.lexsort(np.concatenate(cells).T)
    faces = view.projected(np.concatenate(corners)[order])
    painted = np.concatenate(shaded)[order]
    axes.add_collection(PolyCollection(list(faces), facecolors=painted, edgecolors=painted, lw=0.2))


def draw_cube(
    axes: Axes, corner: np.ndarray, side: float, view: View, colour: str, *, behind: bool = False
) -> None:
    """Draws the twelve edges of a cube from its lowest corner [3] on, over the voxels or behind."""
    ends = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for offsets in itertools.product((0, 1), repeat=2):
            start = np.zeros(3)
            start[others] = offsets
            ends.append([start, start + np.eye(3)[axis]])
    lines = view.projected(corner + side * np.array(ends))
    axes.add_collection(
        LineCollection(list(lines), colors=colour, linewidths=1.0, zorder=0 if behind else 2)
    )


def _neighbours(occupied: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Returns whether the voxel on one side of each is occupied; none is beyond the border."""
    neighbours = np.roll(occupied, -side, axis)
    border = [slice(None)] * 3
    border[axis] = slice(-1, None) if side > 0 else slice(0, 1)
    neighbours[tuple(border)] = False
    return neighbours


def _face(axis: int, side: int) -> np.ndarray:
    """Returns the corners of a cube's face, in turn, [4, 3]."""
    corners = np.zeros((4, 3))
    corners[:, axis] = side > 0
    corners[:, [other for other in range(3) if other != axis]] = [[0, 0], [0, 1], [1, 1], [1, 0]]
    return corners
