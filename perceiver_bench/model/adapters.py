# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Input adapters: from a batch to the inputs [B, M, C] that the encoder attends to."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from perceiver_bench.config import (
    FlowInput,
    FourierPosition,
    ImageInput,
    InputConfig,
    LearnedPosition,
    ModelConfig,
    MultimodalInput,
    TextInput,
    VoxelInput,
)
from perceiver_bench.model.convolution import REDUCTION, ConvolutionStem
from perceiver_bench.model.interface import Adapted, Batch
from perceiver_bench.model.linear import LinearMap, linear, truncated_normal
from perceiver_bench.model.position import axis_positions, fourier_channels, resize_positions
from perceiver_bench.model.segments import Segment, fourier_segment
from perceiver_bench.model.voxel_adapter import VoxelAdapter


class TextAdapter(nnx.Module):
    """`inputs` [B, M] token ids, `input_mask` [B, M] -> embeddings plus positions.

    With task tokens the inputs are [B, 1 + M]: first the token of the example's `task` [B],
    which always counts, then the text. A single task token is that of every example.
    """

    def __init__(self, config: TextInput, model: ModelConfig, *, rngs: nnx.Rngs):
        del model
        self.embeddings = truncated_normal(rngs, (config.vocab_size, config.channels))
        self.positions = truncated_normal(rngs, (config.max_length, config.channels))
        self.config = config
        if config.num_task_tokens:
            self.task_tokens = truncated_normal(rngs, (config.num_task_tokens, config.channels))
        self.channels = config.channels

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Adapted:
        del key
        tokens, mask = batch["inputs"], batch.get("input_mask")
        size, length = tokens.shape
        if length > self.config.max_text_length:
            raise ValueError(f"{length} tokens; at most {self.config.max_text_length} are possible")
        table = self.embeddings[...]
        inputs = table[tokens]
        if num_tasks := self.config.num_task_tokens:
            task = batch["task"] if num_tasks > 1 else jnp.zeros(size, jnp.int32)
            inputs = jnp.concatenate([self.task_tokens[...][task][:, None], inputs], axis=1)
            mask = None if mask is None else jnp.pad(mask, ((0, 0), (1, 0)), constant_values=1)
            length += 1
        inputs += self.positions[...][:length]
        return Adapted((Segment(inputs),), mask, (length,), table)


def _linear_features(features: jax.Array, layer: nnx.Linear):
    """Returns features and kernel such that their product is a linear map of `features`.

    The map is left to be folded where it takes few channels to many, the bias then being
    the map of one more channel that is 1; otherwise it is applied and there is no kernel:
    the norm of the inputs needs its result at any rate.
    """
    if 2 * (layer.in_features + 1) > layer.out_features:
        return layer(features), None
    kernel, bias = LinearMap.of(layer)
    ones = jnp.ones_like(features[..., :1])
    return jnp.concatenate([features, ones], axis=-1), jnp.concatenate([kernel, bias[None]])


def _beside_fourier(
    features: jax.Array, config: FourierPosition, kernel: jax.Array | None = None
) -> Adapted:
    """Puts the Fourier features of its grid beside [B, *grid, F]."""
    batch, *sizes, channels = features.shape
    grid = tuple(sizes)
    features = features.reshape(batch, -1, channels)
    segment = fourier_segment(
        features, axis_positions(grid), config.num_bands, config.max_resolution, kernel
    )
    return Adapted((segment,), grid=grid)


class ImageAdapter(nnx.Module):
    """`images` [B, H, W, 3], normalised -> pixels or features with positions appended."""

    def __init__(self, config: ImageInput, model: ModelConfig, *, rngs: nnx.Rngs):
        self.config = config
        if config.preparation == "convolution":
            self.stem = ConvolutionStem(3, config.channels, model, rngs=rngs)
        elif config.preparation == "linear":
            self.linear = linear(3, config.channels, model, rngs)
        if isinstance(config.position, LearnedPosition):
            self.positions = truncated_normal(
                rngs, (math.prod(config.size), config.position.channels)
            )
            self.projection = linear(
                config.position.channels, config.position.projected_channels, model, rngs
            )
            self.channels = config.channels + config.position.projected_channels
        else:
            self.channels = config.channels + fourier_channels(config.position.num_bands, 2)

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Adapted:
        features, kernel = batch["images"], None
        if self.config.preparation == "convolution":
            features = self.stem(features, train=key is not None)
        elif self.config.preparation == "linear":
            features, kernel = _linear_features(features, self.linear)
        if isinstance(self.config.position, FourierPosition):
            return _beside_fourier(features, self.config.position, kernel)
        size, height, width, channels = features.shape
        positions = resize_positions(self.positions[...], self.config.size, (height, width))
        features = features.reshape(size, -1, channels)
        segment = Segment(features, self.projection(positions), kernel=kernel)
        return Adapted((segment,), grid=(height, width))


def neighbourhoods(frames: jax.Array) -> jax.Array:
    """Collects each pixel's 3x3 neighbourhood, zeros outside: [..., H, W, C] -> [..., 9 * C].

    Row by row, then column by column, the channels innermost.
    """
    height, width = frames.shape[-3:-1]
    padding = [(0, 0)] * (frames.ndim - 3) + [(1, 1), (1, 1), (0, 0)]
    padded = jnp.pad(frames, padding)
    shifted = [padded[..., y : y + height, x : x + width, :] for y in range(3) for x in range(3)]
    return jnp.concatenate(shifted, axis=-1)


class FlowAdapter(nnx.Module):
    """`images` [B, 2, H, W, 3] in [-1, 1] -> one segment, or one for each frame if apart.

    Frames apart are told apart by their position in time alone, -1 and 1. The bands of time
    have the frequency 1, which is the Nyquist frequency of two samples too, and are the same
    in both frames.
    """

    def __init__(self, config: FlowInput, model: ModelConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.is_apart = config.frames == "apart"
        values = 3 if self.is_apart else 2 * 3
        if config.preparation == "convolution":
            self.stem = ConvolutionStem(values, config.channels, model, rngs=rngs)
        else:
            num_neighbours = 9 if config.preparation == "patches" else 1
            self.linear = linear(num_neighbours * values, config.channels, model, rngs)
        num_axes = 3 if self.is_apart else 2
        self.channels = config.channels + fourier_channels(config.position.num_bands, num_axes)

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Adapted:
        frames = batch["images"]
        if self.config.preparation == "patches":
            frames = neighbourhoods(frames)
        if not self.is_apart:
            pair = jnp.concatenate([frames[:, 0], frames[:, 1]], axis=-1)
            features, kernel = self._features(pair, key)
            return _beside_fourier(features, self.config.position, kernel)
        features, kernel = self._features(frames.reshape(-1, *frames.shape[2:]), key)
        features = features.reshape(*frames.shape[:2], *features.shape[1:])
        return self._frame_by_frame(features, kernel)

    def _features(self, images: jax.Array, key: jax.Array | None):
        """Returns features [B, h, w, F] of images [B, H, W, I], and the kernel that is left."""
        if self.config.preparation != "convolution":
            return _linear_features(images, self.linear)
        height, width = images.shape[1:3]
        if height % REDUCTION or width % REDUCTION:
            raise ValueError(f"frames of {height}x{width}; multiples of {REDUCTION} are due")
        return self.stem(images, train=key is not None), None

    def _frame_by_frame(self, features: jax.Array, kernel: jax.Array | None) -> Adapted:
        """Puts the positions of time, row and column beside [B, 2, h, w, F]."""
        size, num_frames, height, width, channels = features.shape
        position = self.config.position
        time, *axes = axis_positions((num_frames, height, width))
        segments = tuple(
            fourier_segment(
                features[:, index].reshape(size, height * width, channels),
                [time[index : index + 1], *axes],
                position.num_bands,
                (num_frames, *position.max_resolution),
                kernel,
            )
            for index in range(num_frames)
        )
        return Adapted(segments, grid=(height, width))


def space_to_depth(video: jax.Array, patch: tuple[int, int, int]) -> jax.Array:
    """Gathers patches into channels: [B, T, H, W, C] -> [B, T/t, H/h, W/w, t * h * w * C]."""
    batch, time, height, width, channels = video.shape
    t, h, w = patch
    video = video.reshape(batch, time // t, t, height // h, h, width // w, w, channels)
    video = video.transpose(0, 1, 3, 5, 2, 4, 6, 7)
    return video.reshape(batch, time // t, height // h, width // w, -1)


def video_resolution(config: MultimodalInput) -> tuple[int, ...]:
    """Returns the resolution that video bands reach: that of the patches, T x H/4 x W/4.

    The audio's reach that of the samples, not of the patches; so do the released weights.
    """
    sizes = zip(config.video_size, config.video_patch, strict=True)
    return tuple(size // step for size, step in sizes)


class MultimodalAdapter(nnx.Module):
    """`images` [B, T, H, W, 3] in [0, 1], `audio` [B, S, 1], `label` [B] in training.

    Each modality is padded to one channel count with a learned vector; the order along M
    is audio, image, label. Without a `label` in the batch the class is all zero. In
    evaluation the label is masked: the network has to classify from video and sound.
    Different numbers of images and sounds are a ValueError.
    """

    modalities = ("audio", "image", "label")
    label_padding: nnx.Param
    label_mask_token: nnx.Param

    def __init__(self, config: MultimodalInput, model: ModelConfig, *, rngs: nnx.Rngs):
        del model
        self.config = config
        self.image_position = FourierPosition(
            num_bands=config.video_bands, max_resolution=video_resolution(config)
        )
        self.audio_position = FourierPosition(
            num_bands=config.audio_bands, max_resolution=(config.audio_samples,)
        )
        sizes = {
            "audio": config.audio_patch + fourier_channels(config.audio_bands, 1),
            "image": 3 * math.prod(config.video_patch) + fourier_channels(config.video_bands, 3),
            "label": config.num_classes,
        }
        self.channels = max(sizes.values()) + config.min_padding
        for name in self.modalities:
            padding = truncated_normal(rngs, (1, self.channels - sizes[name]))
            setattr(self, f"{name}_padding", padding)
            setattr(self, f"{name}_mask_token", truncated_normal(rngs, (1, self.channels)))

    def __call__(self, batch: Batch, *, key: jax.Array | None = None) -> Adapted:
        config = self.config
        video, audio = batch["images"], batch["audio"]
        if video.shape[0] != audio.shape[0]:
            raise ValueError(f"{video.shape[0]} examples of images, {audio.shape[0]} of audio")
        patches = space_to_depth(video, config.video_patch)
        sound = audio.reshape(audio.shape[0], -1, config.audio_patch)
        if "label" in batch:
            label = jax.nn.one_hot(batch["label"], config.num_classes)[:, None]
        else:
            label = jnp.zeros((video.shape[0], 1, config.num_classes))

        def segment(name, features, position):
            size, grid = features.shape[0], features.shape[1:-1]
            features = features.reshape(size, -1, features.shape[-1])
            found = fourier_segment(
                features, axis_positions(grid), position.num_bands, position.max_resolution
            )
            return found.pad(getattr(self, f"{name}_padding")[...])

        masked = jnp.ones((video.shape[0], 1, 1), bool)
        if key is not None:
            masked = jax.random.bernoulli(key, config.label_mask_probability, masked.shape)
        label = Segment(label).pad(self.label_padding[...]).features
        label = jnp.where(masked, self.label_mask_token[...], label)
        audio = segment("audio", sound, self.audio_position)
        image = segment("image", patches, self.image_position)
        return Adapted((audio, image, Segment(label)))


_ADAPTERS = {
    TextInput: TextAdapter,
    ImageInput: ImageAdapter,
    FlowInput: FlowAdapter,
    MultimodalInput: MultimodalAdapter,
    VoxelInput: VoxelAdapter,
}


def build_adapter(config: InputConfig, model: ModelConfig, *, rngs: nnx.Rngs):
    """Builds the adapter of an input configuration; it has `channels` and is callable."""
    return _ADAPTERS[type(config)](config, model, rngs=rngs)
