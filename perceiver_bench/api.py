# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""All that a task may import; nothing is defined here."""

from perceiver_bench.config import (
    AttentionConfig,
    DecoderConfig,
    EncoderConfig,
    LearnedQuery,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    TanhLogits,
    TextData,
    TextInput,
    TrainConfig,
)
from perceiver_bench.data.sources import MemorySource, find_file, read_tsv
from perceiver_bench.data.text import (
    SENTENCEPIECE_ASSET,
    ByteTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    make_tokenizer,
    pad_to_length,
    train_sentencepiece,
)
from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.metrics.base import MeanOfExamples, OverAll, PooledOverElements
from perceiver_bench.metrics.classification import (
    ACCURACY,
    CROSS_ENTROPY,
    correct,
    cross_entropy,
)
from perceiver_bench.model.presets import language
from perceiver_bench.registry import MissingDependency, register
from perceiver_bench.task import Arrays, Assets, Example, Metric, Pooling, Source, Task

__all__ = [
    "ACCURACY",
    "CROSS_ENTROPY",
    "SENTENCEPIECE_ASSET",
    "Arrays",
    "Assets",
    "AttentionConfig",
    "ByteTokenizer",
    "DecoderConfig",
    "EncoderConfig",
    "Example",
    "LearnedQuery",
    "MeanOfExamples",
    "MemorySource",
    "Metric",
    "MissingDependency",
    "ModelConfig",
    "OptimizerConfig",
    "OverAll",
    "PooledOverElements",
    "Pooling",
    "RunConfig",
    "SentencePieceTokenizer",
    "Source",
    "TanhLogits",
    "Task",
    "TextData",
    "TextInput",
    "Tokenizer",
    "TrainConfig",
    "UserError",
    "correct",
    "cross_entropy",
    "find_file",
    "language",
    "make_tokenizer",
    "pad_to_length",
    "read_tsv",
    "register",
    "train_sentencepiece",
    "write_atomically",
]
