# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Measures how many ImageNet images a second the input pipeline prepares, core by core.

    python benchmarks/imagenet_input.py --images=FOLDER [--rounds=5] [--count=200] [--write]

FOLDER holds JPEG files at any depth. Each number of cores is a process of its own that may
use no more, so that the pipeline starts a thread for each. In every round all of them run one
after the other, first a plain loop of Pillow on one core: open, convert, resize to 224 x 224,
array. The loop neither crops nor normalises; it is the yardstick of the machine at that moment.
Numbers are medians over the rounds, ratios medians of each round's. With `--write` the table
goes to benchmarks/imagenet_input.md. Let nothing else run on the machine.
"""

import argparse
import concurrent.futures
import datetime
import importlib.metadata
import itertools
import multiprocessing
import os
import pathlib
import statistics
import sys
import time

import numpy as np
import PIL
import PIL.Image
from perceiver_bench.tasks.imagenet import common, decoding

from perceiver_bench import api
from perceiver_bench.benchmark import table
from perceiver_bench.data import pipeline

SIZE = (224, 224)
NUM_CLASSES = 1000
GROUP = 8
SEED = 0
TABLE = pathlib.Path(__file__).with_suffix(".md")
COMMAND = "python benchmarks/imagenet_input.py --images=FOLDER --write"
PLAIN = "plain Pillow loop"
JOBS = {
    "evaluation, `original`": api.ImageData(size=SIZE, protocol="original"),
    "evaluation, `pillow`": api.ImageData(size=SIZE, protocol="pillow"),
    "training, published recipe": api.ImageData(size=SIZE),
}


class Repeated:
    """`count` images of some files, decoded when they are asked for; a `Source`."""

    def __init__(self, paths: list[pathlib.Path], count: int, config: api.ImageData):
        self.paths = paths
        self.count = count
        self.config = config
        self.fingerprint = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> api.Example:
        content = self.paths[index % len(self.paths)].read_bytes()
        pixels = decoding.decode(content, self.config.protocol)
        return {"name": str(index), "pixels": pixels, "label": 0, "is_bad": False}


def plain_rate(paths: list[pathlib.Path], count: int) -> float:
    """Returns the images a second of the plain loop."""
    start = time.perf_counter()
    for path in itertools.islice(itertools.cycle(paths), count):
        with PIL.Image.open(path) as image:
            resized = image.convert("RGB").resize(SIZE, PIL.Image.Resampling.BICUBIC)
        np.asarray(resized)
    return count / (time.perf_counter() - start)


def rate(job: str, paths: list[pathlib.Path], count: int) -> float:
    """Returns the images a second that a job of the pipeline prepares."""
    config = JOBS[job]
    source = Repeated(paths, count, config)
    prepare = common.preprocess(NUM_CLASSES, config, {})
    if job.startswith("evaluation"):
        start = time.perf_counter()
        for _ in pipeline.evaluation_batches(source, prepare, GROUP):
            pass
        return count / (time.perf_counter() - start)
    num_batches = max(count // GROUP, 1)
    batches = pipeline.training_batches(
        source, prepare, GROUP, SEED, num_batches, common.mix(config)
    )
    next(batches)  # from here on the threads are as far ahead as they ever are
    start = time.perf_counter()
    for _ in range(num_batches):
        next(batches)
    seconds = time.perf_counter() - start
    batches.close()
    # Every example of a mixed batch is made of two images.
    return 2 * GROUP * num_batches / seconds


def pinned(cores: set[int]) -> concurrent.futures.ProcessPoolExecutor:
    """Returns a process that may use these cores only, from before it imports anything."""
    usable = os.sched_getaffinity(0)
    context = multiprocessing.get_context("spawn")
    executor = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
    os.sched_setaffinity(0, cores)
    try:
        executor.submit(os.getpid).result()
    finally:
        os.sched_setaffinity(0, usable)
    return executor


def measure(
    paths: list[pathlib.Path], rounds: int, count: int
) -> tuple[list[float], dict[tuple[str, int], list[float]]]:
    """Returns the rates of the plain loop, and of every job by number of cores, each round."""
    usable = sorted(os.sched_getaffinity(0))
    workers = {
        number: pinned(set(usable[:number]))
        for number in sorted({1, 2, len(usable)})
        if number <= len(usable)
    }
    plain: list[float] = []
    rates = {(job, number): [] for job in JOBS for number in workers}
    for number, worker in workers.items():  # what happens once is not measured
        for job in JOBS:
            worker.submit(rate, job, paths, GROUP * number).result()
    for _ in range(rounds):
        plain.append(workers[1].submit(plain_rate, paths, count).result())
        for (job, number), found in rates.items():
            found.append(workers[number].submit(rate, job, paths, count).result())
    for worker in workers.values():
        worker.shutdown()
    return plain, rates


def markdown(plain: list[float], rates: dict[tuple[str, int], list[float]]) -> str:
    """Returns the table."""

    def ratio(found: list[float], other: list[float]) -> str:
        pairs = zip(found, other, strict=True)
        return f"{statistics.median(one / two for one, two in pairs):.2f}"

    lines = [
        "| | cores | images a second | over the plain loop on one core | over itself on one core |",
        "|---|---:|---:|---:|---:|",
        f"| {PLAIN} | 1 | {statistics.median(plain):.0f} | 1.00 | 1.00 |",
    ]
    for (job, number), found in rates.items():
        speed, growth = statistics.median(found), ratio(found, rates[job, 1])
        lines.append(f"| {job} | {number} | {speed:.0f} | {ratio(found, plain)} | {growth} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Prints the table; 2 for a mendable fault, told in one line."""
    parser = argparse.ArgumentParser(
        description="Measures how many ImageNet images a second the input pipeline prepares."
    )
    parser.add_argument("--images", type=pathlib.Path, required=True, help="folder of JPEG files")
    parser.add_argument("--rounds", type=int, default=5, help="how often each runs")
    parser.add_argument("--count", type=int, default=200, help="images in a run")
    parser.add_argument("--write", action="store_true", help=f"write the table to {TABLE.name}")
    flags = parser.parse_args(argv)
    paths = sorted(flags.images.rglob("*.JPEG"))
    if not paths:
        print(f"imagenet_input.py: --images={flags.images}: no *.JPEG below it", file=sys.stderr)
        return 2
    machine = table.hardware()
    sizes = [decoding.decode(path.read_bytes(), "original").shape for path in paths]
    megapixels = statistics.mean(height * width for height, width, _ in sizes) / 1e6
    text = (
        f"{machine['cpu']}, {machine['cores']} cores; Pillow {PIL.__version__},"
        f" simplejpeg {importlib.metadata.version('simplejpeg')}, NumPy"
        f" {np.__version__}; {datetime.date.today()}; {flags.rounds} rounds of {flags.count}"
        f" images of {megapixels:.2f} megapixels on average\n\n"
        f"{markdown(*measure(paths, flags.rounds, flags.count))}\n"
    )
    print(text)
    if flags.write:
        TABLE.write_text(f"# Preparing ImageNet images\n\n    {COMMAND}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
