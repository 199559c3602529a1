# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as RLBench and PerAct write them, of a made scene, in both layouts.

The scene is a table at height 0.75 whose colours tell the place, seen by five cameras. Python's
own pickler writes the demonstrations, while classes stand in for RLBench's. Nothing of the
package writes or reads here.
"""

import contextlib
import io
import pathlib
import pickle
import sys
import types
from unittest import mock

import numpy as np
import PIL.Image

CAMERAS = ("front", "left_shoulder", "right_shoulder", "wrist", "overhead")
TABLE = 0.75
NEAR, FAR = 0.01, 3.5
NUM_STEPS = 30
KEYFRAMES = [12, 20, 29]
"""The gripper closes at step 12, the robot stands still at step 20, and step 29 is the last."""
STRAIGHT = range(12, 20)
"""The steps that disregard collisions: the keyframe 12, but not the step before it."""
INSTRUCTIONS = ["reach the red target", "go to the red ball"]


class Demo:
    """Stands in for RLBench's class of this name."""

    def __init__(self, observations):
        self._observations = observations
        self.random_seed = np.random.RandomState(3).get_state()


class Observation:
    """Stands in for RLBench's class of this name."""

    def __init__(self, **fields):
        vars(self).update(fields)


@contextlib.contextmanager
def rlbench():
    """Makes the two classes importable under RLBench's names."""
    modules = {
        name: types.ModuleType(name)
        for name in ("rlbench", "rlbench.demo", "rlbench.backend", "rlbench.backend.observation")
    }
    modules["rlbench.demo"].Demo = Demo
    modules["rlbench.backend.observation"].Observation = Observation
    with (
        mock.patch.dict(sys.modules, modules),
        mock.patch.object(Demo, "__module__", "rlbench.demo"),
        mock.patch.object(Observation, "__module__", "rlbench.backend.observation"),
    ):
        yield


def pickled(value, protocol=3):
    """What RLBench would write."""
    with rlbench():
        return pickle.dumps(value, protocol)


def intrinsics(size):
    height, width = size
    return np.array([[-1.2 * width, 0, width / 2], [0, -1.2 * width, height / 2], [0, 0, 1]])


def extrinsics(number, step):
    """Camera to world: above the table, tilted; the wrist's moves."""
    angle = np.radians(10 + 4 * number)
    turn = 0.3 * number + (0.01 * step if CAMERAS[number] == "wrist" else 0)
    forward = np.array([np.sin(angle), 0, -np.cos(angle)])
    up = np.array([np.cos(angle), 0, np.sin(angle)])
    left = np.cross(up, forward)
    z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = z @ np.stack([left, up, forward], axis=1)
    matrix[:3, 3] = [0.1 * np.cos(number), 0.1 * np.sin(number), 1.5 + 0.05 * number]
    return matrix


def table_points(number, step, size):
    """Where the table is at every pixel: depth [H, W], points [H, W, 3]."""
    matrix, height, width = extrinsics(number, step), *size
    depth, points = np.zeros(size), np.zeros((*size, 3))
    for row in range(height):
        for column in range(width):
            focal = -1.2 * width
            ray = [(column - width / 2) / focal, (row - height / 2) / focal, 1.0]
            direction = matrix[:3, :3] @ ray
            depth[row, column] = (TABLE - matrix[2, 3]) / direction[2]
            points[row, column] = matrix[:3, 3] + depth[row, column] * direction
    return depth, points


def colours_of(points):
    """The colours of places on the table, uint8 [..., 3]."""
    return np.stack(
        [
            np.clip(128 + 100 * points[..., 0], 0, 255),
            np.clip(128 + 100 * points[..., 1], 0, 255),
            np.full(points.shape[:-1], 40),
        ],
        axis=-1,
    ).astype(np.uint8)


def png(pixels, **options):
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def depth_png(depth):
    """RLBench's 24-bit numbers in colours."""
    numbers = np.floor((depth - NEAR) / (FAR - NEAR) * (2**24 - 1) + 0.5).astype(int)
    return png(np.stack([numbers // 65536, numbers // 256 % 256, numbers % 256], -1).astype("u1"))


def _path(step):
    """Positions that are on no boundary of voxels."""
    return 0.004 + 0.01 * step, -0.096, 1.204 - 0.01 * step


def observation(step, size, *, is_peract):
    fields = {
        f"{name}_{kind}": None
        for name in CAMERAS
        for kind in ("rgb", "depth", "mask", "point_cloud")
    }
    fields |= {
        "joint_velocities": np.full(7, 0.05 if step == 20 else 0.4),
        "joint_positions": np.linspace(0, 1, 7) + step,
        "joint_forces": None,
        "gripper_open": float(step < 12),
        "gripper_pose": np.array([*_path(step), 0.0, 1.0, 0.0, 0.01]),
        "gripper_matrix": np.eye(4),
        "gripper_joint_positions": np.array([0.041, -0.001 + 0.001 * step]),
        "gripper_touch_forces": np.zeros(6),
        "task_low_dim_state": np.arange(3.0),
        "misc": {},
    }
    if is_peract:
        fields["ignore_collisions"] = np.array(float(step in STRAIGHT))
    for number, name in enumerate(CAMERAS):
        fields["misc"] |= {
            f"{name}_camera_extrinsics": extrinsics(number, step),
            f"{name}_camera_intrinsics": intrinsics(size),
            f"{name}_camera_near": NEAR,
            f"{name}_camera_far": FAR,
        }
    return Observation(**fields)


def demonstration(size=(8, 10), num_steps=NUM_STEPS, *, is_peract=True):
    return Demo([observation(step, size, is_peract=is_peract) for step in range(num_steps)])


def write_pictures(folder, size=(8, 10), num_steps=NUM_STEPS):
    for number, name in enumerate(CAMERAS):
        for kind in ("rgb", "depth"):
            (folder / f"{name}_{kind}").mkdir(parents=True)
        for step in range(num_steps):
            if step == 0 or name == "wrist":
                depth, points = table_points(number, step, size)
                files = {"rgb": png(colours_of(points)), "depth": depth_png(depth)}
            for kind, content in files.items():
                (folder / f"{name}_{kind}" / f"{step}.png").write_bytes(content)


def write_demonstration(folder: pathlib.Path, demo, protocol=3):
    (folder / "low_dim_obs.pkl").write_bytes(pickled(demo, protocol))


def write_peract(root, task="reach_target", number=0, *, variation=2, size=(8, 10), protocol=3):
    """Writes an episode of PerAct's layout; returns its folder."""
    folder = root / task / "all_variations" / "episodes" / f"episode{number}"
    write_pictures(folder, size)
    write_demonstration(folder, demonstration(size), protocol)
    (folder / "variation_number.pkl").write_bytes(pickle.dumps(variation, protocol))
    (folder / "variation_descriptions.pkl").write_bytes(pickle.dumps(INSTRUCTIONS, protocol))
    return folder


def write_stock(root, task="reach_target", number=0, *, variation=0, size=(8, 10), protocol=3):
    """Writes an episode of RLBench's own layout; returns its folder."""
    folder = root / task / f"variation{variation}" / "episodes" / f"episode{number}"
    write_pictures(folder, size)
    write_demonstration(folder, demonstration(size, is_peract=False), protocol)
    file = folder.parents[1] / "variation_descriptions.pkl"
    file.write_bytes(pickle.dumps(INSTRUCTIONS, protocol))
    return folder
