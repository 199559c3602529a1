# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the tasks of GLUE share: files, text as model input, and the sizes of models."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from perceiver_bench import api

_NUM_EPOCHS = 10  # of fine-tuning; paper, Table 13
_PAPER_CHANNELS = 768  # of token embeddings and of queries; paper, Table 11


def layout(folder: str) -> str:
    """Returns the files of the task in `folder`, as in the official download."""
    return f"{folder}/train.tsv and {folder}/dev.tsv"


def source(
    folder: str, header: Sequence[str], num_labels: int
) -> Callable[[pathlib.Path, str], api.Source]:
    """Returns the reader `(data_dir, split) -> Source` of the task in `folder`."""

    def read(data_dir: pathlib.Path, split: str) -> api.Source:
        path = api.find_file(data_dir, f"{folder}/{split}.tsv", layout(folder))
        return api.read_tsv(path, header=header, num_labels=num_labels)

    return read


def prepare_assets(config: api.TextData, train: api.Source) -> dict[str, bytes]:
    """Returns the SentencePiece model: that of `config.model`, or one of the training text.

    Bytes need no asset.

    Raises:
        UserError: if `config.model` is no SentencePiece model that can be read.
    """
    if config.tokenizer == "bytes":
        return {}
    if config.model:
        try:
            model = pathlib.Path(config.model).read_bytes()
        except OSError as error:
            raise api.UserError(
                f"data.model={config.model}: cannot be read: {error.strerror};"
                " left empty, one is trained from the training text"
            ) from error
    else:
        sentences = (_text(train[index]) for index in range(len(train)))
        model = api.train_sentencepiece(sentences, config.vocab_size)
    assets = {api.SENTENCEPIECE_ASSET: model}
    api.make_tokenizer(config, assets)  # a broken or too large model is told before training
    return assets


def preprocess(
    config: api.TextData, assets: Mapping[str, bytes]
) -> Callable[[api.Example], api.Arrays]:
    """Returns `example -> arrays`: `inputs` and `input_mask` [max_length], and `label`."""
    return functools.partial(_prepare, api.make_tokenizer(config, assets), config.max_length)


def _prepare(tokenizer: api.Tokenizer, max_length: int, example: api.Example) -> api.Arrays:
    arrays = api.pad_to_length(tokenizer.encode(_text(example)), max_length)
    return {**arrays, "label": np.array(example["label"], np.int32)}


def _text(example: api.Example) -> str:
    # Every sentence of SST-2's files ends in a space that belongs to no word.
    return example["sentence"].rstrip()


def presets(num_outputs: int, num_train: int) -> dict[str, api.RunConfig]:
    """Returns the runs of a task with `num_outputs` logits and `num_train` examples.

    `base` and `sentencepiece_base` are the paper's models (Table 11) and one of its twelve
    fine-tuning settings (Table 13); they want pretrained weights. The others are sized to
    learn from nothing: the `small` ones in minutes, the `tiny` ones in seconds.
    """
    small_bytes = api.TextData(tokenizer="bytes", max_length=256)
    small_pieces = api.TextData(tokenizer="sentencepiece", max_length=64, vocab_size=8000)
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
        "base": api.RunConfig(
            model=_paper_model(base_bytes, num_outputs),
            data=base_bytes,
            train=_fine_tuning(num_train),
        ),
        "sentencepiece_base": api.RunConfig(
            model=_paper_model(base_pieces, num_outputs),
            data=base_pieces,
            train=_fine_tuning(num_train),
        ),
    }


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


def _paper_model(data: api.TextData, num_outputs: int) -> api.ModelConfig:
    """Returns the paper's network over this text, with a class query and a tanh head."""
    network = api.language(
        vocab_size=data.vocab_size, max_length=data.max_length, channels=_PAPER_CHANNELS
    )
    return dataclasses.replace(
        network,
        query=api.LearnedQuery(num_queries=1, channels=_PAPER_CHANNELS),
        head=api.TanhLogits(num_outputs=num_outputs),
    )


def _fine_tuning(num_train: int) -> api.TrainConfig:
    """Returns the middle of the paper's grid (Table 13), which names no schedule."""
    batch_size = 32
    return api.TrainConfig(
        steps=math.ceil(_NUM_EPOCHS * num_train / batch_size),
        batch_size=batch_size,
        optimizer=api.OptimizerConfig(
            name="lamb", learning_rate=2e-5, warmup_steps=200, weight_decay=0.01
        ),
        evaluate_every=1000,
        checkpoint_every=1000,
    )
