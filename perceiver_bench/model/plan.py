# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Plans of attention: which exact rewriting costs least, and how the work is cut.

Everything here is a pure function of shapes and the kind of device. Operations are
those of matrix products, a multiplication and an addition counted as two, as the paper
counts them (appendix D).
"""

import contextlib
import contextvars
import itertools
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

Path = Literal["plain", "pool", "read"]
PATHS: tuple[Path, ...] = ("plain", "pool", "read")

# Scores that exist at once. On a CPU 8 MiB of them stay in its caches while they are
# exponentiated and multiplied; other devices want large products.
CPU_SCORES = 2**21
SCORES = 2**26

_forced: contextvars.ContextVar[Path | None] = contextvars.ContextVar("forced", default=None)
_record: contextvars.ContextVar[list | None] = contextvars.ContextVar("record", default=None)


class Blocks(NamedTuple):
    """How an attention is cut: rows (heads of examples), queries and keys that meet at once."""

    num_rows: int
    num_queries: int
    num_keys: int


class Cross(NamedTuple):
    """The sizes of one cross-attention, as in `perceiver.py`; `heads` share the channels.

    `scored_keys` and `scored_queries`: channels that remain to be multiplied for each place
    when the side is a grid whose position channels are tables, at most C and E.
    """

    batch: int
    num_queries: int
    num_keys: int
    heads: int
    query_channels: int
    key_channels: int
    qk_channels: int
    v_channels: int
    scored_queries: int
    scored_keys: int


class Choice(NamedTuple):
    """A cross-attention, the operations of each path that it could take, and the one taken."""

    cross: Cross
    operations: dict[Path, int]
    path: Path


def max_scores() -> int:
    """Returns how many scores should exist at once on the default device."""
    return CPU_SCORES if jax.default_backend() == "cpu" else SCORES


def plan_blocks(rows: int, num_queries: int, num_keys: int) -> Blocks:
    """Chooses blocks so that at most `max_scores` scores exist at once.

    Whole rows as long as they fit; then the longer side is cut: queries are independent of
    each other, keys need a running maximum and sum.
    """
    limit = max_scores()
    if is_plain():
        return Blocks(rows, num_queries, num_keys)
    if num_queries * num_keys <= limit:
        return Blocks(divisor(rows, limit // (num_queries * num_keys)), num_queries, num_keys)
    if num_queries >= num_keys:
        return Blocks(1, max(1, limit // num_keys), num_keys)
    return Blocks(1, num_queries, max(1, limit // num_queries))


def has_cudnn() -> bool:
    """Whether the default device is one that cuDNN's attention runs on."""
    return jax.devices()[0].device_kind.startswith("NVIDIA")


def cudnn_takes(dtype: jnp.dtype, head_size: int, v_head_size: int) -> bool:
    """Whether cuDNN's attention takes these types and sizes, without masks or dropout.

    It takes half precision, one head size for queries, keys and values, a multiple of 8 and
    at most 128 on every device that has it.
    """
    fits = head_size == v_head_size <= 128 and head_size % 8 == 0
    return fits and dtype == jnp.bfloat16


def examples_at_once(batch: int) -> int:
    """Returns how many examples of a folded cross-attention are computed together.

    On a CPU one after another, so that each one's scores stay in the caches.
    """
    return 1 if jax.default_backend() == "cpu" else batch


def rows_of_grid(outer: int, inner: int, num_others: int) -> int:
    """Returns how many outer rows of a grid [outer, inner] form a block.

    `num_others`: positions of the other side, of all examples that are computed at once. The
    count divides `outer`, so that no row needs padding.
    """
    return divisor(outer, max_scores() // (inner * num_others))


def divisor(size: int, most: int) -> int:
    """Returns the largest divisor of `size` that is at most `most`, at least 1."""
    return max(count for count in range(1, max(1, min(most, size)) + 1) if size % count == 0)


def path_operations(cross: Cross) -> dict[Path, int]:
    """Counts the operations of each path that a cross-attention can take, for one batch.

    `plain` forms queries, keys and values. `pool` folds the key map into the queries and
    applies the value map to the pooled inputs: for many keys. `read` folds the query map
    into the keys and the output map into the values: for many queries. Folding needs one
    head, since every head would need folded channels of its own.
    """
    queries, keys, channels = cross.num_queries, cross.num_keys, cross.key_channels
    qk, v, outputs = cross.qk_channels, cross.v_channels, cross.query_channels
    make_query = queries * cross.query_channels * qk
    output = queries * v * outputs
    found: dict[Path, int] = {
        "plain": make_query + keys * channels * (qk + v) + queries * keys * (qk + v) + output
    }
    if cross.heads == 1:
        found["pool"] = make_query + queries * qk * channels
        found["pool"] += 2 * queries * keys * cross.scored_keys + queries * channels * v + output
        found["read"] = keys * (channels * (qk + v) + qk * cross.query_channels + v * outputs)
        found["read"] += queries * keys * (cross.scored_queries + outputs)
    return {path: 2 * cross.batch * count for path, count in found.items()}


def choose(cross: Cross, *, can_fold: bool) -> Path:
    """Returns the path with the fewest operations; `plain` where nothing may be folded."""
    operations = path_operations(cross)
    if not can_fold:
        operations: dict[Path, int] = {"plain": operations["plain"]}
    path = min(operations, key=lambda path: operations[path])
    only = _forced.get()
    if only is not None and only in operations:
        path = only
    record = _record.get()
    if record is not None:
        record.append(Choice(cross, operations, path))
    return path


def is_plain() -> bool:
    """Whether the network is to be computed as it is written in the paper (`forced`)."""
    return _forced.get() == "plain"


def rewrites_convolutions() -> bool:
    """Whether convolutions over voxels are computed as products of matrices.

    On a CPU. Other devices have fast convolutions of their own.
    """
    return jax.default_backend() == "cpu" and not is_plain()


def fold_linear(num_rows: int, sizes: Sequence[int]) -> bool:
    """Whether successive linear maps of `sizes` channels cost less as one kernel.

    `num_rows` rows pass through all maps, a residual of theirs through all but the first.
    """
    if is_plain():
        return False
    steps = list(itertools.pairwise(sizes))
    in_turn = num_rows * sum(inputs * outputs for inputs, outputs in steps)
    kernels = sum(inputs * outputs * sizes[-1] for inputs, outputs in steps[:-1])
    return kernels + num_rows * (sizes[0] + sizes[1]) * sizes[-1] < in_turn


@contextlib.contextmanager
def forced(path: Path) -> Iterator[None]:
    """Makes every cross-attention traced inside take `path` where it can.

    With `plain`, all scores exist at once besides: the network as it is written in the
    paper, for comparison. The choice is made when a function is traced, so a compiled
    function keeps the one it was traced with.
    """
    token = _forced.set(path)
    try:
        yield
    finally:
        _forced.reset(token)


@contextlib.contextmanager
def recorded() -> Iterator[list[Choice]]:
    """Collects the choices made while functions are traced inside."""
    choices: list[Choice] = []
    token = _record.set(choices)
    try:
        yield choices
    finally:
        _record.reset(token)
