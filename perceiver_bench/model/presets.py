# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Named networks: the six released ones, others of the papers, and small ones."""

import dataclasses
import functools
from collections.abc import Callable

from perceiver_bench.config import (
    AttentionConfig,
    AveragedLogits,
    DecoderConfig,
    EncoderConfig,
    FourierPosition,
    ImageInput,
    LearnedPosition,
    LearnedQuery,
    Logits,
    ModelConfig,
    MultimodalInput,
    MultimodalOutput,
    MultimodalQuery,
)
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.model.flow_presets import flow, flow_light
from perceiver_bench.model.text_presets import language, language_bert
from perceiver_bench.model.voxel_presets import INSTRUCTION_ENCODER, peract

IMAGE_SIZE = (224, 224)


def _image(
    inputs: ImageInput,
    *,
    use_query_residual: bool,
    num_classes: int = 1000,
    num_latents: int = 512,
    latent_channels: int = 1024,
    num_blocks: int = 8,
    num_layers: int = 6,
    num_heads: int = 8,
    widening_factor: int = 1,
) -> ModelConfig:
    """An ImageNet network; by default config A of Table 7: 8 shared blocks of 6 layers."""
    return ModelConfig(
        input=inputs,
        encoder=EncoderConfig(
            num_latents=num_latents,
            latent_channels=latent_channels,
            cross_attention=AttentionConfig(),
            self_attention=AttentionConfig(num_heads=num_heads, widening_factor=widening_factor),
            num_layers=num_layers,
            num_blocks=num_blocks,
        ),
        query=LearnedQuery(num_queries=1, channels=latent_channels),
        decoder=DecoderConfig(
            cross_attention=AttentionConfig(), use_query_residual=use_query_residual
        ),
        head=Logits(num_classes=num_classes),
    )


def imagenet_fourier(*, size: tuple[int, int] = IMAGE_SIZE, **changes) -> ModelConfig:
    """ImageNet from pixels with 2D Fourier features: 79.0 top-1 (Table 7)."""
    position = FourierPosition(num_bands=64, max_resolution=size)
    inputs = ImageInput(size=size, preparation="pixels", channels=3, position=position)
    return _image(inputs, use_query_residual=True, **changes)


def imagenet_learned(*, size: tuple[int, int] = IMAGE_SIZE, **changes) -> ModelConfig:
    """ImageNet with learned positions only: 72.7 top-1 (Table 7)."""
    position = LearnedPosition(channels=256, projected_channels=256)
    inputs = ImageInput(size=size, preparation="linear", channels=256, position=position)
    return _image(inputs, use_query_residual=False, **changes)


def imagenet_conv(*, size: tuple[int, int] = IMAGE_SIZE, **changes) -> ModelConfig:
    """ImageNet after a convolution and max pooling: 82.1 top-1 (Table 7)."""
    position = FourierPosition(num_bands=64, max_resolution=(size[0] // 4, size[1] // 4))
    inputs = ImageInput(size=size, preparation="convolution", channels=64, position=position)
    return _image(inputs, use_query_residual=True, **changes)


def _config_b(config: ModelConfig) -> ModelConfig:
    """Config B of Table 7: 16 layers with weights of their own, MLPs four times as wide."""
    assert isinstance(config.encoder, EncoderConfig)
    encoder = dataclasses.replace(
        config.encoder,
        num_blocks=1,
        num_layers=16,
        self_attention=AttentionConfig(num_heads=8, widening_factor=4),
    )
    return dataclasses.replace(config, encoder=encoder)


def imagenet_fourier_large() -> ModelConfig:
    """Config B with a 1x1 convolution to 256 channels before the positions (84.5 with JFT)."""
    position = FourierPosition(num_bands=64, max_resolution=IMAGE_SIZE)
    inputs = ImageInput(size=IMAGE_SIZE, preparation="linear", channels=256, position=position)
    return _config_b(_image(inputs, use_query_residual=True))


def imagenet_conv_large() -> ModelConfig:
    """Config B after a convolution (86.4 with JFT)."""
    return _config_b(imagenet_conv())


def perceiver(config: ModelConfig) -> ModelConfig:
    """The first Perceiver: the inputs are attended to in every block, the latents averaged.

    Table 7 of the Perceiver IO paper compares with it: 78.6, 67.6 and 77.4 top-1. Its
    parameter counts there (42.1M, 55.9M) are those of one shared cross-attention.
    """
    assert isinstance(config.encoder, EncoderConfig)
    assert isinstance(config.head, Logits)
    return dataclasses.replace(
        config,
        encoder=dataclasses.replace(config.encoder, repeat_cross_attention=True),
        query=None,
        decoder=None,
        head=AveragedLogits(num_classes=config.head.num_classes),
    )


def multimodal(
    *,
    video_size: tuple[int, int, int] = (16, 224, 224),
    audio_samples: int = 30720,
    num_classes: int = 700,
    num_latents: int = 784,
    latent_channels: int = 512,
    num_layers: int = 8,
) -> ModelConfig:
    """Autoencoding of Kinetics video, sound and class at 88x compression (Table 4).

    192 audio bands and 32 video bands are the released network's; 784 latents are the
    row of Table 4 with audio PSNR 26.97 and video PSNR 24.37.
    """
    return ModelConfig(
        input=MultimodalInput(
            video_size=video_size,
            video_patch=(1, 4, 4),
            video_bands=32,
            audio_samples=audio_samples,
            audio_patch=16,
            audio_bands=192,
            num_classes=num_classes,
        ),
        encoder=EncoderConfig(
            num_latents=num_latents,
            latent_channels=latent_channels,
            cross_attention=AttentionConfig(),
            self_attention=AttentionConfig(num_heads=8),
            num_layers=num_layers,
        ),
        query=MultimodalQuery(label_channels=1024),
        decoder=DecoderConfig(cross_attention=AttentionConfig()),
        head=MultimodalOutput(channels=512),
    )


_SMALL_TEXT = {"channels": 96, "latent_channels": 128, "num_layers": 3, "qk_channels": 64}
_TINY_TEXT = {
    "channels": 32,
    "num_latents": 16,
    "latent_channels": 64,
    "num_layers": 2,
    "num_heads": 4,
    "qk_channels": 32,
}
_SMALL_IMAGE = {
    "size": (32, 32),
    "num_classes": 10,
    "num_latents": 16,
    "latent_channels": 64,
    "num_blocks": 2,
    "num_layers": 2,
}
_TINY_FLOW = {
    "size": (16, 24),
    "num_latents": 16,
    "latent_channels": 64,
    "num_layers": 2,
    "num_heads": 4,
}
_TINY_VOXELS = {
    "size": 10,
    "channels": 8,
    "num_tokens": 3,
    "token_channels": 12,
    "num_latents": 16,
    "latent_channels": 32,
    "num_layers": 2,
    "num_heads": 2,
    "head_channels": 16,
    "num_rotations": 8,
    "hidden_channels": 16,
}

PRESETS: dict[str, Callable[[], ModelConfig]] = {
    "language": language,
    "imagenet_fourier": imagenet_fourier,
    "imagenet_learned": imagenet_learned,
    "imagenet_conv": imagenet_conv,
    "flow": flow,
    "multimodal": multimodal,
    "language_sentencepiece": functools.partial(language, vocab_size=32000, max_length=512),
    "language_plus": functools.partial(language, latent_channels=1536, num_layers=40),
    "language_bert": language_bert,
    "language_bert_sentencepiece": functools.partial(
        language_bert,
        vocab_size=32000,
        max_length=512,
        channels=768,
        num_layers=12,
        num_heads=12,
    ),
    "imagenet_fourier_large": imagenet_fourier_large,
    "imagenet_conv_large": imagenet_conv_large,
    "perceiver_fourier": lambda: perceiver(imagenet_fourier()),
    "perceiver_learned": lambda: perceiver(imagenet_learned()),
    "perceiver_conv": lambda: perceiver(imagenet_conv()),
    "flow_apart": functools.partial(flow, frames="apart"),
    "flow_pixels": functools.partial(flow, preparation="pixels"),
    "flow_pixels_apart": functools.partial(flow, preparation="pixels", frames="apart"),
    "flow_conv": functools.partial(flow, preparation="convolution"),
    "flow_conv_apart": functools.partial(flow, preparation="convolution", frames="apart"),
    "flow_light": flow_light,
    "peract": peract,
    "peract_language_positions": functools.partial(peract, positions_for_language=True),
    "peract_bytes": functools.partial(peract, instruction_encoder=INSTRUCTION_ENCODER),
    "language_tiny": functools.partial(language, max_length=64, **_TINY_TEXT),
    "language_sentencepiece_tiny": functools.partial(
        language, vocab_size=300, max_length=32, **_TINY_TEXT
    ),
    "language_small": functools.partial(language, max_length=256, num_latents=64, **_SMALL_TEXT),
    "language_sentencepiece_small": functools.partial(
        language, vocab_size=8000, max_length=96, num_latents=32, **_SMALL_TEXT
    ),
    "language_medium": functools.partial(
        language,
        max_length=512,
        channels=512,
        num_latents=128,
        latent_channels=768,
        num_layers=12,
    ),
    "language_bert_tiny": functools.partial(
        language_bert, max_length=64, channels=32, num_layers=2, num_heads=4
    ),
    "imagenet_fourier_tiny": functools.partial(imagenet_fourier, **_SMALL_IMAGE),
    "imagenet_learned_tiny": functools.partial(imagenet_learned, **_SMALL_IMAGE),
    "imagenet_conv_tiny": functools.partial(imagenet_conv, **_SMALL_IMAGE),
    "perceiver_fourier_tiny": lambda: perceiver(imagenet_fourier(**_SMALL_IMAGE)),
    "flow_tiny": functools.partial(flow, **_TINY_FLOW),
    "flow_apart_tiny": functools.partial(flow, frames="apart", **_TINY_FLOW),
    "flow_pixels_tiny": functools.partial(flow, preparation="pixels", **_TINY_FLOW),
    "flow_pixels_apart_tiny": functools.partial(
        flow, preparation="pixels", frames="apart", **_TINY_FLOW
    ),
    "flow_light_tiny": functools.partial(flow_light, **_TINY_FLOW),
    "flow_conv_apart_tiny": functools.partial(
        flow, preparation="convolution", frames="apart", **_TINY_FLOW
    ),
    "multimodal_tiny": functools.partial(
        multimodal,
        video_size=(2, 16, 16),
        audio_samples=256,
        num_classes=10,
        num_latents=16,
        latent_channels=64,
        num_layers=2,
    ),
    "peract_tiny": functools.partial(peract, **_TINY_VOXELS),
}

OFFICIAL = (
    "language",
    "imagenet_fourier",
    "imagenet_learned",
    "imagenet_conv",
    "flow",
    "multimodal",
)


def preset(name: str) -> ModelConfig:
    """Returns the network of that name.

    Raises:
        UserError: for an unknown name, with the nearest known one.
    """
    if name not in PRESETS:
        raise UserError(f"--model={name}: no such model.{nearest(name, PRESETS)}")
    return PRESETS[name]()
