# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""All that a task may import; nothing is defined here."""

from perceiver_bench.config import (
    AttentionConfig,
    DecoderConfig,
    EncoderConfig,
    LearnedQuery,
    MaskedTextData,
    ModelConfig,
    OptimizerConfig,
    PositionQuery,
    RunConfig,
    TanhLogits,
    TaskLogits,
    TaskQuery,
    TextData,
    TextInput,
    TrainConfig,
    TransformerConfig,
)
from perceiver_bench.data.corpus import Crops, Mixture, Sample, open_corpus
from perceiver_bench.data.sources import MemorySource, find_file
from perceiver_bench.data.tables import Table, read_table, shown
from perceiver_bench.data.text import (
    SENTENCEPIECE_ASSET,
    ByteTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    make_tokenizer,
    pad_to_length,
    tokenizer_assets,
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
from perceiver_bench.metrics.correlation import F1, MATTHEWS, PEARSON, SPEARMAN
from perceiver_bench.model.presets import language, preset
from perceiver_bench.registry import MissingDependency, register, register_average
from perceiver_bench.task import (
    Arrays,
    Assets,
    Average,
    Example,
    Metric,
    Pooling,
    Predict,
    Prepare,
    Source,
    Task,
)

__all__ = [
    "ACCURACY",
    "CROSS_ENTROPY",
    "F1",
    "MATTHEWS",
    "PEARSON",
    "SENTENCEPIECE_ASSET",
    "SPEARMAN",
    "Arrays",
    "Assets",
    "AttentionConfig",
    "Average",
    "ByteTokenizer",
    "Crops",
    "DecoderConfig",
    "EncoderConfig",
    "Example",
    "LearnedQuery",
    "MaskedTextData",
    "MeanOfExamples",
    "MemorySource",
    "Metric",
    "MissingDependency",
    "Mixture",
    "ModelConfig",
    "OptimizerConfig",
    "OverAll",
    "PooledOverElements",
    "Pooling",
    "PositionQuery",
    "Predict",
    "Prepare",
    "RunConfig",
    "Sample",
    "SentencePieceTokenizer",
    "Source",
    "Table",
    "TanhLogits",
    "Task",
    "TaskLogits",
    "TaskQuery",
    "TextData",
    "TextInput",
    "Tokenizer",
    "TrainConfig",
    "TransformerConfig",
    "UserError",
    "correct",
    "cross_entropy",
    "find_file",
    "language",
    "make_tokenizer",
    "open_corpus",
    "pad_to_length",
    "preset",
    "read_table",
    "register",
    "register_average",
    "shown",
    "tokenizer_assets",
    "train_sentencepiece",
    "write_atomically",
]
