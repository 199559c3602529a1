# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From a source to batches: shuffled and endless to train, in order and padded to evaluate."""

from collections.abc import Iterator

import grain
import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.task import Example, Prepare, Source

# Threads that prepare examples ahead of the step; the order does not depend on them.
_READ = grain.ReadOptions(num_threads=2, prefetch_buffer_size=16)

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
    source: Source, prepare: Prepare, batch_size: int, seed: int, num_steps: int
) -> grain.DatasetIterator:
    """Returns an endless iterator of batches, shuffled anew in every pass over the data.

    The generator that `prepare` gets depends on the seed and on the example's place in the
    order. So does the example's `progress`, the share of the run's `num_steps` that is done
    when it is its turn: from 0 to 1, for curricula. The iterator's `get_state` and
    `set_state` continue the same order of examples.

    Raises:
        UserError: if the source has no examples.
    """
    if not len(source):
        raise UserError("--data_dir: the training split has no examples")
    examples = grain.MapDataset.source(_Indexed(source, len(source))).seed(seed)
    num_examples = num_steps * batch_size

    def with_progress(place: int, example: Example) -> Example:
        return {**example, "progress": min(place / num_examples, 1.0)}

    ordered = examples.shuffle().repeat(_PASSES).map_with_index(with_progress)
    prepared = ordered.random_map(prepare).batch(batch_size)
    return iter(prepared.to_iter_dataset(_READ))


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
