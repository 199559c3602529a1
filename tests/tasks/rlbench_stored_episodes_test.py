# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes of stored episodes: made again, told when they are not, refused when damaged."""

import inspect
import pickle

import numpy as np
import pytest
import rlbench_fake
import rlbench_made_files as files
from absl import logging
from perceiver_bench.tasks.rlbench.simulator.coppeliasim import CoppeliaSimulator
from perceiver_bench.tasks.rlbench.simulator.stored_episodes import list_stored, read_beginning
from rlbench_fake import KINDS

from perceiver_bench.errors import UserError

DOWN = [0.0, 1.0, 0.0, 0.0]


@pytest.fixture(params=KINDS)
def fake(request, monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    return rlbench_fake.Fake(request.param).install(monkeypatch, folder)


@pytest.fixture
def simulator(fake, tmp_path):
    """Either RLBench, over the episodes in `tmp_path`."""
    del fake
    simulator = CoppeliaSimulator(8, camera_names=(), episodes=tmp_path)
    yield simulator
    simulator.close()


def stored(seed, draws=1, *, moved=0.0, **fields):
    """A demonstration whose scene is drawn from the generator's state."""
    demo = files.Demo([files.observation(step, (2, 2), is_peract=True) for step in range(3)])
    generator = np.random.RandomState(seed)
    demo.random_seed = generator.get_state()
    for _ in range(draws):
        target = generator.uniform([0.1, -0.2, 0.9], [0.3, 0.2, 1.1])
    demo._observations[0].task_low_dim_state = target + moved
    vars(demo).update(fields)
    return demo


def store(root, demo, *, task="reach_target", number=4, variation=2):
    folder = root / task / "all_variations" / "episodes" / f"episode{number}"
    folder.mkdir(parents=True)
    files.write_demonstration(folder, demo)
    (folder / "variation_number.pkl").write_bytes(pickle.dumps(variation))
    return folder


@pytest.fixture
def warnings(monkeypatch):
    found = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: found.append(text % values))
    return found


def test_stored_episodes_begin_in_their_scenes(simulator, tmp_path, warnings):
    demo = stored(11)
    store(tmp_path, demo)
    np.random.seed(0)  # noqa: NPY002
    for _ in range(2):
        observation, instruction = simulator.reset("reach_target", 2, 4)
        target = demo._observations[0].task_low_dim_state
        np.testing.assert_array_equal(observation.task_low_dim_state, target)
        assert instruction == "reach the blue target"
        assert simulator.step(np.append(target, DOWN), True, True).success
    assert warnings == []


def test_a_scene_of_many_attempts_is_made_again_by_stock(simulator, fake, tmp_path, warnings):
    store(tmp_path, stored(12, draws=3, num_reset_attempts=3))
    simulator.reset("reach_target", 2, 4)
    # PerAct's branch does not know of the attempts: its planner has to refuse as it did.
    assert len(warnings) == (fake.kind == "peract")


def test_a_scene_that_is_not_made_again_is_told(simulator, fake, tmp_path, warnings):
    store(tmp_path, stored(13))
    fake.refused_scenes = 1
    simulator.reset("reach_target", 2, 4)
    assert len(warnings) == 1
    assert "episode4/low_dim_obs.pkl: the scene made again differs from it in" in warnings[0]


def test_a_scene_of_another_task_version_is_told(simulator, tmp_path, warnings):
    store(tmp_path, stored(13, moved=np.zeros((2, 1))))
    simulator.reset("reach_target", 2, 4)
    assert len(warnings) == 1
    assert "its scene has 6 numbers, and that made again 3; another RLBench" in warnings[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reach_target", 2, 5), "no episode5"),
        (("reach_target", 1, 4), "of variation 2, and 1 was asked for"),
        (("beat_the_buzz", 0, 4), "no episodes of beat_the_buzz"),
    ],
)
def test_episodes_that_are_not_stored_are_errors(simulator, tmp_path, arguments, message):
    store(tmp_path, stored(11))
    with pytest.raises(UserError, match=message):
        simulator.reset(*arguments)


STATE = np.random.RandomState(0).get_state()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"random_seed": None}, "random_seed is no state"),
        ({"random_seed": 3}, "random_seed is no state"),
        ({"random_seed": ("MT19937", STATE[1], 625, 0, 0.0)}, "random_seed is no state"),
        ({"random_seed": ("MT19937", STATE[1], -1, 0, 0.0)}, "random_seed is no state"),
        ({"random_seed": ("MT19937", STATE[1][:9], 3, 0, 0.0)}, "random_seed is no state"),
        ({"random_seed": ("MT19937", STATE[1] / 2, 3, 0, 0.0)}, "random_seed is no state"),
        ({"random_seed": ("PCG64", *STATE[1:])}, "random_seed is no state"),
        ({"num_reset_attempts": 10**9}, "num_reset_attempts=1000000000, and 1 to 40 is due"),
        ({"num_reset_attempts": 0}, "num_reset_attempts=0"),
        ({"num_reset_attempts": "many"}, "num_reset_attempts='many'"),
    ],
)
def test_damaged_beginnings_are_errors(tmp_path, fields, message):
    store(tmp_path, stored(11, **fields))
    with pytest.raises(UserError, match=f"low_dim_obs.pkl: {message}"):
        read_beginning(tmp_path, "reach_target", 2, 4)


def test_a_pickle_with_a_foreign_class_is_refused(tmp_path):
    folder = store(tmp_path, stored(11))
    (folder / "low_dim_obs.pkl").write_bytes(pickle.dumps(inspect.Parameter.empty))
    with pytest.raises(UserError, match="refused at byte"):
        read_beginning(tmp_path, "reach_target", 2, 4)


def test_both_layouts_are_listed(tmp_path):
    store(tmp_path, stored(1), number=0, variation=5)
    store(tmp_path, stored(2), number=1, variation=3)
    assert list_stored(tmp_path, "reach_target") == ((5, 0), (3, 1))
    for variation in (1, 0):
        for number in (1, 0):
            folder = tmp_path / "push_buttons" / f"variation{variation}" / "episodes"
            (folder / f"episode{number}").mkdir(parents=True)
            files.write_demonstration(folder / f"episode{number}", stored(10 * variation + number))
    assert list_stored(tmp_path, "push_buttons") == ((0, 0), (0, 1), (1, 0), (1, 1))
    state = read_beginning(tmp_path, "push_buttons", 1, 0).random_state
    np.testing.assert_array_equal(state[1], np.random.RandomState(10).get_state()[1])


def test_beginnings_of_real_episodes(shared):
    folder = shared / "data" / "rlbench"
    for variation, number in list_stored(folder, "reach_target"):
        beginning = read_beginning(folder, "reach_target", variation, number)
        with files.rlbench():
            expected = pickle.loads(beginning.path.read_bytes())
        generators = [np.random.RandomState(0), np.random.RandomState(0)]
        generators[0].set_state(beginning.random_state)
        generators[1].set_state(expected.random_seed)
        np.testing.assert_array_equal(*(one.uniform(size=700) for one in generators))
        np.testing.assert_array_equal(
            beginning.task_low_dim_state, expected._observations[0].task_low_dim_state
        )
        assert beginning.num_reset_attempts is None
    assert number == 1
