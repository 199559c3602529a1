# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Networks that act as a robot's policy: PerAct, as released and as its README has it."""

from perceiver_bench.config import (
    AttentionConfig,
    DecoderConfig,
    EncoderConfig,
    InputQuery,
    InstructionEncoder,
    ModelConfig,
    VoxelActions,
    VoxelInput,
)

INSTRUCTION_ENCODER = InstructionEncoder(max_length=77, channels=256, num_heads=8, num_layers=4)
"""Of a network of PerAct's size without CLIP; ours."""


def peract(
    *,
    size: int = 100,
    patch: int = 5,
    channels: int = 64,
    num_tokens: int = 77,
    token_channels: int = 512,
    positions_for_language: bool = False,
    instruction_encoder: InstructionEncoder | None = None,
    num_latents: int = 2048,
    latent_channels: int = 512,
    num_layers: int = 6,
    num_heads: int = 8,
    head_channels: int = 64,
    num_rotations: int = 72,
    hidden_channels: int = 256,
) -> ModelConfig:
    """PerAct from 100^3 voxels and the words of CLIP's text encoder: 33.2M parameters.

    By default the released network, whose words have no positions.
    """

    def attention(num_heads: int) -> AttentionConfig:
        return AttentionConfig(
            num_heads=num_heads,
            qk_channels=num_heads * head_channels,
            widening_factor=4,
            use_bias=False,
            is_mlp_gated=True,
        )

    return ModelConfig(
        input=VoxelInput(
            size=size,
            patch=patch,
            channels=channels,
            proprioception=4,
            num_tokens=num_tokens,
            token_channels=token_channels,
            positions_for_language=positions_for_language,
            instruction_encoder=instruction_encoder,
        ),
        encoder=EncoderConfig(
            num_latents=num_latents,
            latent_channels=latent_channels,
            cross_attention=attention(1),
            self_attention=attention(num_heads),
            num_layers=num_layers,
        ),
        query=InputQuery(),
        decoder=DecoderConfig(
            cross_attention=attention(1),
            use_mlp=False,
            use_dropout=False,
        ),
        head=VoxelActions(num_rotations=num_rotations, hidden_channels=hidden_channels),
        activation="gelu",
        attention_dropout=0.1,
    )
