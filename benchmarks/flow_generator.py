# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Measures how many optical-flow training pairs a second the generator draws.

    python benchmarks/flow_generator.py [--textures=FOLDER] [--rounds=5] [--pairs=40]

Pairs of 368 x 496 with the default ranges, effects on, read by one and by two threads of
Grain, as in training. In each round the machine's yardstick runs too: `cv2.remap` of a
picture of the same size on one thread. The number of remaps in the time of a pair does not
depend on how fast the machine is. All are medians over the rounds.
"""

import argparse
import pathlib
import statistics
import sys
import time

import cv2
import grain
import numpy as np
from perceiver_bench.tasks.flow.generator import GeneratedSource, Textures

from perceiver_bench.config.flow_generator import GeneratorConfig
from perceiver_bench.errors import UserError

SIZE = (368, 496)
SEED = 0
NUM_REMAPS = 50


def pairs_a_second(source: GeneratedSource, num_threads: int) -> float:
    """Returns the rate at which Grain's threads draw all pairs of a source."""
    options = grain.ReadOptions(num_threads=num_threads, prefetch_buffer_size=2 * num_threads)
    start = time.perf_counter()
    count = sum(1 for _ in grain.MapDataset.source(source).to_iter_dataset(options))
    return count / (time.perf_counter() - start)


def remaps_a_second() -> float:
    """Returns the rate of a turn of a picture of the same size, interpolated linearly."""
    height, width = SIZE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = 0.9 * x + 0.1 * y, 0.9 * y + 9.5
    picture = np.random.default_rng(SEED).integers(0, 256, (height, width, 3), np.uint8)
    start = time.perf_counter()
    for _ in range(NUM_REMAPS):
        cv2.remap(picture, x, y, cv2.INTER_LINEAR)
    return NUM_REMAPS / (time.perf_counter() - start)


def main(argv: list[str]) -> int:
    """Prints the table; 2 for a mendable fault, told in one line."""
    parser = argparse.ArgumentParser(
        description="Measures how many optical-flow training pairs a second the generator draws."
    )
    parser.add_argument("--textures", type=pathlib.Path, help="folder of images; painted if none")
    parser.add_argument("--rounds", type=int, default=5, help="how often each runs")
    parser.add_argument("--pairs", type=int, default=40, help="pairs in a round")
    flags = parser.parse_args(argv)
    # A thread of OpenCV for each thread of ours, or the counts of the table would be wrong.
    cv2.setNumThreads(1)
    try:
        textures = Textures(flags.textures, split="train", seed=SEED)
    except UserError as error:
        print(f"flow_generator.py: {error}", file=sys.stderr)
        return 2
    source = GeneratedSource(GeneratorConfig(), textures, SIZE, flags.pairs, SEED, "train")
    pairs_a_second(source, 2)  # textures are painted, or read, at their first use
    rates: dict[int, list[float]] = {1: [], 2: []}
    remaps, ratios = [], {1: [], 2: []}
    for _ in range(flags.rounds):
        remap = remaps_a_second()
        remaps.append(remap)
        for num_threads, found in rates.items():
            found.append(pairs_a_second(source, num_threads))
            ratios[num_threads].append(remap / found[-1])
    height, width = SIZE
    print(f"{height} x {width}, {flags.rounds} rounds of {flags.pairs} pairs, OpenCV", end=" ")
    print(f"{cv2.__version__}; {statistics.median(remaps):.0f} remaps a second\n")
    print("| threads | pairs a second | remaps in the time of a pair |")
    print("|---:|---:|---:|")
    for num_threads, found in rates.items():
        ratio = statistics.median(ratios[num_threads])
        print(f"| {num_threads} | {statistics.median(found):.1f} | {ratio:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
