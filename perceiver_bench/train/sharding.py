# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Places arrays on devices: batches are split over them, everything else is copied."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from perceiver_bench.errors import UserError


def data_mesh() -> Mesh:
    """Returns a mesh of all devices along one axis, `data`.

    The axis is of type Auto: JAX's default, Explicit, refuses code that leaves the
    placement of intermediate arrays to the compiler.
    """
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copies every array of a tree to all devices of the mesh."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def shard_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Splits every array of a batch along its first axis over the mesh."""
    return jax.device_put(batch, NamedSharding(mesh, PartitionSpec("data")))


def check_batch_size(batch_size: int, accumulation: int, mesh: Mesh) -> None:
    """Raises UserError unless every part of the batch divides over the devices."""
    num_devices = mesh.devices.size
    if batch_size % (accumulation * num_devices):
        parts = f" times train.accumulation={accumulation}" if accumulation > 1 else ""
        raise UserError(
            f"--set=train.batch_size={batch_size}: it has to be a multiple of the"
            f" {num_devices} devices{parts}"
        )
