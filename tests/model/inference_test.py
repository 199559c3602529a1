# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The compiled forward pass: the network's own numbers, and how much memory it needs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_networks import RELEASED_SMALL, fast_jit, quick_jax, random_batch, random_weights

from perceiver_bench.model import inference, presets
from perceiver_bench.model.inference import Forward
from perceiver_bench.model.weights import mapping


@pytest.mark.parametrize(("family", "dtype"), [("imagenet_conv", "float32"), ("flow", "bfloat16")])
def test_a_compiled_pass_equals_the_network(family, dtype, monkeypatch):
    """In float32 its layers are a list, in bfloat16 the stack that the network has."""
    monkeypatch.setattr(inference, "jax", quick_jax)
    config = dataclasses.replace(RELEASED_SMALL[family], dtype=dtype)
    weights, batch = random_weights(config), random_batch(config)
    forward = Forward(config, batch)
    forward.load(weights)
    found = forward(batch)
    due = fast_jit(lambda model: model(batch))(mapping.to_model(weights))
    assert found.keys() == due.keys()
    for name in due:
        tolerance = 5e-6 * np.std(due[name]) if dtype == "float32" else 0
        np.testing.assert_allclose(found[name], due[name], rtol=0, atol=tolerance, err_msg=name)
    assert forward.compile_seconds > 0
    with pytest.raises(TypeError, match="compiled"):
        forward({name: array[:1] for name, array in batch.items()})


@pytest.mark.parametrize(
    "batch",
    [
        {"images": np.zeros((1, 2, 6, 8, 4), np.float32)},
        {"images": np.zeros((1, 6, 8, 3), np.float32)},
    ],
)
def test_a_batch_that_the_network_does_not_take_is_found_before_any_weights(batch):
    with pytest.raises((TypeError, ValueError)):
        Forward(RELEASED_SMALL["flow"], batch)


def flow_scratch_bytes(*size: int) -> int:
    """Returns what a pass of the flow network needs beside its arrays, for frames of `size`."""
    images = jax.ShapeDtypeStruct((1, 2, *size, 3), jnp.float32)
    scratch = Forward(presets.flow(size=size), {"images": images}).scratch_bytes
    assert scratch is not None
    return scratch


def test_memory_of_optical_flow_is_bounded_and_grows_at_most_linearly():
    """The scores alone would be 1.5 GB, and 6 GB for four times the pixels."""
    height, width = presets.preset("flow").input.size
    whole = flow_scratch_bytes(height, width)
    assert whole < 400e6
    assert flow_scratch_bytes(2 * height, 2 * width) < 4 * whole
