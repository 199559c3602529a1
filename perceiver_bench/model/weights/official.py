# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The names of the official releases (Haiku), for the six released networks.

Haiku counts modules in call order: in an attention `linear`, `linear_1`, `linear_2`,
`linear_3` are query, key, value and output; in a cross-attention `layer_norm`, `_1`, `_2`
are those of the queries, of the keys and before the MLP.
"""

import pathlib
from collections.abc import Iterator

import numpy as np
from absl import logging

from perceiver_bench.config import (
    EncoderConfig,
    FlowField,
    FlowInput,
    ImageInput,
    LearnedPosition,
    Logits,
    ModelConfig,
    MultimodalInput,
    TextInput,
    TiedVocabulary,
)
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import mapping, unpickle
from perceiver_bench.model.weights.mapping import Entry, Weights

_ATTENTION = {"query": "linear", "key": "linear_1", "value": "linear_2", "output": "linear_3"}
_CROSS_NORMS = {"query_norm": "layer_norm", "key_norm": "layer_norm_1", "mlp_norm": "layer_norm_2"}
_SELF_NORMS = {"norm": "layer_norm", "mlp_norm": "layer_norm_1"}
_NO_FORMAT = (
    "this network is none of the six released ones, so the official and Hugging Face"
    " formats do not exist for it; choose --format=orbax"
)


def released_encoder(config: ModelConfig) -> EncoderConfig:
    """Returns the encoder of `config`, of which the released networks have one kind only.

    Raises:
        UserError: for a transformer, a repeated cross-attention or blocks of their own.
    """
    match config.encoder:
        case EncoderConfig(share_blocks=True, repeat_cross_attention=False) as encoder:
            return encoder
    raise UserError(_NO_FORMAT)


def family(config: ModelConfig) -> str:
    """Returns which of the released networks `config` is a size of.

    Raises:
        UserError: if it is none of them; then the other formats do not exist for it.
    """
    released_encoder(config)
    match config.input, config.head:
        case TextInput(num_task_tokens=0), TiedVocabulary():
            return "language"
        case ImageInput(preparation="pixels"), Logits():
            return "imagenet_fourier"
        case ImageInput(preparation="linear", position=LearnedPosition()), Logits():
            return "imagenet_learned"
        case ImageInput(preparation="convolution"), Logits():
            return "imagenet_conv"
        case FlowInput(preparation="patches", frames="concatenated"), FlowField():
            return "flow"
        case MultimodalInput(), _:
            return "multimodal"
    raise UserError(_NO_FORMAT)


def _linear(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    yield Entry(f"{path}.kernel", layer, f"{module}:w")
    yield Entry(f"{path}.bias", layer, f"{module}:b")


def _block(path: str, module: str, norms: dict[str, str], layer: int | None = None):
    """The entries of one attention block with its MLP."""
    for ours, theirs in norms.items():
        yield Entry(f"{path}.{ours}.scale", layer, f"{module}/{theirs}:scale")
        yield Entry(f"{path}.{ours}.bias", layer, f"{module}/{theirs}:offset")
    for ours, theirs in _ATTENTION.items():
        yield from _linear(f"{path}.attention.{ours}", f"{module}/attention/{theirs}", layer)
    yield from _linear(f"{path}.mlp.hidden", f"{module}/mlp/linear", layer)
    yield from _linear(f"{path}.mlp.output", f"{module}/mlp/linear_1", layer)


def _positions(path: str, module: str) -> Entry:
    return Entry(path, None, f"{module}:pos_embs")


def entries(config: ModelConfig) -> Iterator[Entry]:
    """Yields the table for `config`; keys are `module:name`."""
    name = family(config)
    encoder = "encoder/~" if name == "multimodal" else "perceiver_encoder/~"
    decoder = {
        "language": "basic_decoder",
        "flow": "flow_decoder/~/basic_decoder",
        "multimodal": "multimodal_decoder/~/basic_decoder",
    }.get(name, "classification_decoder/~/basic_decoder")
    yield _positions("encoder.latents", f"{encoder}/trainable_position_encoding")
    yield from _block("encoder.cross_attention", f"{encoder}/cross_attention", _CROSS_NORMS)
    for layer in range(config.encoder.num_layers):
        module = f"{encoder}/self_attention" + (f"_{layer}" if layer else "")
        yield from _block("encoder.self_attention", module, _SELF_NORMS, layer)
    yield from _block("decoder", f"{decoder}/cross_attention", _CROSS_NORMS)
    if name != "language":
        yield from _linear("head.output", f"{decoder}/output")
    yield from _SPECIFIC[name]()


def _language() -> Iterator[Entry]:
    yield Entry("adapter.embeddings", None, "embed:embeddings")
    yield _positions("adapter.positions", "trainable_position_encoding")
    yield _positions("query.queries", "basic_decoder/~/trainable_position_encoding")
    yield Entry("head.bias", None, "embedding_decoder:bias")


def _imagenet_fourier() -> Iterator[Entry]:
    module = "classification_decoder/~/basic_decoder/~/trainable_position_encoding"
    yield _positions("query.queries", module)


def _imagenet_learned() -> Iterator[Entry]:
    yield from _imagenet_fourier()
    module = "image_preprocessor/~/conv2_d"
    yield Entry("adapter.linear.kernel", None, f"{module}:w", "kernel_1x1")
    yield Entry("adapter.linear.bias", None, f"{module}:b")
    module = "image_preprocessor/~_build_network_inputs"
    yield _positions("adapter.positions", f"{module}/trainable_position_encoding")
    yield from _linear("adapter.projection", f"{module}/position_encoding_projector/linear")


def _imagenet_conv() -> Iterator[Entry]:
    yield from _imagenet_fourier()
    module = "image_preprocessor/~/conv2_d_downsample/~"
    yield Entry("adapter.stem.convolution.kernel", None, f"{module}/conv:w")
    yield Entry("adapter.stem.norm.scale", None, f"{module}/batchnorm:scale", "channels")
    yield Entry("adapter.stem.norm.bias", None, f"{module}/batchnorm:offset", "channels")
    for ours, theirs in (("mean", "mean_ema"), ("variance", "var_ema")):
        path, average = f"adapter.stem.norm.{ours}", f"{module}/batchnorm/~/{theirs}"
        yield Entry(f"{path}_average", None, f"{average}:average", "channels")
        yield Entry(f"{path}_hidden", None, f"{average}:hidden", "channels")
        yield Entry(f"{path}_counter", None, f"{average}:counter")


def _flow() -> Iterator[Entry]:
    yield from _linear("adapter.linear", "image_preprocessor/patches_linear")


def _multimodal() -> Iterator[Entry]:
    for name in ("audio", "image", "label"):
        module = f"multimodal_preprocessor/{name}"
        yield _positions(f"adapter.{name}_padding", f"{module}_padding")
        yield _positions(f"adapter.{name}_mask_token", f"{module}_mask_token")
        module = f"multimodal_decoder/~decoder_query/{name}_padding"
        yield _positions(f"query.{name}_padding", module)
    module = "classification_decoder/~/basic_decoder/~/trainable_position_encoding"
    yield _positions("query.label_query", module)
    yield from _linear("head.audio", "audio_postprocessor/linear")
    yield from _linear("head.image", "projection_postprocessor/linear")
    yield from _linear("head.label", "classification_postprocessor/linear")


_SPECIFIC = {
    "language": _language,
    "imagenet_fourier": _imagenet_fourier,
    "imagenet_learned": _imagenet_learned,
    "imagenet_conv": _imagenet_conv,
    "flow": _flow,
    "multimodal": _multimodal,
}


def from_modules(params: dict, state: dict, config: ModelConfig, *, where: str) -> Weights:
    """Builds weights from `{module: {name: array}}` as the releases hold them.

    Both trees are emptied on the way, as `mapping.read` empties its source.
    """
    source = {}
    for tree in (params, state):
        while tree:
            module, leaves = tree.popitem()
            source |= {f"{module}:{name}": array for name, array in leaves.items()}
    ours = mapping.read(source, entries(config), config, where=where)
    return Weights(config=config, params=ours[0], state=ours[1])


def to_modules(weights: Weights) -> tuple[dict, dict]:
    """Returns `{module: {name: array}}` of the parameters and of the batch-norm state."""
    params: dict[str, dict[str, np.ndarray]] = {}
    state: dict[str, dict[str, np.ndarray]] = {}
    table = list(entries(weights.config))
    paths = {entry.key: entry.path for entry in table}
    for key, array in mapping.write(weights, table).items():
        module, name = key.split(":")
        tree = state if mapping.is_state(paths[key]) else params
        tree.setdefault(module, {})[name] = array
    return params, state


def load(path: pathlib.Path, config: ModelConfig) -> Weights:
    """Reads a `.pystate` or `.pickle` release.

    Raises:
        UserError: if the file is damaged, holds anything but arrays, or another model.
    """
    params, state = unpickle.load_params(path)
    return from_modules(params, state, config, where=str(path))


def save(path: pathlib.Path, weights: Weights) -> None:
    """Writes a file in the container of the releases: ImageNet's hold the state too.

    The container has no place for the activation; the original code computes GELU's tanh
    form whatever the weights were trained with.
    """
    if weights.config.activation != "gelu_tanh":
        logging.warning(
            "%s: these weights are of a network with activation %s, which this format cannot"
            " say; the original code computes gelu_tanh",
            *(path, weights.config.activation),
        )
    params, state = to_modules(weights)
    with_state = family(weights.config).startswith("imagenet")
    unpickle.save(path, params, state, with_state=with_state)
