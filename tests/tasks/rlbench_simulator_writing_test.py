# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes on disk: RLBench's files, as Python's pickle and the published formulas read them."""

import io
import pickle
import pickletools

import numpy as np
import pytest
from perceiver_bench.tasks.rlbench import episodes
from perceiver_bench.tasks.rlbench.cameras import CAMERAS
from perceiver_bench.tasks.rlbench.keyframes import find_keyframes
from perceiver_bench.tasks.rlbench.simulator import (
    EmbeddedSimulator,
    demonstrations,
    pickling,
    writing,
)
from PIL import Image

from perceiver_bench.errors import UserError


class Stub:
    def __setstate__(self, state):
        self.__dict__.update(state)


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if module.startswith("rlbench"):
            return type(name, (Stub,), {"__module__": module})
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickled(content):
    return Unpickler(io.BytesIO(content)).load()


@pytest.fixture(scope="module")
def simulator():
    simulator = EmbeddedSimulator(24, backend="rays")
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def demonstration(simulator):
    return demonstrations.demonstrate(simulator, "push_button", 2, 7)


@pytest.fixture(scope="module")
def folder(demonstration, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "episodes" / "episode0"
    writing.write_episode(path, demonstration)
    return path


def test_an_episode_has_the_files_of_peracts_data(folder, demonstration):
    names = {path.name for path in folder.iterdir()}
    pictures = {f"{name}_{kind}" for name in CAMERAS for kind in ("rgb", "depth")}
    files = {"low_dim_obs.pkl", "variation_number.pkl", "variation_descriptions.pkl"}
    assert names == pictures | files
    expected = {f"{number}.png" for number in range(len(demonstration.observations))}
    for name in pictures:
        assert {path.name for path in (folder / name).iterdir()} == expected
    assert [path.name for path in folder.parent.iterdir()] == ["episode0"]
    assert pickle.loads((folder / "variation_number.pkl").read_bytes()) == 2
    descriptions = pickle.loads((folder / "variation_descriptions.pkl").read_bytes())
    assert descriptions[0] == "push the blue button"
    assert descriptions == list(demonstration.instructions)


@pytest.mark.parametrize("name", CAMERAS)
def test_pictures_come_back(folder, demonstration, name):
    for number in (0, len(demonstration.observations) - 1):
        view = demonstration.observations[number].cameras[name]
        with Image.open(folder / f"{name}_rgb" / f"{number}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), view.rgb)
        with Image.open(folder / f"{name}_depth" / f"{number}.png") as image:
            coded = np.asarray(image).astype(np.int64)
        share = (coded @ [65536, 256, 1]) / (2**24 - 1)
        depth = view.camera.near + share * (view.camera.far - view.camera.near)
        np.testing.assert_allclose(depth, view.depth, atol=3e-7)


def test_the_pickle_has_what_the_observations_had(folder, demonstration):
    demo = unpickled((folder / "low_dim_obs.pkl").read_bytes())
    assert (type(demo).__module__, type(demo).__name__) == ("rlbench.demo", "Demo")
    assert demo.variation_number == 2
    generator = np.random.RandomState()
    generator.set_state(demo.random_seed)
    assert generator.rand() == np.random.RandomState(7).rand()
    assert len(demo._observations) == len(demonstration.observations)
    for found, given in zip(demo._observations, demonstration.observations, strict=True):
        assert type(found).__module__ == "rlbench.backend.observation"
        assert found.gripper_open == given.gripper_open
        assert float(found.ignore_collisions) == given.ignore_collisions
        for field in ("gripper_pose", "joint_velocities", "joint_positions", "task_low_dim_state"):
            np.testing.assert_array_equal(getattr(found, field), getattr(given, field))
        np.testing.assert_allclose(found.gripper_matrix[:3, 3], given.gripper_pose[:3])
        assert found.front_rgb is None
        assert found.misc["seed"] == 7
        for name, view in given.cameras.items():
            for field in ("extrinsics", "intrinsics", "near", "far"):
                np.testing.assert_array_equal(
                    found.misc[f"{name}_camera_{field}"], getattr(view.camera, field)
                )


def test_the_reader_reads_what_was_written(demonstration, tmp_path):
    root = tmp_path / "push_button" / "all_variations" / "episodes" / "episode3"
    writing.write_episode(root, demonstration)
    (episode,) = episodes.open_episodes(tmp_path, "push_button")
    assert (episode.variation, episode.number) == (2, 3)
    assert episode.instruction() == "push the blue button"
    assert len(episode) == len(demonstration.observations)
    found = find_keyframes(
        [one.gripper_open for one in episode.observations],
        [one.joint_velocities for one in episode.observations],
    )
    assert found == list(demonstration.ends)
    for number in (0, len(episode) - 1):
        read, given = episode.observations[number], demonstration.observations[number]
        np.testing.assert_array_equal(read.gripper_pose, given.gripper_pose)
        assert read.ignore_collisions == given.ignore_collisions
        assert read.misc["seed"] == 7
        images, points = episode.images(number), episode.points(number)
        for name, view in given.cameras.items():
            np.testing.assert_array_equal(images[name], view.rgb)
            np.testing.assert_allclose(points[name], view.point_cloud, atol=1e-6)


def test_the_pickle_is_like_a_real_one(folder, shared):
    path = shared / "data/rlbench/reach_target/variation0/episodes/episode0/low_dim_obs.pkl"
    if not path.is_file():
        pytest.skip(f"needs the real episode {path}")
    ours, real = (folder / "low_dim_obs.pkl").read_bytes(), path.read_bytes()
    assert globals_of(ours) == globals_of(real)
    assert ours[:2] == real[:2]
    found, expected = (unpickled(content)._observations[0] for content in (ours, real))
    assert found.__dict__.keys() - expected.__dict__.keys() == {"ignore_collisions"}
    assert not expected.__dict__.keys() - found.__dict__.keys()
    assert found.misc.keys() ^ expected.misc.keys() == {"seed"}
    for name, value in expected.__dict__.items():
        mine = getattr(found, name)
        if isinstance(value, np.ndarray) and mine is not None and name != "task_low_dim_state":
            assert (mine.dtype, mine.shape) == (value.dtype, value.shape), name


def globals_of(content):
    return {
        argument for opcode, argument, _ in pickletools.genops(content) if opcode.name == "GLOBAL"
    }


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -5,
        2.5,
        "héllo",
        b"bytes",
        [],
        (),
        {"a": [1, (2.0, None)], "b": {}},
        ("MT19937", 624, 0, 0.0),
    ],
    ids=str,
)
def test_plain_values_come_back(value):
    found = pickle.loads(pickling.dumps(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("dtype", ["f8", ">f4", "u1", "i8", "b1", "u4"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)], ids=str)
def test_arrays_come_back(dtype, shape):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    found = unpickled(pickling.dumps(value))
    np.testing.assert_array_equal(found, value)
    assert found.shape == shape
    assert found.dtype == value.dtype.newbyteorder("=")


def test_other_values_are_refused():
    with pytest.raises(TypeError, match="a set cannot be pickled"):
        pickling.dumps({"a": {1}})


def test_episodes_take_turns_with_variations(simulator, tmp_path):
    writing.write_demonstrations(
        tmp_path, simulator, "reach_target", 3, variations=(4, 1), first_seed=20
    )
    written = tmp_path / "reach_target" / "all_variations" / "episodes"
    assert sorted(path.name for path in written.iterdir()) == ["episode0", "episode1", "episode2"]
    found = [
        unpickled((written / f"episode{number}" / "low_dim_obs.pkl").read_bytes())
        for number in range(3)
    ]
    seeds = [(demo.variation_number, demo._observations[0].misc["seed"]) for demo in found]
    assert seeds == [(4, 20), (1, 21), (4, 22)]


def test_nothing_is_overwritten(simulator, folder, demonstration, tmp_path):
    with pytest.raises(UserError, match="episode0: cannot be written: it exists already"):
        writing.write_episode(folder, demonstration)
    assert [path.name for path in folder.parent.iterdir()] == ["episode0"]
    there = tmp_path / "push_button" / "all_variations" / "episodes" / "episode1"
    there.mkdir(parents=True)
    with pytest.raises(UserError, match="episode1: exists; remove it"):
        writing.write_demonstrations(tmp_path, simulator, "push_button", 2)
    assert [path.name for path in there.parent.iterdir()] == ["episode1"]


def test_half_an_episode_is_never_there(demonstration, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "encoded_depth", full)
    with pytest.raises(UserError, match="episode0: cannot be written: No space left on device"):
        writing.write_episode(tmp_path / "episode0", demonstration)
    assert not list(tmp_path.iterdir())


def test_unknown_tasks_are_errors(simulator, tmp_path):
    with pytest.raises(UserError, match="'fold' unknown"):
        writing.write_demonstrations(tmp_path, simulator, "fold", 1)
