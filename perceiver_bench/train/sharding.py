# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where the arrays of a training run live: rules from the paths of parameters to a mesh.

Modules know nothing of it. A rule names the axes of the mesh for the last dimensions of every
parameter whose path ends as it says; the moments of the optimizer have their parameter's path
and go where it goes. What no rule names is whole on every device: biases, normalisation,
convolutions, the state of batch normalisation. The compiler moves what a step needs.
"""

import re
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from perceiver_bench.errors import UserError
from perceiver_bench.train.mesh import AXES, BATCH_AXES, describe

_FSDP, _TENSOR = AXES[1:]

_RULES = (
    # Heads, and the channels within the MLP, are computed apart and summed at the end.
    (r"self_attention/attention/(query|key|value)/kernel", (_FSDP, _TENSOR)),
    (r"self_attention/attention/(query|key|value)/bias", (_TENSOR,)),
    (r"self_attention/attention/output/kernel", (_TENSOR, _FSDP)),
    (r"self_attention/mlp/hidden/kernel", (_FSDP, _TENSOR)),
    (r"self_attention/mlp/hidden/bias", (_TENSOR,)),
    (r"self_attention/mlp/output/kernel", (_TENSOR, _FSDP)),
    # Cross-attention has one head in most networks: none to be given away.
    (r"(query|key|value|hidden|narrow|wide|language)/kernel", (_FSDP, None)),
    (r"output/kernel", (None, _FSDP)),
    (r"(embeddings|positions|latents|queries)", (None, _FSDP)),
)
_PATTERNS = tuple((re.compile(rf"(^|/){pattern}$"), axes) for pattern, axes in _RULES)

# Elements up to which an array that does not divide may be whole everywhere: 4 MiB in float32.
_SMALL = 2**20


def partition(path: str, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    """Returns over which axes of the mesh each dimension of an array is split.

    A dimension that `fsdp` does not divide leaves that to another one which no rule names.

    Raises:
        UserError: for an array of more than 4 MiB of which no dimension divides, and for one of
            which `tensor` does not divide the channels.
    """
    axes = next((axes for pattern, axes in _PATTERNS if pattern.search(path)), ())
    if not axes or len(axes) > len(shape):
        return PartitionSpec()
    # Before the dimensions that a rule names come those of stacked layers.
    names = [None] * (len(shape) - len(axes)) + list(axes)
    if _TENSOR in names and shape[names.index(_TENSOR)] % mesh.shape[_TENSOR]:
        raise UserError(_does_not_divide(path, shape, _TENSOR, shape[names.index(_TENSOR)], mesh))
    if _FSDP in names:
        size, place = mesh.shape[_FSDP], names.index(_FSDP)
        names[place] = None
        first = len(shape) - len(axes)
        free = [at for at in range(first, len(shape)) if names[at] is None and not shape[at] % size]
        if free:
            names[place if place in free else free[0]] = _FSDP
        elif np.prod(shape) > _SMALL:
            raise UserError(_does_not_divide(path, shape, _FSDP, shape[place], mesh))
    return PartitionSpec(*names)


def _does_not_divide(path: str, shape: tuple[int, ...], axis: str, length: int, mesh: Mesh) -> str:
    would = [str(size) for size in range(2, 65) if length % size == 0]
    return (
        f"--mesh={describe(mesh)}: {path} {list(shape)} does not divide by"
        f" {axis}:{mesh.shape[axis]}; {', '.join(would) or 'only 1'} would"
    )


def of_state(state: Any, mesh: Mesh) -> Any:
    """Returns the sharding of every array of a training state, or of shapes alone.

    Raises:
        UserError: as `partition` does.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: NamedSharding(
            mesh,
            partition(jax.tree_util.keystr(path, simple=True, separator="/"), leaf.shape, mesh),
        ),
        state,
    )


def whole(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of what every device has a copy of."""
    return NamedSharding(mesh, PartitionSpec())


def of_batch(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a batch, along the first dimension of each array."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def local_rows(mesh: Mesh, batch_size: int) -> np.ndarray:
    """Returns which rows of every batch the devices of this process hold, in order."""
    places = of_batch(mesh).addressable_devices_indices_map((batch_size,)).values()
    rows = np.arange(batch_size)
    return np.unique(np.concatenate([rows[place] for place in places if place is not None]))


def shard_batch(batch: dict[str, np.ndarray], mesh: Mesh, batch_size: int) -> dict[str, jax.Array]:
    """Returns batches of `batch_size` rows over all processes from the `local_rows` of each."""
    rows = local_rows(mesh, batch_size)
    sharding = of_batch(mesh)

    def place(array: np.ndarray) -> jax.Array:
        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None
            wanted = np.arange(batch_size)[index[0]]
            first = int(np.searchsorted(rows, wanted[0]))
            return array[first : first + len(wanted)]

        return jax.make_array_from_callback((batch_size, *array.shape[1:]), sharding, part)

    return {name: place(array) for name, array in batch.items()}


def place(tree: Any, shardings: Any) -> Any:
    """Returns arrays that every process has whole, placed as `shardings`, a tree like it, says."""

    def put(array: Any, sharding: NamedSharding) -> jax.Array:
        host = np.asarray(array)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    return jax.tree.map(put, tree, shardings)


def local_copy(tree: Any, mesh: Mesh) -> Any:
    """Returns the arrays of a tree whole, on one device of this process."""
    device = jax.local_devices()[0]
    gathered = jax.jit(lambda tree: tree, out_shardings=whole(mesh))(tree)
    return jax.device_put(jax.tree.map(lambda array: array.addressable_data(0), gathered), device)
