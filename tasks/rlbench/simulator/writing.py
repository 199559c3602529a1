# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Writes demonstrations as PerAct's data set has them: RLBench's files, all variations together.

    TASK/all_variations/episodes/episodeN/
      {front,left_shoulder,right_shoulder,wrist,overhead}_{rgb,depth}/0.png ...
      low_dim_obs.pkl  variation_number.pkl  variation_descriptions.pkl

Masks are not written; PerAct does not read them. The `misc` of an observation has the seed of
the episode as `seed`, beside RLBench's numbers of the cameras.
"""

import contextlib
import io
import pathlib
import shutil
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import tqdm
from PIL import Image
from scipy.spatial.transform import Rotation

from perceiver_bench import api

from ..cameras import CAMERAS
from ..depth import DEPTH_SCALE
from . import demonstrations
from .demonstrations import Demonstration
from .embedded import EmbeddedSimulator
from .interface import CameraView, Observation
from .pickling import Instance, dumps


def write_demonstrations(
    folder: pathlib.Path,
    simulator: EmbeddedSimulator,
    task: str,
    num_episodes: int,
    *,
    variations: Sequence[int] | None = None,
    first_seed: int = 0,
) -> None:
    """Writes episodes of one task, whose variations take turns.

    Args:
        folder: where the folder of the task is made.
        simulator: with all five cameras.
        task: its name.
        num_episodes: how many episodes.
        variations: which ones; all of the task's if None.
        first_seed: the seed of episode 0; episode N has this much plus N.

    Raises:
        UserError: if an episode is there already, the task or a variation does not exist, or
            the folder cannot be written.
    """
    chosen = range(simulator.tasks.get(task, 1)) if variations is None else variations
    episodes = folder / task / "all_variations" / "episodes"
    for number in range(num_episodes):
        if (episodes / f"episode{number}").exists():
            raise api.UserError(
                f"{episodes / f'episode{number}'}: exists; remove it or choose another folder"
            )
    for number in tqdm.tqdm(range(num_episodes), desc=task, unit="episode", disable=None):
        variation = chosen[number % len(chosen)]
        demonstration = demonstrations.demonstrate(simulator, task, variation, first_seed + number)
        write_episode(episodes / f"episode{number}", demonstration)


def write_episode(path: pathlib.Path, demonstration: Demonstration) -> None:
    """Writes a demonstration to a folder that appears whole, or not at all.

    Raises:
        UserError: naming the path, if it exists or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
        _write_files(temporary, demonstration)
        if path.exists():
            raise FileExistsError("it exists already")
        temporary.rename(path)
    except OSError as error:
        raise api.UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)


def _write_files(folder: pathlib.Path, demonstration: Demonstration) -> None:
    for name in CAMERAS:
        colours, depths = folder / f"{name}_rgb", folder / f"{name}_depth"
        colours.mkdir()
        depths.mkdir()
        for number, observation in enumerate(demonstration.observations):
            view = observation.cameras[name]
            (colours / f"{number}.png").write_bytes(_png(view.rgb))
            (depths / f"{number}.png").write_bytes(_png(encoded_depth(view)))
    files = {
        "low_dim_obs.pkl": _demo(demonstration),
        "variation_number.pkl": demonstration.variation,
        "variation_descriptions.pkl": list(demonstration.instructions),
    }
    for name, value in files.items():
        (folder / name).write_bytes(dumps(value))


def encoded_depth(view: CameraView) -> np.ndarray:
    """Returns depth as RLBench's 24-bit numbers in colours, uint8 [H, W, 3], red the highest.

    0 is the near plane and 2^24 - 1 the far plane.
    """
    near, far = view.camera.near, view.camera.far
    share = (view.depth.astype(np.float64) - near) / (far - near)
    numbers = np.floor(np.clip(share, 0, 1) * DEPTH_SCALE + 0.5).astype(np.uint32)
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def _demo(demonstration: Demonstration) -> Instance:
    state = np.random.RandomState(demonstration.seed).get_state()
    return Instance(
        "rlbench.demo",
        "Demo",
        {
            "_observations": [
                _observation(one, demonstration.seed) for one in demonstration.observations
            ],
            "random_seed": state,
            "variation_number": demonstration.variation,
        },
    )


def _observation(observation: Observation, seed: int) -> Instance:
    # Pictures are files of their own.
    pictures = {
        f"{name}_{kind}": None
        for name in CAMERAS
        for kind in ("rgb", "depth", "mask", "point_cloud")
    }
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(observation.gripper_pose[3:]).as_matrix()
    matrix[:3, 3] = observation.gripper_pose[:3]
    state: dict[str, Any] = {
        **pictures,
        "joint_velocities": observation.joint_velocities,
        "joint_positions": observation.joint_positions,
        "joint_forces": None,
        "gripper_open": observation.gripper_open,
        "gripper_pose": observation.gripper_pose,
        "gripper_matrix": matrix,
        "gripper_joint_positions": observation.gripper_joint_positions,
        "gripper_touch_forces": None,
        "task_low_dim_state": observation.task_low_dim_state,
        "ignore_collisions": np.array(float(observation.ignore_collisions)),
        "misc": {
            "seed": seed,
            **{
                f"{name}_camera_{field}": getattr(view.camera, field)
                for name, view in observation.cameras.items()
                for field in ("extrinsics", "intrinsics", "near", "far")
            },
        },
    }
    return Instance("rlbench.backend.observation", "Observation", state)
