# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Work on every image of a split, by threads, with its progress shown."""

import collections
import concurrent.futures
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import tqdm
from absl import logging

T = TypeVar("T")

# More than there are cores, for most of the time they wait for a disk.
_NUM_THREADS = 16
# Indices that a thread takes at once: a single one is too little work for a task.
_TOGETHER = 16
_SECONDS_BETWEEN_LINES = 60


def in_order(function: Callable[[int], T], count: int, description: str) -> Iterator[T]:
    """Yields `function(index)` of every index below `count`, in order.

    Threads run ahead, by some hundred indices and no more. A terminal shows a bar if it
    takes longer than a second, a log a line every minute. What `function` raises is raised
    here.
    """

    def run(start: int) -> list[T]:
        return [function(index) for index in range(start, min(start + _TOGETHER, count))]

    pool = concurrent.futures.ThreadPoolExecutor(_NUM_THREADS)
    bar = tqdm.tqdm(total=count, desc=description, unit="image", delay=1, disable=None)
    pending: collections.deque[concurrent.futures.Future[list[T]]] = collections.deque()
    starts = iter(range(0, count, _TOGETHER))
    done, next_line = 0, time.monotonic() + _SECONDS_BETWEEN_LINES
    try:
        while True:
            while len(pending) < 2 * _NUM_THREADS and (start := next(starts, None)) is not None:
                pending.append(pool.submit(run, start))
            if not pending:
                return
            results = pending.popleft().result()
            yield from results
            done += len(results)
            bar.update(len(results))
            if bar.disable and time.monotonic() > next_line:
                next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
                logging.info("%s: %s of %s images", description, f"{done:,}", f"{count:,}")
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
