# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of models and the recipes of training that the tasks of GLUE share."""

import dataclasses
from typing import Literal

from perceiver_bench import api

_PAPER_CHANNELS = 768  # of token embeddings and of queries; paper, Table 11

SWEEP = {
    "train.batch_size": ("16", "32", "64"),
    "train.optimizer.learning_rate": ("1e-4", "5e-5", "2e-5", "1e-5"),
}
"""The paper's grid of twelve settings (Table 13)."""


def presets(num_outputs: int, *, are_pairs: bool) -> dict[str, api.RunConfig]:
    """Returns the runs of a task with `num_outputs` logits over sentences or pairs of them.

    `base`, `sentencepiece_base` and `base_plus` are the paper's models (Table 11) and one of
    its twelve fine-tuning settings (Table 13); they want pretrained weights. The
    `language_*` ones are the networks that `language/bytes` and `language/sentencepiece`
    pretrain in their presets `small`, for `--init`. The others are sized to learn from
    nothing: the `small` ones in minutes, the `tiny` ones in seconds. Pairs get twice the
    tokens of a sentence, but for the pretrained networks.
    """
    times = 2 if are_pairs else 1
    small_bytes = api.TextData(tokenizer="bytes", max_length=256 * times)
    small_pieces = api.TextData(tokenizer="sentencepiece", max_length=64 * times, vocab_size=8000)
    tiny_bytes = api.TextData(tokenizer="bytes", max_length=96)
    tiny_pieces = api.TextData(tokenizer="sentencepiece", max_length=64, vocab_size=100)
    base_bytes = api.TextData(tokenizer="bytes", max_length=2048)
    base_pieces = api.TextData(tokenizer="sentencepiece", max_length=512, vocab_size=32_000)
    return {
        "small": api.RunConfig(
            model=_scratch_model(small_pieces, 128, 32, 3, num_outputs, dropout=0.3),
            data=small_pieces,
            train=_scratch_training(steps=2000, batch_size=64, learning_rate=5e-4),
        ),
        "bytes_small": api.RunConfig(
            model=_scratch_model(small_bytes, 128, 32, 4, num_outputs, dropout=0.1),
            data=small_bytes,
            train=_scratch_training(steps=2000, batch_size=64, learning_rate=5e-4),
        ),
        "tiny": api.RunConfig(
            model=_scratch_model(tiny_bytes, 32, 8, 2, num_outputs, dropout=0.0),
            data=tiny_bytes,
            train=_scratch_training(steps=600, batch_size=32, learning_rate=3e-3),
        ),
        "tiny_sentencepiece": api.RunConfig(
            model=_scratch_model(tiny_pieces, 32, 8, 2, num_outputs, dropout=0.1),
            data=tiny_pieces,
            train=_scratch_training(steps=600, batch_size=32, learning_rate=3e-3),
        ),
        "language_small": _fine_tuned_small("language_small", "bytes", num_outputs),
        "language_sentencepiece_small": _fine_tuned_small(
            "language_sentencepiece_small", "sentencepiece", num_outputs
        ),
        "base": api.RunConfig(
            model=_paper_model(base_bytes, num_outputs), data=base_bytes, train=_fine_tuning()
        ),
        "sentencepiece_base": api.RunConfig(
            model=_paper_model(base_pieces, num_outputs), data=base_pieces, train=_fine_tuning()
        ),
        "base_plus": api.RunConfig(
            model=_paper_model(base_bytes, num_outputs, latent_channels=1536, num_layers=40),
            data=base_bytes,
            train=_fine_tuning(),
        ),
    }


def _fine_tuned_small(
    network: str, tokenizer: Literal["bytes", "sentencepiece"], num_outputs: int
) -> api.RunConfig:
    """Returns a small pretraining network with a class query, and minutes of training."""
    pretrained = api.preset(network)
    inputs = pretrained.input
    assert isinstance(inputs, api.TextInput)
    model = dataclasses.replace(
        pretrained,
        query=api.LearnedQuery(num_queries=1, channels=inputs.channels),
        head=api.TanhLogits(num_outputs=num_outputs),
        dropout=0.1,
    )
    data = api.TextData(
        tokenizer=tokenizer, max_length=inputs.max_length, vocab_size=inputs.vocab_size
    )
    training = _scratch_training(steps=600, batch_size=32, learning_rate=1e-3)
    return api.RunConfig(model=model, data=data, train=training)


def _scratch_model(
    data: api.TextData,
    channels: int,
    num_latents: int,
    num_layers: int,
    num_outputs: int,
    dropout: float,
) -> api.ModelConfig:
    """Returns a model of one width throughout."""
    attention = api.AttentionConfig(num_heads=4)
    return api.ModelConfig(
        input=api.TextInput(
            vocab_size=data.vocab_size, channels=channels, max_length=data.max_length
        ),
        encoder=api.EncoderConfig(
            num_latents=num_latents,
            latent_channels=channels,
            cross_attention=attention,
            self_attention=attention,
            num_layers=num_layers,
        ),
        query=api.LearnedQuery(num_queries=1, channels=channels),
        decoder=api.DecoderConfig(cross_attention=attention),
        head=api.TanhLogits(num_outputs=num_outputs),
        dropout=dropout,
    )


def _scratch_training(steps: int, batch_size: int, learning_rate: float) -> api.TrainConfig:
    return api.TrainConfig(
        steps=steps,
        batch_size=batch_size,
        optimizer=api.OptimizerConfig(
            name="adamw",
            learning_rate=learning_rate,
            warmup_steps=steps // 20,
            clip_norm=1.0,
        ),
        evaluate_every=max(steps // 10, 100),
        checkpoint_every=max(steps // 10, 100),
    )


def _paper_model(data: api.TextData, num_outputs: int, **sizes: int) -> api.ModelConfig:
    """Returns the paper's network over this text, with a class query and a tanh head."""
    network = api.language(
        vocab_size=data.vocab_size, max_length=data.max_length, channels=_PAPER_CHANNELS, **sizes
    )
    return dataclasses.replace(
        network,
        query=api.LearnedQuery(num_queries=1, channels=_PAPER_CHANNELS),
        head=api.TanhLogits(num_outputs=num_outputs),
    )


def _fine_tuning() -> api.TrainConfig:
    """Returns the middle of the paper's grid (Table 13), which names no schedule."""
    return api.TrainConfig(
        epochs=10,
        batch_size=32,
        optimizer=api.OptimizerConfig(
            name="lamb", learning_rate=2e-5, warmup_steps=200, weight_decay=0.01
        ),
        evaluate_every=1000,
        checkpoint_every=1000,
    )
