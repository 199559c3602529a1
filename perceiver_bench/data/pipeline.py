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


class _Rows:
    """Some rows of every batch of `batch_size` elements, one batch after another."""

    def __init__(self, elements: grain.MapDataset, rows: np.ndarray, batch_size: int):
        self._elements, self._rows, self._batch_size = elements, rows, batch_size

    def __len__(self) -> int:
        return len(self._elements) // self._batch_size * len(self._rows)

    def __getitem__(self, index) -> Arrays:
        batch, place = divmod(int(index), len(self._rows))
        arrays = self._elements[batch * self._batch_size + int(self._rows[place])]
        assert arrays is not None
        return arrays


class TrainingBatches:
    """Endless batches, of which this process may have some rows only.

    `position` is how many examples all processes together have taken: the same number goes on
    from the same example with any other number of processes.
    """

    def __init__(self, iterator: grain.DatasetIterator, num_local: int, num_together: int):
        self._iterator = iterator
        self._num_local, self._num_together = num_local, num_together

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        return next(self._iterator)

    @property
    def position(self) -> int:
        """The number of examples taken so far."""
        return self._iterator.get_state()["next_index"] // self._num_local * self._num_together

    def move_to(self, position: int) -> None:
        """Goes on with the batch that begins at `position`."""
        number = position // self._num_together
        self._iterator.set_state({"next_index": number * self._num_local})


def training_batches(
    source: Source,
    prepare: Prepare,
    batch_size: int,
    seed: int,
    num_steps: int,
    mix: Callable[[Arrays], Arrays] | None = None,
    rows: np.ndarray | None = None,
) -> TrainingBatches:
    """Returns endless batches, shuffled anew in every pass over the data.

    The generator that `prepare` gets depends on the seed and on the example's place in the
    order. So does the example's `progress`, the share of the run's `num_steps` that is done
    when it is its turn: from 0 to 1, for curricula.

    With `mix` a batch is what it makes of twice as many examples. `rows` names those of every
    batch that are wanted, where other processes have the rest: only they are prepared, but for
    `mix`, which may mix any two examples.

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
    prepared = ordered.random_map(prepare)
    num_local = num_together
    if rows is not None and not mix and len(rows) < batch_size:
        num_local = len(rows)
        prepared = grain.MapDataset.source(_Rows(prepared, rows, batch_size))
    batches = prepared.to_iter_dataset(_READ).batch(num_local)
    if mix:
        batches = batches.map(mix)
        if rows is not None:
            batches = batches.map(lambda batch: {name: batch[name][rows] for name in batch})
    return TrainingBatches(iter(batches), num_local, num_together)


def evaluation_batches(
    source: Source,
    prepare: Prepare,
    group: int,
    limit: int | None = None,
    part: tuple[int, int] = (0, 1),
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the examples once, in order, in batches of exactly `group`.

    The last batch is filled with zeros; `valid` [group] says which examples are real.
    `limit` keeps the first examples only. A `part` (i, n) has batch i and every n-th after it.

    Raises:
        UserError: if the source has no examples.
    """
    if not len(source):
        raise UserError("--data_dir: the evaluation split has no examples")
    num_examples = len(source) if limit is None else min(limit, len(source))
    examples = grain.MapDataset.source(_Indexed(source, num_examples))
    seen = 0
    prepared = examples.map(lambda example: prepare(example, None))
    first, step = part
    mine = prepared.batch(group).slice(slice(first, None, step))
    for batch in mine.to_iter_dataset(_READ):
        size = len(next(iter(batch.values())))
        seen += size
        padded = {
            name: np.concatenate([array, np.zeros((group - size, *array.shape[1:]), array.dtype)])
            for name, array in batch.items()
        }
        yield padded | {"valid": np.arange(group) < size}
    due = sum(
        min(group, num_examples - at) for at in range(first * group, num_examples, step * group)
    )
    if seen != due:
        raise RuntimeError(f"the pipeline gave {seen} of {due} examples")
