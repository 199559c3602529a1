# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Frozen configuration: the network, its training, a whole run.

Every value is immutable and hashable, so a configuration can be a static argument of a
compiled function, be written to JSON and be compared.
"""

from perceiver_bench.config.convert import (
    flat,
    from_dict,
    to_dict,
)
from perceiver_bench.config.flow_augmentation import AugmentationConfig
from perceiver_bench.config.flow_generator import GeneratorConfig
from perceiver_bench.config.images import ImageAugmentation, ImageData
from perceiver_bench.config.network import (
    AttentionConfig,
    AveragedLogits,
    DecoderConfig,
    EncoderConfig,
    FlowField,
    FlowInput,
    FourierPosition,
    HeadConfig,
    ImageInput,
    InputConfig,
    InputQuery,
    LearnedPosition,
    LearnedQuery,
    Logits,
    ModelConfig,
    MultimodalInput,
    MultimodalOutput,
    MultimodalQuery,
    PositionQuery,
    QueryConfig,
    TanhLogits,
    TaskLogits,
    TaskQuery,
    TextInput,
    TiedVocabulary,
    TransformerConfig,
    UpsampledFlowField,
)
from perceiver_bench.config.run import (
    DataConfig,
    FlowData,
    MaskedTextData,
    OptimizerConfig,
    RunConfig,
    TextData,
    TrainConfig,
)
from perceiver_bench.config.voxels import (
    InstructionEncoder,
    VoxelActions,
    VoxelData,
    VoxelInput,
)

__all__ = [
    "AttentionConfig",
    "AugmentationConfig",
    "AveragedLogits",
    "DataConfig",
    "DecoderConfig",
    "EncoderConfig",
    "FlowData",
    "FlowField",
    "FlowInput",
    "FourierPosition",
    "GeneratorConfig",
    "HeadConfig",
    "ImageAugmentation",
    "ImageData",
    "ImageInput",
    "InputConfig",
    "InputQuery",
    "InstructionEncoder",
    "LearnedPosition",
    "LearnedQuery",
    "Logits",
    "MaskedTextData",
    "ModelConfig",
    "MultimodalInput",
    "MultimodalOutput",
    "MultimodalQuery",
    "OptimizerConfig",
    "PositionQuery",
    "QueryConfig",
    "RunConfig",
    "TanhLogits",
    "TaskLogits",
    "TaskQuery",
    "TextData",
    "TextInput",
    "TiedVocabulary",
    "TrainConfig",
    "TransformerConfig",
    "UpsampledFlowField",
    "VoxelActions",
    "VoxelData",
    "VoxelInput",
    "flat",
    "from_dict",
    "to_dict",
]
