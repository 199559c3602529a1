# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import AbstractMesh, AxisType

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.train import mesh as meshes

TINY = registry.get("glue/sst2").presets["tiny"]


def mesh(*sizes):
    return AbstractMesh(sizes, meshes.AXES, axis_types=(AxisType.Auto,) * 3)


def with_batch(size, accumulation=1):
    train = dataclasses.replace(TINY.train, batch_size=size, accumulation=accumulation)
    return dataclasses.replace(TINY, train=train)


def test_a_mesh_is_read_in_any_order():
    assert meshes.parse("tensor:2, data:4") == {"data": 4, "fsdp": 1, "tensor": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no axis ''"),
        ("date:2", "no axis 'date'.*data"),
        ("data:2,data:2", "data comes twice"),
        ("data", "a size is due after data, as in data:2"),
        ("data:0", "a size is due"),
        ("data:-1", "a size is due"),
    ],
)
def test_what_is_no_mesh_is_refused(text, message):
    with pytest.raises(UserError, match=f"--mesh={text}: {message}"):
        meshes.parse(text)


def test_a_mesh_of_other_devices_than_there_are_is_refused():
    count = jax.device_count()
    with pytest.raises(UserError, match=f"--mesh=data:64: 64 devices, but there are {count}"):
        meshes.make("data:64", 0)


def test_without_a_word_data_has_all_devices():
    found = meshes.make(None, 0)
    assert found.shape["data"] == jax.device_count() == found.size
    assert list(found.devices.flat) == jax.devices()


@given(
    num_params=st.integers(0, 10**12),
    num_devices=st.integers(1, 1024),
    device_bytes=st.floats(1e6, 1e12),
)
def test_the_automatic_mesh_divides_as_little_as_fits(num_params, num_devices, device_bytes):
    found = meshes.automatic(num_params, num_devices, device_bytes)
    assert math.prod(found.values()) == num_devices
    fits = 16 * num_params / found["fsdp"] <= device_bytes / 2
    assert fits or found["fsdp"] == num_devices
    for smaller in range(1, found["fsdp"]):
        if num_devices % smaller == 0:
            assert 16 * num_params / smaller > device_bytes / 2


@pytest.mark.parametrize("batch_size", [1, 7, 12, 20])
def test_a_batch_that_does_not_divide_over_the_devices_is_refused(batch_size):
    above = math.ceil(batch_size / 8) * 8
    message = rf"train\.batch_size={batch_size}: .* the 8 devices .* such as {above}"
    with pytest.raises(UserError, match=message):
        meshes.check(with_batch(batch_size), mesh(4, 2, 1))
    meshes.check(with_batch(8 * batch_size), mesh(4, 2, 1))


def test_the_parts_of_a_batch_have_to_divide_too():
    message = r"batch_size=12: .* 2 devices that share it times train\.accumulation=4, such as 16"
    with pytest.raises(UserError, match=message):
        meshes.check(with_batch(12, 4), mesh(2, 1, 1))
    meshes.check(with_batch(16, 4), mesh(2, 1, 1))


def test_heads_have_to_divide():
    heads = TINY.model.encoder.self_attention.num_heads
    with pytest.raises(UserError, match=rf"the {heads} heads .* do not divide by tensor:3"):
        meshes.check(with_batch(8), mesh(1, 1, 3))
    meshes.check(with_batch(8), mesh(1, 1, heads))
