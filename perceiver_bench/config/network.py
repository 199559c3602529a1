# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of the network; letters are those of `perceiver_bench/model/perceiver.py`."""

import dataclasses
from typing import Literal

from perceiver_bench.config.voxels import VoxelActions, VoxelInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """One attention with the MLP that follows it.

    `qk_channels` None means as many as the keys' input has; `v_channels` None means as
    many as `qk_channels`. The MLP is `widening_factor` times as wide as its input. PerAct has
    no bias in the maps to queries, keys and values, and a gate beside each hidden channel of
    the MLP (GEGLU).
    """

    num_heads: int = 1
    qk_channels: int | None = None
    v_channels: int | None = None
    widening_factor: int = 1
    use_bias: bool = True
    is_mlp_gated: bool = False


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
class TransformerConfig:
    """Layers of self-attention over the M inputs themselves, without latents (BERT's form).

    The layers have the inputs' channels; a layer norm follows the last one. Such a network
    has neither query nor decoder: the head reads the outputs [B, M, C], `TiedVocabulary` all
    of them or those at `output_positions`, the heads of a single output the first one.
    """

    self_attention: AttentionConfig
    num_layers: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Cross-attention from the output queries [O, E] to the latents [N, D].

    PerAct's has no MLP and drops no attention weights.
    """

    cross_attention: AttentionConfig
    use_query_residual: bool = False
    use_mlp: bool = True
    use_dropout: bool = True


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
    """Token embeddings [V, C] plus learned positions [max_length, C].

    With `num_task_tokens` one of so many learned tokens comes before the text (paper,
    section 4.1: "shared input token" with 1, "task-specific input token" with more); it
    takes the first of the `max_length` positions.
    """

    vocab_size: int
    channels: int
    max_length: int
    num_task_tokens: int = 0

    def __post_init__(self) -> None:
        if self.num_task_tokens < 0:
            raise ValueError(f"num_task_tokens={self.num_task_tokens}: at least 0 is due")

    @property
    def max_text_length(self) -> int:
        """How many tokens of text have a position."""
        return self.max_length - bool(self.num_task_tokens)


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
    """Two frames [2, H, W, 3].

    `preparation`: `patches` (the 3x3 neighbourhood of each pixel, then linear), `pixels`
    (each pixel by itself, then linear) or `convolution` (7x7 and max pooling: a quarter of
    the size). `frames`: `concatenated`, side by side in the channels, so that each place is
    one input; or `apart`, each frame through the same maps, two inputs for each place.
    `position` is that of rows and columns. Frames apart have time as an axis before them,
    with as many bands and a resolution of 2.
    """

    size: tuple[int, int]
    preparation: Literal["patches", "pixels", "convolution"]
    channels: int
    position: FourierPosition
    frames: Literal["concatenated", "apart"] = "concatenated"


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
class TaskQuery:
    """A learned output query for each of several tasks; the example's own is decoded, [1, E].

    The "multitask query" of the paper's section 4.1.
    """

    num_tasks: int
    channels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputQuery:
    """The adapted inputs themselves are the output queries (optical flow, voxels).

    Of two frames that are apart those of the first one; of voxels and words the voxels.
    """


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
class TaskLogits:
    """A head as `TanhLogits` for each of several tasks: [B, num_tasks, num_outputs]."""

    num_tasks: int
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


InputConfig = TextInput | ImageInput | FlowInput | MultimodalInput | VoxelInput
QueryConfig = LearnedQuery | PositionQuery | TaskQuery | InputQuery | MultimodalQuery
HeadConfig = (
    Logits
    | AveragedLogits
    | TanhLogits
    | TaskLogits
    | TiedVocabulary
    | FlowField
    | UpsampledFlowField
    | MultimodalOutput
    | VoxelActions
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A whole network.

    `decoder` and `query` are None for `AveragedLogits` and for a transformer only. A
    transformer is over text, its head one of those of text.

    `activation` is GELU's tanh form in the original code and `gelu` (exact) in the port
    of the transformers library. `dtype` is what matrix products compute in; parameters,
    softmax and layer norm stay float32. `remat` recomputes activations in the backward
    pass, layer by layer.
    """

    input: InputConfig
    encoder: EncoderConfig | TransformerConfig
    query: QueryConfig | None
    decoder: DecoderConfig | None
    head: HeadConfig
    activation: Literal["gelu_tanh", "gelu"] = "gelu_tanh"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    remat: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        is_transformer = isinstance(self.encoder, TransformerConfig)
        of_text = isinstance(self.head, TanhLogits | TaskLogits | TiedVocabulary)
        if is_transformer and not (of_text and isinstance(self.input, TextInput)):
            raise ValueError(f"a transformer is for text; got {self.input}, {self.head}")
        bare = is_transformer or isinstance(self.head, AveragedLogits)
        if bare != (self.decoder is None) or bare != (self.query is None):
            raise ValueError(
                "a model has both a query and a decoder, or an AveragedLogits head or a"
                f" transformer and neither; got {self.query}, {self.decoder}, {self.head}"
            )
        if isinstance(self.input, FlowInput):
            due = UpsampledFlowField if self.input.preparation == "convolution" else FlowField
            if not isinstance(self.head, due):
                raise ValueError(
                    f"flow from {self.input.preparation} needs the head {due.__name__}, not"
                    f" {type(self.head).__name__}: start from a network that has it"
                )
        if isinstance(self.head, TaskLogits) and self.num_tasks not in (0, self.head.num_tasks):
            raise ValueError(
                f"the head is for {self.head.num_tasks} tasks, tokens or query for {self.num_tasks}"
            )

    @property
    def num_tasks(self) -> int:
        """From how many tasks a batch's `task` [B] chooses; 0 if the network does not read it."""
        if isinstance(self.query, TaskQuery):
            return self.query.num_tasks
        if isinstance(self.input, TextInput) and self.input.num_task_tokens > 1:
            return self.input.num_task_tokens
        return 0
