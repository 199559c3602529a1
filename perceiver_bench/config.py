# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Frozen configuration: the network, its training, a whole run.

Every value is immutable and hashable, so a configuration can be a static argument of a
compiled function, be written to JSON and be compared. Letters in comments are those of
`perceiver_bench/model/perceiver.py`.
"""

import dataclasses
import typing
from typing import Any, Literal

from perceiver_bench.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """One attention with the MLP that follows it.

    `qk_channels` None means as many as the keys' input has; `v_channels` None means as
    many as `qk_channels`. The MLP is `widening_factor` times as wide as its input.
    """

    num_heads: int = 1
    qk_channels: int | None = None
    v_channels: int | None = None
    widening_factor: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Cross-attention into `num_latents` latents [N, D], then blocks of self-attention.

    With `share_blocks` all blocks use one set of weights (ImageNet: 8 blocks of 6
    layers). With `repeat_cross_attention` every block begins by attending to the inputs
    again, as the first Perceiver does; otherwise only the first block does.
    """

    num_latents: int
    latent_channels: int
    cross_attention: AttentionConfig
    self_attention: AttentionConfig
    num_layers: int
    num_blocks: int = 1
    share_blocks: bool = True
    repeat_cross_attention: bool = False

    def __post_init__(self) -> None:
        if self.repeat_cross_attention and not self.share_blocks:
            raise ValueError("repeat_cross_attention is defined for shared blocks only")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Cross-attention from the output queries [O, E] to the latents [N, D]."""

    cross_attention: AttentionConfig
    use_query_residual: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class FourierPosition:
    """Sine and cosine features: `num_bands` an axis, up to half of `max_resolution`."""

    num_bands: int
    max_resolution: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedPosition:
    """One learned vector a position, projected to `projected_channels` by a linear map."""

    channels: int
    projected_channels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextInput:
    """Token embeddings [V, C] plus learned positions [max_length, C]."""

    vocab_size: int
    channels: int
    max_length: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageInput:
    """An image [H, W, 3] with its positions concatenated.

    `preparation`: `pixels` as they are, `linear` (a 1x1 convolution to `channels`) or
    `convolution` (7x7 to `channels`, batch norm, max pooling: a quarter of the size).
    `size` is the image size of training; Fourier positions serve any other too.
    """

    size: tuple[int, int]
    preparation: Literal["pixels", "linear", "convolution"]
    channels: int
    position: FourierPosition | LearnedPosition


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowInput:
    """Two frames [2, H, W, 3], side by side in the channels.

    `preparation`: `patches` (the 3x3 neighbourhood of each pixel, 54 values, then linear)
    or `convolution` (7x7 over both frames and max pooling: a quarter of the size).
    """

    size: tuple[int, int]
    preparation: Literal["patches", "convolution"]
    channels: int
    position: FourierPosition


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultimodalInput:
    """Video, its sound and its class, each padded to one channel count and masked.

    The label is masked with `label_mask_probability` in training and always in evaluation.
    """

    video_size: tuple[int, int, int]
    video_patch: tuple[int, int, int]
    video_bands: int
    audio_samples: int
    audio_patch: int
    audio_bands: int
    num_classes: int
    min_padding: int = 4
    label_mask_probability: float = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedQuery:
    """`num_queries` learned output queries [O, E]."""

    num_queries: int
    channels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PositionQuery:
    """One learned output query for each input position, at most `max_length`; [O=M, E]."""

    max_length: int
    channels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputQuery:
    """The adapted inputs themselves are the output queries (optical flow)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultimodalQuery:
    """Fourier queries for sound and pixels, a learned one for the class, all padded."""

    label_channels: int
    min_padding: int = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Logits:
    """A linear map from the one output to `num_classes` logits [B, num_classes]."""

    num_classes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class AveragedLogits:
    """The mean over the latents, then linear (the first Perceiver; no decoder)."""

    num_classes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TanhLogits:
    """The two-layer tanh head of GLUE (paper, section F.4): [B, num_outputs]."""

    num_outputs: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TiedVocabulary:
    """Products with the input's token embeddings, plus a bias: logits [B, O, V]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowField:
    """A linear map to (u, v) in pixels for every query: flow [B, H, W, 2]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpsampledFlowField:
    """Flow at a quarter of the size, upsampled by learned convex 3x3 weights (RAFT)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultimodalOutput:
    """A linear map to `channels`, then one linear map for each modality."""

    channels: int


InputConfig = TextInput | ImageInput | FlowInput | MultimodalInput
QueryConfig = LearnedQuery | PositionQuery | InputQuery | MultimodalQuery
HeadConfig = (
    Logits
    | AveragedLogits
    | TanhLogits
    | TiedVocabulary
    | FlowField
    | UpsampledFlowField
    | MultimodalOutput
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A whole network. `decoder` and `query` are None for `AveragedLogits` only.

    `activation` is GELU's tanh form in the original code and `gelu` (exact) in the port
    of the transformers library. `dtype` is what matrix products compute in; parameters,
    softmax and layer norm stay float32. `remat` recomputes activations in the backward
    pass, layer by layer.
    """

    input: InputConfig
    encoder: EncoderConfig
    query: QueryConfig | None
    decoder: DecoderConfig | None
    head: HeadConfig
    activation: Literal["gelu_tanh", "gelu"] = "gelu_tanh"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    remat: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        averaged = isinstance(self.head, AveragedLogits)
        if averaged != (self.decoder is None) or averaged != (self.query is None):
            raise ValueError(
                "a model has both a query and a decoder, or an AveragedLogits head and"
                f" neither; got {self.query}, {self.decoder}, {self.head}"
            )


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
    """How long and how a run trains; all intervals are in steps."""

    steps: int
    batch_size: int
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


DataConfig = TextData


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that decides a run besides the data folder and the seed."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig


_CONFIGS = {
    cls.__name__: cls
    for cls in (
        *(AttentionConfig, EncoderConfig, DecoderConfig, FourierPosition, LearnedPosition),
        *typing.get_args(InputConfig),
        *typing.get_args(QueryConfig),
        *typing.get_args(HeadConfig),
        *(ModelConfig, OptimizerConfig, TrainConfig, TextData, RunConfig),
    )
}


def to_dict(config: Any) -> Any:
    """Returns `config` as JSON values; every dataclass carries its name under `type`."""
    if dataclasses.is_dataclass(config):
        fields = {f.name: to_dict(getattr(config, f.name)) for f in dataclasses.fields(config)}
        return {"type": type(config).__name__, **fields}
    return [to_dict(item) for item in config] if isinstance(config, tuple) else config


def from_dict(value: Any) -> Any:
    """Builds the configuration that `to_dict` wrote.

    Raises:
        UserError: if a type or a field is not one of this version's.
    """
    if isinstance(value, list):
        return tuple(from_dict(item) for item in value)
    if not isinstance(value, dict):
        return value
    fields = {name: from_dict(item) for name, item in value.items() if name != "type"}
    cls = _CONFIGS.get(value.get("type", ""))
    if cls is None:
        raise UserError(f"configuration of unknown type {value.get('type')!r}")
    try:
        return cls(**fields)
    except TypeError as error:
        raise UserError(f"configuration {cls.__name__} of another version: {error}") from error
