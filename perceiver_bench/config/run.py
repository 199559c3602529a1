# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of training and data, and of a whole run."""

import dataclasses
from typing import Literal

from perceiver_bench.config.flow_augmentation import AugmentationConfig
from perceiver_bench.config.flow_generator import GeneratorConfig
from perceiver_bench.config.images import ImageData
from perceiver_bench.config.network import ModelConfig
from perceiver_bench.config.voxels import VoxelData


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The update rule and its learning rate.

    `schedule`: `constant`; `cosine` to zero at the last step; `flat_cosine`: constant for
    `flat_fraction` of the steps, then cosine to zero. A linear warmup of `warmup_steps`
    comes before each. `weight_decay` leaves out biases and normalisation parameters, and
    position embeddings too unless `decay_positions`. `clip_norm` bounds the global norm.
    """

    name: Literal["lamb", "adamw"] = "lamb"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine", "flat_cosine"] = "cosine"
    flat_fraction: float = 0.5
    warmup_steps: int = 0
    weight_decay: float = 0.01
    decay_positions: bool = True
    clip_norm: float | None = None
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how a run trains; all intervals are in steps.

    `steps` 0 means as many as `epochs` passes over the training data take. A batch is
    computed in `accumulation` parts, one after another, whose gradients are averaged, so that
    memory is that of a part; each part has batch statistics and masked tokens of its own.
    """

    steps: int = 0
    batch_size: int
    accumulation: int = 1
    epochs: float = 0.0
    optimizer: OptimizerConfig = OptimizerConfig()
    label_smoothing: float = 0.0
    log_every: int = 20
    evaluate_every: int = 200
    checkpoint_every: int = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextData:
    """How text becomes tokens.

    `tokenizer`: `bytes` (6 special tokens, byte + 6) or `sentencepiece`. `model` is the
    path of a SentencePiece .model; empty means that training makes one of `vocab_size`
    tokens from its own training text and keeps it in the workdir.
    """

    tokenizer: Literal["bytes", "sentencepiece"]
    max_length: int
    model: str = ""
    vocab_size: int = 262


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedTextData(TextData):
    """How documents become examples of masked language modelling.

    Each word is masked with `mask_probability`; at most `max_predicted` tokens of an example
    are predicted. `documents_per_example` documents are joined before they are cropped.
    `mixture` names folders of the training text and their shares of the tokens, as in
    `c4:0.7,wikipedia:0.3`; empty takes all text as it is. `num_held_out` bounds the crops
    that an evaluation looks at.

    The other settings are for short training, in which a network that sees full crops and
    masks alone never comes to tell one position from another. A word that is not masked is
    predicted too, at first with `visible_probability`, which falls linearly to 0 over the
    first `visible_share` of the run. A `min_length` above 0 gives training crops a random
    length, from it to `max_length`: short ones more often at first, all alike after that.
    """

    max_predicted: int
    mask_probability: float = 0.15
    visible_probability: float = 0.0
    visible_share: float = 0.3
    min_length: int = 0
    documents_per_example: int = 10
    mixture: str = ""
    num_held_out: int = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowData:
    """How pairs of frames become examples of optical flow.

    Training takes crops of `size`. Evaluation cuts pictures of any size into tiles of it,
    which overlap as the protocol `tiling` says (tasks/flow/tiling.py).

    Training has two phases (paper, appendix H). In the first `plain_share` of the run pairs
    are cropped and nothing else, and each is fed forward and reversed. After it they are fed
    forward, with augmentation that grows from none to all of `augmentation` at the end.

    `mixture` names data sets and their shares of the examples, as in
    `sintel_clean:0.5,kitti2015:0.5`, for the task that trains on several. `generator` is what
    the generated pairs are drawn from: `num_pairs` for training, `num_held_out` others for
    evaluation, all of `size`.
    """

    size: tuple[int, int]
    tiling: Literal["released", "even"] = "released"
    plain_share: float = 0.3
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)
    mixture: str = ""
    generator: GeneratorConfig = dataclasses.field(default_factory=GeneratorConfig)
    num_pairs: int = 400_000
    num_held_out: int = 200


DataConfig = TextData | MaskedTextData | FlowData | ImageData | VoxelData


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that decides a run besides the data folder and the seed."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
