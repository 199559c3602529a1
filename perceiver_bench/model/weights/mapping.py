# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Carries parameters between our names and another implementation's, exactly both ways.

A source has one table: for every leaf of our network (and every layer of a stacked leaf)
the key it has there and how the array is laid out. Reading checks that every leaf is
filled, every key is used, and every shape agrees.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from perceiver_bench.config import ModelConfig
from perceiver_bench.errors import UserError
from perceiver_bench.model.perceiver import PerceiverIO

Layout = Literal[
    "same",
    "transposed",  # [out, in] for our [in, out]
    "convolution",  # [out, in, height, width] for our [height, width, in, out]
    "convolution_1x1",  # [out, in, 1, 1] for our [in, out]
    "convolution_3d",  # [out, in, depth, height, width] for our [depth, height, width, in, out]
    "voxel_map",  # [out, in, 1, 1, 1] for our [in, out]
    "batched",  # [1, ...] for our [...]
    "kernel_1x1",  # [1, 1, in, out] for our [in, out]
    "channels",  # [1, 1, 1, C] for our [C]
]
Tree = dict[str, Any]
_ALIGNMENT = 64


class Entry(NamedTuple):
    """Where one of our leaves, or one layer of it, stands in the source.

    `path`: dotted path of our leaf; `layer`: index along its leading axis, or None;
    `key`: the name there; `layout`: how the array is stored there.
    """

    path: str
    layer: int | None
    key: str
    layout: Layout = "same"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
    """A network's configuration with its parameters and batch-norm state, NumPy arrays.

    `extras` are small files that belong to the model, such as its tokenizer.
    """

    config: ModelConfig
    params: Tree
    state: Tree
    extras: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def expected_shapes(config: ModelConfig) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns shape and type of every parameter and state leaf, by dotted path."""
    return flatten(nnx.to_pure_dict(empty_model(config)[1]))


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the leaves of nested dicts by dotted path, in sorted order."""
    leaves: dict[str, Any] = {}
    for name in sorted(tree):
        path = f"{prefix}{name}"
        if isinstance(tree[name], Mapping):
            leaves.update(flatten(tree[name], f"{path}."))
        else:
            leaves[path] = tree[name]
    return leaves


def unflatten(leaves: Mapping[str, Any]) -> Tree:
    """Returns nested dicts from leaves by dotted path."""
    tree: Tree = {}
    for path, leaf in leaves.items():
        *parents, name = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree


def is_state(path: str) -> bool:
    """Says whether a leaf is batch-norm state and not a parameter."""
    return path.endswith(("_average", "_hidden", "_counter"))


def split_state(leaves: Mapping[str, Any]) -> tuple[Tree, Tree]:
    """Separates leaves by path into nested parameters and nested batch-norm state."""
    params = {path: leaf for path, leaf in leaves.items() if not is_state(path)}
    state = {path: leaf for path, leaf in leaves.items() if is_state(path)}
    return unflatten(params), unflatten(state)


def _from_source(array: np.ndarray, layout: Layout) -> np.ndarray:
    match layout:
        case "transposed":
            return array.T
        case "convolution":
            return array.transpose(2, 3, 1, 0)
        case "convolution_1x1":
            return array[:, :, 0, 0].T
        case "convolution_3d":
            return array.transpose(2, 3, 4, 1, 0)
        case "voxel_map":
            return array[:, :, 0, 0, 0].T
        case "batched":
            return array[0]
        case "kernel_1x1":
            return array[0, 0]
        case "channels":
            return array[0, 0, 0]
    return array


def _to_source(array: np.ndarray, layout: Layout) -> np.ndarray:
    match layout:
        case "transposed":
            return array.T
        case "convolution":
            return array.transpose(3, 2, 0, 1)
        case "convolution_1x1":
            return array.T[:, :, None, None]
        case "convolution_3d":
            return array.transpose(4, 3, 0, 1, 2)
        case "voxel_map":
            return array.T[:, :, None, None, None]
        case "batched":
            return array[None]
        case "kernel_1x1":
            return array[None, None]
        case "channels":
            return array[None, None, None]
    return array


def _list(keys: Iterable[str], limit: int = 8) -> str:
    keys = sorted(keys)
    rest = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(keys[:limit]) + rest


def read(
    source: dict[str, np.ndarray],
    entries: Iterable[Entry],
    config: ModelConfig,
    *,
    where: str,
) -> tuple[Tree, Tree]:
    """Returns our parameters and state of a network, filled as `fill` does; raises as it does."""
    return split_state(fill(source, entries, expected_shapes(config), where=where))


def fill(
    source: dict[str, np.ndarray],
    entries: Iterable[Entry],
    expected: Mapping[str, jax.ShapeDtypeStruct],
    *,
    where: str,
) -> dict[str, np.ndarray]:
    """Returns our leaves by dotted path, filled from a source's arrays by key.

    Args:
        source: Arrays by the source's keys. It is emptied on the way, so that two copies of
            all weights never exist.
        entries: The source's table for the network.
        expected: The leaves that are due.
        where: The file or folder, for messages.

    Raises:
        UserError: with the keys that are missing, left over, or of another shape or kind.
    """
    entries = list(entries)
    missing = {entry.key for entry in entries} - source.keys()
    unknown = source.keys() - {entry.key for entry in entries}
    if missing or unknown:
        parts = [f"lacks {_list(missing)}"] if missing else []
        parts += [f"has unknown {_list(unknown)}"] if unknown else []
        raise UserError(f"{where} holds another model: it {' and '.join(parts)}")
    wrong = []
    by_path: dict[str, list[Entry]] = {}
    for entry in entries:
        array, due = source[entry.key], expected[entry.path]
        shape = due.shape if entry.layer is None else due.shape[1:]
        source_shape = _to_source(np.broadcast_to(0, shape), entry.layout).shape
        kind = jnp.floating if jnp.issubdtype(due.dtype, jnp.floating) else jnp.integer
        if array.shape != source_shape:
            wrong.append(f"{entry.key} {list(array.shape)} instead of {list(source_shape)}")
        elif not jnp.issubdtype(array.dtype, kind):
            wrong.append(f"{entry.key} of type {array.dtype} instead of {due.dtype}")
        by_path.setdefault(entry.path, []).append(entry)
    if wrong:
        raise UserError(f"{where} holds another model: {'; '.join(wrong[:4])}")
    assert by_path.keys() == expected.keys(), sorted(by_path.keys() ^ expected.keys())
    leaves = {}
    for path, due in expected.items():
        leaves[path] = aligned_empty(due.shape, due.dtype)
        for entry in by_path[path]:
            # With `...` an array without axes is assigned too.
            target = leaves[path] if entry.layer is None else leaves[path][entry.layer]
            target[...] = _from_source(source.pop(entry.key), entry.layout)
    return leaves


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Returns an array at an address that JAX on a CPU takes over without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


def write(weights: Weights, entries: Iterable[Entry]) -> dict[str, np.ndarray]:
    """Returns our arrays under the source's keys and in its layout."""
    leaves = flatten(weights.params) | flatten(weights.state)
    arrays = {}
    for entry in entries:
        array = np.asarray(leaves[entry.path])
        array = array if entry.layer is None else array[entry.layer]
        arrays[entry.key] = np.asarray(_to_source(array, entry.layout), order="C")
    return arrays


def empty_model(config: ModelConfig, *, unstacked: bool = False) -> tuple[nnx.GraphDef, nnx.State]:
    """Returns a network's structure, and its state as shapes and types without any arrays.

    With `unstacked` the layers of the encoder are a list (`Encoder.unstack`).
    """

    def build() -> PerceiverIO:
        model = PerceiverIO(config, rngs=nnx.Rngs(0))
        if unstacked:
            model.encoder.unstack()
        return model

    return nnx.split(nnx.eval_shape(build))


def to_model(weights: Weights, *, unstacked: bool = False) -> PerceiverIO:
    """Builds the network, as `empty_model` does, and fills it.

    Arrays from `read` are taken over where the device allows it, so they must not be
    changed afterwards.
    """
    structure, state = empty_model(weights.config, unstacked=unstacked)
    tree = unflatten(flatten(weights.params) | flatten(weights.state))
    if unstacked:
        stack = tree["encoder"]["self_attention"]
        num_layers = jax.tree.leaves(stack)[0].shape[0]
        tree["encoder"]["self_attention"] = {
            layer: jax.tree.map(lambda leaf, layer=layer: leaf[layer], stack)
            for layer in range(num_layers)
        }
    nnx.replace_by_pure_dict(state, jax.device_put(tree))
    return nnx.merge(structure, state)
