# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Output queries: what the decoder asks the latents, one query [E] for each output."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import (
    InputQuery,
    LearnedQuery,
    ModelConfig,
    MultimodalInput,
    MultimodalQuery,
    PositionQuery,
)
from perceiver_bench.model.adapters import (
    Adapted,
    Batch,
    pad_channels,
    truncated_normal,
    video_resolution,
)
from perceiver_bench.model.position import fourier_channels, fourier_features, point_positions


class Queries(NamedTuple):
    """`queries` [B, O, E]; `mask` [B, O] or None; `sizes`: outputs of each modality."""

    queries: jax.Array
    mask: jax.Array | None = None
    sizes: tuple[int, ...] = ()


class LearnedQueries(nnx.Module):
    """The same learned queries for every example."""

    def __init__(self, config: LearnedQuery, *, rngs: nnx.Rngs):
        self.queries = truncated_normal(rngs, (config.num_queries, config.channels))
        self.channels = config.channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del batch
        queries = self.queries[...]
        return Queries(jnp.broadcast_to(queries, (adapted.inputs.shape[0], *queries.shape)))


class PositionQueries(nnx.Module):
    """A learned query for each input position; padded positions are masked."""

    def __init__(self, config: PositionQuery, *, rngs: nnx.Rngs):
        self.queries = truncated_normal(rngs, (config.max_length, config.channels))
        self.channels = config.channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del batch
        size, length, _ = adapted.inputs.shape
        queries = self.queries[...][:length]
        return Queries(jnp.broadcast_to(queries, (size, *queries.shape)), adapted.mask)


class InputQueries(nnx.Module):
    """The adapted inputs themselves, position encoding included."""

    def __init__(self, channels: int):
        self.channels = channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del batch
        return Queries(adapted.inputs, adapted.mask)


class MultimodalQueries(nnx.Module):
    """Positions of single audio patches and pixels, and one query for the class.

    The batch names the points to decode: `audio_points` [P] flat indices of audio
    patches, `image_points` [P] flat indices of the pixels of T x H x W. The order along O
    is audio, image, label, and `sizes` counts them.
    """

    def __init__(self, config: MultimodalQuery, inputs: MultimodalInput, *, rngs: nnx.Rngs):
        self.inputs = inputs
        self.audio_grid = (inputs.audio_samples // inputs.audio_patch,)
        sizes = {
            "audio": fourier_channels(inputs.audio_bands, 1),
            "image": fourier_channels(inputs.video_bands, 3),
            "label": config.label_channels,
        }
        self.channels = max(sizes.values()) + config.min_padding
        for name, size in sizes.items():
            setattr(self, f"{name}_padding", truncated_normal(rngs, (1, self.channels - size)))
        self.label_query = truncated_normal(rngs, (1, config.label_channels))

    def num_points(self) -> tuple[int, int]:
        """Returns how many audio patches and pixels there are to decode."""
        return math.prod(self.audio_grid), math.prod(self.inputs.video_size)

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        size = adapted.inputs.shape[0]
        inputs = self.inputs
        parts = {
            "audio": fourier_features(
                point_positions(batch["audio_points"], self.audio_grid),
                inputs.audio_bands,
                (inputs.audio_samples,),
            ),
            "image": fourier_features(
                point_positions(batch["image_points"], inputs.video_size),
                inputs.video_bands,
                video_resolution(inputs),
            ),
            "label": self.label_query[...],
        }
        padded = [
            pad_channels(part[None], getattr(self, f"{name}_padding")[...])
            for name, part in parts.items()
        ]
        queries = jnp.concatenate(padded, axis=1)
        queries = jnp.broadcast_to(queries, (size, *queries.shape[1:]))
        return Queries(queries, sizes=tuple(part.shape[0] for part in parts.values()))


def build_queries(model: ModelConfig, input_channels: int, *, rngs: nnx.Rngs):
    """Builds the output queries of a model that has a decoder."""
    match model.query, model.input:
        case LearnedQuery() as config, _:
            return LearnedQueries(config, rngs=rngs)
        case PositionQuery() as config, _:
            return PositionQueries(config, rngs=rngs)
        case InputQuery(), _:
            return InputQueries(input_channels)
        case MultimodalQuery() as config, MultimodalInput() as inputs:
            return MultimodalQueries(config, inputs, rngs=rngs)
    raise TypeError(f"no output queries for {model.query} over {type(model.input).__name__}")
