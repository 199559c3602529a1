# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Networks of optical flow: all rows of the paper's Table 16.

| name                | from        | frames       | layers | latents | clean | final | KITTI |
|---------------------|-------------|--------------|-------:|--------:|------:|------:|------:|
| `flow`              | 3x3 patch   | concatenated |     24 |    2048 |  1.81 |  2.42 |  4.98 |
| `flow_apart`        | 3x3 patch   | apart        |     24 |    2048 |  1.78 |  2.70 |  6.19 |
| `flow_pixels`       | pixel       | concatenated |     24 |    2048 |  1.91 |  2.56 |  5.39 |
| `flow_pixels_apart` | pixel       | apart        |     24 |    2048 |  1.72 |  2.63 |  5.93 |
| `flow_conv`         | convolution | concatenated |     24 |    2048 |  1.84 |  2.52 |  4.83 |
| `flow_conv_apart`   | convolution | apart        |     24 |    2048 |  1.90 |  2.53 |  6.66 |
| `flow_light`        | convolution | concatenated |     16 |    1024 |  2.06 |  2.67 |  6.12 |

The last columns are the end-point errors that the paper gives, in pixels, of Sintel clean,
Sintel final and KITTI 2015.
"""

from typing import Literal

from perceiver_bench.config import (
    AttentionConfig,
    DecoderConfig,
    EncoderConfig,
    FlowField,
    FlowInput,
    FourierPosition,
    InputQuery,
    ModelConfig,
    UpsampledFlowField,
)
from perceiver_bench.model.convolution import REDUCTION


def flow(
    *,
    size: tuple[int, int] = (368, 496),
    preparation: Literal["patches", "pixels", "convolution"] = "patches",
    frames: Literal["concatenated", "apart"] = "concatenated",
    num_bands: int = 64,
    num_latents: int = 2048,
    latent_channels: int = 512,
    num_layers: int = 24,
    num_heads: int = 16,
) -> ModelConfig:
    """Optical flow; by default from 3x3 patches of two frames: 1.81 / 2.42 / 4.98 (Table 3)."""
    has_convolution = preparation == "convolution"
    height, width = size
    grid = (height // REDUCTION, width // REDUCTION) if has_convolution else size
    return ModelConfig(
        input=FlowInput(
            size=size,
            preparation=preparation,
            channels=64,
            position=FourierPosition(num_bands=num_bands, max_resolution=grid),
            frames=frames,
        ),
        encoder=EncoderConfig(
            num_latents=num_latents,
            latent_channels=latent_channels,
            cross_attention=AttentionConfig(),
            self_attention=AttentionConfig(num_heads=num_heads),
            num_layers=num_layers,
        ),
        query=InputQuery(),
        decoder=DecoderConfig(cross_attention=AttentionConfig()),
        head=UpsampledFlowField() if has_convolution else FlowField(),
    )


def flow_light(*, num_latents: int = 1024, num_layers: int = 16, **changes) -> ModelConfig:
    """The fast flow network: convolution, 16 layers, 1024 latents (Table 16, last row)."""
    return flow(
        preparation="convolution", num_latents=num_latents, num_layers=num_layers, **changes
    )
