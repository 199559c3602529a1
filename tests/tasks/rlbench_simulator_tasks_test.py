# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tasks: experts succeed, their keyframes are enough, wrong objects are found out."""

import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import TASKS, EmbeddedSimulator, demonstrations
from perceiver_bench.tasks.rlbench.simulator import task as task_module
from perceiver_bench.tasks.rlbench.simulator.colours import NAMES
from perceiver_bench.tasks.rlbench.simulator.push_buttons import _ORDERS
from perceiver_bench.tasks.rlbench.simulator.task import above, scattered

NUMBER_OF_VARIATIONS = {
    "reach_target": 6,
    "push_button": 6,
    "push_buttons": 30,
    "slide_block_to_color_target": 4,
    "pick_and_lift": 6,
    "stack_blocks": 18,
    "open_drawer": 3,
    "put_item_in_drawer": 3,
    "close_jar": 6,
}


@pytest.fixture(scope="module")
def simulator():
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays")
    yield simulator
    simulator.close()


def seeds(task, count):
    """Returns variations and seeds, spread over the variations."""
    total = NUMBER_OF_VARIATIONS[task]
    return [(number * (total - 1) // max(count - 1, 1), number) for number in range(count)]


def test_tasks_and_their_variations(simulator):
    assert simulator.tasks == NUMBER_OF_VARIATIONS
    assert list(TASKS) == list(NUMBER_OF_VARIATIONS)


@pytest.mark.parametrize("task", TASKS)
def test_instructions_tell_variations_apart(simulator, task):
    variations = [simulator.instructions(task, number) for number in range(simulator.tasks[task])]
    for phrasings in zip(*variations, strict=True):
        assert len(set(phrasings)) == len(variations)
    for phrasings in variations:
        assert len(phrasings) >= 3
        assert len(set(phrasings)) == len(phrasings)


def test_instructions_in_words(simulator):
    assert simulator.instructions("reach_target", 2)[0] == "reach the blue target"
    assert simulator.instructions("stack_blocks", 4)[0] == "stack 3 green blocks"
    assert simulator.instructions("open_drawer", 2)[0] == "open the top drawer"
    variation = next(number for number, order in enumerate(_ORDERS) if len(order) == 3)
    first, second, third = _ORDERS[variation]
    assert simulator.instructions("push_buttons", variation)[0] == (
        f"push the {first} button, then push the {second} button, then push the {third} button"
    )


def check(simulator, task, variation, seed):
    """Demonstrates an episode, checks its keyframes and replays it."""
    simulator.reset(task, variation, seed)
    assert not simulator.success
    demonstration = demonstrations.demonstrate(simulator, task, variation, seed)
    assert simulator.success
    assert demonstration.keyframes == list(demonstration.ends)
    assert len(demonstration.observations) <= 140
    assert demonstrations.replays_to_success(simulator, demonstration)


@pytest.mark.parametrize("task", TASKS)
def test_experts_succeed_and_their_keyframes_are_enough(simulator, task):
    for variation, seed in seeds(task, 2):
        check(simulator, task, variation, seed)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_the_gate_of_forty_episodes(simulator, task):
    for variation, seed in seeds(task, 40):
        check(simulator, task, variation, 1000 + seed)


def voxelised(pose):
    """Returns a pose [7] at the middle of its voxel of 1 cm, as an agent would give it."""
    return np.concatenate([np.floor(pose[:3] * 100) / 100 + 0.005, pose[3:]])


@pytest.mark.parametrize("task", TASKS)
def test_keyframes_are_enough_in_voxels(simulator, task):
    demonstration = demonstrations.demonstrate(simulator, task, 0, 4)
    simulator.reset(task, 0, 4)
    for number in demonstration.keyframes:
        one = demonstration.observations[number]
        result = simulator.step(
            voxelised(one.gripper_pose), one.gripper_open > 0.5, one.ignore_collisions
        )
    assert result.success


@pytest.mark.parametrize(
    "task", [task for task in TASKS if task not in ("stack_blocks", "push_buttons")]
)
def test_other_variations_are_no_success(simulator, task):
    """An expert that follows another instruction in the same scene does not succeed."""
    simulator.reset(task, 0, 2)
    episode = simulator._task
    mean, other = _swapped(episode)
    simulator.step(above(np.array([0.2, 0.0, 1.3])), True, False)
    for action in other:
        result = simulator.step(*action)
        if result.terminated:
            break
    assert not result.success
    assert episode.is_mistaken()
    while not result.terminated:
        result = simulator.step(mean, True, True)
    assert result.cause == "wrong object"


def _swapped(episode):
    """Returns a pose out of the way, and the actions of the expert that means another object."""
    world, name = episode._world, episode.name
    away = above(np.array([0.2, 0.0, 1.4]))
    if "drawer" in name:
        episode._drawer = "middle"
        actions = list(_each(episode, "_drawer", "bottom"))
    elif name == "slide_block_to_color_target":
        episode._pad = "pad1"
        actions = list(episode.expert())
        episode._pad = "pad0"
    elif name == "push_button":
        episode._wanted = ["button1"]
        actions = list(episode.expert())
        episode._wanted = ["button0"]
    else:
        pairs = {"reach_target": "ball", "pick_and_lift": "block", "close_jar": "jar"}
        first, second = (f"{pairs[name]}{number}" for number in (0, 1))
        places = world.position(first), world.position(second)
        yaws = world.yaw(first), world.yaw(second)
        world.place(first, places[1], yaws[1])
        world.place(second, places[0], yaws[0])
        world.refresh()
        actions = list(episode.expert())
        world.place(first, places[0], yaws[0])
        world.place(second, places[1], yaws[1])
        world.refresh()
    return away, actions


def _each(episode, attribute, meant):
    """Yields the expert's actions, between which the episode means what it did."""
    wrong = getattr(episode, attribute)
    actions = episode.expert()
    while True:
        setattr(episode, attribute, wrong)
        try:
            action = next(actions)
        except StopIteration:
            return
        finally:
            setattr(episode, attribute, meant)
        yield action


def test_buttons_in_another_order_are_wrong(simulator):
    variation = next(number for number, order in enumerate(_ORDERS) if len(order) == 2)
    simulator.reset("push_buttons", variation, 0)
    first = list(simulator.expert())[2:]
    for action in first:
        result = simulator.step(*action)
    assert result.terminated
    assert not result.success
    assert result.cause == "wrong object"


def test_a_button_counts_once_until_it_is_let_go(simulator):
    variation = next(number for number, order in enumerate(_ORDERS) if len(order) == 2)
    simulator.reset("push_buttons", variation, 0)
    actions = list(simulator.expert())
    assert not simulator.step(*actions[0]).terminated
    assert not simulator.step(*actions[1]).terminated
    assert not simulator.step(*actions[1]).terminated
    assert simulator._task._pushed == ["button0"]
    assert not simulator.step(*actions[2]).terminated
    assert simulator.step(*actions[3]).success


def test_a_jar_has_to_be_turned_shut(simulator):
    simulator.reset("close_jar", 0, 0)
    *actions, last = simulator.expert()
    for action in actions:
        result = simulator.step(*action)
    untwisted = actions[-1]._replace(is_open=True)
    result = simulator.step(*untwisted)
    assert not result.success
    assert last.is_open


def test_a_block_that_is_held_does_not_stand(simulator):
    simulator.reset("stack_blocks", 0, 0)
    *actions, last = simulator.expert()
    for action in actions:
        simulator.step(*action)
    assert not simulator.step(*last._replace(is_open=False)).success
    assert simulator.step(*last).success


def test_blocks_of_the_other_colour_are_a_mistake(simulator):
    simulator.reset("stack_blocks", 0, 0)
    over, grasp, above_plate, place = list(simulator.expert())[:4]
    aside = simulator._world.position("block4") - grasp.pose[:3]
    turn = above(grasp.pose[:3], 0.0, simulator._world.yaw("block4"))[3:]
    for action in (over, grasp):
        pose = np.concatenate([action.pose[:3] + aside, turn])
        simulator.step(*action._replace(pose=pose))
    simulator.step(*above_plate)
    assert not simulator.step(*place).success
    assert simulator._task.is_mistaken()


def test_distractors_have_other_colours(simulator):
    for variation, colour in enumerate(NAMES):
        simulator.reset("reach_target", variation, 3)
        model = simulator._world.model
        painted = [tuple(model.geom(f"ball{number}").rgba) for number in range(3)]
        assert len(set(painted)) == 3, colour


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_gives_the_same_bits(task):
    """Also in a simulator that has seen other episodes, and after every action."""
    used = EmbeddedSimulator(16, camera_names=("front",), backend="rays")
    used.reset(task, 1, 9)
    used.step(above(np.array([0.2, 0.0, 0.8])), False, False)
    fresh = EmbeddedSimulator(16, camera_names=("front",), backend="rays")
    one = demonstrations.demonstrate(used, task, 0, 1).observations
    two = demonstrations.demonstrate(fresh, task, 0, 1).observations
    assert len(one) == len(two)
    for left, right in zip(one, two, strict=True):
        for field in ("gripper_pose", "joint_velocities", "task_low_dim_state"):
            np.testing.assert_array_equal(getattr(left, field), getattr(right, field))
        for field in ("rgb", "depth"):
            np.testing.assert_array_equal(
                getattr(left.cameras["front"], field), getattr(right.cameras["front"], field)
            )
    assert (one[0].task_low_dim_state != used.reset(task, 0, 2)[0].task_low_dim_state).any()


def test_scattered_positions_keep_their_distance(monkeypatch):
    monkeypatch.setattr(task_module, "_ATTEMPTS", 100)
    positions = scattered(np.random.default_rng(0), 5, (0, 0), (1, 1), 0.3)
    gaps = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    assert gaps[~np.eye(5, dtype=bool)].min() >= 0.3
    with pytest.raises(RuntimeError, match="no room for 9 objects"):
        scattered(np.random.default_rng(0), 9, (0, 0), (0.1, 0.1), 0.5)
