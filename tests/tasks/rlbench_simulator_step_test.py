# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: what is refused, where the gripper goes, what it holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator, planner
from perceiver_bench.tasks.rlbench.simulator.task import START, above
from scipy.spatial.transform import Rotation

from perceiver_bench.errors import UserError


@pytest.fixture
def simulator():
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays", max_keyframes=4)
    simulator.reset("pick_and_lift", 0, 0)
    yield simulator
    simulator.close()


def at(x, y, z):
    return above(np.array([x, y, z]))


@pytest.mark.parametrize(
    "pose",
    [
        at(0.8, 0, 1),
        at(0, -0.6, 1),
        at(0, 0, 1.7),
        at(0, 0, 0.7),  # below the table
        np.array([0.2, 0, 1, 0, 0, 0, 1]),  # fingers up
    ],
)
def test_what_cannot_be_reached_ends_the_episode(simulator, pose):
    result = simulator.step(pose, True, False)
    assert (result.success, result.terminated, result.cause) == (False, True, "planner")
    np.testing.assert_allclose(result.observation.gripper_pose[:3], START[:3], atol=1e-3)
    with pytest.raises(UserError, match="the episode is over"):
        simulator.step(at(0.2, 0, 1), True, False)


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.array([0.2, np.nan, 1, 0, 1, 0, 0]), "7 finite numbers"),
        (np.array([0.2, 0, 1, 0, 1, 0]), "7 finite numbers"),
        (np.array([0.2, 0, 1, 0, 0, 0, 0]), "may not be 0"),
    ],
)
def test_what_is_no_pose_is_an_error(simulator, pose, message):
    with pytest.raises(UserError, match=message):
        simulator.step(pose, True, False)


def test_unknown_episodes_are_errors(simulator):
    with pytest.raises(UserError, match="'fold_laundry' unknown; the simulator has reach_target"):
        simulator.reset("fold_laundry", 0, 0)
    with pytest.raises(UserError, match="variation 6 of reach_target: there are 0 to 5"):
        simulator.reset("reach_target", 6, 0)
    with pytest.raises(UserError, match="seed: -1 is negative"):
        simulator.reset("reach_target", 0, -1)
    with pytest.raises(UserError, match="call reset first"):
        EmbeddedSimulator(16, backend="rays").step(START, True, False)


def test_time_ends_an_episode(simulator):
    for number in range(1, 5):
        result = simulator.step(at(0.2, 0, 1.2 + number / 100), True, False)
        assert result.observation.timestep == number
    assert (result.terminated, result.cause) == (True, "time")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.floats(-0.25, 0.6),
    st.floats(-0.45, 0.45),
    st.floats(1.0, 1.55),
    st.floats(-1.5, 1.5),
    st.floats(-1.2, 1.2),
    st.booleans(),
    st.floats(0.5, 2.0),
)
def test_the_gripper_arrives(x, y, z, yaw, tilt, straight, scale):
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    simulator.reset("reach_target", 0, 0)
    rotation = Rotation.from_euler("zy", [yaw, tilt]) * Rotation.from_quat([0, 1, 0, 0])
    pose = np.array([x, y, z, *(scale * rotation.as_quat())])
    result = simulator.step(pose, False, straight)
    found = result.observation
    np.testing.assert_allclose(found.gripper_pose[:3], pose[:3], atol=2e-3)
    turn = Rotation.from_quat(found.gripper_pose[3:]).inv() * rotation
    assert turn.magnitude() < 0.01
    assert np.abs(found.joint_velocities).max() < 0.02
    assert found.gripper_open == 0.0
    np.testing.assert_allclose(found.gripper_joint_positions, 0, atol=1e-3)
    assert found.ignore_collisions is straight
    simulator.close()


def test_the_way_leads_through_the_lift_height():
    start, end = at(0.1, 0, 0.8), above(np.array([0.4, 0.2, 0.85]), yaw=1.0)
    corners = planner.path(start, end, 1.0, straight=False)
    np.testing.assert_allclose(corners[:, 2], [1.0, 1.0, 0.85])
    np.testing.assert_allclose(corners[0, :2], start[:2])
    np.testing.assert_allclose(corners[1:, :2], [end[:2]] * 2)
    np.testing.assert_allclose(corners[0, 3:], start[3:])
    np.testing.assert_allclose(corners[1:, 3:], [end[3:]] * 2)
    np.testing.assert_array_equal(planner.path(start, end, 1.0, straight=True), [end])
    near = at(0.12, 0, 0.9)
    np.testing.assert_array_equal(planner.path(start, near, 1.0, straight=False), [near])


def test_a_way_from_above_goes_down_only(simulator):
    heights = []
    simulator.on_tick = lambda _: heights.append(simulator._world.pose()[2])
    simulator.step(at(0.0, 0.3, 0.9), True, False)
    assert np.diff(heights).max() < 1e-3


def test_the_table_stops_the_fingers(simulator):
    low = at(-0.2, -0.4, 0.735)
    found = simulator.step(low, False, False).observation.gripper_pose
    # They end 1 cm beyond the tip, and may sink into the table by little.
    assert 0.752 < found[2] < 0.762


def test_a_block_is_held_without_a_jump_and_let_loose(simulator):
    over, grasp, lift = simulator.expert()
    simulator.step(*over)
    simulator.step(*grasp)
    world = simulator._world
    assert world.held() == "block0"
    before = world.position("block0") - world.position("hand")
    assert simulator.step(*lift).success
    np.testing.assert_allclose(world.position("block0") - world.position("hand"), before, atol=2e-3)
    simulator._gripper.open()
    simulator._gripper.wait(0.5)
    assert world.held() is None
    assert world.position("block0")[2] < 0.80


def test_closing_on_nothing_holds_nothing(simulator):
    result = simulator.step(at(-0.2, 0.4, 1.0), False, False)
    assert simulator._world.held() is None
    assert result.observation.gripper_open == 0.0
    result = simulator.step(at(-0.2, 0.4, 1.0), True, False)
    assert result.observation.gripper_open == 1.0
    np.testing.assert_allclose(result.observation.gripper_joint_positions, 0.04, atol=1e-3)


def test_what_cannot_follow_slips_away():
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    simulator.reset("open_drawer", 1, 0)
    before, grasp, _ = simulator.expert()
    simulator.step(*before)
    simulator.step(*grasp)
    assert simulator._world.held() == "middle"
    aside = grasp.pose + np.array([0, 0, 0.3, 0, 0, 0, 0])
    simulator.step(aside, False, True)
    assert simulator._world.held() is None
    assert simulator._world.joint("middle") < 0.12
    simulator.close()
