# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import pytest
from random_networks import random_batch

from perceiver_bench.model import presets
from perceiver_bench.model.operations import count_operations, network_operations

LEFT, RIGHT = jnp.ones((3, 4)), jnp.ones((4, 5))


def test_products_count_as_often_as_they_run():
    def body(carry, _):
        return carry @ jnp.ones((5, 5)), None

    def function(left, right):
        once = jax.checkpoint(jax.jit(jnp.matmul))(left, right)
        return jax.lax.scan(body, once, None, length=7)[0] + 1

    assert count_operations(function, LEFT, RIGHT) == 2 * 3 * 4 * 5 + 7 * 2 * 3 * 5 * 5


def test_batched_products_and_convolutions():
    batched = jnp.ones((6, 3, 4)), jnp.ones((6, 4, 5))
    assert count_operations(jnp.matmul, *batched) == 6 * 2 * 3 * 4 * 5
    image, kernel = jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 5))

    def convolve(image, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            image, kernel, (2, 2), "SAME", dimension_numbers=numbers
        )

    assert count_operations(convolve, image, kernel) == 2 * (2 * 4 * 4 * 5) * (3 * 3 * 3)


def test_a_gradient_costs_two_products_for_each():
    loss = jax.grad(lambda left, right: jnp.sin(left @ right).sum(), argnums=(0, 1))
    assert count_operations(loss, LEFT, RIGHT) == 3 * 2 * 3 * 4 * 5


def test_loops_of_unknown_length_are_refused():
    def function(left, right):
        return jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: x @ right[:, :4], left)

    with pytest.raises(ValueError, match="unknown length"):
        count_operations(function, LEFT, RIGHT)


@pytest.mark.parametrize(("name", "paper"), [("imagenet_fourier", 407e9), ("imagenet_conv", 369e9)])
def test_plain_operations_are_those_of_table_7(name, paper):
    batch = jax.eval_shape(lambda: random_batch(presets.preset(name)))
    images = jax.ShapeDtypeStruct((1, *batch["images"].shape[1:]), jnp.float32)
    found = network_operations(presets.preset(name), {"images": images})
    assert found.plain == pytest.approx(paper, rel=0.003)
    assert found.executed < 0.99 * found.plain


def test_byte_bert_has_the_operations_of_table_1():
    tokens = jax.ShapeDtypeStruct((1, 2048), jnp.int32)
    found = network_operations(presets.preset("language_bert"), {"inputs": tokens})
    assert found.plain == pytest.approx(130e9, rel=0.01)
    assert found.executed == found.plain


def test_rewriting_halves_the_work_of_optical_flow():
    images = jax.ShapeDtypeStruct((1, 2, 368, 496, 3), jnp.float32)
    found = network_operations(presets.preset("flow"), {"images": images})
    assert found.executed < 0.5 * found.plain
