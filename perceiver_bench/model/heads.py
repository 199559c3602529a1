# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Heads: from the decoder's outputs [B, O, E] to a prediction, arrays by name.

A head begins with linear maps of each output, one list for each segment of the queries. It
names them in `readouts`, the decoder applies them block after block, and the head is called
with what they give, [B, O, F] for each segment.
"""

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
    TaskLogits,
    TextInput,
    TiedVocabulary,
    UpsampledFlowField,
    VoxelActions,
    VoxelInput,
)
from perceiver_bench.model.convolution import REDUCTION
from perceiver_bench.model.interface import Adapted, Prediction, Values
from perceiver_bench.model.linear import LinearMap, Readout, linear
from perceiver_bench.model.voxel_head import VoxelHead

# The released flow network answers in units of 20 pixels, after a division by 100 inside
# the network: both are legacies of its training code and both belong to the weights.
FLOW_RESCALE_FACTOR = 100.0
FLOW_SCALE_FACTOR = 20.0
UPSAMPLING = REDUCTION


class LogitsHead(nnx.Module):
    """One linear map of the single output: `logits` [B, num_classes]."""

    def __init__(self, config: Logits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.output = linear(channels, config.num_classes, model, rngs)

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        return ((LinearMap.of(self.output),),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        del adapted
        return {"logits": values[0][:, 0]}


class AveragedLogitsHead(nnx.Module):
    """The mean of the latents [B, N, D], then linear: `logits` [B, num_classes]."""

    def __init__(
        self, config: AveragedLogits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs
    ):
        self.output = linear(channels, config.num_classes, model, rngs)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        del adapted
        return {"logits": self.output(values[0].mean(axis=1))}


class TanhLogitsHead(nnx.Module):
    """Linear, tanh, linear on the single output: `logits` [B, num_outputs]."""

    def __init__(self, config: TanhLogits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.hidden = linear(channels, channels, model, rngs)
        self.output = linear(channels, config.num_outputs, model, rngs)

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        return ((LinearMap.of(self.hidden),),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        del adapted
        return {"logits": self.output(jnp.tanh(values[0][:, 0]))}


class TaskLogitsHead(nnx.Module):
    """A tanh head for each task on the single output: `logits` [B, num_tasks, num_outputs]."""

    def __init__(self, config: TaskLogits, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.names = tuple(f"task_{index}" for index in range(config.num_tasks))
        one = TanhLogits(num_outputs=config.num_outputs)
        # Modules of their own and not a stack: LAMB scales the update of each by its norm.
        for name in self.names:
            setattr(self, name, TanhLogitsHead(one, channels, model, rngs=rngs))

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        maps = zip(*(LinearMap.of(getattr(self, name).hidden) for name in self.names), strict=True)
        return ((LinearMap(*(jnp.concatenate(arrays, axis=-1) for arrays in maps)),),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        if values[0].shape[1] != 1:
            raise ValueError(f"{values[0].shape[1]} outputs for a head of one: output_positions?")
        parts = jnp.split(values[0], len(self.names), axis=-1)
        heads = (getattr(self, name) for name in self.names)
        logits = [head((part,), adapted)["logits"] for head, part in zip(heads, parts, strict=True)]
        return {"logits": jnp.stack(logits, axis=1)}


class TiedVocabularyHead(nnx.Module):
    """Products with the token embeddings of the input: `logits` [B, O, V]."""

    def __init__(self, inputs: TextInput):
        self.bias = nnx.Param(jnp.zeros(inputs.vocab_size))

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        assert adapted.embeddings is not None
        return ((LinearMap(adapted.embeddings.T, self.bias[...]),),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        del adapted
        return {"logits": values[0]}


class FlowHead(nnx.Module):
    """A linear map of every output to (u, v) in pixels: `flow` [B, H, W, 2]."""

    def __init__(self, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.output = linear(channels, 2, model, rngs)

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        return ((LinearMap.of(self.output),),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        flow = values[0] / FLOW_RESCALE_FACTOR * FLOW_SCALE_FACTOR
        return {"flow": flow.reshape(flow.shape[0], *adapted.grid, 2)}


class UpsampledFlowHead(nnx.Module):
    """Coarse flow, upsampled fourfold with learned convex weights: `flow` [B, H, W, 2].

    Each fine pixel is a convex combination of the 3x3 coarse neighbours of its cell, with
    weights from a softmax over them, as RAFT does (paper, appendix H).
    """

    def __init__(self, channels: int, model: ModelConfig, *, rngs: nnx.Rngs):
        self.output = linear(channels, 2, model, rngs)
        self.weights = linear(channels, UPSAMPLING * UPSAMPLING * 9, model, rngs)

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        maps = zip(LinearMap.of(self.output), LinearMap.of(self.weights), strict=True)
        return ((LinearMap(*(jnp.concatenate(pair, axis=-1) for pair in maps)),),)

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        batch, (height, width) = values[0].shape[0], adapted.grid
        coarse, weights = jnp.split(values[0], [2], axis=-1)
        coarse = coarse / FLOW_RESCALE_FACTOR * FLOW_SCALE_FACTOR
        coarse = jnp.pad(
            coarse.reshape(batch, height, width, 2), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge"
        )
        neighbours = jnp.stack(
            [coarse[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=-2
        )
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

    def readouts(self, adapted: Adapted) -> tuple[Readout, ...]:
        del adapted
        first = LinearMap.of(self.output)
        return tuple((first, LinearMap.of(layer)) for layer in (self.audio, self.image, self.label))

    def __call__(self, values: Values, adapted: Adapted) -> Prediction:
        del adapted
        audio, image, label = values
        return {"audio": audio.reshape(audio.shape[0], -1), "image": image, "label": label[:, 0]}


def build_head(model: ModelConfig, channels: int, *, rngs: nnx.Rngs) -> Callable[..., Prediction]:
    """Builds the head; `channels` are the decoder's, or the latents' without a decoder."""
    match model.head, model.input:
        case Logits() as config, _:
            return LogitsHead(config, channels, model, rngs=rngs)
        case AveragedLogits() as config, _:
            return AveragedLogitsHead(config, channels, model, rngs=rngs)
        case TanhLogits() as config, _:
            return TanhLogitsHead(config, channels, model, rngs=rngs)
        case TaskLogits() as config, _:
            return TaskLogitsHead(config, channels, model, rngs=rngs)
        case TiedVocabulary(), TextInput() as inputs:
            return TiedVocabularyHead(inputs)
        case FlowField(), _:
            return FlowHead(channels, model, rngs=rngs)
        case UpsampledFlowField(), _:
            return UpsampledFlowHead(channels, model, rngs=rngs)
        case MultimodalOutput() as config, MultimodalInput() as inputs:
            return MultimodalHead(config, inputs, channels, model, rngs=rngs)
        case VoxelActions() as config, VoxelInput() as inputs:
            return VoxelHead(config, inputs, model, rngs=rngs)
    raise TypeError(f"no head for {model.head} over {type(model.input).__name__}")
