# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Sums that tell whether an array is what was written, however it is split over devices.

The elements' bits b are summed as (2 i + 1) b modulo 2^64, i counting the whole array's elements.
The factors are odd, so that a change of any one element changes the sum; and every device can
sum its own part, so that no process ever holds a whole array.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from perceiver_bench import distributed

_MODULUS = 2**64
_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def checksums(arrays: Mapping[str, Any]) -> dict[str, int]:
    """Returns the sum of every array, the same in all processes; waits for the others."""
    mine = {
        name: sum(_of_part(part, places) for part, places in _parts(array)) % _MODULUS
        for name, array in arrays.items()
    }
    if all(_is_here(array) for array in arrays.values()):
        return mine
    everyone = [json.loads(one) for one in distributed.gather(json.dumps(mine).encode())]
    return {
        name: mine[name] if _is_here(array) else sum(one[name] for one in everyone) % _MODULUS
        for name, array in arrays.items()
    }


def _is_here(array: Any) -> bool:
    return not isinstance(array, jax.Array) or array.is_fully_addressable


def _parts(array: Any) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Yields what this process has of an array, each part once, with its elements' numbers."""
    if not isinstance(array, jax.Array):
        array = np.asarray(array)
        yield array, _places(array.shape, (slice(None),) * array.ndim)
        return
    for shard in array.addressable_shards:
        if shard.replica_id == 0:
            yield np.asarray(shard.data), _places(array.shape, shard.index)


def _places(shape: tuple[int, ...], index: tuple[slice, ...]) -> np.ndarray:
    """Returns the numbers of the elements of `array[index]` in the whole array, flat."""
    places = np.zeros((), np.uint64)
    for length, part in zip(shape, index, strict=True):
        places = places[..., None] * np.uint64(length) + np.arange(length, dtype=np.uint64)[part]
    return places.reshape(-1)


def _of_part(part: np.ndarray, places: np.ndarray) -> int:
    bits = np.ascontiguousarray(part).reshape(-1).view(_BITS[part.dtype.itemsize])
    with np.errstate(over="ignore"):
        return int(((2 * places + np.uint64(1)) * bits).sum(dtype=np.uint64))
