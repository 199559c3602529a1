# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Heads: from the decoder's outputs [B, O, E] to a prediction, arrays by name."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import (
    AveragedLogits,
    FlowField,
    Logits,
    ModelConfig,
    MultimodalInput,
    MultimodalOutput,
    TanhLogits,
    TextInput,
    TiedVocabulary,
    UpsampledFlowField,
)
from perceiver_bench.model.adapters import Adapted
from perceiver_bench.model.attention import linear
from perceiver_bench.model.queries import Queries

Prediction = dict[str, jax.Array]

# The released flow network answers in units of 20 pixels, after a division by 100 inside
# the network: both are legacies of its training code and both belong to the weights.
FLOW_RESCALE_FACTOR = 100.0
FLOW_SCALE_FACTOR = 20.0
UPSAMPLING = 4


class LogitsHead(nnx.Module):
    """One linear map of the single output: `logits` [B, num_classes]."""

    def __init__(self, config: Logits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.output = linear(channels, config.num_classes, model, rngs)

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries) -> Prediction:
        del adapted, queries
        return {"logits": self.output(outputs[:, 0]).astype(jnp.float32)}


class AveragedLogitsHead(nnx.Module):
    """The mean of the latents [B, N, D], then linear: `logits` [B, num_classes]."""

    def __init__(
        self, config: AveragedLogits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        self.output = linear(channels, config.num_classes, model, rngs)

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries | None) -> Prediction:
        del adapted, queries
        return {"logits": self.output(outputs.mean(axis=1)).astype(jnp.float32)}


class TanhLogitsHead(nnx.Module):
    """Linear, tanh, linear on the single output: `logits` [B, num_outputs]."""

    def __init__(self, config: TanhLogits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.hidden = linear(channels, channels, model, rngs)
        self.output = linear(channels, config.num_outputs, model, rngs)

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries) -> Prediction:
        del adapted, queries
        hidden = jnp.tanh(self.hidden(outputs[:, 0]))
        return {"logits": self.output(hidden).astype(jnp.float32)}


class TiedVocabularyHead(nnx.Module):
    """Products with the token embeddings of the input: `logits` [B, O, V]."""

    def __init__(self, inputs: TextInput):
        self.bias = nnx.Param(jnp.zeros(inputs.vocab_size))

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries) -> Prediction:
        del queries
        assert adapted.embeddings is not None
        table = adapted.embeddings.astype(outputs.dtype)
        return {"logits": (outputs @ table.T + self.bias[...]).astype(jnp.float32)}


class FlowHead(nnx.Module):
    """A linear map of every output to (u, v) in pixels: `flow` [B, H, W, 2]."""

    def __init__(self, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.output = linear(channels, 2, model, rngs)

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries) -> Prediction:
        del queries
        flow = self.output(outputs).astype(jnp.float32) / FLOW_RESCALE_FACTOR * FLOW_SCALE_FACTOR
        return {"flow": flow.reshape(flow.shape[0], *adapted.grid, 2)}


class UpsampledFlowHead(nnx.Module):
    """Coarse flow, upsampled fourfold with learned convex weights: `flow` [B, H, W, 2].

    Each fine pixel is a convex combination of the 3x3 coarse neighbours of its cell, with
    weights from a softmax over them, as RAFT does (paper, appendix H).
    """

    def __init__(self, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.output = linear(channels, 2, model, rngs)
        self.weights = linear(channels, UPSAMPLING * UPSAMPLING * 9, model, rngs)

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries) -> Prediction:
        del queries
        batch, (height, width) = outputs.shape[0], adapted.grid
        coarse = self.output(outputs).astype(jnp.float32) / FLOW_RESCALE_FACTOR * FLOW_SCALE_FACTOR
        coarse = jnp.pad(
            coarse.reshape(batch, height, width, 2), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge"
        )
        neighbours = jnp.stack(
            [coarse[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=-2
        )
        weights = self.weights(outputs).astype(jnp.float32)
        weights = weights.reshape(batch, height, width, UPSAMPLING, UPSAMPLING, 9)
        fine = jnp.einsum("bhwijn,bhwnc->bhiwjc", jax.nn.softmax(weights), neighbours)
        return {"flow": fine.reshape(batch, height * UPSAMPLING, width * UPSAMPLING, 2)}


class MultimodalHead(nnx.Module):
    """`audio` [B, samples], `image` [B, pixels, 3] and `label` [B, num_classes]."""

    def __init__(
        self,
        config: MultimodalOutput,
        inputs: MultimodalInput,
        channels: int,
        model: ModelConfig,
        *,
        rngs: nnx.Rngs,
    ):
        self.output = linear(channels, config.channels, model, rngs)
        self.audio = linear(config.channels, inputs.audio_patch, model, rngs)
        self.image = linear(config.channels, 3, model, rngs)
        self.label = linear(config.channels, inputs.num_classes, model, rngs)

    def __call__(self, outputs: jax.Array, adapted: Adapted, queries: Queries) -> Prediction:
        del adapted
        num_audio, num_image, _ = queries.sizes
        outputs = self.output(outputs)
        audio, image, label = jnp.split(outputs, [num_audio, num_audio + num_image], axis=1)
        return {
            "audio": self.audio(audio).astype(jnp.float32).reshape(audio.shape[0], -1),
            "image": self.image(image).astype(jnp.float32),
            "label": self.label(label[:, 0]).astype(jnp.float32),
        }


def build_head(model: ModelConfig, channels: int, *, rngs: nnx.Rngs) -> Callable[..., Prediction]:
    """Builds the head; `channels` are the decoder's, or the latents' without a decoder."""
    match model.head, model.input:
        case Logits() as config, _:
            return LogitsHead(config, channels, model, rngs=rngs)
        case AveragedLogits() as config, _:
            return AveragedLogitsHead(config, channels, model, rngs=rngs)
        case TanhLogits() as config, _:
            return TanhLogitsHead(config, channels, model, rngs=rngs)
        case TiedVocabulary(), TextInput() as inputs:
            return TiedVocabularyHead(inputs)
        case FlowField(), _:
            return FlowHead(channels, model, rngs=rngs)
        case UpsampledFlowField(), _:
            return UpsampledFlowHead(channels, model, rngs=rngs)
        case MultimodalOutput() as config, MultimodalInput() as inputs:
            return MultimodalHead(config, inputs, channels, model, rngs=rngs)
    raise TypeError(f"no head for {model.head} over {type(model.input).__name__}")
