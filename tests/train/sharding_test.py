# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Rules of placement; that many devices compute what one does is in mesh_training_test.py."""

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from perceiver_bench.errors import UserError
from perceiver_bench.train import mesh as meshes
from perceiver_bench.train import sharding


def mesh(**sizes):
    all_sizes = [sizes.get(name, 1) for name in meshes.AXES]
    return AbstractMesh(tuple(all_sizes), meshes.AXES, axis_types=(AxisType.Auto,) * 3)


LAYER = "encoder/self_attention"


@pytest.mark.parametrize(
    ("path", "shape", "expected"),
    [
        (f"{LAYER}/attention/query/kernel", (26, 64, 32), (None, "fsdp", "tensor")),
        (f"{LAYER}/attention/output/kernel", (26, 32, 64), (None, "tensor", "fsdp")),
        (f"{LAYER}/attention/value/bias", (26, 32), (None, "tensor")),
        (f"{LAYER}/attention/output/bias", (26, 64), ()),
        (f"{LAYER}/mlp/hidden/kernel", (26, 64, 128), (None, "fsdp", "tensor")),
        (f"{LAYER}/mlp/output/kernel", (26, 128, 64), (None, "tensor", "fsdp")),
        (f"{LAYER}/norm/scale", (26, 64), ()),
        ("decoder/attention/key/kernel", (64, 32), ("fsdp", None)),
        ("decoder/mlp/output/kernel", (64, 32), (None, "fsdp")),
        ("adapter/embeddings", (262, 64), (None, "fsdp")),
        # 261 channels do not divide: the other dimension does.
        ("encoder/cross_attention/attention/value/kernel", (261, 64), (None, "fsdp")),
        # Neither does, and it is small.
        ("encoder/cross_attention/attention/key/kernel", (261, 261), (None, None)),
        ("adapter/stem/convolution/kernel", (7, 7, 6, 64), ()),
    ],
)
def test_a_parameter_and_its_moments_go_where_its_path_says(path, shape, expected):
    for prefix in ("params/", "optimizer_state/1/mu/", "optimizer_state/1/nu/", ""):
        found = sharding.partition(prefix + path, shape, mesh(data=2, fsdp=4, tensor=2))
        assert found == PartitionSpec(*expected)


def test_a_large_array_that_does_not_divide_is_refused_with_what_would():
    with pytest.raises(UserError, match=r"--mesh=fsdp:4: .*\[1029, 1029\] .* fsdp:4; 3, 7, 21, 49"):
        sharding.partition("decoder/attention/key/kernel", (1029, 1029), mesh(fsdp=4))


def test_channels_that_do_not_divide_are_refused_with_what_would():
    with pytest.raises(UserError, match=r"--mesh=tensor:4: .* does not divide by tensor:4; 2, 3"):
        sharding.partition(f"{LAYER}/mlp/hidden/bias", (2, 6), mesh(tensor=4))


def test_a_batch_and_values_survive_the_placement():
    devices = meshes.make(None, 0)
    size = 4 * jax.device_count()
    batch = {"inputs": np.arange(3 * size).reshape(size, 3)}
    placed = sharding.shard_batch(batch, devices, size)["inputs"]
    np.testing.assert_array_equal(placed, batch["inputs"])
    np.testing.assert_array_equal(sharding.local_rows(devices, size), np.arange(size))
    tree = {"a": {"b": np.float32(3)}}
    there = sharding.place(tree, jax.tree.map(lambda _: sharding.whole(devices), tree))
    assert sharding.local_copy(there, devices)["a"]["b"] == 3
