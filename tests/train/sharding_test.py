# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Placement on devices; that eight compute what one does is in commands/train_command_test.py."""

import types

import jax
import numpy as np
import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.train import sharding


def test_the_mesh_has_all_devices_on_one_axis():
    mesh = sharding.data_mesh()
    assert mesh.axis_names == ("data",)
    assert list(mesh.devices.flat) == jax.devices()


@pytest.mark.parametrize("batch_size", [1, 7, 12, 20])
def test_a_batch_that_does_not_divide_over_the_devices_is_refused(batch_size):
    eight = types.SimpleNamespace(devices=np.empty(8))
    message = rf"--set=train\.batch_size={batch_size}: .* multiple of the 8 devices"
    with pytest.raises(UserError, match=message):
        sharding.check_batch_size(batch_size, 1, eight)
    sharding.check_batch_size(8 * batch_size, 1, eight)


def test_the_parts_of_a_batch_have_to_divide_too():
    two = types.SimpleNamespace(devices=np.empty(2))
    message = r"batch_size=12: .* multiple of the 2 devices times train\.accumulation=4"
    with pytest.raises(UserError, match=message):
        sharding.check_batch_size(12, 4, two)
    sharding.check_batch_size(16, 4, two)


def test_values_survive_the_placement():
    mesh = sharding.data_mesh()
    batch = {"inputs": np.arange(12).reshape(4, 3)}
    np.testing.assert_array_equal(sharding.shard_batch(batch, mesh)["inputs"], batch["inputs"])
    tree = {"a": {"b": np.float32(3)}}
    assert sharding.replicate(tree, mesh)["a"]["b"] == 3
