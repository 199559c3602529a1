# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of models and the recipes of training that the tasks of GLUE share."""

import dataclasses
import functools
from typing import Literal

from perceiver_bench import api

SWEEP = {
    "train.batch_size": ("16", "32", "64"),
    "train.optimizer.learning_rate": ("1e-4", "5e-5", "2e-5", "1e-5"),
}
"""The paper's grid of twelve settings (Table 13)."""


def presets(num_outputs: int, *, are_pairs: bool) -> dict[str, api.RunConfig]:
    """Returns the runs of a task with `num_outputs` logits over sentences or pairs of them.

    `base`, `sentencepiece_base`, `base_plus` and `base_bert` are the paper's models (Table 11)
    and one of its twelve fine-tuning settings (Table 13); they want pretrained weights. The
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
    pretrained = functools.partial(_pretrained, num_outputs)
    small_training = scratch_training(steps=600, batch_size=32, learning_rate=1e-3)
    return {
        "small": api.RunConfig(
            model=_scratch_model(small_pieces, 128, 32, 3, num_outputs, dropout=0.3),
            data=small_pieces,
            train=scratch_training(steps=2000, batch_size=64, learning_rate=5e-4),
        ),
        "bytes_small": api.RunConfig(
            model=_scratch_model(small_bytes, 128, 32, 4, num_outputs, dropout=0.1),
            data=small_bytes,
            train=scratch_training(steps=2000, batch_size=64, learning_rate=5e-4),
        ),
        "tiny": api.RunConfig(
            model=_scratch_model(tiny_bytes, 32, 8, 2, num_outputs, dropout=0.0),
            data=tiny_bytes,
            train=scratch_training(steps=600, batch_size=32, learning_rate=3e-3),
        ),
        "tiny_sentencepiece": api.RunConfig(
            model=_scratch_model(tiny_pieces, 32, 8, 2, num_outputs, dropout=0.1),
            data=tiny_pieces,
            train=scratch_training(steps=600, batch_size=32, learning_rate=3e-3),
        ),
        "language_small": pretrained("language_small", "bytes", small_training, dropout=0.1),
        "language_sentencepiece_small": pretrained(
            "language_sentencepiece_small", "sentencepiece", small_training, dropout=0.1
        ),
        "base": pretrained("language", "bytes", fine_tuning()),
        "sentencepiece_base": pretrained("language_sentencepiece", "sentencepiece", fine_tuning()),
        "base_plus": pretrained("language_plus", "bytes", fine_tuning()),
        "base_bert": pretrained("language_bert", "bytes", fine_tuning()),
    }


def _pretrained(
    num_outputs: int,
    network: str,
    tokenizer: Literal["bytes", "sentencepiece"],
    train: api.TrainConfig,
    dropout: float = 0.0,
) -> api.RunConfig:
    """Returns a network of masked language modelling with a class query and a tanh head.

    The full-attention network has no queries: its head reads the first output.
    """
    language = api.preset(network)
    inputs = language.input
    assert isinstance(inputs, api.TextInput)
    query = api.LearnedQuery(num_queries=1, channels=inputs.channels)
    model = dataclasses.replace(
        language,
        query=query if language.decoder else None,
        head=api.TanhLogits(num_outputs=num_outputs),
        dropout=dropout,
    )
    data = api.TextData(
        tokenizer=tokenizer, max_length=inputs.max_length, vocab_size=inputs.vocab_size
    )
    return api.RunConfig(model=model, data=data, train=train)


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


def scratch_training(steps: int, batch_size: int, learning_rate: float) -> api.TrainConfig:
    """Returns a training that needs no pretrained weights."""
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


def fine_tuning() -> api.TrainConfig:
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
