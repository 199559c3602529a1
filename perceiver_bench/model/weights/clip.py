# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The weights of CLIP's text transformer, from OpenAI's files and Hugging Face's folders.

Files that hold the image tower too are read; its arrays are known by their names and left out.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping

import jax
import numpy as np
from flax import nnx

from perceiver_bench.errors import UserError
from perceiver_bench.model.clip_text import ClipText, ClipTextConfig
from perceiver_bench.model.weights import mapping
from perceiver_bench.model.weights.huggingface_files import CONFIG_FILE, read_json, read_weights
from perceiver_bench.model.weights.mapping import Entry, Layout
from perceiver_bench.model.weights.torch_archive import read_archive

# The original code does not store the number of heads: it is the channels divided by this.
_HEAD_CHANNELS = 64
# What a config.json may leave out, as the transformers library fills it in, and what the
# network here is made for.
_HUGGINGFACE_FIELDS = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
_HUGGINGFACE_HEADS = 8


@dataclasses.dataclass(frozen=True)
class _Names:
    """How a format calls the arrays; `layer` goes before the names of a layer's."""

    embedding: str
    positions: str
    layer: str
    attention_norm: str
    attention: tuple[str, str, str, str]  # query, key, value, output
    mlp_norm: str
    mlp: tuple[str, str]  # hidden, output
    norm: str
    projection: str
    projection_layout: Layout
    # Arrays that belong to the image tower, or that the original code computes anew.
    left_out: tuple[str, ...]


_OPENAI = _Names(
    embedding="token_embedding.weight",
    positions="positional_embedding",
    layer="transformer.resblocks.",
    attention_norm="ln_1",
    # The first three are one array, `in_proj_weight`, and its parts get these names here.
    attention=("attn.in_proj:query", "attn.in_proj:key", "attn.in_proj:value", "attn.out_proj"),
    mlp_norm="ln_2",
    mlp=("mlp.c_fc", "mlp.c_proj"),
    norm="ln_final",
    projection="text_projection",
    projection_layout="same",
    left_out=("visual.", "logit_scale", "input_resolution", "context_length", "vocab_size"),
)
_HUGGINGFACE = _Names(
    embedding="embeddings.token_embedding.weight",
    positions="embeddings.position_embedding.weight",
    layer="encoder.layers.",
    attention_norm="layer_norm1",
    attention=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
    mlp_norm="layer_norm2",
    mlp=("mlp.fc1", "mlp.fc2"),
    norm="final_layer_norm",
    projection="text_projection.weight",
    projection_layout="transposed",
    left_out=("vision_model.", "visual_projection.", "logit_scale", "embeddings.position_ids"),
)


def load(path: pathlib.Path) -> ClipText:
    """Returns the text transformer whose weights are at `path`, in float32.

    Args:
        path: OpenAI's file (`RN50.pt`, a TorchScript archive, whose code is not run), a state
            dict of that model written by `torch.save`, or the Hugging Face folder of a
            `CLIPModel`, `CLIPTextModelWithProjection` or `CLIPTextModel`; the last has no
            projection.

    Raises:
        UserError: if there is none of these, or it is damaged, or of another network.
    """
    if path.is_dir():
        return _from_folder(path)
    arrays = _left_in(_split_attention(read_archive(path)), _OPENAI)
    channels = _size(arrays, _OPENAI.embedding, 1, path)
    if channels % _HEAD_CHANNELS:
        raise UserError(
            f"{path}: {_OPENAI.embedding} has {channels} channels, which is no multiple of"
            f" {_HEAD_CHANNELS}, so this is not OpenAI's text transformer"
        )
    return _filled(arrays, _OPENAI, channels // _HEAD_CHANNELS, path)


def _from_folder(folder: pathlib.Path) -> ClipText:
    fields = read_json(folder / CONFIG_FILE)
    fields = fields.get("text_config", fields)
    if not isinstance(fields, dict):
        raise UserError(f"{folder / CONFIG_FILE}: text_config is no object; fetch it again")
    for name, due in _HUGGINGFACE_FIELDS.items():
        if (found := fields.get(name, due)) != due:
            raise UserError(
                f"{folder / CONFIG_FILE}: {name} is {found!r}; the text transformer of OpenAI's"
                f" releases has {due!r}, and no other is supported"
            )
    num_heads = fields.get("num_attention_heads", _HUGGINGFACE_HEADS)
    arrays = {
        name.removeprefix("text_model."): array for name, array in read_weights(folder).items()
    }
    arrays = _left_in(arrays, _HUGGINGFACE)
    channels = _size(arrays, _HUGGINGFACE.embedding, 1, folder)
    if type(num_heads) is not int or num_heads < 1 or channels % num_heads:
        raise UserError(
            f"{folder / CONFIG_FILE}: num_attention_heads is {num_heads!r}, into which"
            f" {channels} channels do not divide"
        )
    return _filled(arrays, _HUGGINGFACE, num_heads, folder)


def _left_in(arrays: Mapping[str, np.ndarray], names: _Names) -> dict[str, np.ndarray]:
    return {name: leaf for name, leaf in arrays.items() if not name.startswith(names.left_out)}


def _split_attention(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Splits each array that holds the query, key and value map one after the other."""
    split: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        module, _, kind = name.rpartition("attn.in_proj_")
        if kind in ("weight", "bias") and array.ndim and len(array) % 3 == 0:
            for part, piece in zip(_OPENAI.attention, np.split(array, 3), strict=False):
                split[f"{module}{part}.{kind}"] = piece
        else:
            split[name] = array
    return split


def _size(arrays: Mapping[str, np.ndarray], name: str, axis: int, where: pathlib.Path) -> int:
    """Returns the size of one axis of a matrix."""
    if name not in arrays:
        raise UserError(f"{where} holds no text transformer of CLIP: it lacks {name}")
    if arrays[name].ndim != 2 or not arrays[name].size:
        raise UserError(f"{where}: {name} is {list(arrays[name].shape)} and no matrix")
    return arrays[name].shape[axis]


def _entries(names: _Names, config: ClipTextConfig) -> Iterator[Entry]:
    """Yields where each of our leaves stands in the source."""
    yield Entry("embedding.embedding", None, names.embedding)
    yield Entry("positions", None, names.positions)
    for layer in range(config.num_layers):
        prefix = f"{names.layer}{layer}."
        yield from _norm("layers.norm", prefix + names.attention_norm, layer)
        for path, module in zip(("query", "key", "value", "output"), names.attention, strict=True):
            yield from _linear(f"layers.{path}", prefix + module, layer)
        yield from _norm("layers.mlp_norm", prefix + names.mlp_norm, layer)
        for path, module in zip(("mlp_hidden", "mlp_output"), names.mlp, strict=True):
            yield from _linear(f"layers.{path}", prefix + module, layer)
    yield from _norm("norm", names.norm)
    if config.projection_channels is not None:
        yield Entry("projection.kernel", None, names.projection, names.projection_layout)


def _norm(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    yield Entry(f"{path}.scale", layer, f"{module}.weight")
    yield Entry(f"{path}.bias", layer, f"{module}.bias")


def _linear(path: str, module: str, layer: int) -> Iterator[Entry]:
    yield Entry(f"{path}.kernel", layer, f"{module}.weight", "transposed")
    yield Entry(f"{path}.bias", layer, f"{module}.bias")


def _filled(
    arrays: dict[str, np.ndarray], names: _Names, num_heads: int, where: pathlib.Path
) -> ClipText:
    """Returns the network of the arrays' sizes with the arrays in it."""
    layers = {
        name.removeprefix(names.layer).split(".")[0]
        for name in arrays
        if name.startswith(names.layer)
    }
    projection_channels = None
    if names.projection in arrays:
        axis = 0 if names.projection_layout == "transposed" else 1
        projection_channels = _size(arrays, names.projection, axis, where)
    config = ClipTextConfig(
        vocab_size=_size(arrays, names.embedding, 0, where),
        num_positions=_size(arrays, names.positions, 0, where),
        channels=_size(arrays, names.embedding, 1, where),
        num_heads=num_heads,
        num_layers=max(1, len(layers)),
        projection_channels=projection_channels,
    )
    structure, state = nnx.split(nnx.eval_shape(lambda: ClipText(config, rngs=nnx.Rngs(0))))
    expected = mapping.flatten(nnx.to_pure_dict(state))
    leaves = mapping.fill(arrays, _entries(names, config), expected, where=str(where))
    nnx.replace_by_pure_dict(state, jax.device_put(mapping.unflatten(leaves)))
    return nnx.merge(structure, state)
