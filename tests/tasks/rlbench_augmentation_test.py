# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench import actions, augmentation
from perceiver_bench.tasks.rlbench.augmentation import Motion, augmented, draw_motion, moved
from scipy.spatial.transform import Rotation

from perceiver_bench.errors import UserError
from perceiver_bench.model.voxels import voxelise

BOUNDS = np.array(actions.BOUNDS)
LOW, HIGH = BOUNDS[:3], BOUNDS[3:]
SIZE = 50
compiled = jax.jit(voxelise, static_argnums=3)
RED = np.array([1.0, -0.5, 0.25], np.float32)
seeds = st.integers(0, 2**32 - 1)


def random_pose(generator, *, down=False):
    quaternion = Rotation.random(random_state=int(generator.integers(2**31))).as_quat()
    if down:
        quaternion = Rotation.from_euler("xyz", [np.pi, 0, generator.uniform(-3, 3)]).as_quat()
    return np.concatenate([generator.uniform(LOW, HIGH), quaternion])


def example_of(pose, generator, num_points=2000):
    """Grey points, and a red one at the gripper's target."""
    points = generator.uniform(LOW - 0.2, HIGH + 0.2, (num_points, 3)).astype(np.float32)
    # Nothing else near the target, so that its voxel has one colour.
    points[np.linalg.norm(points - pose[:3], axis=1) < 0.1] = HIGH + 1
    points = np.concatenate([pose[None, :3].astype(np.float32), points])
    colours = np.zeros_like(points)
    colours[0] = RED
    return {
        "points": points,
        "colours": colours,
        "gripper_pose": pose,
        "collision": np.array(1, np.int32),
        "instruction": "reach",
        **actions.action_of(pose, True, BOUNDS, SIZE),
    }


def grid_of(example):
    arrays = (jnp.array(example[name])[None] for name in ("points", "colours"))
    return np.asarray(compiled(*arrays, jnp.array(BOUNDS, jnp.float32), SIZE))[0]


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_the_voxel_of_the_action_holds_what_it_held_before(seed):
    generator = np.random.default_rng(seed)
    example = example_of(random_pose(generator), generator)
    after = augmented(example, generator, bounds=BOUNDS, size=SIZE)
    for one in (example, after):
        share = (one["gripper_pose"][:3] - LOW) / (HIGH - LOW) * SIZE
        if np.any(np.abs(share - np.rint(share)) < 1e-3):
            continue  # on the boundary of two voxels, where float32 may differ
        voxel = grid_of(one)[tuple(one["translation"])]
        np.testing.assert_allclose(voxel[3:6], RED)
        assert voxel[9] == 1
        np.testing.assert_allclose(voxel[:3], one["gripper_pose"][:3], atol=1e-6)
    np.testing.assert_array_equal(after["colours"], example["colours"])
    assert after["collision"] == 1
    assert after["rotation_grip"][3] == 1
    assert after["instruction"] == "reach"


@settings(deadline=None, max_examples=50)
@given(seeds)
def test_the_scene_is_the_same_as_seen_from_the_gripper(seed):
    generator = np.random.default_rng(seed)
    pose = random_pose(generator)
    example = example_of(pose, generator, 50)
    after = augmented(example, generator, bounds=BOUNDS, size=SIZE)

    def seen(one):
        pose = one["gripper_pose"]
        return Rotation.from_quat(pose[3:]).inv().apply(one["points"] - pose[:3])

    np.testing.assert_allclose(seen(after), seen(example), atol=2e-6)


@settings(deadline=None, max_examples=50)
@given(seeds)
def test_the_inverse_gives_the_original(seed):
    generator = np.random.default_rng(seed)
    example = example_of(random_pose(generator), generator, 50)
    motion = draw_motion(example["gripper_pose"][:3], BOUNDS, generator)
    after = moved(example, motion, bounds=BOUNDS, size=SIZE)
    inverse = motion.inverse()
    np.testing.assert_allclose(inverse.points(after["points"]), example["points"], atol=2e-6)
    back = inverse.pose(after["gripper_pose"])
    np.testing.assert_allclose(back[:3], example["gripper_pose"][:3], atol=1e-12)
    between = Rotation.from_quat(back[3:]) * Rotation.from_quat(example["gripper_pose"][3:]).inv()
    assert between.magnitude() < 1e-12


@settings(deadline=None)
@given(seeds)
def test_motions_are_within_their_limits_and_leave_the_action_within_bounds(seed):
    generator = np.random.default_rng(seed)
    position = generator.uniform(LOW, HIGH)
    position = np.where(generator.random(3) < 0.3, LOW, position)
    position = np.where(generator.random(3) < 0.3, HIGH, position)
    motion = draw_motion(position, BOUNDS, generator)
    assert np.all(np.abs(motion.shift) <= 0.125 + 1e-12)
    assert abs(motion.yaw) <= 45
    assert motion.yaw % 5 == 0
    actions.voxel_of(position + motion.shift, BOUNDS, SIZE)
    np.testing.assert_array_equal(motion.centre, position)


def test_motions_are_those_of_drawing_again():
    """Near a corner: the shift has the distribution of what is left within bounds."""
    generator = np.random.default_rng(0)
    position = LOW + np.array([0.05, 0.5, 0.95])
    motions = [draw_motion(position, BOUNDS, generator) for _ in range(4000)]
    shifts = np.array([motion.shift for motion in motions])
    drawn = generator.uniform(-0.125, 0.125, (40_000, 3))
    kept = drawn[np.all((position + drawn >= LOW) & (position + drawn <= HIGH), axis=1)]
    shares = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(
        np.quantile(shifts, shares, axis=0), np.quantile(kept, shares, axis=0), atol=0.012
    )
    yaws, counts = np.unique([motion.yaw for motion in motions], return_counts=True)
    assert yaws.tolist() == list(range(-45, 50, 5))
    assert counts.min() > 150  # of 210


def test_limits_are_of_the_extent_of_the_bounds():
    bounds = (0, 0, 0, 1, 2, 4)
    generator = np.random.default_rng(0)
    middle = np.array([0.5, 1, 2])
    shifts = np.array([draw_motion(middle, bounds, generator).shift for _ in range(500)])
    np.testing.assert_allclose(np.abs(shifts).max(0), [0.125, 0.25, 0.5], rtol=0.03)


def test_no_motion_changes_nothing():
    generator = np.random.default_rng(0)
    example = example_of(random_pose(generator), generator)
    after = augmented(example, generator, bounds=BOUNDS, size=SIZE, max_shift=0, max_yaw=0)
    np.testing.assert_allclose(after["points"], example["points"], atol=1e-7)
    np.testing.assert_array_equal(after["translation"], example["translation"])
    np.testing.assert_array_equal(after["rotation_grip"], example["rotation_grip"])


def test_yaw_is_counterclockwise_about_the_target():
    motion = Motion(np.array([1.0, 2.0, 3.0]), 90, np.array([0, 0, 0.5]))
    np.testing.assert_allclose(motion.points(np.array([2.0, 2.0, 3.0])), [1, 3, 3.5])
    pose = motion.pose(np.array([1.0, 2.0, 3.0, 0, 0, 0, 1]))
    np.testing.assert_allclose(pose[:3], [1, 2, 3.5])
    np.testing.assert_allclose(Rotation.from_quat(pose[3:]).as_euler("xyz")[2], np.pi / 2)


def test_a_motion_out_of_bounds_is_refused():
    generator = np.random.default_rng(0)
    example = example_of(np.array([0, 0, 1, 0, 0, 0, 1.0]), generator, 10)
    with pytest.raises(UserError, match="out of bounds"):
        moved(example, Motion(np.zeros(3), 0, np.array([5.0, 0, 0])), bounds=BOUNDS, size=SIZE)


def published(points, pose, yaw, shift):
    """The formulas of the original code: rows of points times R, and the gripper's own axis."""
    turn = Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    new_points = (points - pose[:3]) @ turn + pose[:3] + shift
    rotation = Rotation.from_quat(pose[3:]).as_matrix() @ turn
    return new_points, Rotation.from_matrix(rotation).as_quat()


@settings(deadline=None, max_examples=50)
@given(seeds, st.integers(-9, 9))
def test_a_gripper_that_points_down_moves_as_in_the_original(seed, steps):
    generator = np.random.default_rng(seed)
    pose = random_pose(generator, down=True)
    points = generator.uniform(LOW, HIGH, (20, 3))
    shift = generator.uniform(-0.1, 0.1, 3)
    due_points, due_quaternion = published(points, pose, 5 * steps, shift)
    # The original turns the points clockwise for a positive yaw.
    motion = Motion(pose[:3], -5 * steps, shift)
    np.testing.assert_allclose(motion.points(points), due_points, atol=1e-12)
    between = Rotation.from_quat(motion.pose(pose)[3:]) * Rotation.from_quat(due_quaternion).inv()
    assert between.magnitude() < 1e-9


def test_the_original_takes_scene_and_gripper_apart_elsewhere():
    pose = np.array([0.1, 0.1, 1.0, *Rotation.from_euler("y", 90, degrees=True).as_quat()])
    points = np.array([[0.3, 0.1, 1.0]])
    new_points, quaternion = published(points, pose, 45, np.zeros(3))
    before = Rotation.from_quat(pose[3:]).inv().apply(points - pose[:3])
    after = Rotation.from_quat(quaternion).inv().apply(new_points - pose[:3])
    assert np.linalg.norm(before - after) > 0.1


@pytest.mark.parametrize("down", [True, False])
def test_equal_generators_give_equal_examples(down):
    pose = random_pose(np.random.default_rng(3), down=down)
    example = example_of(pose, np.random.default_rng(4))
    first, second, third = (
        augmentation.augmented(example, np.random.default_rng(seed), bounds=BOUNDS, size=SIZE)
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first["points"], second["points"])
    assert np.any(first["points"] != third["points"])
    assert first["points"].dtype == np.float32
