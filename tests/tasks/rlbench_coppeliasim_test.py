# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RLBench's adapter over a fake of either RLBench, and one contract for all simulators."""

import importlib.util
import inspect

import numpy as np
import pytest
import rlbench_fake
import rlbench_fake_parts as parts
from perceiver_bench.tasks.rlbench.cameras import CAMERAS
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator
from perceiver_bench.tasks.rlbench.simulator import coppeliasim_install as install
from perceiver_bench.tasks.rlbench.simulator.coppeliasim import CoppeliaSimulator
from rlbench_fake import KINDS

from perceiver_bench.errors import UserError

DOWN = [0.0, 1.0, 0.0, 0.0]
TWO = ("front", "wrist")


@pytest.fixture(params=KINDS)
def make(request, monkeypatch, tmp_path):
    """Makes simulators on an installation of either RLBench, and closes them."""
    made = []

    def make_simulator(**options):
        made.append(CoppeliaSimulator(**{"image_size": 8, "camera_names": TWO} | options))
        return made[-1]

    make_simulator.fake = rlbench_fake.Fake(request.param).install(monkeypatch, tmp_path)
    yield make_simulator
    for simulator in made:
        simulator.close()


@pytest.fixture(params=("embedded", *KINDS))
def simulator(request, monkeypatch, tmp_path):
    """Each simulator, with four keyframes an episode."""
    options = {"image_size": 8, "camera_names": TWO, "max_keyframes": 4}
    if request.param == "embedded":
        simulator = EmbeddedSimulator(**options, backend="rays")
    else:
        rlbench_fake.Fake(request.param).install(monkeypatch, tmp_path)
        simulator = CoppeliaSimulator(**options)
    yield simulator
    simulator.close()


def at(x, y, z):
    return np.array([x, y, z, *DOWN])


def check_observation(observation, timestep):
    assert tuple(observation.cameras) == TWO
    for view in observation.cameras.values():
        assert (view.rgb.shape, view.rgb.dtype) == ((8, 8, 3), np.uint8)
        assert (view.depth.shape, view.depth.dtype) == ((8, 8), np.float32)
        assert view.camera.intrinsics.shape == (3, 3)
        assert view.camera.extrinsics.shape == (4, 4)
        assert 0 < view.camera.near < view.camera.far
        assert np.all((view.depth >= view.camera.near) & (view.depth <= view.camera.far))
        assert (view.point_cloud.shape, view.point_cloud.dtype) == ((8, 8, 3), np.float32)
    for name, shape in (
        ("gripper_pose", (7,)),
        ("gripper_joint_positions", (2,)),
        ("joint_positions", (7,)),
        ("joint_velocities", (7,)),
        ("task_low_dim_state", (observation.task_low_dim_state.size,)),
    ):
        numbers = getattr(observation, name)
        assert (numbers.shape, numbers.dtype) == (shape, np.float64)
        assert np.isfinite(numbers).all()
    assert np.linalg.norm(observation.gripper_pose[3:]) == pytest.approx(1)
    assert np.all(observation.gripper_joint_positions >= 0)
    assert np.all(observation.gripper_joint_positions <= 0.04 + 1e-9)
    assert type(observation.gripper_open) is float
    assert type(observation.ignore_collisions) is bool
    assert (type(observation.timestep), observation.timestep) == (int, timestep)


def test_the_contract_of_an_episode(simulator):
    with pytest.raises(UserError, match="call reset first"):
        simulator.step(at(0.2, 0, 1.2), True, False)
    assert simulator.tasks["reach_target"] >= 3
    assert set(simulator.tasks) >= {"reach_target"}
    phrasings = simulator.instructions("reach_target", 1)
    assert len(phrasings) >= 2
    assert len(set(phrasings)) == len(phrasings)
    observation, instruction = simulator.reset("reach_target", 1, 7)
    assert instruction == phrasings[0]
    check_observation(observation, 0)
    assert observation.gripper_open == 1.0
    assert simulator.success is False

    result = simulator.step(np.array([0.2, 0, 1.2, 0, 3.0, 0, 0]), False, True)
    check_observation(result.observation, 1)
    np.testing.assert_allclose(result.observation.gripper_pose, at(0.2, 0, 1.2), atol=2e-3)
    assert (result.observation.gripper_open, result.observation.ignore_collisions) == (0.0, True)
    assert (result.success, result.terminated, result.cause) == (False, False, None)

    result = simulator.step(at(*observation.task_low_dim_state[:3]), True, False)
    check_observation(result.observation, 2)
    assert (result.observation.gripper_open, result.observation.ignore_collisions) == (1.0, False)
    assert (result.success, result.terminated, result.cause) == (True, True, None)
    assert type(result.success) is bool
    assert simulator.success is True
    with pytest.raises(UserError, match="the episode is over"):
        simulator.step(at(0.2, 0, 1.2), True, False)


def test_the_contract_of_failures(simulator):
    before, _ = simulator.reset("reach_target", 0, 0)
    result = simulator.step(at(0.2, 0, 1.9), False, True)
    check_observation(result.observation, 1)
    assert (result.success, result.terminated, result.cause) == (False, True, "planner")
    np.testing.assert_allclose(result.observation.gripper_pose, before.gripper_pose, atol=1e-3)
    assert (result.observation.gripper_open, result.observation.ignore_collisions) == (1.0, True)
    with pytest.raises(UserError, match="the episode is over"):
        simulator.step(at(0.2, 0, 1.2), True, False)

    simulator.reset("reach_target", 0, 0)
    for timestep in range(1, 5):
        result = simulator.step(at(0.2, 0, 1.2 + timestep / 100), True, False)
        assert (result.observation.timestep, result.terminated) == (timestep, timestep == 4)
    assert (result.success, result.cause) == (False, "time")


def test_the_contract_of_seeds(simulator):
    states = {}
    for seed in (3, 4, 3):
        observation, _ = simulator.reset("reach_target", 2, seed)
        state = observation.task_low_dim_state
        np.testing.assert_array_equal(states.setdefault(seed, state), state)
    assert not np.array_equal(states[3], states[4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fold_laundry", 0, 0), "task 'fold_laundry' unknown"),
        (("reach_target", 99, 0), "variation 99 of reach_target: there are 0 to"),
        (("reach_target", -1, 0), "variation -1 of reach_target: there are 0 to"),
        (("reach_target", 0, -1), "seed: -1 is negative"),
    ],
)
def test_the_contract_of_unknown_episodes(simulator, arguments, message):
    with pytest.raises(UserError, match=message):
        simulator.reset(*arguments)


@pytest.mark.parametrize(
    "pose", [np.zeros(7), np.full(7, np.nan), np.zeros(6), np.append(at(0.2, 0, 1.2), 1)]
)
def test_the_contract_of_what_is_no_pose(simulator, pose):
    simulator.reset("reach_target", 0, 0)
    with pytest.raises(UserError, match="gripper pose"):
        simulator.step(pose, True, False)


def test_depth_is_in_metres_and_only_used_cameras_are_rendered(make):
    simulator = make(camera_names=("wrist",))
    observation, _ = simulator.reset("reach_target", 0, 0)
    view = observation.cameras["wrist"]
    np.testing.assert_allclose(view.depth, parts.NEAR + 0.25 * (parts.FAR - parts.NEAR))
    # Straight below a camera at height 1.5 that looks down, at its principal point.
    np.testing.assert_allclose(
        view.point_cloud[4, 4], [0.4, 0.0, 1.5 - view.depth[4, 4]], atol=1e-6
    )
    config = simulator._environment.obs_config
    for name in CAMERAS:
        camera = getattr(config, f"{name}_camera")
        assert (camera.rgb, camera.depth) == ((name == "wrist"),) * 2
        assert (camera.mask, camera.point_cloud, camera.image_size) == (False, False, (8, 8))
        assert camera.render_mode is parts.RenderMode.OPENGL


@pytest.mark.parametrize(("collision", "paths"), [(True, [True]), (False, [False])])
def test_collisions_are_ignored_when_asked(make, collision, paths):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    result = simulator.step(at(0.2, 0, 1.2), True, collision)
    assert not result.terminated
    assert make.fake.paths == paths


def test_without_a_way_around_the_straight_one_is_taken(make):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    result = simulator.step(np.append(parts.BEHIND_WALL, DOWN), True, False)
    assert not result.terminated
    np.testing.assert_array_equal(result.observation.gripper_pose[:3], parts.BEHIND_WALL)
    assert make.fake.paths == [False, True]


@pytest.mark.parametrize("collision", [True, False])
def test_what_the_arm_cannot_reach_ends_the_episode(make, collision):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    result = simulator.step(np.append(parts.OUT_OF_REACH, DOWN), True, collision)
    assert (result.success, result.terminated, result.cause) == (False, True, "planner")


@pytest.mark.parametrize("error", [parts.IKError, parts.ConfigurationPathError])
def test_all_refusals_of_pyrep_are_the_planners(make, error):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    make.fake.fault = error("no")
    assert simulator.step(at(0.2, 0, 1.2), True, True).cause == "planner"


def test_a_task_that_rlbench_gives_up_is_over(make):
    simulator = make()
    simulator.reset("beat_the_buzz", 0, 0)
    result = simulator.step(at(0.2, 0.4, 1.2), True, True)
    assert (result.success, result.terminated, result.cause) == (False, True, "wrong object")


def test_failures_of_the_simulator_name_the_episode(make):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    make.fake.fault = RuntimeError("The call failed on the V-REP side. Return value: -1")
    with pytest.raises(UserError, match="reach_target: RLBench failed: The call failed"):
        simulator.step(at(0.2, 0, 1.2), True, True)
    with pytest.raises(UserError, match="call reset first"):
        simulator.step(at(0.2, 0, 1.2), True, True)
    make.fake.placing = parts.BoundaryError()
    with pytest.raises(UserError, match="variation 2 of reach_target: RLBench failed: Could not"):
        simulator.reset("reach_target", 2, 0)
    with pytest.raises(UserError, match=r"variation 0 of without_model: .* without_model\.ttm"):
        simulator.reset("without_model", 0, 0)


def test_coppeliasim_runs_once_and_ends(make):
    simulator = make()
    assert make.fake.events == []
    with pytest.raises(UserError, match="close the other simulator"):
        make()
    for task in ("reach_target", "reach_target", "beat_the_buzz", "reach_target"):
        simulator.reset(task, 0, 0)
    started = ["launch", "reach_target", "beat_the_buzz", "reach_target"]
    assert make.fake.events == started
    simulator.close()
    simulator.close()
    assert make.fake.events == [*started, "shutdown"]
    with pytest.raises(UserError, match="the simulator is closed"):
        simulator.reset("reach_target", 0, 0)
    with pytest.raises(UserError, match="call reset first"):
        simulator.step(at(0.2, 0, 1.2), True, True)
    make()


def test_variations_are_counted_without_disturbing_an_episode(make):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    assert dict(simulator.tasks) == {"beat_the_buzz": 1, "reach_target": 3, "without_model": 3}
    assert len(simulator.tasks) == 3
    with pytest.raises(KeyError):
        simulator.tasks["fold_laundry"]
    assert make.fake.events == ["launch", "reach_target"]
    assert not simulator.step(at(0.2, 0, 1.2), True, True).terminated


def test_instructions_of_another_variation_end_the_episode(make):
    simulator = make()
    simulator.reset("reach_target", 0, 0)
    assert simulator.instructions("reach_target", 0)[0] == "reach the red target"
    assert not simulator.step(at(0.2, 0, 1.2), True, True).terminated
    assert simulator.instructions("reach_target", 2)[0] == "reach the blue target"
    with pytest.raises(UserError, match="call reset first"):
        simulator.step(at(0.2, 0, 1.2), True, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"camera_names": ("front", "moon")}, r"\['moon'\] unknown; RLBench has front, "),
        ({"image_size": 0}, "picture size 0: it has to be at least 1"),
    ],
)
def test_odd_settings_are_errors(make, options, message):
    with pytest.raises(UserError, match=message):
        make(**options)


def test_the_installed_rlbench_takes_what_the_fake_takes():
    if importlib.util.find_spec("rlbench") is None:
        pytest.skip("needs RLBench, which is not installed")
    modules = install.load()
    real = {
        modules.environment.Environment: ("action_mode", "obs_config", "headless"),
        modules.observation_config.CameraConfig: parts.CameraConfig.names,
        modules.observation_config.ObservationConfig: parts.ObservationConfig.names,
        modules.demo.Demo: ("observations", "random_seed"),
        modules.action_mode.MoveArmThenGripper: ("arm_action_mode", "gripper_action_mode"),
        modules.arm_action_modes.EndEffectorPoseViaPlanning: ("collision_checking",),
    }
    for kind, names in real.items():
        assert set(names) <= set(inspect.signature(kind).parameters), kind
    errors = (modules.errors.PyRepError, modules.errors.IKError)
    errors += (modules.errors.ConfigurationPathError, modules.exceptions.InvalidActionError)
    errors += (modules.exceptions.TaskEnvironmentError,)
    assert all(issubclass(error, Exception) for error in errors)
    assert modules.const.RenderMode.OPENGL
