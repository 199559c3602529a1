# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.config import EncoderConfig, ModelConfig
from perceiver_bench.model import presets
from perceiver_bench.model.encoder import Encoder
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.model.segments import Segment
from perceiver_bench.model.weights import mapping

LANGUAGE = presets.preset("language_tiny")
FOURIER = presets.preset("imagenet_fourier_tiny")


@functools.cache
def network(config: ModelConfig) -> PerceiverIO:
    return mapping.to_model(random_weights(config))


@functools.cache
def compiled(config: ModelConfig):
    structure, _ = nnx.split(network(config))
    return fast_jit(lambda state, batch, key: nnx.merge(structure, state)(batch, key=key))


def forward(config: ModelConfig, batch, key=None):
    return jax.device_get(compiled(config)(nnx.split(network(config))[1], batch, key))


def gradients(config: ModelConfig, batch):
    structure, params, rest = nnx.split(network(config), nnx.Param, ...)

    def loss(params):
        return jnp.square(nnx.merge(structure, params, rest)(batch)["logits"]).mean()

    return mapping.flatten(nnx.to_pure_dict(fast_jit(jax.grad(loss))(params)))


def layer_of(encoder: Encoder, index: int):
    """Takes one layer out of the stack."""
    structure, stacked = nnx.split(encoder.self_attention)
    return nnx.merge(structure, jax.tree.map(lambda leaf: leaf[index], stacked))


def encode_by_hand(encoder: Encoder, inputs, mask=None):
    """The encoder as a plain loop over its submodules."""
    config = encoder.config
    latents = jnp.broadcast_to(
        encoder.latents[...], (inputs[0].features.shape[0], *encoder.latents.shape)
    )
    for block in range(config.num_blocks):
        if block == 0 or config.repeat_cross_attention:
            latents = encoder.cross_attention((Segment(latents),), inputs, key_mask=mask)
        first = 0 if config.share_blocks else block * config.num_layers
        for index in range(first, first + config.num_layers):
            latents = layer_of(encoder, index)(latents)
    return latents


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_blocks": False, "num_layers": 2},
        {"repeat_cross_attention": True},
    ],
    ids=["shared blocks", "unshared blocks", "repeated cross-attention"],
)
def test_encoder_equals_a_plain_loop_in_numbers_and_gradients(changes):
    config: EncoderConfig = dataclasses.replace(
        LANGUAGE.encoder, num_latents=4, num_layers=1, num_blocks=2
    )
    config = dataclasses.replace(config, **changes)
    encoder = Encoder(config, 32, LANGUAGE, rngs=nnx.Rngs(0))
    own_blocks = 1 if config.share_blocks else config.num_blocks
    assert encoder.self_attention.norm.scale.shape == (own_blocks * config.num_layers, 64)
    inputs = (Segment(np.random.default_rng(0).standard_normal((2, 5, 32), dtype=np.float32)),)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    structure, state = nnx.split(encoder)

    def total(run, state):
        latents = run(nnx.merge(structure, state))
        return jnp.sin(latents).sum(), latents

    found, due = (
        fast_jit(jax.grad(functools.partial(total, run), has_aux=True))(state)
        for run in (
            lambda encoder: encoder(inputs, mask),
            lambda encoder: encode_by_hand(encoder, inputs, mask),
        )
    )
    np.testing.assert_allclose(found[1], due[1], rtol=0, atol=2e-5)
    found, due = (mapping.flatten(nnx.to_pure_dict(pair[0])) for pair in (found, due))
    for path in due:
        scale = np.sqrt(np.square(due[path.replace("key.bias", "key.kernel")]).mean())
        np.testing.assert_allclose(found[path], due[path], atol=1e-4 * scale, rtol=0, err_msg=path)


def test_repeated_cross_attention_is_not_the_same_network():
    inputs = random_batch(FOURIER)
    repeated = presets.perceiver(FOURIER)
    once = dataclasses.replace(
        repeated, encoder=dataclasses.replace(repeated.encoder, repeat_cross_attention=False)
    )
    logits = [forward(config, inputs)["logits"] for config in (repeated, once)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-2


def test_repeating_needs_shared_blocks():
    with pytest.raises(ValueError, match="shared blocks only"):
        dataclasses.replace(LANGUAGE.encoder, repeat_cross_attention=True, share_blocks=False)


def test_remat_changes_no_gradient():
    batch = random_batch(FOURIER)
    remat = dataclasses.replace(FOURIER, remat=True)
    due, found = gradients(FOURIER, batch), gradients(remat, batch)
    for path in due:
        # The gradient of a key's bias is zero but for rounding.
        scale = np.sqrt(np.square(due[path.replace("key.bias", "key.kernel")]).mean())
        np.testing.assert_allclose(found[path], due[path], rtol=0, atol=1e-4 * scale, err_msg=path)


@pytest.mark.parametrize("name", ["language_tiny", "imagenet_conv_tiny"])
def test_bfloat16_is_close_with_float32_parameters(name):
    config = presets.preset(name)
    batch = random_batch(config)
    due = forward(config, batch)["logits"]
    found = forward(dataclasses.replace(config, dtype="bfloat16"), batch)["logits"]
    assert found.dtype == np.float32
    error = np.sqrt(np.square(found - due).mean()) / due.std()
    assert 1e-5 < error < 0.05


@pytest.mark.parametrize("rates", [{"dropout": 0.2}, {"attention_dropout": 0.2}])
def test_dropout_acts_only_with_a_key(rates):
    batch = random_batch(FOURIER)
    config = dataclasses.replace(FOURIER, **rates)
    plain = forward(FOURIER, batch)["logits"]
    np.testing.assert_allclose(forward(config, batch)["logits"], plain, atol=1e-5)
    first, second, again = (
        forward(config, batch, jax.random.key(seed))["logits"] for seed in (0, 1, 0)
    )
    assert np.abs(first - plain).max() > 1e-2
    assert np.abs(first - second).max() > 1e-2
    np.testing.assert_array_equal(first, again)


def test_a_key_without_dropout_changes_nothing():
    batch = random_batch(LANGUAGE)
    np.testing.assert_allclose(
        forward(LANGUAGE, batch, jax.random.key(0))["logits"],
        forward(LANGUAGE, batch)["logits"],
        atol=1e-5,
    )


def test_padding_changes_nothing():
    batch = random_batch(LANGUAGE)
    due = forward(LANGUAGE, batch)["logits"]
    other = {**batch, "inputs": np.where(batch["input_mask"], batch["inputs"], 3)}
    assert (other["inputs"] != batch["inputs"]).any()
    np.testing.assert_array_equal(forward(LANGUAGE, other)["logits"], due)
    short = {name: array[1:, : LANGUAGE.input.max_length // 2] for name, array in batch.items()}
    found = forward(LANGUAGE, short)["logits"]
    np.testing.assert_allclose(found[0], due[1, : found.shape[1]], atol=1e-4)


@pytest.mark.parametrize("name", ["imagenet_fourier_tiny", "imagenet_learned_tiny"])
def test_images_of_any_size(name):
    config = presets.preset(name)
    images = np.random.default_rng(0).standard_normal((1, 24, 40, 3), dtype=np.float32)
    assert np.isfinite(forward(config, {"images": images})["logits"]).all()


def test_multimodal_decodes_all_points_as_single_ones():
    config = presets.preset("multimodal_tiny")
    batch = random_batch(config)
    points = {name: batch.pop(name) for name in ("audio_points", "image_points")}
    whole = forward(config, batch)
    some = forward(config, {**batch, **points})
    assert whole["audio"].shape == (2, 256)
    assert whole["image"].shape == (2, 2 * 16 * 16, 3)
    patches = whole["audio"].reshape(2, -1, 16)[:, points["audio_points"]]
    np.testing.assert_allclose(patches.reshape(2, -1), some["audio"], atol=2e-5)
    np.testing.assert_allclose(whole["image"][:, points["image_points"]], some["image"], atol=2e-5)
    np.testing.assert_allclose(whole["label"], some["label"], atol=2e-5)


def test_a_decoder_needs_its_query():
    with pytest.raises(ValueError, match="both a query and a decoder"):
        dataclasses.replace(LANGUAGE, query=None)


def test_works_without_graph_mode():
    """Flax will turn graph mode off by default; modules that share nothing do not need it."""
    program = (
        "from perceiver_bench.model.presets import preset\n"
        "from perceiver_bench.model.perceiver import PerceiverIO\n"
        "from flax import nnx\n"
        "import jax\n"
        "model = nnx.eval_shape(lambda: PerceiverIO(preset('language_tiny'), rngs=nnx.Rngs(0)))\n"
        "structure, state = nnx.split(model)\n"
        "tokens = jax.numpy.zeros((1, 8), int)\n"
        "run = lambda state: nnx.merge(structure, state)({'inputs': tokens})\n"
        "print(jax.eval_shape(run, state)['logits'].shape)\n"
    )
    environment = {**os.environ, "NNX_GRAPH_MODE": "false", "NNX_GRAPH_UPDATES": "false"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "(1, 8, 262)", done.stderr
