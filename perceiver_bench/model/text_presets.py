# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Networks over text: Perceiver IO and the transformer of its comparison."""

from perceiver_bench.config import (
    AttentionConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    PositionQuery,
    TextInput,
    TiedVocabulary,
    TransformerConfig,
)


def language(
    *,
    vocab_size: int = 262,
    max_length: int = 2048,
    channels: int = 768,
    num_latents: int = 256,
    latent_channels: int = 1280,
    num_layers: int = 26,
    num_heads: int = 8,
    qk_channels: int = 256,
) -> ModelConfig:
    """Masked language modelling over UTF-8 bytes: the 201M model (paper, Table 11)."""
    attention = AttentionConfig(
        num_heads=num_heads, qk_channels=qk_channels, v_channels=latent_channels
    )
    return ModelConfig(
        input=TextInput(vocab_size=vocab_size, channels=channels, max_length=max_length),
        encoder=EncoderConfig(
            num_latents=num_latents,
            latent_channels=latent_channels,
            cross_attention=attention,
            self_attention=attention,
            num_layers=num_layers,
        ),
        query=PositionQuery(max_length=max_length, channels=channels),
        decoder=DecoderConfig(
            cross_attention=AttentionConfig(
                num_heads=num_heads, qk_channels=qk_channels, v_channels=channels
            )
        ),
        head=TiedVocabulary(),
    )


def language_bert(
    *,
    vocab_size: int = 262,
    max_length: int = 2048,
    channels: int = 512,
    num_layers: int = 6,
    num_heads: int = 8,
) -> ModelConfig:
    """BERT over UTF-8 bytes at about the FLOPs of `language`: 71.5 on GLUE (Table 1).

    Width 512, MLP 2048, 6 layers and 8 heads (paper, section F.3). It is made of the same
    blocks as Perceiver IO and differs from BERT in these points: layer norm comes before
    attention and MLP and after the last layer, and not after each sum and the embeddings;
    GELU is the tanh form; there are no segment embeddings; and the vocabulary is read by
    the token embeddings and a bias, without a layer of its own before them.
    """
    return ModelConfig(
        input=TextInput(vocab_size=vocab_size, channels=channels, max_length=max_length),
        encoder=TransformerConfig(
            self_attention=AttentionConfig(num_heads=num_heads, widening_factor=4),
            num_layers=num_layers,
        ),
        query=None,
        decoder=None,
        head=TiedVocabulary(),
    )
