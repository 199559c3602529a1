# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Replays: the same bits as the episode, and pictures of what it showed."""

import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import EmbeddedSimulator
from perceiver_bench.tasks.rlbench.simulator.replays import outcome, pictures, replay
from perceiver_bench.tasks.rlbench.simulator.task import above

from perceiver_bench.errors import UserError

OUTSIDE = [*above(np.array([2.0, 0.0, 1.0])), 1.0, 0.0]
ASIDE = [*above(np.array([0.2, 0.0, 1.3])), 1.0, 0.0]


@pytest.fixture(scope="module")
def simulator():
    simulator = EmbeddedSimulator(16, camera_names=(), backend="rays", max_keyframes=12)
    yield simulator
    simulator.close()


def acted(simulator, task, variation, seed):
    """Gives the expert's actions, and positions and pictures at the start and after each."""
    simulator.reset(task, variation, seed)

    def seen():
        return simulator._world.data.qpos.copy(), simulator.picture(24)

    actions, states = [], [seen()]
    for action in simulator.expert():
        actions.append([*action.pose, action.is_open, action.ignore_collisions])
        simulator.step(*action)
        states.append(seen())
    assert simulator.success
    return np.array(actions), states


@pytest.mark.parametrize("task", ["reach_target", "stack_blocks", "put_item_in_drawer"])
def test_a_replay_has_the_bits_and_the_looks_of_the_episode(simulator, task):
    actions, states = acted(simulator, task, 1, 2_000_000)
    ticks = []
    simulator.on_tick = ticks.append
    found = replay(simulator, task, 1, 2_000_000, actions)
    assert simulator.on_tick == ticks.append
    assert not ticks
    assert (found.success, found.cause, found.outcome) == (True, None, "success")
    assert found.num_keyframes == len(actions)
    seen = pictures(simulator, found.keyframes, 24)
    for moment, picture, (positions, live) in zip(found.keyframes, seen, states, strict=True):
        np.testing.assert_array_equal(moment.positions, positions)
        np.testing.assert_array_equal(picture, live)


def test_moments_are_evenly_spaced(simulator):
    actions, _ = acted(simulator, "push_button", 0, 0)
    ticks, ends = [], []
    simulator.reset("push_button", 0, 0)
    simulator.on_tick = ticks.append
    for action in actions:
        simulator.step(action[:7], action[7], action[8])
        ends.append(len(ticks))
    found = replay(simulator, "push_button", 0, 0, actions)
    expected = [1 if tick <= ends[0] else 2 for tick in range(8, ends[1] + 1, 8)]
    assert [moment.keyframe for moment in found.moments] == [0, *expected]
    assert [moment.keyframe for moment in found.keyframes] == [0, 1, 2]


@pytest.mark.parametrize(
    ("actions", "cause", "count"),
    [
        (np.zeros((0, 9)), None, 0),
        (np.array([ASIDE]), None, 1),
        (np.array([ASIDE, OUTSIDE, ASIDE]), "planner", 2),
        (np.array([ASIDE] * 12), "time", 12),
    ],
    ids=["none", "given up", "refused", "late"],
)
def test_failures(simulator, actions, cause, count):
    found = replay(simulator, "reach_target", 0, 5, actions)
    assert (found.success, found.cause, found.num_keyframes) == (False, cause, count)
    assert found.outcome == (f"failure: {cause}" if cause else "failure")


def test_what_is_no_pose_is_an_error(simulator):
    before = simulator.on_tick
    with pytest.raises(UserError, match="7 finite numbers"):
        replay(simulator, "reach_target", 0, 5, np.full((1, 9), np.nan))
    assert simulator.on_tick is before


def test_pictures_are_smoothed_where_that_is_cheap(simulator, monkeypatch):
    found = replay(simulator, "reach_target", 0, 5, np.zeros((0, 9)))
    large = simulator.picture(48).astype(float)
    monkeypatch.setattr(simulator, "backend", "egl")
    # The renderer in use casts rays still: it was made before.
    (picture,) = pictures(simulator, found.keyframes, 24)
    blocks = large.reshape(24, 2, 24, 2, 3).mean((1, 3))
    assert np.abs(picture - blocks).max() <= 0.5


def test_outcomes_in_words():
    assert outcome(True, None) == "success"
    assert outcome(False, "wrong object") == "failure: wrong object"
    assert outcome(False, None) == "failure"
