# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes are read as they are; broken pickles are told in one line."""

import contextlib
import io
import os
import pickle
import shutil

import numpy as np
import pytest
import rlbench_made_files as made
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.rlbench import demonstration_pickles, episodes, layouts

from perceiver_bench import pickles
from perceiver_bench.errors import UserError


def opened(root, task="reach_target"):
    return next(episodes.open_episodes(root, task))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("episodes")
    made.write_peract(root)
    return root


@pytest.fixture
def copied(root, tmp_path):
    """The folder of an episode that a test may break, and what opens it."""
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return layouts.find_episodes(tmp_path, "reach_target")[0].path


def reopened(folder):
    return opened(folder.parents[3])


def refused(folder, match):
    with pytest.raises(UserError, match=match) as error:
        reopened(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("write", [made.write_stock, made.write_peract])
def test_an_episode_is_read_as_it_was_written(write, protocol, tmp_path):
    write(tmp_path, protocol=protocol)
    episode = opened(tmp_path)
    assert len(episode) == made.NUM_STEPS
    for step, observation in enumerate(episode.observations):
        due = made.observation(step, (8, 10), is_peract=True)
        for name in ("gripper_pose", "gripper_joint_positions", "joint_velocities"):
            np.testing.assert_array_equal(getattr(observation, name), getattr(due, name))
        np.testing.assert_array_equal(observation.joint_positions, due.joint_positions)
        assert observation.gripper_open == (step < 12)
        ignores = None if write is made.write_stock else step in made.STRAIGHT
        assert observation.ignore_collisions is ignores
    for number, name in enumerate(made.CAMERAS):
        camera = episode.camera(7, name)
        np.testing.assert_array_equal(camera.extrinsics, made.extrinsics(number, 7))
        np.testing.assert_array_equal(camera.intrinsics, made.intrinsics((8, 10)))
        assert (camera.near, camera.far) == (made.NEAR, made.FAR)


def test_pictures_are_those_of_the_table(root):
    episode = opened(root)
    for step in (0, 9):
        images, points = episode.images(step), episode.points(step)
        assert tuple(images) == tuple(points) == made.CAMERAS
        for number, name in enumerate(made.CAMERAS):
            _, due = made.table_points(number, step if name == "wrist" else 0, (8, 10))
            assert points[name].dtype == np.float32
            np.testing.assert_allclose(points[name], due, atol=2e-6)
            np.testing.assert_array_equal(images[name], made.colours_of(due))


def test_pictures_are_read_when_they_are_asked_for(copied):
    for path in copied.iterdir():
        if path.is_dir() and path.name != "front_rgb":
            shutil.rmtree(path)
    episode = reopened(copied)
    assert list(episode.images(3, ["front"])) == ["front"]
    with pytest.raises(UserError, match=r"left_shoulder_rgb/3\.png: missing"):
        episode.images(3)
    with pytest.raises(UserError, match=r"front_depth/3\.png: missing"):
        episode.points(3)


# Pickles that are not what they should be.


class Call:
    def __reduce__(self):
        return os.system, ("false",)


class Other:
    pass


def test_a_foreign_class_is_refused_by_its_name(copied):
    for value, name in ((Call(), "posix.system"), (Other(), f"{__name__}.Other")):
        demo = made.demonstration(num_steps=3)
        demo._observations[1].misc["more"] = value
        made.write_demonstration(copied, demo)
        refused(copied, rf"low_dim_obs\.pkl: refused at byte \d+: it names '{name}'")
    for content in (
        b"crlbench.demo\nDemo.__init__\n)R.",
        b"crlbench.demo\nDemo\n)R.",
        b"\x80\x02crlbench.demo\nDemo\n(K\x01t\x81.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"\x80\x02crlbench.demo\nDemo\n)\x81K\x01b.",
        b"\x80\x02crlbench.demo\nDemo\n.",
    ):
        (copied / "low_dim_obs.pkl").write_bytes(content)
        refused(copied, r"low_dim_obs\.pkl: refused at byte")


def test_records_come_only_where_they_are_asked_for():
    data = made.pickled(made.demonstration(num_steps=2))
    with pytest.raises(UserError, match=r"names 'rlbench\.demo\.Demo'"):
        pickles.read_pickle(io.BytesIO(data), "demo", lists=True)
    names = ("rlbench.demo.Demo", "rlbench.backend.observation.Observation")
    with pytest.raises(UserError, match="a value of type list"):
        pickles.read_pickle(io.BytesIO(data), "demo", records=names)
    record = pickles.read_pickle(io.BytesIO(data), "demo", lists=True, records=names)
    assert record.name == names[0]
    assert {one.name for one in record.fields["_observations"]} == {names[1]}
    kind, keys, *rest = record.fields["random_seed"]
    assert (kind, keys.shape, rest[1:]) == ("MT19937", (624,), [0, 0.0])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("within itself", b"\x80\x02crlbench.demo\nDemo\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb."),
        ("tuples shared", b"\x80\x02K\x01\x85q\x00" + b"h\x00\x86q\x00" * 30 + b"."),
        ("deep tuples", b"\x80\x02)" + b"\x85" * 200_000 + b"."),
        ("deep records", b"\x80\x02" + b"crlbench.demo\nDemo\n)\x81}X\x01\x00\x00\x00a" * 1000
         + b"K\x01" + b"sb" * 1000 + b"."),
        ("array that is never filled", b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n"
         b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R\x85."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_endless_records_are_refused(name, content, copied):  # noqa: ARG001
    (copied / "low_dim_obs.pkl").write_bytes(content)
    refused(copied, r"low_dim_obs\.pkl: refused")


def test_every_truncation_of_a_demonstration_is_refused(copied):
    content = made.pickled(made.demonstration(num_steps=2))
    for end in range(0, len(content), 37):
        (copied / "low_dim_obs.pkl").write_bytes(content[:end])
        refused(copied, r"low_dim_obs\.pkl: ")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_random_damage_gives_a_user_error_or_an_episode(tmp_path_factory, data):
    content = bytearray(made.pickled(made.demonstration(num_steps=2)))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content)))
        removed = data.draw(st.sampled_from([0, 1, 1, 4]))
        content[position : position + removed] = data.draw(st.binary(max_size=4))
    folder = tmp_path_factory.getbasetemp() / "damaged/variation0/episodes/episode0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "low_dim_obs.pkl").write_bytes(content)
    place = layouts.EpisodeFolder(folder, "damaged", 0, 0)
    with contextlib.suppress(UserError):
        assert len(episodes.open_episode(place)) >= 2


@pytest.mark.parametrize(
    ("file", "value", "match"),
    [
        ("low_dim_obs.pkl", [1], "not a demonstration of RLBench"),
        ("low_dim_obs.pkl", made.Observation(), "not a demonstration of RLBench"),
        ("low_dim_obs.pkl", made.Demo([1, 2]), "not a demonstration of RLBench"),
        ("low_dim_obs.pkl", made.Demo([]), "0 observations, and at least two are due"),
        ("low_dim_obs.pkl", made.demonstration(num_steps=1), "1 observations, and at least two"),
        ("variation_number.pkl", "2", "not the number of a variation"),
        ("variation_number.pkl", True, "not the number of a variation"),
        ("variation_number.pkl", -1, "not the number of a variation"),
        ("variation_descriptions.pkl", "reach", "not a list of instructions"),
        ("variation_descriptions.pkl", ["reach", None], "not a list of instructions"),
        ("variation_descriptions.pkl", {"a": "b"}, "not a list of instructions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_of_something_else_is_told(file, value, match, copied):
    (copied / file).write_bytes(made.pickled(value))
    refused(copied, rf"{file}: {match}")


@pytest.mark.parametrize("file", ["low_dim_obs.pkl", "variation_number.pkl"])
def test_a_missing_pickle_is_told(file, copied):
    (copied / file).unlink()
    refused(copied, f"{file}: missing")
    (copied / file).mkdir()
    refused(copied, f"{file}: cannot be read")


def test_a_huge_pickle_is_told_before_it_is_interpreted(copied, monkeypatch):
    monkeypatch.setattr(demonstration_pickles, "_MAX_BYTES", 1000)
    refused(copied, r"low_dim_obs\.pkl: larger than any demonstration")


def test_descriptions_that_are_an_observation_are_none(copied):
    content = made.pickled(made.observation(0, (8, 10), is_peract=False))
    (copied / "variation_descriptions.pkl").write_bytes(content)
    episode = reopened(copied)
    assert episode.descriptions == ()
    with pytest.raises(UserError, match=r"its instruction is empty; write a list of texts"):
        episode.instruction()


@pytest.mark.parametrize("texts", [[], [""], [" \n"]], ids=["none", "empty", "blank"])
def test_an_empty_instruction_is_told(texts, copied):
    (copied / "variation_descriptions.pkl").write_bytes(pickle.dumps(texts))
    with pytest.raises(UserError, match=r"episode0: its instruction is empty"):
        reopened(copied).instruction()


NAN = float("nan")


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("gripper_pose", None, "gripper_pose is missing"),
        ("gripper_pose", "here", "gripper_pose is a str, not numbers"),
        ("gripper_pose", np.zeros(6), r"gripper_pose has the shape \(6,\), and \(7,\) is due"),
        ("gripper_pose", np.zeros(7), "the quaternion in gripper_pose is 0"),
        ("gripper_pose", np.full(7, NAN), "gripper_pose holds what is no finite number"),
        ("gripper_open", 0.5, "gripper_open=0.5, and 0 or 1 is due"),
        ("gripper_open", None, "gripper_open is missing"),
        ("gripper_joint_positions", np.zeros(3), r"and \(2,\) is due"),
        ("joint_velocities", None, "joint_velocities is missing"),
        ("joint_velocities", np.zeros((7, 1)), r"has the shape \(7, 1\)"),
        ("joint_velocities", np.zeros(0), r"has the shape \(0,\)"),
        ("ignore_collisions", np.array(2.0), "ignore_collisions=2, and 0 or 1 is due"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_without_a_valid_value_is_told(field, value, match, copied):
    demo = made.demonstration(num_steps=4)
    setattr(demo._observations[2], field, value)
    made.write_demonstration(copied, demo)
    refused(copied, rf"low_dim_obs\.pkl, step 2: .*{match}")


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("far", None, "wrist_camera_far is missing"),
        ("far", NAN, "wrist_camera_far holds what is no finite number"),
        ("far", 0.01, r"wrist_camera_near=0.01 and wrist_camera_far=0.01"),
        ("far", 1e300, r".*wrist_camera_far=1e\+300, and 0 <= near < far <= 1000 is due"),
        ("near", -1.0, "wrist_camera_near=-1"),
        ("near", np.zeros(1), r"wrist_camera_near has the shape \(1,\)"),
        ("intrinsics", None, "wrist_camera_intrinsics is missing"),
        ("intrinsics", np.zeros((3, 3)), "wrist_camera_intrinsics is no matrix of a camera"),
        ("extrinsics", np.full((4, 4), NAN), "wrist_camera_extrinsics holds what is no finite"),
        ("extrinsics", np.zeros((4, 4)), "wrist_camera_extrinsics is no rotation"),
        ("extrinsics", np.eye(3), r"wrist_camera_extrinsics has the shape \(3, 3\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_camera_without_a_valid_parameter_is_told(field, value, match, copied):
    demo = made.demonstration()
    demo._observations[2].misc[f"wrist_camera_{field}"] = value
    made.write_demonstration(copied, demo)
    episode = reopened(copied)
    episode.points(1)
    with pytest.raises(UserError, match=rf"low_dim_obs\.pkl, step 2: {match}"):
        episode.points(2)


# The genuine episodes.


def real_episodes(shared):
    root = shared / "data" / "rlbench"
    if not root.is_dir():
        pytest.skip(f"needs the episodes of RLBench in {root}")
    return list(episodes.open_episodes(root, "reach_target"))


def test_the_real_episodes_are_read(shared):
    first, second = real_episodes(shared)
    assert (len(first), len(second)) == (70, 64)
    assert (first.variation, first.number, second.number) == (0, 0, 1)
    assert first.descriptions == ()
    # As the file has them.
    np.testing.assert_allclose(
        first.observations[0].gripper_pose,
        [0.2784661, -0.0081531, 1.4719054, -1.8e-6, 0.9926689, 0.0, 0.1208654],
        atol=1e-6,
    )
    assert all(one.gripper_open for one in first.observations)
    assert {one.ignore_collisions for one in first.observations} == {None}
    for images in (first.images(69), second.images(0)):
        assert {image.shape for image in images.values()} == {(128, 128, 3)}
