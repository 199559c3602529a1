# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From a source to batches: shuffled and endless to train, in order and padded to evaluate."""

import os
from collections.abc import Callable, Iterator

import grain
import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.task import Arrays, Example, Prepare, Source

# Threads that prepare examples ahead of the step, one for each core; the order does not depend
# on them.
_NUM_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
_READ = grain.ReadOptions(
    num_threads=_NUM_THREADS or 1, prefetch_buffer_size=8 * (_NUM_THREADS or 1)
)

# Endless for every purpose. Without a number Grain takes the largest integer, which does not
# survive the division by a batch size of 1.
_PASSES = 2**31


class _Indexed:
    """A source as Grain wants it: random access by a plain int."""

    def __init__(self, source: Source, num_examples: int):
        self._source = source
        self._num_examples = num_examples

    def __len__(self) -> int:
        return self._num_examples

    def __getitem__(self, index) -> Example:
        return self._source[int(index)]

    def __repr__(self) -> str:
        # Grain writes the source's name into its state and compares it when it resumes.
        return f"source of {self._num_examples} examples"


def training_batches(
    source: Source,
    prepare: Prepare,
    batch_size: int,
    seed: int,
    num_steps: int,
    mix: Callable[[Arrays], Arrays] | None = None,
) -> grain.DatasetIterator:
    """Returns an endless iterator of batches, shuffled anew in every pass over the data.

    The generator that `prepare` gets depends on the seed and on the example's place in the
    order. So does the example's `progress`, the share of the run's `num_steps` that is done
    when it is its turn: from 0 to 1, for curricula. The iterator's `get_state` and
    `set_state` continue the same order of examples.

    With `mix` a batch is what it makes of twice as many examples.

    Raises:
        UserError: if the source has no examples.
    """
    if not len(source):
        raise UserError("--data_dir: the training split has no examples")
    examples = grain.MapDataset.source(_Indexed(source, len(source))).seed(seed)
    num_together = batch_size * (2 if mix else 1)
    num_examples = num_steps * num_together

    def with_progress(place: int, example: Example) -> Example:
        return {**example, "progress": min(place / num_examples, 1.0)}

    ordered = examples.shuffle().repeat(_PASSES).map_with_index(with_progress)
    batches = ordered.random_map(prepare).to_iter_dataset(_READ).batch(num_together)
    return iter(batches.map(mix) if mix else batches)


def evaluation_batches(
    source: Source,
    prepare: Prepare,
    group: int,
    limit: int | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the examples once, in order, in batches of exactly `group`.

    The last batch is filled with zeros; `valid` [group] says which examples are real.
    `limit` keeps the first examples only.

    Raises:
        UserError: if the source has no examples.
    """
    if not len(source):
        raise UserError("--data_dir: the evaluation split has no examples")
    num_examples = len(source) if limit is None else min(limit, len(source))
    examples = grain.MapDataset.source(_Indexed(source, num_examples))
    seen = 0
    prepared = examples.map(lambda example: prepare(example, None))
    for batch in prepared.batch(group).to_iter_dataset(_READ):
        size = len(next(iter(batch.values())))
        seen += size
        padded = {
            name: np.concatenate([array, np.zeros((group - size, *array.shape[1:]), array.dtype)])
            for name, array in batch.items()
        }
        yield padded | {"valid": np.arange(group) < size}
    if seen != num_examples:
        raise RuntimeError(f"the pipeline gave {seen} of {num_examples} examples")
