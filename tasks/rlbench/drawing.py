# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of an episode: its voxels, and what the cameras see, with the next keyframe."""

import io
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial.transform import Rotation

from perceiver_bench import api

from .actions import BOUNDS, voxel_of
from .cameras import CAMERAS
from .episodes import Episode
from .examples import cloud_of, keyframes_of
from .voxel_drawing import View, draw_cube, draw_voxels

_VIEW = View(azimuth=-38, elevation=28)
_SIZE = 100
_TARGET = "#ff00c8"
_NOW = "#00b4ff"
_AXES = ("#ff3030", "#20d020", "#3060ff")
_AXIS_LENGTH = 0.1


def picture(episode: Episode, step: int = 0) -> bytes:
    """Returns a PNG file of an episode at a step.

    On the left are the 100^3 voxels of PerAct's workspace, from all five cameras. Marked are
    the voxel of the next keyframe, with the gripper's axes there (x red, y green, and z, where
    the fingers point, blue), and the voxel where the gripper is now. On the right the same is
    marked in what the cameras see.

    Args:
        episode: with all five cameras.
        step: before the last.

    Raises:
        UserError: naming the file, for pictures that are missing or damaged, and poses out of
            bounds.
        ValueError: if there is no such step before the last.
    """
    if not 0 <= step < len(episode) - 1:
        raise ValueError(f"step {step} of an episode of {len(episode)} has no next keyframe")
    keyframe = next(keyframe for keyframe in keyframes_of(episode) if keyframe > step)
    now = episode.observations[step].gripper_pose[:3]
    target = episode.observations[keyframe].gripper_pose
    images = episode.images(step)
    figure = Figure(figsize=(12.2, 5.8), dpi=110)
    _draw_scene(figure.add_axes((0.0, 0.01, 0.43, 0.88)), episode, step, images, target)
    *panels, legend = figure.subplots(
        2, 3, gridspec_kw={"left": 0.44, "right": 0.99, "bottom": 0.02, "top": 0.87, "wspace": 0.04}
    ).flat
    for panel, name in zip(panels, CAMERAS, strict=True):
        panel.imshow(images[name], interpolation="nearest", zorder=0)
        camera = episode.camera(step, name)
        _mark(panel, lambda points, camera=camera: camera.projected(points)[..., :2], now, target)
        height, width = images[name].shape[:2]
        panel.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
        panel.set_title(name.replace("_", " "), fontsize=10)
    voxel = ", ".join(map(str, voxel_of(target[:3], BOUNDS, _SIZE)))
    _write_legend(legend, f"next keyframe: step {keyframe},\nvoxel {voxel}", step)
    instruction = episode.descriptions[0] if episode.descriptions else "no instruction"
    figure.suptitle(
        f"{episode.task}, variation {episode.variation}, episode {episode.number}: {instruction}",
        fontsize=12,
        parse_math=False,
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _draw_scene(
    axes: Axes, episode: Episode, step: int, images: Mapping[str, np.ndarray], target: np.ndarray
) -> None:
    points = episode.points(step)
    cloud = cloud_of([images[name] for name in CAMERAS], [points[name] for name in CAMERAS])
    low, high = np.reshape(BOUNDS, (2, 3))
    batch = [jnp.array(cloud[name])[None] for name in ("points", "colours")]
    voxels = np.asarray(api.voxelise(batch[0], batch[1], jnp.array(BOUNDS), _SIZE))[0]
    draw_cube(axes, np.zeros(3), _SIZE, _VIEW, "0.8", behind=True)
    draw_voxels(axes, voxels[..., 9] > 0, np.clip((voxels[..., 3:6] + 1) / 2, 0, 1), _VIEW)

    def projected(points: np.ndarray) -> np.ndarray:
        return _VIEW.projected((points - low) / (high - low) * _SIZE)

    now = episode.observations[step].gripper_pose[:3]
    for position, colour in ((now, _NOW), (target[:3], _TARGET)):
        voxel = voxel_of(position, BOUNDS, _SIZE)
        draw_cube(axes, voxel, 1, _VIEW, colour)
    _mark(axes, projected, now, target)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set_axis_off()
    axes.set_title(f"{int(voxels[..., 9].sum()):,} occupied of {_SIZE}³ voxels", fontsize=10)


def _mark(
    axes: Axes,
    projected: Callable[[np.ndarray], np.ndarray],
    now: np.ndarray,
    target: np.ndarray,
) -> None:
    """Marks the gripper's position now, and the target with its axes."""
    position = target[:3]
    ends = position + _AXIS_LENGTH * Rotation.from_quat(target[3:]).as_matrix().T
    for end, colour in zip(ends, _AXES, strict=True):
        axes.plot(*projected(np.stack([position, end])).T, color=colour, lw=1.8, zorder=4)
    for place, colour in ((now, _NOW), (position, _TARGET)):
        axes.plot(*projected(place), "o", color=colour, ms=17, mfc="none", mew=2, zorder=5)


def _write_legend(axes: Axes, target: str, step: int) -> None:
    axes.set_axis_off()
    lines = [
        (_TARGET, "o", target),
        (_NOW, "o", f"gripper now: step {step}"),
        *(
            (colour, "_", f"gripper's {axis} there")
            for colour, axis in zip(_AXES, "xyz", strict=True)
        ),
    ]
    for colour, marker, text in lines:
        axes.plot([], [], marker, color=colour, label=text, ms=11, mfc="none", mew=2)
    axes.legend(loc="center left", frameon=False, fontsize=9.5, labelspacing=1)
