# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench import actions
from scipy.spatial.transform import Rotation

from perceiver_bench.errors import UserError
from perceiver_bench.model.voxels import voxelise

BOUNDS = actions.BOUNDS
compiled = jax.jit(voxelise, static_argnums=3)
SIZES = st.integers(1, 120)
bins = st.tuples(*[st.integers(0, 71)] * 3)
quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).map(np.array)
positions = st.tuples(*(st.floats(a, b) for a, b in zip(BOUNDS[:3], BOUNDS[3:], strict=True)))


def angle_between(first, second):
    """Degrees between two quaternions."""
    between = Rotation.from_quat(first).inv() * Rotation.from_quat(second)
    return np.degrees(between.magnitude())


def scipys_degrees(quaternion):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gimbal lock
        return Rotation.from_quat(quaternion).as_euler("xyz", degrees=True)


# Translation.


@settings(deadline=None)
@given(positions.map(np.array), SIZES)
def test_the_middle_of_a_voxel_is_within_half_a_voxel(position, size):
    voxel = actions.voxel_of(position, BOUNDS, size)
    assert voxel.dtype == np.int32
    assert np.all((voxel >= 0) & (voxel < size))
    middle = actions.position_of(voxel, BOUNDS, size)
    assert np.all(np.abs(middle - position) <= 0.5 / size + 1e-9)


@settings(deadline=None)
@given(st.data(), SIZES)
def test_a_voxel_is_that_of_its_middle(data, size):
    voxel = np.array([data.draw(st.integers(0, size - 1)) for _ in range(3)])
    middle = actions.position_of(voxel, BOUNDS, size)
    np.testing.assert_array_equal(actions.voxel_of(middle, BOUNDS, size), voxel)


def test_voxels_by_hand():
    bounds = (0, 0, 0, 1, 2, 4)
    assert actions.voxel_of(np.array([0.55, 0.55, 0.55]), bounds, 10).tolist() == [5, 2, 1]
    middle = actions.position_of(np.array([5, 2, 1]), bounds, 10)
    np.testing.assert_allclose(middle, [0.55, 0.5, 0.6])
    # The upper bounds belong to the last voxel.
    assert actions.voxel_of(np.array([1.0, 2.0, 4.0]), bounds, 10).tolist() == [9, 9, 9]
    assert actions.voxel_of(np.zeros(3), bounds, 10).tolist() == [0, 0, 0]


@settings(deadline=None, max_examples=30)
@given(positions.map(np.array))
def test_the_voxel_of_an_action_is_that_of_a_point_in_the_grid(position):
    size = 20
    scaled = (position - np.array(BOUNDS[:3])) * size
    assume(np.all(np.abs(scaled - np.rint(scaled)) > 1e-4))  # float32 may fall to either side
    grid = compiled(
        jnp.array(position, jnp.float32)[None, None], jnp.ones((1, 1, 3)), jnp.array(BOUNDS), size
    )
    (found,) = np.argwhere(np.asarray(grid)[0, ..., 9])
    np.testing.assert_array_equal(actions.voxel_of(position, BOUNDS, size), found)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [0, 1])
def test_a_position_out_of_bounds_is_refused(axis, side):
    position = (np.array(BOUNDS[:3]) + BOUNDS[3:]) / 2
    position[axis] = BOUNDS[3 * side + axis] + (1e-6 if side else -1e-6)
    with pytest.raises(UserError, match=r"the gripper's position .* is out of bounds=\[-0\.3"):
        actions.voxel_of(position, BOUNDS, 100)
    position[axis] = np.nan
    with pytest.raises(UserError, match=r"out of bounds"):
        actions.voxel_of(position, BOUNDS, 100)


@pytest.mark.parametrize(
    "bounds",
    [(0, 0, 0, 1, 1), (0, 0, 0, 1, 0, 1), (0, 0, 0, 1, 1, np.inf), (np.nan,) * 6],
    ids=["five", "no extent", "endless", "no numbers"],
)
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(UserError, match=r"bounds=\[.*six numbers are due"):
        actions.voxel_of(np.zeros(3), bounds, 10)


# Rotation.


@settings(deadline=None)
@given(quaternions)
@example(np.array([0, np.sqrt(0.5), 0, np.sqrt(0.5)]))
@example(np.array([0, -np.sqrt(0.5), 0, np.sqrt(0.5)]))
def test_bins_are_those_of_scipys_angles(quaternion):
    assume(np.linalg.norm(quaternion) > 1e-3)
    share = (scipys_degrees(quaternion) + 180) / 5
    assume(np.all(np.abs(share % 1 - 0.5) > 1e-6))  # a boundary of two bins
    assume(abs(abs(scipys_degrees(quaternion)[1]) - 90) > 1e-3)
    found = actions.bins_of(quaternion)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.around(share).astype(int) % 72)


@pytest.mark.parametrize("second", [-90, 90])
@pytest.mark.parametrize("first", range(-180, 180, 35))
@pytest.mark.parametrize("third", [-170, -20, 0, 60])
def test_gimbal_lock_is_as_scipy_has_it(first, second, third):
    quaternion = Rotation.from_euler("xyz", [first, second, third], degrees=True).as_quat()
    found = actions.bins_of(quaternion)
    assert found[2] == 36
    share = (scipys_degrees(quaternion) + 180) / 5
    np.testing.assert_array_equal(found, np.around(share).astype(int) % 72)
    assert angle_between(actions.quaternion_of(found), quaternion) < 1e-4


@settings(deadline=None)
@given(quaternions)
def test_a_rotation_is_within_half_a_bin_about_each_axis(quaternion):
    assume(np.linalg.norm(quaternion) > 1e-3)
    back = actions.quaternion_of(actions.bins_of(quaternion))
    assert back[3] >= 0
    assert np.linalg.norm(back) == pytest.approx(1)
    assert angle_between(back, quaternion / np.linalg.norm(quaternion)) <= 7.5 + 1e-6


@settings(deadline=None)
@given(bins)
def test_bins_stand_for_the_same_rotation_after_a_round_trip(three):
    quaternion = actions.quaternion_of(np.array(three))
    again = actions.bins_of(quaternion)
    assert angle_between(actions.quaternion_of(again), quaternion) < 1e-4
    if 18 < three[1] < 54:  # every rotation has one such triple
        assert tuple(again) == three


@settings(deadline=None)
@given(quaternions)
def test_both_quaternions_of_a_rotation_have_the_same_bins(quaternion):
    assume(np.linalg.norm(quaternion) > 1e-3)
    share = (scipys_degrees(quaternion) + 180) / 5
    assume(np.all(np.abs(share % 1 - 0.5) > 1e-6))
    first, second = actions.bins_of(quaternion), actions.bins_of(-3 * quaternion)
    np.testing.assert_array_equal(first, second)


def test_bins_by_hand():
    assert actions.bins_of(np.array([0, 0, 0, 1.0])).tolist() == [36, 36, 36]
    # The gripper points down, turned by 30 degrees about the vertical.
    down = Rotation.from_euler("xyz", [180, 0, 30], degrees=True).as_quat()
    assert actions.bins_of(down).tolist() == [0, 36, 42]
    turned = Rotation.from_euler("xyz", [7, -12, 179], degrees=True).as_quat()
    assert actions.bins_of(turned).tolist() == [37, 34, 0]


# Both.


@settings(deadline=None)
@given(positions, quaternions, st.booleans())
def test_an_action_stands_for_a_pose_nearby(position, quaternion, is_open):
    assume(np.linalg.norm(quaternion) > 1e-3)
    pose = np.array([*position, *quaternion])
    action = actions.action_of(pose, is_open, BOUNDS, 100)
    assert action["rotation_grip"].dtype == np.int32
    assert action["rotation_grip"][3] == is_open
    back = actions.pose_of(action["translation"], action["rotation_grip"], BOUNDS, 100)
    assert np.abs(back[:3] - position).max() <= 0.005 + 1e-9
    again = actions.action_of(back, is_open, BOUNDS, 100)
    np.testing.assert_array_equal(again["translation"], action["translation"])
    once_more = actions.pose_of(again["translation"], again["rotation_grip"], BOUNDS, 100)
    assert angle_between(once_more[3:], back[3:]) < 1e-4
