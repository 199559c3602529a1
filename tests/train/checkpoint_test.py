# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import dataclasses
import json
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from random_networks import random_weights

from perceiver_bench import registry
from perceiver_bench.data import pipeline
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights.mapping import flatten
from perceiver_bench.train import checkpoint
from perceiver_bench.train.step import TrainState

RUN = registry.get("glue/sst2").presets["tiny"]
METADATA = {"identity": {"task": "toy"}, "preset": "tiny", "overrides": [], "losses": [0.1, 3.0]}


def batches():
    examples = [{"label": np.int32(i)} for i in range(50)]
    return pipeline.training_batches(
        MemorySource(examples, {}), lambda example, _: example, 4, 0, num_steps=100
    )


def new_state(seed, step):
    rng = np.random.default_rng(seed)
    params = {
        "a": {"kernel": jnp.asarray(rng.standard_normal((3, 4)), jnp.float32)},
        "b": jnp.asarray(rng.standard_normal(()), jnp.float32),
    }
    return TrainState(
        step=jnp.int32(step),
        params=params,
        model_state={"norm": {"mean_counter": jnp.int32(7)}},
        optimizer_state=optax.adam(0.1).init(params),
        key=jax.random.key(seed),
    )


def save(folder, state, iterator, extras=None, keep=2):
    extras = {"tokenizer.model": b"\x00\xff"} if extras is None else extras
    checkpoint.save(folder, state, iterator, RUN, extras, METADATA, keep)


def bits(state):
    state = state._replace(key=jax.random.key_data(state.key))
    return [(leaf.shape, leaf.dtype, np.asarray(leaf).tobytes()) for leaf in jax.tree.leaves(state)]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def disk_full_after(num_bytes):
    """Lets no file grow beyond a size, which every write meets as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the checkpoint of step 6, and what it should hold."""
    folder = tmp_path_factory.mktemp("saved")
    iterator = batches()
    for _ in range(6):
        next(iterator)
    state = new_state(1, 6)
    save(folder, state, iterator)
    following = [next(iterator)["label"] for _ in range(9)]
    return folder, state, following


def test_what_was_saved_comes_back_to_the_last_bit(saved):
    folder, state, following = saved
    iterator = batches()
    restored, losses = checkpoint.restore(folder / "6", new_state(2, 0), iterator)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert bits(restored) == bits(state)
    assert losses == [0.1, 3.0]
    np.testing.assert_array_equal([next(iterator)["label"] for _ in range(9)], following)
    metadata = checkpoint.read_metadata(folder / "6")
    assert checkpoint.extras(metadata) == {"tokenizer.model": b"\x00\xff"}


def data_files(folder):
    """The files that hold the values, and all of `params`: two stand for the other items."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    values = [path for path in found if path.parent.name in ("d", "metadata")]
    params = [path for path in found if path.is_relative_to(folder / "params")]
    marks = ("commit_success.txt", "_sharding")  # left by Orbax and read by nobody
    return [path for path in dict.fromkeys([*values, *params]) if path.name not in marks]


def some_files(folder):
    items = ("params", "metadata")
    return [path for path in data_files(folder) if path.relative_to(folder).parts[0] in items]


@pytest.mark.parametrize(
    ("damage", "choose"),
    [("flip", data_files), ("cut", some_files), ("remove", some_files)],
)
def test_any_damaged_file_is_noticed(damage, choose, saved, tmp_path):
    """One file after the other; what is not noticed must not matter."""
    folder, state, _ = saved
    noticed = set()
    for original in choose(folder / "6"):
        copy = tmp_path / "6"
        shutil.copytree(folder / "6", copy)
        path = copy / original.relative_to(folder / "6")
        content = bytearray(path.read_bytes())
        if damage == "remove":
            path.unlink()
        else:
            content[len(content) // 2] ^= 1
            path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
        before = files(tmp_path)
        iterator = batches()
        try:
            restored, losses = checkpoint.restore(copy, new_state(2, 0), iterator)
        except checkpoint.Damaged as error:
            noticed.add(original.relative_to(folder / "6").parts[0])
            message = str(error)
        else:
            message = str(copy)
            assert bits(restored) == bits(state), path
            assert losses == [0.1, 3.0]
            assert iterator.position == 24  # six batches of four
        assert str(copy) in message
        assert "\n" not in message
        assert files(tmp_path) == before
        shutil.rmtree(copy)
    items = {"params", "model_state", "optimizer", "rngs", "metadata"}
    assert noticed >= (items if choose is data_files else {"params", "metadata"})


@pytest.mark.parametrize("item", ["params", "model_state", "optimizer", "rngs"])
def test_an_item_of_another_checkpoint_is_noticed(item, saved, tmp_path):
    """A file can be whole in itself and still not be what was saved."""
    iterator = batches()
    next(iterator)
    other = new_state(3, 6)
    other = other._replace(
        model_state={"norm": {"mean_counter": jnp.int32(8)}},
        optimizer_state=jax.tree.map(lambda leaf: leaf + 1, other.optimizer_state),
    )
    save(tmp_path / "other", other, iterator)
    copy = shutil.copytree(saved[0] / "6", tmp_path / "6")
    shutil.rmtree(copy / item)
    shutil.copytree(tmp_path / "other" / "6" / item, copy / item)
    with pytest.raises(checkpoint.Damaged, match=r"6 is damaged: .* has changed"):
        checkpoint.restore(copy, new_state(2, 0), batches())


def test_metadata_of_another_version_or_without_a_field_is_refused(saved, tmp_path):
    for name, value in (("format_version", 99), ("losses", None), ("step", 7)):
        copy = tmp_path / name
        shutil.copytree(saved[0] / "6", copy)
        path = copy / "metadata" / "metadata"
        metadata = json.loads(path.read_text())
        metadata[name] = value
        if value is None:
            del metadata[name]
        if name == "losses":  # whoever wrote it, wrote the sum too
            del metadata["checksum"]
            metadata["checksum"] = checkpoint._json_checksum(metadata)
        path.write_text(json.dumps(metadata))
        with pytest.raises(checkpoint.Damaged, match=f"{copy}.*(version|lacks losses|changed)"):
            checkpoint.read_metadata(copy)


def test_a_state_of_another_shape_is_refused(saved):
    template = new_state(2, 0)
    template = template._replace(params={**template.params, "b": jnp.zeros(2)})
    with pytest.raises(checkpoint.Damaged, match="6 is damaged"):
        checkpoint.restore(saved[0] / "6", template, batches())


def test_only_the_newest_are_kept(tmp_path):
    for step in (8, 9, 10):
        save(tmp_path, new_state(step, step), batches())
    assert checkpoint.steps(tmp_path) == [9, 10]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "9"]


def test_unfinished_checkpoints_do_not_count_and_are_removed(saved, tmp_path):
    folder = tmp_path / "w"
    shutil.copytree(saved[0], folder)
    for name in ("7.orbax-checkpoint-tmp", "9.orbax-checkpoint-tmp-removed"):
        shutil.copytree(saved[0] / "6", folder / name)
    (folder / "notes").mkdir()
    assert checkpoint.steps(folder) == [6]
    checkpoint.clean(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["6", "notes"]
    checkpoint.clean(tmp_path / "absent")
    assert checkpoint.steps(tmp_path / "absent") == []


@pytest.mark.parametrize("num_bytes", [0, 100, 3_000, 100_000])
def test_a_disk_that_fills_up_leaves_no_half_checkpoint(num_bytes, saved, tmp_path):
    folder = tmp_path / "w"
    shutil.copytree(saved[0], folder)
    other = tmp_path / "other.orbax-checkpoint-tmp"  # another process's
    other.mkdir()
    before = files(tmp_path)
    big = new_state(1, 8)
    noise = np.random.default_rng(0).standard_normal((300, 300))
    big = big._replace(params={**big.params, "big": jnp.asarray(noise, jnp.float32)})
    with (
        disk_full_after(num_bytes),
        pytest.raises(UserError, match=f"cannot write the checkpoint {folder / '8'}: ") as error,
    ):
        save(folder, big, batches())
    assert "\n" not in str(error.value)
    assert files(tmp_path) == before
    assert other.is_dir()
    restored, _ = checkpoint.restore(folder / "6", new_state(2, 0), batches())
    assert bits(restored) == bits(saved[1])
    save(folder, big, batches())
    assert checkpoint.steps(folder) == [6, 8]


def test_weights_alone_round_trip_with_their_configuration(tmp_path):
    weights = random_weights(presets.preset("imagenet_conv_tiny"))
    weights = dataclasses.replace(weights, extras={"notes": b"\x00"})
    checkpoint.save_weights(tmp_path / "weights", weights)
    loaded, _ = checkpoint.load_weights(tmp_path / "weights")
    assert loaded.config == weights.config
    assert loaded.extras == weights.extras
    for ours, theirs in ((loaded.params, weights.params), (loaded.state, weights.state)):
        ours, theirs = flatten(ours), flatten(theirs)
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], strict=True)
    with pytest.raises(UserError, match="exists already"):
        checkpoint.save_weights(tmp_path / "weights", weights)
