# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from perceiver_bench.config import OptimizerConfig
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.train import optim

CONSTANT = OptimizerConfig(learning_rate=0.1, schedule="constant", weight_decay=0.01)


def tree(seed):
    """A small network's parameters: three stacked layers, and what stands alone."""
    rng = np.random.default_rng(seed)

    def f(*shape):
        return jnp.asarray(rng.standard_normal(shape), jnp.float32)

    return {
        "encoder": {
            "latents": f(4, 5),
            "self_attention": {
                "attention": {"query": {"kernel": f(3, 5, 6), "bias": f(3, 6)}},
                "mlp_norm": {"scale": f(3, 5), "bias": f(3, 5)},
            },
        },
        "head": {"output": {"kernel": f(5, 2), "bias": f(2)}},
    }


def unstacked(params):
    """The same parameters with each layer on its own, as the original code has them."""
    stack = params["encoder"]["self_attention"]
    layers = {f"layer{i}": jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in range(3)}
    return {**params, "encoder": {"latents": params["encoder"]["latents"], **layers}}


def assert_trees_close(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def updates_after(transformation, params, gradients):
    state = transformation.init(params)
    update = jax.jit(transformation.update)
    for gradient in gradients:
        updates, state = update(gradient, state, params)
    return updates


@pytest.mark.parametrize(
    ("name", "warmup", "expected"),
    [
        ("constant", 0, {0: 2.0, 50: 2.0, 100: 2.0}),
        ("constant", 10, {0: 0.0, 1: 0.2, 5: 1.0, 10: 2.0, 99: 2.0}),
        ("cosine", 0, {0: 2.0, 50: 1.0, 25: 1 + math.sqrt(0.5), 100: 0.0}),
        # Ninety steps of cosine after ten of warmup: a third of the way is step 40.
        ("cosine", 10, {0: 0.0, 5: 1.0, 10: 2.0, 40: 1.5, 55: 1.0, 70: 0.5, 100: 0.0}),
        ("flat_cosine", 0, {0: 2.0, 49: 2.0, 50: 2.0, 75: 1.0, 100: 0.0}),
        ("flat_cosine", 10, {0: 0.0, 5: 1.0, 10: 2.0, 50: 2.0, 75: 1.0, 100: 0.0}),
        # A warmup longer than the flat part leaves the cosine the rest.
        ("flat_cosine", 60, {30: 1.0, 60: 2.0, 80: 1.0, 100: 0.0}),
    ],
)
def test_schedule_at_named_steps(name, warmup, expected):
    config = OptimizerConfig(learning_rate=2.0, schedule=name, warmup_steps=warmup)
    rate = optim.schedule(config, 100)
    for step, value in expected.items():
        assert float(rate(step)) == pytest.approx(value, abs=1e-6), step


def test_flat_cosine_is_the_original_imagenet_schedule():
    config = OptimizerConfig(learning_rate=2e-3, schedule="flat_cosine", flat_fraction=0.5)
    original = optax.join_schedules(
        [optax.constant_schedule(2e-3), optax.cosine_decay_schedule(2e-3, 51)], [50]
    )
    for step in range(101):
        np.testing.assert_allclose(optim.schedule(config, 101)(step), original(step), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"warmup_steps": 100}, "warmup_steps"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"flat_fraction": 1.0}, "flat_fraction"),
        ({"clip_norm": 0.0}, "clip_norm"),
    ],
)
def test_impossible_settings_are_told_by_field(change, field):
    with pytest.raises(UserError, match=f"train.optimizer.{field}=") as error:
        optim.optimizer(OptimizerConfig(**change), 100)
    assert "\n" not in str(error.value)


def test_one_lamb_step_by_hand():
    # The first Adam step is the gradient's sign (eps = 0). The kernel's update is
    # (1 + 0.01 * 3, -1 + 0.01 * 4), times |(3, 4)| / |update|, times -0.1.
    config = dataclasses.replace(CONSTANT, eps=0.0)
    params = {"head": {"kernel": jnp.array([3.0, 4.0]), "bias": jnp.array([6.0, 8.0])}}
    gradient = {"head": {"kernel": jnp.array([0.2, -7.0]), "bias": jnp.array([5.0, 0.1])}}
    updates = updates_after(optim.optimizer(config, 10), params, [gradient])["head"]
    ratio = 5.0 / math.hypot(1.03, 0.96)
    np.testing.assert_allclose(
        updates["kernel"], [-0.1 * ratio * 1.03, 0.1 * ratio * 0.96], rtol=1e-5
    )
    # A bias is not decayed, but it has a trust ratio: 10 / sqrt(2).
    np.testing.assert_allclose(updates["bias"], [-1 / math.sqrt(2)] * 2, rtol=1e-5)


def test_trust_ratio_is_that_of_optax_for_each_layer():
    params, updates = tree(0), tree(1)
    params["head"]["output"]["bias"] *= 0  # a zero norm has the ratio 1
    actual = updates_after(optim.scale_by_trust_ratio(), params, [updates])
    expected = updates_after(optax.scale_by_trust_ratio(), unstacked(params), [unstacked(updates)])
    assert_trees_close(unstacked(actual), expected)


def test_trust_ratio_needs_parameters():
    with pytest.raises(ValueError, match="parameters"):
        optim.scale_by_trust_ratio().update(tree(0), optax.EmptyState())


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("name", ["lamb", "adamw"])
def test_optimizer_is_that_of_optax_on_single_layers(name, clip_norm):
    config = OptimizerConfig(
        name=name,
        learning_rate=0.02,
        schedule="cosine",
        warmup_steps=2,
        weight_decay=0.3,
        clip_norm=clip_norm,
        b1=0.8,
        b2=0.95,
        eps=1e-5,
    )
    params, gradients = tree(0), [tree(seed) for seed in (1, 2, 3, 4)]
    mask = jax.tree.map_with_path(
        lambda path, _: path[-1].key in ("kernel", "latents"), unstacked(params)
    )
    rate = optax.warmup_cosine_decay_schedule(0.0, 0.02, 2, 20)
    reference = getattr(optax, name)(rate, b1=0.8, b2=0.95, eps=1e-5, weight_decay=0.3, mask=mask)
    if clip_norm is not None:
        reference = optax.chain(optax.clip_by_global_norm(clip_norm), reference)
    actual = updates_after(optim.optimizer(config, 20), params, gradients)
    expected = updates_after(reference, unstacked(params), [unstacked(g) for g in gradients])
    assert_trees_close(unstacked(actual), expected)


@pytest.mark.parametrize(
    ("path", "decayed", "decayed_without_positions"),
    [
        ("encoder/self_attention/attention/query/kernel", True, True),
        ("encoder/self_attention/attention/query/bias", False, False),
        ("encoder/self_attention/mlp_norm/scale", False, False),
        ("adapter/stem/norm/bias", False, False),
        ("adapter/embeddings", True, True),
        ("head/bias", False, False),
        ("encoder/latents", True, False),
        ("adapter/positions", True, False),
        ("query/queries", True, False),
        ("query/label_query", True, False),
        ("adapter/audio_padding", True, False),
        ("adapter/label_mask_token", True, False),
    ],
)
def test_weight_decay_by_path(path, decayed, decayed_without_positions):
    assert optim.is_decayed(path, decay_positions=True) == decayed
    assert optim.is_decayed(path, decay_positions=False) == decayed_without_positions


def test_decay_positions_reaches_the_update():
    params = {"encoder": {"latents": jnp.ones((2, 2))}, "head": {"kernel": jnp.ones((2, 2))}}
    zero = jax.tree.map(jnp.zeros_like, params)
    config = dataclasses.replace(CONSTANT, name="adamw", decay_positions=False)
    updates = updates_after(optim.optimizer(config, 10), params, [zero])
    np.testing.assert_array_equal(updates["encoder"]["latents"], np.zeros((2, 2)))
    np.testing.assert_allclose(updates["head"]["kernel"], np.full((2, 2), -0.001), rtol=1e-5)


@pytest.mark.parametrize("name", presets.OFFICIAL)
def test_paths_of_the_official_networks(name):
    config = presets.preset(name)
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    for keys, leaf in jax.tree.leaves_with_path(params):
        path = jax.tree_util.keystr(keys, simple=True, separator="/")
        # Vectors are biases and scales, the one thing that no rule decays; a matrix or
        # a stack of vectors must not be taken for one.
        axes = leaf.ndim - optim.is_stacked(path)
        assert optim.is_decayed(path, decay_positions=True) == (axes > 1), path
        if optim.is_stacked(path):
            assert leaf.shape[0] == config.encoder.num_layers, path


@pytest.mark.parametrize("name", ["lamb", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "flat_cosine"])
def test_training_a_quadratic_reaches_its_minimum(name, schedule):
    config = OptimizerConfig(
        name=name,
        learning_rate=0.05,
        schedule=schedule,
        warmup_steps=10,
        weight_decay=0.0,
        clip_norm=1.0,
    )
    target = tree(7)
    update = optim.optimizer(config, 300)

    def loss(params):
        differences = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), params, target)
        return sum(jax.tree.leaves(differences))

    def step(carry, _):
        params, state = carry
        updates, state = update.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    start = tree(8)
    (params, _), _ = jax.lax.scan(step, (start, update.init(start)), None, length=300)
    assert float(loss(params)) < (2e-2 if schedule == "constant" else 1e-3) * float(loss(start))
