# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Meshes of devices: what `--mesh` means, and whether a run fits on it."""

import math

import jax
from jax.sharding import AxisType, Mesh

from perceiver_bench import memory
from perceiver_bench.config import EncoderConfig, RunConfig
from perceiver_bench.errors import UserError, nearest

AXES = ("data", "fsdp", "tensor")
"""Batches are split over the first two, parameters over `fsdp`, layers' channels over `tensor`."""

BATCH_AXES = AXES[:2]

# Parameters, their gradients and the optimizer's two moments, in float32.
_BYTES_PER_PARAMETER = 16


def parse(text: str) -> dict[str, int]:
    """Returns the size of every axis; those that `text`, as in `data:4,fsdp:2`, leaves out are 1.

    Raises:
        UserError: for anything else.
    """
    sizes = {}
    for part in text.split(","):
        name, _, size = part.strip().partition(":")
        if name not in AXES:
            raise UserError(f"--mesh={text}: no axis {name!r}.{nearest(name, AXES)}")
        if name in sizes:
            raise UserError(f"--mesh={text}: {name} comes twice")
        if not size.isdecimal() or not int(size):
            raise UserError(f"--mesh={text}: a size is due after {name}, as in {name}:2")
        sizes[name] = int(size)
    return {name: sizes.get(name, 1) for name in AXES}


def automatic(num_params: int, num_devices: int, device_bytes: float) -> dict[str, int]:
    """Returns the mesh that divides parameters over as few devices as they fit on.

    What training keeps of them takes at most half of a device's memory, for activations need the
    rest; where they never do, they are divided over all devices.
    """
    needed = _BYTES_PER_PARAMETER * num_params
    divisors = [size for size in range(1, num_devices + 1) if num_devices % size == 0]
    fsdp = next((size for size in divisors if needed / size <= device_bytes / 2), num_devices)
    return {"data": num_devices // fsdp, "fsdp": fsdp, "tensor": 1}


def make(text: str | None, num_params: int) -> Mesh:
    """Returns the mesh of all devices that `--mesh` asks for; without it, `data` has them all.

    Its axes are of type Auto: JAX's default, Explicit, refuses code that leaves the placement of
    intermediate arrays to the compiler.

    Raises:
        UserError: for a text that is no mesh, or one of another number of devices.
    """
    count = jax.device_count()
    if text is None:
        sizes = {"data": count, "fsdp": 1, "tensor": 1}
    elif text == "auto":
        sizes = automatic(num_params, count, _device_bytes())
    else:
        sizes = parse(text)
    if (total := math.prod(sizes.values())) != count:
        raise UserError(
            f"--mesh={text}: {total} devices, but there are {count}; such as data:{count}"
        )
    return jax.make_mesh(
        tuple(sizes.values()), tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes)
    )


def describe(mesh: Mesh) -> str:
    """Returns the mesh as `--mesh` would say it, axes of one device left out."""
    sizes = [f"{name}:{size}" for name, size in mesh.shape.items() if size > 1]
    return ",".join(sizes) or "data:1"


def batch_parts(mesh: Mesh) -> int:
    """Returns over how many groups of devices a batch is split."""
    return math.prod(mesh.shape[name] for name in BATCH_AXES)


def check(config: RunConfig, mesh: Mesh) -> None:
    """Raises UserError unless batch and heads divide over the mesh, naming sizes that would."""
    batch_size, accumulation = config.train.batch_size, config.train.accumulation
    parts = batch_parts(mesh)
    if batch_size % (accumulation * parts):
        times = f" times train.accumulation={accumulation}" if accumulation > 1 else ""
        unit = accumulation * parts
        above = math.ceil(batch_size / unit) * unit
        raise UserError(
            f"--set=train.batch_size={batch_size}: it has to be a multiple of the {parts} devices"
            f" that share it{times}, such as {above}; --mesh={describe(mesh)}"
        )
    encoder, tensor = config.model.encoder, mesh.shape["tensor"]
    heads = encoder.self_attention.num_heads
    if heads % tensor:
        kind = "encoder" if isinstance(encoder, EncoderConfig) else "transformer"
        would = [str(size) for size in range(2, heads + 1) if heads % size == 0]
        raise UserError(
            f"--mesh={describe(mesh)}: the {heads} heads of the {kind}'s self-attention do not"
            f" divide by tensor:{tensor}; {' or '.join(would) or 'only 1'} would"
        )


def _device_bytes() -> float:
    """Returns the memory of one device; processors share that of their machine."""
    statistics = jax.local_devices()[0].memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    return memory.total_bytes() / jax.local_device_count()
