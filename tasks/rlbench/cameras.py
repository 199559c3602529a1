# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RLBench's cameras: from depth to points in the world, and back to pixels.

The numbers of a camera are those that RLBench stores. Its z axis points into the picture, and
both focal lengths are negative, since its x axis points to the left and its y axis up. A pixel
stands for the ray through its whole-numbered coordinates, as in PyRep's
`pointcloud_from_depth_and_camera_params`: with the principal point at half the size, pixel
(0, 0) is the corner of the picture and not the middle of a pixel.
"""

import dataclasses

import numpy as np

CAMERAS = ("front", "left_shoulder", "right_shoulder", "wrist", "overhead")
"""All cameras of RLBench."""

PERACT_CAMERAS = ("front", "left_shoulder", "right_shoulder", "wrist")
"""Those that PerAct looks through, in its order."""


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera at one moment.

    Attributes:
        intrinsics: [3, 3], pixels.
        extrinsics: [4, 4], camera to world, metres.
        near: depth 0 of the depth pictures, metres.
        far: depth 1 of the depth pictures, metres.
    """

    intrinsics: np.ndarray
    extrinsics: np.ndarray
    near: float
    far: float

    @property
    def _pixels_of_world(self) -> np.ndarray:
        """Maps positions relative to the camera, in world axes, to (u, v, 1) times depth."""
        # As in PyRep the transpose stands for the inverse of the rotation.
        return self.intrinsics @ self.extrinsics[:3, :3].T

    def points(self, depth: np.ndarray) -> np.ndarray:
        """Returns where in the world each pixel lies, float32 [H, W, 3], metres.

        Args:
            depth: [H, W], metres along the optical axis.
        """
        height, width = depth.shape
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1) * depth[..., None]
        world = pixels @ np.linalg.inv(self._pixels_of_world).T
        return (world + self.extrinsics[:3, 3]).astype(np.float32)

    def projected(self, points: np.ndarray) -> np.ndarray:
        """Returns column, row and depth of points, [..., 3], in pixels and metres.

        Points beside or behind the camera have a depth that is not positive, and NaN pixels.

        Args:
            points: [..., 3], metres in the world.
        """
        scaled = (points - self.extrinsics[:3, 3]) @ self._pixels_of_world.T
        depth = scaled[..., 2:]
        in_front = np.where(depth > 0, depth, np.nan)
        return np.concatenate([scaled[..., :2] / in_front, depth], axis=-1)
