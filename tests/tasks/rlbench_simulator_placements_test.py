# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Placements: RLBench's numbers, and points that lie on what was rendered."""

import pickle

import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator, placements


class _Any:
    def __setstate__(self, state):
        self.__dict__.update(state)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if module.startswith("rlbench"):
            return type(name, (_Any,), {})
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


@pytest.fixture(scope="module")
def misc(shared):
    path = shared / "data/rlbench/reach_target/variation0/episodes/episode0/low_dim_obs.pkl"
    if not path.is_file():
        pytest.skip(f"needs the real episode {path}")
    with path.open("rb") as file:
        return _Unpickler(file).load()._observations[0].__dict__


def rotation_of(camera):
    """Returns MuJoCo's axes of a camera as columns: right, up, backwards."""
    right, up = -np.array(camera.left), np.array(camera.up)
    return np.stack([right, up, np.cross(right, up)], axis=1)


@pytest.mark.parametrize("name", placements.CAMERAS)
def test_cameras_are_those_of_a_real_episode(misc, name):
    placement, real = placements.CAMERAS[name], misc["misc"]
    camera = placements.camera(placement, 128, np.array(placement.position), rotation_of(placement))
    extrinsics = camera.extrinsics
    if placement.body == "hand":
        extrinsics = misc["gripper_matrix"] @ extrinsics
    np.testing.assert_allclose(extrinsics, real[f"{name}_camera_extrinsics"], atol=2e-4)
    np.testing.assert_allclose(camera.intrinsics, real[f"{name}_camera_intrinsics"], rtol=1e-6)
    assert camera.far == pytest.approx(real[f"{name}_camera_far"])
    assert camera.near == pytest.approx(real[f"{name}_camera_near"])


@pytest.mark.parametrize("name", placements.PLACED)
def test_the_axes_of_a_camera_are_a_rotation(name):
    rotation = rotation_of(placements.PLACED[name])
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("name", placements.CAMERAS)
def test_rays_lead_to_the_points(name):
    placement = placements.CAMERAS[name]
    rotation = rotation_of(placement)
    rays = placements.rays(placement, 8) @ rotation.T
    points = placements.camera(placement, 8, np.zeros(3), rotation).points(np.ones((8, 8)))
    np.testing.assert_allclose(points, rays, atol=1e-6)


def test_points_lie_on_the_table_and_on_the_ball():
    simulator = EmbeddedSimulator(64, backend="rays")
    observation, _ = simulator.reset("reach_target", 0, 5)
    ball = observation.task_low_dim_state[:3]
    num_on_ball = 0
    for view in observation.cameras.values():
        points = view.point_cloud.reshape(-1, 3)
        inside = np.all(np.abs(points - [0.25, 0, 0.75]) < [0.5, 0.6, 0.02], axis=1)
        np.testing.assert_allclose(points[inside, 2], 0.75, atol=1e-5)
        rgb = view.rgb.reshape(-1, 3).astype(int)
        is_red = (rgb[:, 0] > 90) & (rgb[:, 0] > 4 * rgb[:, 1]) & (rgb[:, 0] > 4 * rgb[:, 2])
        distances = np.linalg.norm(points[is_red] - ball, axis=1)
        np.testing.assert_allclose(distances, 0.03, atol=1e-4)
        num_on_ball += is_red.sum()
    assert num_on_ball > 20
    simulator.close()
