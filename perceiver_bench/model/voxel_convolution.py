# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions over voxels, exact, at a fraction of the operations that they spell out.

All are of one example [V, V, V, I], repeat the outermost voxels beyond the border, and leave
the bias to the caller. On a CPU they are products of matrices, which XLA's own convolutions in
three dimensions and above all their gradients are far from.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from perceiver_bench.model import plan
from perceiver_bench.model.folded import product

# Of the released network: how its convolutions start, and its leaky rectifiers.
_INITIALIZER = jax.nn.initializers.he_uniform()
_SLOPE = 0.02
# Rows of tiles that `convolve_pair` takes at a time: what they are spread to stays in the
# caches, and one thread spreads while another multiplies.
_TILES = 10


def leaky_relu(inputs: jax.Array) -> jax.Array:
    """Returns the inputs, those below zero a fiftieth of what they are."""
    return jnp.maximum(inputs, _SLOPE * inputs)


class Convolution(nnx.Module):
    """The parameters of a convolution: kernel [k, k, k, I, O] and bias [O]."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        initializer: Callable[..., jax.Array] = _INITIALIZER,
        rngs: nnx.Rngs,
    ):
        self.kernel = nnx.Param(initializer(rngs.params(), (size, size, size, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))


def each_example(function: Callable[..., Any], *arrays: jax.Array) -> Any:
    """Maps a function of one example over arrays [B, ...]; on a CPU one after another."""
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda example: function(*example), arrays)
    return jax.vmap(function)(*arrays)


def pad_edges(voxels: jax.Array, before: int, after: int) -> jax.Array:
    """Repeats the outermost voxels of [..., D, H, W, C] along D, H and W."""
    padding = [(0, 0)] * (voxels.ndim - 4) + [(before, after)] * 3 + [(0, 0)]
    return jnp.pad(voxels, padding, mode="edge")


def convolve_plainly(voxels: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns the convolution [V, V, V, O] as XLA computes it; `kernel` [k, k, k, I, O]."""
    half = kernel.shape[0] // 2
    padded = pad_edges(voxels, half, half)
    return jax.lax.conv_general_dilated(
        padded[None].astype(dtype),
        kernel.astype(dtype),
        (1, 1, 1),
        "VALID",
        dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        preferred_element_type=jnp.float32,
    )[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_planes(voxels: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns the convolution [V, V, V, O], a plane after the other; `kernel` [k, k, k, I, O].

    The neighbourhoods of a plane, k^3 I channels for every voxel, stay in the caches. So they do
    in the gradient, whose three products cost three times what this one does.
    """
    half = kernel.shape[0] // 2
    return _within(pad_edges(voxels, half, half), kernel, dtype)


def _convolve_planes_forward(voxels, kernel, dtype):
    return convolve_planes(voxels, kernel, dtype), (voxels, kernel)


def _convolve_planes_backward(dtype, saved, cotangent):
    voxels, kernel = saved
    size, half, length = kernel.shape[0], kernel.shape[0] // 2, voxels.shape[0]
    padded = pad_edges(voxels, half, half)

    def step(total, place):
        rows = _neighbourhoods(padded, place, size)
        own = cotangent[place].reshape(len(rows), -1)
        return total + product(rows.T, own, dtype), None

    start = jnp.zeros((size**3 * voxels.shape[-1], cotangent.shape[-1]))
    of_kernel, _ = jax.lax.scan(step, start, jnp.arange(length))
    around = jnp.pad(cotangent, [(2 * half, 2 * half)] * 3 + [(0, 0)])
    turned = kernel[::-1, ::-1, ::-1].swapaxes(3, 4)
    of_voxels = _within(around, turned, dtype)
    for axis in range(3):  # What was repeated beyond the border belongs to the outermost voxels.
        first, middle, last = jnp.split(of_voxels, [half + 1, length + half - 1], axis=axis)
        ends = (part.sum(axis=axis, keepdims=True) for part in (first, last))
        of_voxels = jnp.concatenate([next(ends), middle, next(ends)], axis=axis)
    return of_voxels, of_kernel.reshape(kernel.shape)


convolve_planes.defvjp(_convolve_planes_forward, _convolve_planes_backward)


def _within(padded: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns the convolution of `padded` [D, H, W, I] where the whole kernel has room."""
    size, outputs = kernel.shape[0], kernel.shape[-1]
    depth, height, width = (length - size + 1 for length in padded.shape[:3])
    matrix = kernel.reshape(-1, outputs)

    def plane(place):
        return product(_neighbourhoods(padded, place, size), matrix, dtype)

    return jax.lax.map(plane, jnp.arange(depth)).reshape(depth, height, width, outputs)


def _neighbourhoods(padded: jax.Array, place: jax.Array, size: int) -> jax.Array:
    """Returns what a kernel of `size` sees from each voxel of a plane, [H W, size^3 I]."""
    planes = jax.lax.dynamic_slice_in_dim(padded, place, size)
    height, width = (length - size + 1 for length in padded.shape[1:3])
    taps = itertools.product(range(size), repeat=3)
    rows = [planes[z, y : y + height, x : x + width] for z, y, x in taps]
    return jnp.concatenate(rows, axis=-1).reshape(height * width, -1)


def convolve(voxels: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns the convolution [V, V, V, O] of a small grid; `kernel` [k, k, k, I, O].

    Each plane's neighbourhoods are gathered once, k * k * I channels for every voxel, so it
    is for grids of patches and not for those of voxels.
    """
    if not plan.rewrites_convolutions():
        return convolve_plainly(voxels, kernel, dtype)
    depth, height, width, _ = voxels.shape
    size, outputs = kernel.shape[0], kernel.shape[-1]
    padded = pad_edges(voxels, size // 2, size // 2)
    rows = [padded[:, y : y + height, x : x + width] for y in range(size) for x in range(size)]
    gathered = jnp.concatenate(rows, axis=-1)
    kernels = kernel.reshape(size, -1, outputs)
    return sum(
        (product(gathered[z : z + depth], kernels[z], dtype) for z in range(size)),
        jnp.zeros(()),
    )


def convolve_patches(
    voxels: jax.Array, kernel: jax.Array, prepare: Callable[[jax.Array], jax.Array], dtype
) -> jax.Array:
    """Returns the convolution [G, G, G, O] whose stride is its kernel's size p, G = V / p.

    Of `prepare(voxels)`, which maps each voxel by itself and is applied to a slab of p planes
    at a time, so that its result never exists whole. `kernel` [p, p, p, I, O].
    """
    patch, outputs = kernel.shape[0], kernel.shape[-1]
    size = voxels.shape[0]
    grid = size // patch
    shifted = pad_edges(voxels, patch // 2, 0)[:size, :size, :size]
    matrix = kernel.reshape(-1, outputs)

    @jax.checkpoint
    def slab(planes):
        planes = prepare(planes)
        cut = planes.reshape(patch, grid, patch, grid, patch, -1).transpose(1, 3, 0, 2, 4, 5)
        return product(cut.reshape(grid * grid, -1), matrix, dtype)

    slabs = shifted.reshape(grid, patch, size, size, -1)
    return jax.lax.map(slab, slabs).reshape(grid, grid, grid, outputs)


def convolve_upsampled(
    patches: jax.Array, kernel: jax.Array, finish: Callable[[jax.Array], jax.Array], dtype
) -> jax.Array:
    """Returns the convolution [V, V, V, O] of patches upsampled by the kernel's size p, V = G p.

    Trilinear upsampling of [G, G, G, I] puts each patch in the middle of p^3 voxels, zeros
    around it, and smooths along each axis with a tent of 2 p - 1 voxels. Convolutions may
    change places: before the smoothing each voxel has a single patch within the reach of the
    kernel [p, p, p, I, O], one product in place of p^3. Borders need nothing of their own, for
    upsampling repeats the outermost patch and so do its first and last voxels. `finish` maps
    each voxel of the result by itself, a slab of p planes at a time.
    """
    factor, outputs = kernel.shape[0], kernel.shape[-1]
    grid, size = patches.shape[0], patches.shape[0] * factor
    if plan.is_plain():
        shape = (size, size, size, patches.shape[-1])
        return finish(convolve_plainly(jax.image.resize(patches, shape, "linear"), kernel, dtype))
    reach = np.arange(1 - factor, factor)
    tent = (1 - np.abs(reach) / factor).astype(np.float32)
    # Depth is smoothed in the kernel: a slab then depends on three planes of patches.
    offsets = np.arange(3 * factor).reshape(3, 1, factor) - factor
    offsets = offsets - np.arange(factor)[:, None]
    weights = np.maximum(1 - np.abs(offsets) / factor, 0).astype(np.float32)
    kernel = jnp.einsum("nzd,dyxio->nizyxo", weights, kernel[::-1, ::-1, ::-1])
    matrix = kernel.reshape(3 * patches.shape[-1], -1)
    padded = pad_edges(patches, 1, 1)

    def smooth(planes, axis):
        parts = (
            weight * jax.lax.slice_in_dim(planes, start, start + size, axis=axis)
            for start, weight in enumerate(tent, start=1)
        )
        return sum(parts, jnp.zeros(()))

    def slab(neighbours):
        rows = jnp.concatenate(list(neighbours), axis=-1)
        spread = product(rows, matrix, dtype)
        spread = spread.reshape(grid + 2, grid + 2, factor, factor, factor, outputs)
        length = (grid + 2) * factor
        spread = spread.transpose(2, 0, 3, 1, 4, 5).reshape(factor, length, length, outputs)
        return finish(smooth(smooth(spread, 1), 2))

    neighbours = jnp.stack([padded[z : z + grid] for z in range(3)], axis=1)
    return jax.lax.map(jax.checkpoint(slab), neighbours).reshape(size, size, size, outputs)


def wide_kernel(kernel: jax.Array) -> jax.Array:
    """Returns the kernel [3, 3, 3, I, O] as `convolve_pair` needs it, [4, 4, 4, I, O]."""
    for axis in range(3):
        first, middle, last = (jnp.take(kernel, tap, axis=axis) for tap in range(3))
        even, odd = (first + last) / 2, middle / 2
        kernel = jnp.stack([first, even + odd, even - odd, last], axis=axis)
    return kernel


def convolve_pair(planes: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns two planes [2, V, V, O] of a convolution of 3^3 from the four that they need.

    Two neighbouring outputs of three taps each share inputs: four products give both in place
    of six (Winograd's F(2, 3)), along each axis, so that 64 do in place of 216.

    Args:
        planes: [4, V, V, I], the pair with a plane on either side.
        kernel: `wide_kernel` of it.
        dtype: What products are computed in.
    """
    size = planes.shape[1]
    half = -(-size // 2)
    far = 2 * half - size + 1
    padded = jnp.pad(planes, ((0, 0), (1, far), (1, far), (0, 0)), mode="edge")
    matrices = kernel.transpose(2, 1, 0, 3, 4)
    rows = [
        _convolve_rows(padded[:, 2 * start : 2 * min(start + _TILES, half) + 2], matrices, dtype)
        for start in range(0, half, _TILES)
    ]
    return jnp.concatenate(rows, axis=1)[:, :size, :size]


def _convolve_rows(planes: jax.Array, matrices: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns both planes [2, 2 R, 2 S, O] of R rows of S tiles, [4, 2 R + 2, 2 S + 2, I]."""
    height, width, outputs = planes.shape[1] - 2, planes.shape[2] - 2, matrices.shape[-1]
    tiles = planes
    for axis in (0, 2, 4):
        tiles = _spread(tiles, axis)
    found = product(tiles.reshape(4, 4, 4, height * width // 4, -1), matrices, dtype)
    found = found.reshape(4, 4, 4, height // 2, width // 2, outputs)
    found = jnp.moveaxis(_gather(found), 0, 4)
    found = jnp.moveaxis(_gather(found), 0, 2)
    return _gather(found).reshape(2, height, width, outputs)


def _spread(array: jax.Array, axis: int) -> jax.Array:
    """Returns what each tile of four along `axis` is multiplied as: [4, ...], half as long."""
    count = array.shape[axis] // 2 - 1
    taps = (jax.lax.slice_in_dim(array, tap, tap + 2 * count - 1, 2, axis) for tap in range(4))
    first, second, third, fourth = taps
    return jnp.stack([first - third, second + third, third - second, second - fourth])


def _gather(found: jax.Array) -> jax.Array:
    """Returns both outputs of each tile, [2, ...] of [4, ...]."""
    first, second, third, fourth = found
    return jnp.stack([first + second + third, second - third - fourth])
