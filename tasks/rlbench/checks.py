# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Finds what is wrong with episodes before a training run meets it."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from perceiver_bench import api

from . import png_files
from .actions import BOUNDS, checked_bounds, voxel_of
from .cameras import PERACT_CAMERAS
from .episodes import Episode
from .examples import keyframes_of
from .keyframes import distinct_transitions

_KINDS = ("rgb", "depth")


def check(
    episode: Episode,
    bounds: Sequence[float] | np.ndarray = BOUNDS,
    *,
    every: int = 10,
    cameras: Sequence[str] = PERACT_CAMERAS,
) -> tuple[int, int]:
    """Returns height and width of an episode's pictures, if there is nothing wrong with it.

    All pictures have to be there and of one size; those that training reads are decoded.

    Args:
        episode: the demonstration.
        bounds: [6], metres.
        every: how many steps lie between starting points, which decides what training reads.
        cameras: the cameras that are due.

    Raises:
        UserError: naming file and step, for an empty instruction; cameras, frames or
            parameters that are missing; pictures of several sizes, or of another size than
            the parameters are for; damaged pictures; black ones of depth; a gripper pose
            out of bounds; and bounds that hold no point.
    """
    low, high = checked_bounds(bounds)
    episode.instruction()
    height, width = _check_frames(episode, cameras)
    keyframes = keyframes_of(episode)
    for keyframe in keyframes:
        try:
            voxel_of(episode.observations[keyframe].gripper_pose[:3], bounds, 1)
        except api.UserError as error:
            raise api.UserError(f"{episode.path}, step {keyframe}: {error}") from error
    for step in sorted({one.step for one in distinct_transitions(keyframes, len(episode), every)}):
        episode.images(step, cameras)
        points = np.concatenate([_checked_points(episode, step, camera) for camera in cameras])
        if not np.any(np.all((points >= low) & (points <= high), axis=-1)):
            raise api.UserError(
                f"{episode.path}, step {step}: no point of it is in"
                f" bounds={[*low.tolist(), *high.tolist()]}; they are from"
                f" {np.round(points.min(0), 2).tolist()} to {np.round(points.max(0), 2).tolist()}"
            )
    return height, width


def check_all(
    episodes: Iterable[Episode],
    bounds: Sequence[float] | np.ndarray = BOUNDS,
    *,
    every: int = 10,
    cameras: Sequence[str] = PERACT_CAMERAS,
) -> tuple[int, int]:
    """Returns height and width of the pictures of all episodes; arguments as for `check`.

    Raises:
        UserError: as `check`; and naming an episode whose pictures have another size.
    """
    first: tuple[Episode, tuple[int, int]] | None = None
    for episode in episodes:
        size = check(episode, bounds, every=every, cameras=cameras)
        if first is None:
            first = episode, size
        elif size != first[1]:
            raise api.UserError(
                f"{episode.path}: pictures of {size[1]} x {size[0]} pixels, and those of"
                f" {first[0].path} have {first[1][1]} x {first[1][0]}; keep them apart"
            )
    if first is None:
        raise api.UserError("no episodes to check")
    return first[1]


def _check_frames(episode: Episode, cameras: Sequence[str]) -> tuple[int, int]:
    """Returns height and width of all pictures."""
    first = episode.picture_file(_KINDS[0], cameras[0], 0)
    sizes = {}
    for camera, kind in itertools.product(cameras, _KINDS):
        folder = episode.picture_file(kind, camera, 0).parent
        if not folder.is_dir():
            raise api.UserError(f"{folder}: missing; record the episode with this camera")
        for step in range(len(episode)):
            file = episode.picture_file(kind, camera, step)
            sizes[file] = height, width = png_files.picture_size(file)
            if sizes[file] != sizes[first]:
                raise api.UserError(
                    f"{file}: {width} x {height} pixels, and {first} has {sizes[first][1]} x"
                    f" {sizes[first][0]}; record the episode with one size"
                )
        extra = episode.picture_file(kind, camera, len(episode))
        if extra.exists():
            raise api.UserError(
                f"{extra}: the episode has {len(episode)} steps, from 0; the pictures are those"
                " of another"
            )
    return sizes[first]


def _checked_points(episode: Episode, step: int, name: str) -> np.ndarray:
    """Returns the points [H * W, 3] of a camera."""
    camera, place = episode.camera(step, name), f"{episode.path}, step {step}"
    depth = episode.depths(step, [name])[name]
    if np.all(depth <= camera.near):
        raise api.UserError(
            f"{episode.picture_file('depth', name, step)}: black, so that nothing is farther than"
            f" {camera.near:g} m; record the episode again"
        )
    # Finds pictures that have been made larger or smaller, whose points would be wrong.
    (column, row), (height, width) = camera.intrinsics[:2, 2], depth.shape
    if not (width / 3 < column < width * 2 / 3 and height / 3 < row < height * 2 / 3):
        raise api.UserError(
            f"{place}: {name}_camera_intrinsics has its middle at {column:g}, {row:g}, and the"
            f" pictures have {width} x {height} pixels"
        )
    return camera.points(depth).reshape(-1, 3)
