# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One evaluation on all devices of all processes, with the rows that one device gives.

Whole batches go round: batch i to process i mod P, and there to one device after another. Every
batch is of the size and goes through the program that it has on one device, so that not a bit of
an example's rows depends on how many there are.
"""

import collections
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from perceiver_bench import distributed
from perceiver_bench.data import pipeline
from perceiver_bench.evaluation.evaluate import Rows, collect
from perceiver_bench.evaluation.network import examples_at_once
from perceiver_bench.task import Arrays, Prepare, Source, Task

Step = Callable[[Any, Any, Arrays], Rows]
"""`(params, model state, batch) -> rows of every metric`, as `make_rows_step` gives it."""


def rows_of_network(
    task: Task,
    source: Source,
    prepare: Prepare,
    step: Step,
    params: Any,
    model_state: Any,
    limit: int | None = None,
    watch: Callable[[Iterable[Arrays]], Iterable[Arrays]] = iter,
) -> Rows:
    """Returns the rows of every example, in order; each is measured by one process exactly once.

    `params` and `model_state` are whole, on a device of this process. `limit` keeps the first
    examples only. `watch` passes on the batches of this process, and may show progress.

    Raises:
        RuntimeError: unless the processes together have measured every example once.
    """
    group = examples_at_once(task)
    num_examples = len(source) if limit is None else min(limit, len(source))
    part = (jax.process_index(), jax.process_count())
    batches = pipeline.evaluation_batches(source, prepare, group, limit, part)
    # What is cut into parts on the host waits for each of them.
    devices = jax.local_devices()[: 1 if task.in_parts else None]
    copies = [jax.device_put((params, model_state), device) for device in devices]
    rows = collect(_ahead(watch(batches), step, copies))
    if distributed.is_alone():
        return rows
    places = np.arange(num_examples)
    return _joined(rows, places[places // group % part[1] == part[0]], num_examples)


def _ahead(
    batches: Iterable[Arrays], step: Step, copies: list[tuple[Any, Any]]
) -> Iterator[tuple[Arrays, Any]]:
    """Yields every batch and its rows in order, while each device has a batch to work on."""
    under_way: collections.deque[tuple[Arrays, Any]] = collections.deque()
    for number, batch in enumerate(batches):
        under_way.append((batch, step(*copies[number % len(copies)], batch)))
        if len(under_way) == len(copies):
            yield under_way.popleft()
    yield from under_way


def _joined(rows: Rows, places: np.ndarray, num_examples: int) -> Rows:
    """Returns the rows of all processes by the places of their examples."""
    flat = {f"{metric}/{name}": row for metric, some in rows.items() for name, row in some.items()}
    packed = io.BytesIO()
    np.savez(packed, places=places, **flat)
    parts = [np.load(io.BytesIO(one)) for one in distributed.gather(packed.getvalue())]
    everywhere = np.concatenate([part["places"] for part in parts])
    if not np.array_equal(np.sort(everywhere), np.arange(num_examples)):
        raise RuntimeError("the processes did not measure every example exactly once")
    order = np.argsort(everywhere)
    joined: dict[str, dict[str, np.ndarray]] = {}
    # A process may have had no example at all.
    for key in max(parts, key=len).keys() - {"places"}:
        metric, _, name = key.partition("/")
        found = np.concatenate([part[key] for part in parts if key in part])
        joined.setdefault(metric, {})[name] = found[order]
    return joined
