# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an episode is found before a training run meets it."""

import os
import shutil

import numpy as np
import pytest
import rlbench_made_files as made
from perceiver_bench.tasks.rlbench import checks, episodes, layouts
from perceiver_bench.tasks.rlbench.actions import BOUNDS
from perceiver_bench.tasks.rlbench.cameras import CAMERAS

from perceiver_bench.errors import UserError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("checks")
    made.write_peract(root)
    return root


@pytest.fixture
def folder(root, tmp_path):
    """An episode that a test may break."""
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return layouts.find_episodes(tmp_path, "reach_target")[0].path


def reopened(folder):
    return next(episodes.open_episodes(folder.parents[3], "reach_target"))


def refused(folder, match, **options):
    with pytest.raises(UserError, match=match) as error:
        checks.check(reopened(folder), **{"cameras": CAMERAS, **options})
    message = str(error.value)
    assert "\n" not in message
    assert str(folder) in message


def rewritten(folder, change):
    demo = made.demonstration()
    change(demo._observations)
    made.write_demonstration(folder, demo)


def test_a_whole_episode_passes(root):
    episode = next(episodes.open_episodes(root, "reach_target"))
    assert checks.check(episode) == (8, 10)
    assert checks.check(episode, BOUNDS, every=1, cameras=CAMERAS) == (8, 10)


def test_the_real_episodes_pass_but_for_their_instruction(shared, tmp_path):
    source = shared / "data" / "rlbench" / "reach_target" / "variation0"
    if not source.is_dir():
        pytest.skip(f"needs the episodes of RLBench in {source}")
    target = tmp_path / "reach_target" / "variation0"
    target.mkdir(parents=True)
    os.symlink(source / "episodes", target / "episodes")
    first = next(episodes.open_episodes(tmp_path, "reach_target"))
    with pytest.raises(UserError, match="its instruction is empty"):
        checks.check(first)
    instructions = made.pickled(["reach the red target"])
    (target / "variation_descriptions.pkl").write_bytes(instructions)
    opened = episodes.open_episodes(tmp_path, "reach_target")
    assert checks.check_all(opened, cameras=CAMERAS, every=40) == (128, 128)


def test_a_missing_camera_is_told(folder):
    shutil.rmtree(folder / "overhead_rgb")
    assert checks.check(reopened(folder)) == (8, 10)  # PerAct does without
    refused(folder, r"overhead_rgb: missing; record the episode with this camera")
    shutil.rmtree(folder / "wrist_depth")
    refused(folder, r"wrist_depth: missing")


@pytest.mark.parametrize("name", ["front_rgb/7.png", "wrist_depth/29.png"])
def test_a_missing_frame_is_told(name, folder):
    (folder / name).unlink()
    refused(folder, rf"{name}: missing; copy the episode again")


def test_a_frame_too_many_is_told(folder):
    shutil.copy(folder / "front_rgb/0.png", folder / "front_rgb/30.png")
    refused(folder, r"front_rgb/30\.png: the episode has 30 steps, from 0")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "the file is empty"),
        (made.png(np.zeros((4, 10, 3), np.uint8)), "10 x 4 pixels, and .* has 10 x 8"),
        (made.png(np.zeros((8, 10), np.uint8)), "not an RGB picture"),
    ],
    ids=["empty", "size", "grey"],
)
def test_an_odd_picture_is_told_though_training_would_not_read_it(content, match, folder):
    (folder / "left_shoulder_depth/17.png").write_bytes(content)
    refused(folder, rf"left_shoulder_depth/17\.png: {match}")


def test_a_damaged_picture_is_told(folder):
    path = folder / "wrist_rgb/20.png"
    path.write_bytes(path.read_bytes()[:-20])
    refused(folder, r"wrist_rgb/20\.png: cut off")


def test_black_depth_is_told(folder):
    (folder / "wrist_depth/12.png").write_bytes(made.png(np.zeros((8, 10, 3), np.uint8)))
    refused(folder, r"wrist_depth/12\.png: black, so that nothing is farther than 0\.01 m")


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (float("nan"), "front_camera_far holds what is no finite number"),
        (None, "front_camera_far is missing"),
    ],
    ids=["nan", "missing"],
)
def test_depth_without_a_far_plane_is_told(value, match, folder):
    def change(observations):
        observations[20].misc["front_camera_far"] = value

    rewritten(folder, change)
    refused(folder, rf"low_dim_obs\.pkl, step 20: {match}")


def test_pictures_of_another_size_than_the_camera_are_told(folder):
    def change(observations):
        for observation in observations:
            observation.misc["front_camera_intrinsics"] = made.intrinsics((16, 20))

    rewritten(folder, change)
    refused(folder, r"front_camera_intrinsics has its middle at 10, 8, and .* have 10 x 8 pixels")


def test_a_gripper_out_of_bounds_is_told(folder):
    def change(observations):
        observations[5].gripper_pose[0] = 2  # no keyframe
        observations[20].gripper_pose[0] = 0.8

    rewritten(folder, change)
    refused(
        folder, r"episode0, step 20: the gripper's position \[0\.8, -0\.096, 1\.004\] is out of"
    )


def test_bounds_without_points_are_told(folder):
    bounds = (-0.3, -0.5, 0.85, 0.7, 0.5, 1.6)
    refused(folder, r"step 0: no point of it is in bounds=\[-0\.3, .*they are from", bounds=bounds)
    refused(folder, r"is out of bounds", bounds=(5, 5, 5, 6, 6, 6))
    with pytest.raises(UserError, match=r"bounds=\[0, 0, 0\]: six numbers are due"):
        checks.check(reopened(folder), bounds=(0, 0, 0))


def test_an_empty_instruction_is_told(folder):
    (folder / "variation_descriptions.pkl").write_bytes(made.pickled([" "]))
    refused(folder, r"episode0: its instruction is empty; write a list of texts")


def test_episodes_of_several_sizes_are_told(tmp_path):
    made.write_peract(tmp_path, number=0)
    made.write_peract(tmp_path, number=1)
    opened = list(episodes.open_episodes(tmp_path, "reach_target"))
    assert checks.check_all(opened) == (8, 10)
    made.write_peract(tmp_path, number=2, size=(6, 10))
    opened = list(episodes.open_episodes(tmp_path, "reach_target"))
    with pytest.raises(UserError, match=r"episode2: pictures of 10 x 6 .*episode0 have 10 x 8"):
        checks.check_all(opened)
    with pytest.raises(UserError, match="no episodes to check"):
        checks.check_all([])
