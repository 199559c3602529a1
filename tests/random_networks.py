# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Random weights and inputs for any network, the same on every machine, without a file."""

import dataclasses
import functools
import math
import types
import zlib

import jax
import numpy as np

from perceiver_bench.config import ModelConfig, MultimodalInput, TextInput
from perceiver_bench.model import examples, presets
from perceiver_bench.model.weights import mapping
from perceiver_bench.model.weights.mapping import Weights

# Without optimising, and without XLA's newer generator of fused loops, which is slow itself.
QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
fast_jit = functools.partial(jax.jit, compiler_options=QUICK)
"""`jax.jit` for small networks, whose compilation takes far longer than they run."""
quick_jax = types.SimpleNamespace(**(vars(jax) | {"jit": fast_jit}))
"""JAX with `fast_jit`, to be set in place of `jax` in a module that compiles by itself."""


def _small_language() -> ModelConfig:
    config = presets.language(
        vocab_size=40, max_length=20, channels=16, num_latents=6, latent_channels=32, num_layers=2
    )
    # transformers fixes the decoder's sizes; those of queries and values stay different.
    attention = dataclasses.replace(
        config.encoder.self_attention, qk_channels=16, v_channels=32, num_heads=4
    )
    encoder = dataclasses.replace(
        config.encoder, cross_attention=attention, self_attention=attention
    )
    return dataclasses.replace(config, encoder=encoder)


def _small_multimodal() -> ModelConfig:
    config = presets.multimodal(
        video_size=(2, 8, 8),
        audio_samples=128,
        num_classes=5,
        num_latents=6,
        latent_channels=32,
        num_layers=2,
    )
    return dataclasses.replace(
        config,
        query=dataclasses.replace(config.query, label_channels=24),
        head=dataclasses.replace(config.head, channels=20),
    )


_SMALL = {
    "num_classes": 5,
    "num_latents": 6,
    "latent_channels": 32,
    "num_layers": 2,
    "num_blocks": 2,
}
RELEASED_SMALL = {
    "language": _small_language(),
    "imagenet_fourier": presets.imagenet_fourier(**_SMALL),
    "imagenet_learned": presets.imagenet_learned(size=(6, 6), **_SMALL),
    "imagenet_conv": presets.imagenet_conv(**_SMALL),
    "flow": presets.flow(size=(6, 8), num_latents=6, latent_channels=32, num_layers=2, num_heads=4),
    "multimodal": _small_multimodal(),
}
"""The six released networks at sizes that are quick and that transformers can express."""

_SHARP = ("cross_attention.attention.query.kernel", "decoder.attention.query.kernel")


def _value(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """One leaf, from a generator seeded by its path: well scaled, and never zero or one.

    What starts at zero or one in training would hide an exchange of two leaves. Queries of
    the cross-attentions are large, so that the softmax picks single inputs and outputs differ.
    """
    rng = np.random.default_rng(zlib.crc32(path.encode()))
    value = rng.standard_normal(shape, dtype=np.float32)
    if path.endswith(".kernel"):
        sharp = 3.0 if path.endswith(_SHARP) else 1.0
        is_convolution = path.endswith("convolution.kernel") or len(shape) == 5
        inputs = shape[:-1] if is_convolution else shape[-2:-1]
        return value * np.float32(sharp / math.sqrt(math.prod(inputs)))
    if path.endswith("_counter"):
        return np.asarray(4, np.int32)
    if path.endswith((".scale", "_average")):
        return 1 + np.float32(0.1) * np.abs(value)
    # Paddings are the same at every position: large, they would drown the positions.
    return value * np.float32(0.05) if path.endswith((".bias", "_padding")) else value


def random_weights(config: ModelConfig) -> Weights:
    """Returns weights for `config` whose every leaf is random."""
    leaves = {
        path: _value(path, leaf.shape) for path, leaf in mapping.expected_shapes(config).items()
    }
    params, state = mapping.split_state(leaves)
    return Weights(config=config, params=params, state=state)


def random_batch(config: ModelConfig, size: int = 2) -> dict[str, np.ndarray]:
    """Returns random examples; half of the text is padded, and few points are decoded."""
    batch = examples.random_batch(config, size)
    if isinstance(config.input, TextInput):
        mask = np.ones_like(batch["inputs"])
        mask[1:, config.input.max_length // 2 :] = 0
        return {**batch, "input_mask": mask}
    if isinstance(config.input, MultimodalInput):
        patches = config.input.audio_samples // config.input.audio_patch
        pixels = math.prod(config.input.video_size)
        return {
            **batch,
            "label": np.arange(size, dtype=np.int32) % config.input.num_classes,
            "audio_points": np.array([0, patches // 2, patches - 1], np.int32),
            "image_points": np.array([0, 7, pixels - 1], np.int32),
        }
    return batch
