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
    TaskQuery,
)
from perceiver_bench.model.adapters import video_resolution
from perceiver_bench.model.interface import Adapted, Batch
from perceiver_bench.model.linear import truncated_normal
from perceiver_bench.model.position import (
    fourier_channels,
    fourier_features,
    point_axes,
    point_positions,
)
from perceiver_bench.model.segments import Segment, Segments, fourier_segment


class Queries(NamedTuple):
    """What the decoder is asked.

    `segments`: the queries [B, O, E], B being 1 where all examples have the same; the
    multimodal network has a segment for each modality. `mask` [B, O] or None.
    """

    segments: Segments
    mask: jax.Array | None = None


def _chosen(queries: jax.Array, batch: Batch) -> Segment:
    """Returns the queries [O, E] that the batch wants: all, or those it names.

    `output_positions` [B, P] in a batch are the indices of the queries to decode.
    """
    positions = batch.get("output_positions")
    return Segment(queries[None] if positions is None else queries[positions])


class LearnedQueries(nnx.Module):
    """The same learned queries for every example, or those that the batch names."""

    def __init__(self, config: LearnedQuery, *, rngs: nnx.Rngs):
        self.queries = truncated_normal(rngs, (config.num_queries, config.channels))
        self.channels = config.channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del adapted
        return Queries((_chosen(self.queries[...], batch),))


class PositionQueries(nnx.Module):
    """A learned query for each input position; padded positions are masked.

    Of a batch that names positions only those are decoded.
    """

    def __init__(self, config: PositionQuery, *, rngs: nnx.Rngs):
        self.queries = truncated_normal(rngs, (config.max_length, config.channels))
        self.channels = config.channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        length = sum(segment.num_positions for segment in adapted.segments)
        mask = None if "output_positions" in batch else adapted.mask
        return Queries((_chosen(self.queries[...][:length], batch),), mask)


class TaskQueries(nnx.Module):
    """The learned query of the example's `task` [B]: one output."""

    def __init__(self, config: TaskQuery, *, rngs: nnx.Rngs):
        self.task_queries = truncated_normal(rngs, (config.num_tasks, config.channels))
        self.channels = config.channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del adapted
        return Queries((Segment(self.task_queries[...][batch["task"]][:, None]),))


class InputQueries(nnx.Module):
    """The adapted inputs themselves, position encoding included; of frames the first one's."""

    def __init__(self, channels: int):
        self.channels = channels

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del batch
        return Queries(adapted.segments[:1], adapted.mask)


class MultimodalQueries(nnx.Module):
    """Positions of single audio patches and pixels, and one query for the class.

    The batch may name the points to decode: `audio_points` [P] flat indices of audio
    patches, `image_points` [P] flat indices of the pixels of T x H x W. The order along O
    is audio, image, label.
    """

    label_padding: nnx.Param

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

    def __call__(self, batch: Batch, adapted: Adapted) -> Queries:
        del adapted
        inputs = self.inputs
        audio = self._segment(
            *("audio", batch.get("audio_points"), self.audio_grid),
            *(inputs.audio_bands, (inputs.audio_samples,)),
        )
        image = self._segment(
            *("image", batch.get("image_points"), inputs.video_size),
            *(inputs.video_bands, video_resolution(inputs)),
        )
        label = Segment(self.label_query[...][None]).pad(self.label_padding[...])
        return Queries((audio, image, label))

    def _segment(self, name, points, grid, num_bands, max_resolution) -> Segment:
        """Returns the queries of some points of a grid; of all where `points` is None."""
        if points is None:
            nothing = jnp.zeros((1, math.prod(grid), 0))
            found = fourier_segment(nothing, point_axes(grid), num_bands, max_resolution)
        else:
            positions = point_positions(points, grid)
            found = Segment(fourier_features(positions, num_bands, max_resolution)[None])
        return found.pad(getattr(self, f"{name}_padding")[...])


def build_queries(model: ModelConfig, input_channels: int, *, rngs: nnx.Rngs):
    """Builds the output queries of a model that has a decoder."""
    match model.query, model.input:
        case LearnedQuery() as config, _:
            return LearnedQueries(config, rngs=rngs)
        case PositionQuery() as config, _:
            return PositionQueries(config, rngs=rngs)
        case TaskQuery() as config, _:
            return TaskQueries(config, rngs=rngs)
        case InputQuery(), _:
            return InputQueries(input_channels)
        case MultimodalQuery() as config, MultimodalInput() as inputs:
            return MultimodalQueries(config, inputs, rngs=rngs)
    raise TypeError(f"no output queries for {model.query} over {type(model.input).__name__}")
