# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Depth and camera geometry: against plain loops, and on genuine episodes."""

import itertools

import numpy as np
import pytest
import rlbench_made_files as made
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench import cameras, depth, episodes
from scipy.spatial.transform import Rotation


@settings(deadline=None)
@given(st.integers(0, 2**24 - 1), st.floats(0, 1), st.floats(1.5, 10))
def test_depth_is_the_share_of_24_bits_between_the_planes(number, near, far):
    colours = np.array([[[number // 65536, number // 256 % 256, number % 256]]], np.uint8)
    metres = depth.depth_in_metres(colours, near, far)
    assert metres.dtype == np.float64
    np.testing.assert_allclose(metres, [[near + number / 16_777_215 * (far - near)]], rtol=1e-12)


def test_the_ends_are_the_planes_exactly():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [128, 0, 0]]], np.uint8)
    np.testing.assert_allclose(depth.depth_in_metres(colours, 1.0, 3.0), [[1, 3, 2]], atol=2e-7)
    assert depth.depth_in_metres(colours, 1.0, 3.0)[0, :2].tolist() == [1.0, 3.0]


def homogeneous_points(metres, intrinsics, extrinsics):
    """The inverse of the whole 4x4 projection of PyRep's convention, pixel by pixel."""
    world_to_camera = np.linalg.inv(extrinsics)[:3]
    projection = np.vstack([intrinsics @ world_to_camera, [0, 0, 0, 1]])
    points = np.zeros((*metres.shape, 3))
    for row, column in itertools.product(*map(range, metres.shape)):
        d = metres[row, column]
        points[row, column] = np.linalg.solve(projection, [column * d, row * d, d, 1])[:3]
    return points


def random_camera(seed):
    generator = np.random.default_rng(seed)
    extrinsics = np.eye(4)
    extrinsics[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    extrinsics[:3, 3] = generator.normal(size=3)
    intrinsics = np.array([[-170.0, 0, 4], [0, -190.0, 3.5], [0, 0, 1]])
    return cameras.Camera(intrinsics, extrinsics, 0.01, 3.5)


@pytest.mark.parametrize("seed", range(3))
def test_points_are_those_of_the_inverse_projection(seed):
    camera = random_camera(seed)
    metres = np.random.default_rng(seed).uniform(0.1, 3, (7, 8))
    points = camera.points(metres)
    assert points.dtype == np.float32
    due = homogeneous_points(metres, camera.intrinsics, camera.extrinsics)
    np.testing.assert_allclose(points, due, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_point_is_projected_to_its_pixel(seed):
    camera = random_camera(seed)
    metres = np.random.default_rng(seed).uniform(0.5, 3, (7, 8))
    projected = camera.projected(camera.points(metres).astype(np.float64))
    columns, rows = np.meshgrid(np.arange(8), np.arange(7))
    np.testing.assert_allclose(projected[..., 0], columns, atol=1e-3)
    np.testing.assert_allclose(projected[..., 1], rows, atol=1e-3)
    np.testing.assert_allclose(projected[..., 2], metres, atol=1e-5)


def test_what_is_behind_a_camera_has_no_pixel():
    camera = random_camera(0)
    forward = camera.extrinsics[:3, 2]
    position = camera.extrinsics[:3, 3]
    column, row, metres = camera.projected(position + 2 * forward)
    assert (column, row, metres) == pytest.approx((4, 3.5, 2))
    for behind in (position - 2 * forward, position):
        column, row, metres = camera.projected(behind)
        assert np.isnan([column, row]).all()
        assert metres <= 0 or abs(metres) < 1e-12


# The genuine episodes.


@pytest.fixture(scope="module")
def real(shared):
    root = shared / "data" / "rlbench"
    if not root.is_dir():
        pytest.skip(f"needs the episodes of RLBench in {root}")
    return list(episodes.open_episodes(root, "reach_target"))


@pytest.mark.parametrize("number", [0, 1])
def test_every_camera_sees_the_table_at_its_height(number, real):
    for step in (0, len(real[number]) - 1):
        for name, points in real[number].points(step).items():
            height = points[..., 2]
            table = np.abs(height - 0.75) < 0.01
            assert table.mean() > 0.25, name
            assert np.median(height[table]) == pytest.approx(0.75, abs=3e-4), name
            # Nothing but noise of the depth picture is within the table.
            assert np.mean(height < 0.74) < 0.5


def red_sphere(points, image):
    """Centre and radius of the red ball, by least squares of |p|^2 = 2 p.c + r^2 - |c|^2."""
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    seen = points[(red > 60) & (green < red / 3) & (blue < red / 3)].astype(np.float64)
    if not len(seen):
        return None
    # A pixel on the edge may have the depth of what is behind.
    seen = seen[np.linalg.norm(seen - np.median(seen, axis=0), axis=1) < 0.04]
    if len(seen) < 10:  # the arm is in the way
        return None
    design = np.concatenate([2 * seen, np.ones((len(seen), 1))], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.sum(seen**2, axis=1), rcond=None)
    return solution[:3], np.sqrt(solution[3] + solution[:3] @ solution[:3])


@pytest.mark.parametrize(("number", "num_seen"), [(0, 4), (1, 4)])
def test_cameras_see_the_target_at_the_same_place(number, num_seen, real):
    episode = real[number]
    images, points = episode.images(0), episode.points(0)
    spheres = [red_sphere(points[name], images[name]) for name in cameras.CAMERAS]
    spheres = [sphere for sphere in spheres if sphere is not None]
    assert len(spheres) == num_seen
    for centre, radius in spheres:
        assert radius == pytest.approx(0.024, abs=0.002)
        # Where the demonstration ends.
        np.testing.assert_allclose(centre, episode.observations[-1].gripper_pose[:3], atol=0.006)
    for (first, _), (second, _) in itertools.combinations(spheres, 2):
        assert np.linalg.norm(first - second) < 0.01


def test_two_cameras_agree_on_what_they_both_see(real):
    episode = real[0]
    points, depths = episode.points(0), episode.depths(0)
    seen = points["left_shoulder"].reshape(-1, 3).astype(np.float64)
    column, row, metres = episode.camera(0, "overhead").projected(seen).T
    height, width = depths["overhead"].shape
    inside = (column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)
    found = depths["overhead"][
        np.rint(row[inside]).astype(int), np.rint(column[inside]).astype(int)
    ]
    # The arm hides some of it from one of them.
    assert np.median(np.abs(found - metres[inside])) < 0.005


def test_made_cameras_are_as_those_of_rlbench():
    for number in range(len(made.CAMERAS)):
        rotation = made.extrinsics(number, 0)[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert rotation[2, 2] < 0
