# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Training examples of made and of genuine episodes."""

import dataclasses
import logging

import numpy as np
import pytest
import rlbench_made_files as made
from perceiver_bench.tasks.rlbench import drawing, episodes, examples
from perceiver_bench.tasks.rlbench.cameras import CAMERAS, PERACT_CAMERAS
from perceiver_bench.tasks.rlbench.keyframes import Transition, distinct_transitions
from PIL import ImageFile

from perceiver_bench.errors import UserError

SIZE = (8, 10)


@pytest.fixture(scope="module")
def episode(tmp_path_factory):
    root = tmp_path_factory.mktemp("episode")
    made.write_peract(root, number=4, size=SIZE)
    return next(episodes.open_episodes(root, "reach_target"))


def test_keyframes_are_found(episode):
    assert examples.keyframes_of(episode) == made.KEYFRAMES


def test_an_example_by_hand(episode):
    found = examples.example_of(episode, Transition(10, 12, 3))
    height, width = SIZE
    assert found["points"].shape == found["colours"].shape == (4 * height * width, 3)
    assert found["points"].dtype == found["colours"].dtype == np.float32
    for place, name in enumerate(PERACT_CAMERAS):
        number = made.CAMERAS.index(name)
        _, due = made.table_points(number, 10 if name == "wrist" else 0, SIZE)
        block = slice(place * height * width, (place + 1) * height * width)
        np.testing.assert_allclose(found["points"][block], due.reshape(-1, 3), atol=2e-6)
        colours = made.colours_of(due).reshape(-1, 3).astype(np.float32)
        np.testing.assert_array_equal(found["colours"][block], colours / np.float32(255) * 2 - 1)
    # Open, both fingers clipped, and time 3 of 0 to 24.
    np.testing.assert_allclose(found["proprio"], [1, 0.04, 0.009, 0.75], atol=1e-7)
    assert found["proprio"].dtype == np.float32
    assert found["instruction"] == "reach the red target"
    # Position (0.124, -0.096, 1.084), closed.
    assert found["translation"].tolist() == [42, 40, 48]
    assert found["translation"].dtype == found["rotation_grip"].dtype == np.int32
    assert found["rotation_grip"].tolist()[3] == 0
    np.testing.assert_array_equal(
        found["gripper_pose"], made.observation(12, SIZE, is_peract=True).gripper_pose
    )
    assert found["collision"].shape == ()
    assert found["collision"].dtype == np.int32
    assert [found[name] for name in ("task", "variation", "episode", "step", "keyframe")] == [
        *("reach_target", 2, 4),
        *(10, 12),
    ]


def test_collisions_are_those_of_the_step_before_the_keyframe(episode):
    collisions = {
        keyframe: int(examples.example_of(episode, Transition(0, keyframe, 0))["collision"])
        for keyframe in (12, 13, 20, 21)
    }
    # The steps 12 to 19 disregard them.
    assert collisions == {12: 0, 13: 1, 20: 1, 21: 0}


@pytest.mark.parametrize(("time", "due"), [(0, 1.0), (24, -1.0), (12, 0.0), (25, -1.0 - 1 / 12)])
def test_time_goes_from_one_to_minus_one(time, due, episode):
    found = examples.proprioception(episode.observations[0], time, 25)
    assert found[3] == pytest.approx(due)


def test_examples_are_the_published_ones_or_the_distinct_ones(episode):
    published = list(examples.examples_of(episode, 10))
    assert [(one["step"], one["keyframe"]) for one in published] == [
        *((0, 12), (12, 20), (20, 29)),
        *((10, 12), (12, 20), (20, 29)),
        (20, 29),
    ]
    distinct = list(
        examples.examples_of(
            episode,
            10,
            transitions=distinct_transitions,
            size=50,
            cameras=["front"],
            episode_length=5,
        )
    )
    assert [(one["step"], one["keyframe"]) for one in distinct] == [
        *((0, 12), (10, 12)),
        *((12, 20), (20, 29)),
    ]
    assert [one["proprio"][3] for one in distinct] == [1, 1, 0.5, 0]
    assert distinct[0]["points"].shape == (80, 3)
    assert distinct[0]["translation"].tolist() == [21, 20, 24]


def test_a_keyframe_out_of_bounds_is_told(episode):
    with pytest.raises(UserError, match=r"episode4, step 12: the gripper's position \[0\.124,"):
        next(examples.examples_of(episode, bounds=(-0.3, -0.5, 0.6, 0.1, 0.5, 1.6)))


def test_an_empty_instruction_is_told(episode):
    with pytest.raises(UserError, match=r"episode4: its instruction is empty"):
        next(examples.examples_of(dataclasses.replace(episode, descriptions=("",))))


def test_stock_episodes_do_not_say_what_disregards_collisions(tmp_path, caplog):
    made.write_stock(tmp_path, "open_drawer", size=SIZE)
    episode = next(episodes.open_episodes(tmp_path, "open_drawer"))
    with caplog.at_level(logging.WARNING):
        found = list(examples.examples_of(episode))
    assert {int(one["collision"]) for one in found} == {0}
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["open_drawer"]


@pytest.fixture
def real(shared):
    root = shared / "data" / "rlbench"
    if not root.is_dir():
        pytest.skip(f"needs the episodes of RLBench in {root}")
    episode = next(episodes.open_episodes(root, "reach_target"))
    return dataclasses.replace(episode, descriptions=("reach the red target",))


def test_an_example_of_the_real_episode(real):
    found = next(examples.examples_of(real, cameras=CAMERAS))
    assert found["points"].shape == (5 * 128 * 128, 3)
    assert found["translation"].tolist() == [34, 64, 23]
    # Straight down, and open.
    assert found["rotation_grip"].tolist() == [0, 36, 0, 1]
    near = np.linalg.norm(found["points"] - found["gripper_pose"][:3], axis=1) < 0.02
    assert near.sum() > 10
    red, green, blue = np.median(found["colours"][near], axis=0)
    assert red > -0.2
    assert green < -0.8
    assert blue < -0.8


# The picture.


def pixels_of(content):
    parser = ImageFile.Parser()
    parser.feed(content)
    return np.asarray(parser.close())


def near_colour(pixels, colour):
    return np.all(np.abs(pixels.astype(int) - colour) < 8, axis=-1)


def test_a_picture_shows_voxels_views_and_marks(episode):
    pixels = pixels_of(drawing.picture(episode, step=2))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (638, 1342, 3)
    assert near_colour(pixels, (0xFF, 0x00, 0xC8)).sum() > 200  # the target
    assert near_colour(pixels, (0x00, 0xB4, 0xFF)).sum() > 200  # the gripper
    for axis in ((0xFF, 0x30, 0x30), (0x20, 0xD0, 0x20), (0x30, 0x60, 0xFF)):
        assert near_colour(pixels, axis).sum() > 30
    # Text of an instruction is no formula.
    odd = dataclasses.replace(episode, descriptions=("pay $5_ and 3$^",))
    other = pixels_of(drawing.picture(odd, step=15))
    assert np.mean(np.any(other != pixels, axis=-1)) > 0.001


def test_a_picture_needs_no_instruction(real):
    pixels = pixels_of(drawing.picture(dataclasses.replace(real, descriptions=())))
    scene = pixels[:, : pixels.shape[1] * 2 // 5].astype(int)
    assert np.mean(scene.max(-1) - scene.min(-1) > 60) > 0.1  # the wooden table


@pytest.mark.parametrize("step", [-1, 29, 100])
def test_there_is_no_picture_without_a_next_keyframe(step, episode):
    with pytest.raises(ValueError, match="has no next keyframe"):
        drawing.picture(episode, step=step)
