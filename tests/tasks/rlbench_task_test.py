# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The agent's task: from demonstrations to a loss, and from a network to success."""

import dataclasses

import jax
import numpy as np
import pytest
from perceiver_bench.tasks.rlbench import (
    actions,
    baselines,
    embedded,
    language,
    losses,
    policy,
    presets,
    sources,
)
from perceiver_bench.tasks.rlbench.simulator import TASKS

from perceiver_bench import api, registry
from perceiver_bench.commands.setup import build_config
from perceiver_bench.errors import UserError
from perceiver_bench.evaluation import evaluate

TASK = "slide_block_to_color_target"
CONFIG = dataclasses.replace(
    presets.EMBEDDED["tiny"].data,
    size=33,
    image_size=16,
    num_demonstrations=3,
    num_episodes=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("demonstrations")
    embedded.write(CONFIG, path / "train", 0)
    return path


@pytest.fixture(scope="module")
def train(folder):
    return embedded.source(CONFIG, folder, "train")


@pytest.fixture
def trials(folder):
    return embedded.source(CONFIG, folder, "validation")


@pytest.fixture(scope="module")
def prepare():
    return registry.get("rlbench/embedded").preprocess(CONFIG, {})


def test_transitions_become_what_network_and_loss_read(train, prepare):
    batch = {
        name: np.stack([prepare(train[index], None)[name] for index in range(len(train))])
        for name in prepare(train[0], None)
    }
    num_points = len(CONFIG.cameras) * 16 * 16
    shapes = {name: (array.shape[1:], array.dtype) for name, array in batch.items()}
    assert shapes == {
        "points": ((num_points, 3), np.float32),
        "colours": ((num_points, 3), np.float32),
        "bounds": ((6,), np.float32),
        "proprio": ((4,), np.float32),
        "translation": ((3,), np.int32),
        "rotation_grip": ((4,), np.int32),
        "collision": ((), np.int32),
        "instruction": ((77,), np.int32),
        "instruction_mask": ((77,), np.int32),
    }
    assert len({tuple(one) for one in batch["translation"]}) > 2


def test_training_moves_scene_and_action_together_and_evaluation_does_not(train, prepare):
    same, again = prepare(train[1], None), prepare(train[1], None)
    moved = prepare(train[1], np.random.default_rng(0))
    for name, array in same.items():
        np.testing.assert_array_equal(array, again[name])
    assert np.abs(moved["points"] - same["points"]).max() > 0.01
    np.testing.assert_array_equal(moved["colours"], same["colours"])


def test_every_task_is_drawn_alike_often(folder):
    """Whatever the number of its transitions: PerAct's task-uniform batches."""
    names = (TASK, "reach_target")
    both = dataclasses.replace(CONFIG, tasks=names, num_demonstrations=2)
    embedded.write(dataclasses.replace(both, tasks=("reach_target",)), folder / "train", 0)
    source = embedded.source(both, folder, "train")
    counts = dict.fromkeys(names, 0)
    for index in range(len(source)):
        counts[source[index]["task"]] += 1
    assert counts[TASK] == counts["reach_target"]
    sizes = [len(one) for one in source.sources.values()]
    assert sizes[0] != sizes[1]


def test_the_loss_is_the_sum_of_six_cross_entropies():
    rng = np.random.default_rng(0)
    size, batch = 4, 3
    prediction = {
        "translation": rng.standard_normal((batch, size, size, size)),
        "rotation_grip": rng.standard_normal((batch, 218)),
        "collision": rng.standard_normal((batch, 2)),
    }
    labels = {
        "translation": rng.integers(0, size, (batch, 3)),
        "rotation_grip": np.c_[rng.integers(0, 72, (batch, 3)), [0, 1, 0]],
        "collision": np.array([1, 0, 1]),
    }

    def surprise(logits, label):
        return np.log(np.exp(logits).sum()) - logits[label]

    for index in range(batch):
        x, y, z = labels["translation"][index]
        turns = prediction["rotation_grip"][index]
        due = np.log(np.exp(prediction["translation"][index]).sum())
        due -= prediction["translation"][index, x, y, z]
        for axis in range(3):
            due += surprise(turns[72 * axis :][:72], labels["rotation_grip"][index, axis])
        due += surprise(turns[216:], labels["rotation_grip"][index, 3])
        due += surprise(prediction["collision"][index], labels["collision"][index])
        found = losses.loss(prediction, labels, 0.0)
        assert found.shape == (batch,)
        assert float(found[index]) == pytest.approx(due, rel=1e-5)


def certain(example, config):
    """The prediction of a network that is certain of an example's action."""
    translation = np.zeros((config.size,) * 3, np.float32)
    translation[tuple(example["translation"])] = 50
    turns = [np.eye(72)[number] for number in example["rotation_grip"][:3]]
    return {
        "translation": translation,
        "rotation_grip": 50 * np.r_[*turns, np.eye(2)[example["rotation_grip"][3]]],
        "collision": 50 * np.eye(2)[example["collision"]],
    }


def test_certainty_of_the_action_costs_nothing_and_is_chosen(train):
    for index in range(len(train)):
        example = train[index]
        prediction = certain(example, CONFIG)
        batch = {name: np.asarray(array)[None] for name, array in prediction.items()}
        labels = {
            name: np.asarray(example[name])[None]
            for name in ("translation", "rotation_grip", "collision")
        }
        assert float(losses.loss(batch, labels, 0.0)[0]) < 1e-4
        action = policy.chosen_action(prediction, CONFIG)
        due = actions.pose_of(
            example["translation"], example["rotation_grip"], CONFIG.bounds, CONFIG.size
        )
        np.testing.assert_array_equal(action.pose, due)
        assert action.is_open == bool(example["rotation_grip"][3])
        assert action.ignore_collisions == bool(example["collision"])


def test_trials_are_unseen_and_each_is_there_once_a_run(folder):
    config = dataclasses.replace(CONFIG, tasks=(TASK, "reach_target"), num_runs=2)
    seen = []
    for split in ("validation", "test"):
        trials = embedded.source(config, folder, split)
        assert len(trials) == 12
        seen += [tuple(trials[index].values()) for index in range(len(trials))]
        with pytest.raises(IndexError):
            trials[len(trials)]
    assert len(set(seen)) == 24
    assert min(seed for _, _, seed, _ in seen) >= 1_000_000
    # All tasks in turn, so that a limit leaves some of each.
    assert [task for task, *_ in seen[:4]] == [TASK, TASK, "reach_target", "reach_target"]
    assert {variation for task, variation, *_ in seen if task == TASK} == {0, 1, 2}


class Oracle:
    """A network that knows the expert's keyframes, and notes what it is shown."""

    def __init__(self, example):
        self._expert = expert_actions(example)
        self.shown = []

    def __call__(self, parts):
        self.shown.append({name: array[0] for name, array in parts.items()})
        prediction = certain(self._expert[len(self.shown) - 1], CONFIG)
        return {name: np.asarray(array)[None] for name, array in prediction.items()}


def expert_actions(example):
    simulator = embedded.make_simulator(CONFIG)
    simulator.reset(example["task"], example["variation"], example["seed"])
    found = []
    for pose, is_open, ignores in simulator.expert():
        action = actions.action_of(pose, is_open, CONFIG.bounds, CONFIG.size)
        found.append({**action, "collision": int(ignores)})
        if simulator.step(pose, is_open, ignores).terminated:
            break
    simulator.close()
    return found


def test_a_network_that_knows_the_keyframes_succeeds(trials, prepare):
    task = registry.get("rlbench/embedded")
    example = trials[0]
    oracle = Oracle(example)
    config = dataclasses.replace(presets.EMBEDDED["tiny"], data=CONFIG)
    found = task.in_parts(config, oracle, prepare(example, None))
    assert found["success"] == 1
    assert found["cause"] == 0
    assert found["num_keyframes"] == len(oracle.shown) > 1
    assert not found["actions"][found["num_keyframes"] :].any()
    # Time goes from 1 down, and the words are those of the episode.
    times = [shown["proprio"][3] for shown in oracle.shown]
    assert times[0] == 1
    assert np.all(np.diff(times) < 0)
    words = api.ByteTokenizer().decode(oracle.shown[0]["instruction"])
    assert words == TASKS[TASK].instructions(example["variation"])[0]


def test_what_is_seen_at_work_is_what_was_learned_from(train, prepare):
    """The first observation of a demonstration, read from files and looked at again."""
    demonstration = train.sources[TASK].episodes[0]
    written = prepare(train.sources[TASK][0], None)
    simulator = embedded.make_simulator(CONFIG)
    observation, instruction = simulator.reset(TASK, demonstration.variation, 0)
    shown = policy.scene(observation, CONFIG, 0) | dict(language.embedding(CONFIG)(instruction))
    simulator.close()
    for name, array in shown.items():
        np.testing.assert_allclose(array, written[name], atol=2e-6, err_msg=name)


def test_the_expert_rounded_to_voxels_succeeds_and_one_blind_does_not(train, trials, prepare):
    task = registry.get("rlbench/embedded")
    for baseline, successes in ((baselines.expert, 3), (baselines.blind, 0)):
        found = baseline(embedded.make_simulator, train, trials, prepare)
        assert {len(array) for array in found.values()} == {3}
        assert found["success"].sum() == successes
        batch = {
            name: np.stack([prepare(trials[index], None)[name] for index in range(3)])
            for name in ("task", "variation", "seed", "run")
        }
        rows = evaluate.metric_rows(task, found, batch)
        measured = evaluate.pool(task, jax.device_get(rows))
        assert measured["success_rate"].value == pytest.approx(100 * successes / 3)
        assert measured[f"{TASK}_success_rate"].num_examples == 3
        assert "reach_target_success_rate" not in measured


def test_without_language_no_word_reaches_the_network():
    embed = language.embedding(dataclasses.replace(CONFIG, language="none"))
    first, second = embed("reach the red target"), embed("reach the blue target")
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert not first[name].any()


@pytest.mark.usefixtures("train")
def test_bad_settings_are_named(folder):
    def fails(words, split="train", data_dir=folder, **changes):
        with pytest.raises(UserError, match=words):
            embedded.source(dataclasses.replace(CONFIG, **changes), data_dir, split)

    fails("data.tasks: juggle unknown", tasks=("juggle",))
    fails("data.tasks: none unknown", tasks=(), split="test")
    fails("--mode=prepare --task=rlbench/embedded", data_dir=api.NO_DATA)
    fails("num_demonstrations=9: .* has 3 episodes", num_demonstrations=9)
    fails("no episodes of open_drawer", tasks=("open_drawer",))
    fails("is out of", bounds=(5.0, 5.0, 5.0, 6.0, 6.0, 6.0))
    with pytest.raises(UserError, match="has 30 bytes"):
        language.embedding(dataclasses.replace(CONFIG, max_length=29))("a" * 30)
    with pytest.raises(UserError, match=r"--set=data\.clip_weights=FILE"):
        language.embedding(dataclasses.replace(CONFIG, language="clip"))
    with pytest.raises(UserError, match=r"data.size=12: model.input.size=9"):
        build_config(registry.get("rlbench/embedded"), "tiny", ["data.size=12"])


@pytest.mark.parametrize("name", ["translation", "rotation_grip", "collision"])
def test_what_is_no_number_moves_no_gripper(name, train):
    prediction = certain(train[0], CONFIG)
    prediction[name] = np.full_like(prediction[name], np.nan)
    with pytest.raises(UserError, match="no number"):
        policy.chosen_action(prediction, CONFIG)


def test_a_network_of_other_voxels_is_refused(train):
    with pytest.raises(UserError, match="has 33 voxels a side"):
        policy.chosen_action(certain(train[0], CONFIG), dataclasses.replace(CONFIG, size=9))


def test_the_fingerprints_tell_data_and_trials_apart(train, folder):
    again = embedded.source(CONFIG, folder, "train")
    assert again.fingerprint == train.fingerprint
    fewer = embedded.source(dataclasses.replace(CONFIG, num_demonstrations=2), folder, "train")
    assert fewer.fingerprint != train.fingerprint
    digests = {
        embedded.source(
            dataclasses.replace(CONFIG, num_episodes=number), folder, split
        ).fingerprint["sha256"]
        for number in (2, 3)
        for split in ("validation", "test")
    }
    assert len(digests) == 4
    assert isinstance(train, api.Mixture)
    assert all(isinstance(one, sources.Demonstrations) for one in train.sources.values())
