# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench import episodes, examples
from perceiver_bench.tasks.rlbench.keyframes import (
    Transition,
    distinct_transitions,
    find_keyframes,
    published_transitions,
)


def keyframes(gripper, speed):
    """Of steps written as text: `o` open or `c` closed; `.` still or `m` moving."""
    return find_keyframes(
        [float(letter == "o") for letter in gripper],
        [np.array([0.0, 0.0 if letter == "." else -0.5]) for letter in speed],
    )


@pytest.mark.parametrize(
    ("gripper", "speed", "due"),
    [
        ("oooooooooo", "mmmmmmmmmm", [9]),
        # The robot stands still in the middle.
        ("oooooooooo", "mmmm.mmmmm", [4, 9]),
        # It does not count again within four steps.
        ("o" * 20, "mm" + "." * 12 + "m" * 6, [2, 7, 12, 19]),
        # The first two steps look back at the last two.
        ("oooooooooo", ".mmmmmmmmm", [0, 9][1:]),
        ("oooooooooo", "m.mmmmmmmm", [1, 9]),
        ("oooooooooc", "m.mmmmmmmm", [9]),
        # The gripper closes and opens; standing still beside that does not count.
        ("oooocccccccccoooo", "m" * 17, [4, 13, 16]),
        ("oooocccccccccc", "mmm...mmmmmmmm", [4, 13]),
        ("oooocccccccccc", "mmmmmm.mmmmmmm", [4, 6, 13]),
        # Nor does it in the last two steps.
        ("oooooooooo", "mmmmmmmm..", [9]),
        ("oooooooooo", "mmmmmmm...", [7, 9]),
        # A change one step before the end is the end.
        ("oooooooocc", "mmmmmmmmmm", [9]),
        ("ooooooooco", "mmmmmmmmmm", [9]),
        ("oooooooccc", "mmmmmmmmmm", [7, 9]),
        ("oo", "..", [1]),
        ("oc", "mm", [1]),
        ("ooo", "...", [2]),
    ],
)
def test_keyframes_of_small_demonstrations(gripper, speed, due):
    assert keyframes(gripper, speed) == due


def countdown(gripper, velocities, limit=0.1):
    """The rule as a countdown of steps, one step after another."""
    found, wait, n = [], 0, len(gripper)
    for i in range(n):
        still = all(abs(v) <= limit for v in velocities[i])
        unchanged = False
        if i < n - 2:
            around = {gripper[i - 2], gripper[i - 1], gripper[i], gripper[i + 1]}
            unchanged = len(around) == 1
        stopped = wait <= 0 and still and unchanged
        wait = 4 if stopped else wait - 1
        if i == 0:
            continue
        if stopped or i == n - 1 or gripper[i] != gripper[i - 1]:
            found.append(i)
    if len(found) >= 2 and found[-1] - found[-2] == 1:
        found.pop(-2)
    return found


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-0.2, 0.2)), min_size=2, max_size=60))
def test_keyframes_are_those_of_the_countdown(steps):
    gripper = np.cumsum([change == 0 for change, _ in steps]) % 2
    velocities = [np.array([speed, 0.01]) for _, speed in steps]
    found = find_keyframes(list(gripper), velocities)
    assert found == countdown(list(gripper), velocities)
    assert found[-1] == len(steps) - 1
    assert 0 not in found


def test_a_velocity_that_is_no_number_is_not_still():
    velocities = [np.array([0.5])] * 4 + [np.array([np.nan])] + [np.array([0.5])] * 5
    assert find_keyframes([1.0] * 10, velocities) == [9]


def test_keyframes_of_the_real_episodes(shared):
    root = shared / "data" / "rlbench"
    if not root.is_dir():
        pytest.skip(f"needs the episodes of RLBench in {root}")
    found = [
        examples.keyframes_of(episode) for episode in episodes.open_episodes(root, "reach_target")
    ]
    assert found == [[69], [63]]


# Transitions.


def test_published_transitions_by_hand():
    found = published_transitions([12, 20, 29], 30, 10)
    assert found == [
        Transition(0, 12, 0),
        Transition(12, 20, 1),
        Transition(20, 29, 2),
        Transition(10, 12, 0),
        Transition(12, 20, 1),
        Transition(20, 29, 2),
        Transition(20, 29, 0),  # step 20 is a keyframe itself
    ]


def test_distinct_transitions_by_hand():
    assert distinct_transitions([12, 20, 29], 30, 10) == [
        Transition(0, 12, 0),
        Transition(10, 12, 0),
        Transition(12, 20, 1),
        Transition(20, 29, 2),
    ]
    assert distinct_transitions([5], 6, 100) == [Transition(0, 5, 0)]


episodes_of_steps = st.integers(2, 80).flatmap(
    lambda steps: st.tuples(
        st.sets(st.integers(1, steps - 1), max_size=8).map(
            lambda found: sorted({*found, steps - 1})
        ),
        st.just(steps),
        st.integers(1, 90),
    )
)


@settings(deadline=None)
@given(episodes_of_steps)
def test_published_transitions_are_those_of_a_queue(episode):
    found, num_steps, every = episode
    due, waiting = [], list(found)
    for step in range(num_steps - 1):
        if step % every:
            continue
        while waiting and step >= waiting[0]:
            waiting.pop(0)
        seen = step
        for time, keyframe in enumerate(waiting):
            due.append(Transition(seen, keyframe, time))
            seen = keyframe
    assert published_transitions(found, num_steps, every) == due


@settings(deadline=None)
@given(episodes_of_steps)
def test_distinct_transitions_are_the_published_ones_without_repetition(episode):
    found, num_steps, every = episode
    published = published_transitions(found, num_steps, every)
    distinct = distinct_transitions(found, num_steps, every)
    assert {(one.step, one.keyframe) for one in distinct} == {
        (one.step, one.keyframe) for one in published
    }
    assert len({one.step for one in distinct}) == len(distinct)
    for one in distinct:
        assert one.time == sum(keyframe <= one.step for keyframe in found)


def test_late_keyframes_come_more_often_as_published():
    counts = collections.Counter(
        (one.step, one.keyframe) for one in published_transitions([9, 19, 29, 39], 40, 5)
    )
    assert counts[(9, 19)] == 2
    assert counts[(19, 29)] == 4
    assert counts[(29, 39)] == 6
