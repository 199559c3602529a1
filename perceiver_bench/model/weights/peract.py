# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch state dicts of PerAct's releases (`QAttentionAgent_layer0.pt`).

The network stands in them under a prefix that depends on what was saved: the agent as it was
trained, as it is evaluated, or the network alone. Beside it may stand tables that the original
code computes anew, of the voxel grid and of the spatial softmax. They are no weights: they are
told apart by name and not kept.
"""

import pathlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from absl import logging

from perceiver_bench.config import EncoderConfig, ModelConfig, VoxelActions, VoxelInput
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import mapping, torch_files
from perceiver_bench.model.weights.mapping import Entry, Weights

# That of the releases first: weights that never had one get it.
PREFIXES = ("_qnet.module.", "_qnet.", "module.", "")
# In `Weights.extras`: the prefix that the weights were read with.
PREFIX_FILE = "peract_prefix.txt"
_TABLES = ("ss0.pos_", "ss1.pos_", "ss_final.pos_")
_GRID_TABLES = "_voxelizer."
_KEYS_AND_VALUES = "to_kv.weight"


def is_peract(config: ModelConfig) -> bool:
    """Whether `config` is a size of PerAct's network."""
    match config.input, config.encoder, config.head:
        case VoxelInput(instruction_encoder=None), EncoderConfig(num_blocks=1), VoxelActions():
            return True
    return False


def entries(config: ModelConfig) -> Iterator[Entry]:
    """Yields the table for `config`.

    Keys and values are one array there; `KEY:keys` and `KEY:values` are its halves.

    Raises:
        UserError: for another network than PerAct's.
    """
    if not is_peract(config):
        raise UserError("this network is not PerAct's, so the format peract does not exist for it")
    yield Entry("adapter.features.kernel", None, "input_preprocess.conv3d.weight", "voxel_map")
    yield Entry("adapter.features.bias", None, "input_preprocess.conv3d.bias")
    yield from _convolution("adapter.patches", "patchify")
    yield from _linear("adapter.proprioception", "proprio_preprocess.linear")
    yield from _linear("adapter.language", "lang_preprocess")
    yield Entry("adapter.positions", None, "pos_encoding", "batched")
    yield Entry("encoder.latents", None, "latents")
    yield from _attention("encoder.cross_attention", "cross_attend_blocks.0")
    yield from _mlp("encoder.cross_attention", "cross_attend_blocks.1")
    for layer in range(config.encoder.num_layers):
        yield from _attention("encoder.self_attention", f"layers.{layer}.0", layer)
        yield from _mlp("encoder.self_attention", f"layers.{layer}.1", layer)
    yield from _attention("decoder", "decoder_cross_attn")
    yield from _convolution("head.coarse", "up0.conv_up.0")
    yield from _convolution("head.fine", "up0.conv_up.2")
    yield from _convolution("head.joint", "final")
    yield from _convolution("head.translation", "trans_decoder")
    yield from _linear("head.wide", "dense0.linear")
    yield from _linear("head.narrow", "dense1.linear")
    yield from _linear("head.output", "rot_grip_collision_ff.linear")


def _convolution(path: str, module: str) -> Iterator[Entry]:
    yield Entry(f"{path}.kernel", None, f"{module}.conv3d.weight", "convolution_3d")
    yield Entry(f"{path}.bias", None, f"{module}.conv3d.bias")


def _linear(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    yield Entry(f"{path}.kernel", layer, f"{module}.weight", "transposed")
    yield Entry(f"{path}.bias", layer, f"{module}.bias")


def _norm(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    yield Entry(f"{path}.scale", layer, f"{module}.weight")
    yield Entry(f"{path}.bias", layer, f"{module}.bias")


def _attention(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    """The entries of an attention; that of a stack has one norm, others have two."""
    if layer is None:
        yield from _norm(f"{path}.query_norm", f"{module}.norm")
        yield from _norm(f"{path}.key_norm", f"{module}.norm_context")
    else:
        yield from _norm(f"{path}.norm", f"{module}.norm", layer)
    both = f"{module}.fn.{_KEYS_AND_VALUES}"
    yield Entry(f"{path}.attention.query.kernel", layer, f"{module}.fn.to_q.weight", "transposed")
    yield Entry(f"{path}.attention.key.kernel", layer, f"{both}:keys", "transposed")
    yield Entry(f"{path}.attention.value.kernel", layer, f"{both}:values", "transposed")
    yield from _linear(f"{path}.attention.output", f"{module}.fn.to_out", layer)


def _mlp(path: str, module: str, layer: int | None = None) -> Iterator[Entry]:
    yield from _norm(f"{path}.mlp_norm", f"{module}.norm", layer)
    yield from _linear(f"{path}.mlp.hidden", f"{module}.fn.net.0", layer)
    yield from _linear(f"{path}.mlp.output", f"{module}.fn.net.2", layer)


def _prefix(names: Iterable[str]) -> str:
    """Returns the prefix of the network's arrays in a state dict."""
    found = (prefix for prefix in PREFIXES if any(name.startswith(prefix) for name in names))
    return next(found, "")


def from_state_dict(
    arrays: Mapping[str, np.ndarray], config: ModelConfig, *, where: str
) -> Weights:
    """Builds weights from the arrays of a state dict.

    Raises:
        UserError: if they are not those of `config`, naming what differs.
    """
    prefix = _prefix(arrays)
    source, tables = {}, []
    for name, array in arrays.items():
        key = name.removeprefix(prefix)
        if key.startswith(_TABLES) or name.startswith(_GRID_TABLES):
            tables.append(name)
        elif key.endswith(_KEYS_AND_VALUES) and array.ndim == 2 and len(array) % 2 == 0:
            source[f"{key}:keys"], source[f"{key}:values"] = np.split(array, 2)
        else:
            source[key] = array
    if tables:
        logging.info("%s: %d tables that are computed anew are left out", where, len(tables))
    params, state = mapping.read(source, entries(config), config, where=where)
    extras = {PREFIX_FILE: prefix.encode()}
    return Weights(config=config, params=params, state=state, extras=extras)


def to_state_dict(weights: Weights) -> dict[str, np.ndarray]:
    """Returns the arrays under the names of a state dict, with the prefix they were read with."""
    prefix = weights.extras.get(PREFIX_FILE, PREFIXES[0].encode()).decode()
    if prefix not in PREFIXES:
        raise UserError(f"{PREFIX_FILE} of these weights holds {prefix[:40]!r}: no known prefix")
    found = mapping.write(weights, entries(weights.config))
    arrays = {}
    for key, array in found.items():
        name, _, half = key.partition(":")
        if not half:
            arrays[prefix + name] = array
        elif half == "keys":
            arrays[prefix + name] = np.concatenate([array, found[f"{name}:values"]])
    return arrays


def load(path: pathlib.Path, config: ModelConfig) -> Weights:
    """Reads a `.pt` file.

    Raises:
        UserError: if the file is damaged, or it holds another model.
    """
    return from_state_dict(torch_files.read_state_dict(path), config, where=str(path))


def save(path: pathlib.Path, weights: Weights) -> None:
    """Writes a `.pt` file, atomically.

    Raises:
        UserError: if PyTorch is missing or the file cannot be written.
    """
    torch_files.write_state_dict(path, to_state_dict(weights))
