# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Measures a forward pass of PerAct's network and the voxels of four cameras.

    python benchmarks/peract.py [--rounds=5] [--write]

In every round a float32 product of matrices runs first, the yardstick of the machine, then the
network on a random scene with random weights, then the voxels of 4 x 128 x 128 points alone.
Numbers are medians over the rounds, the share of the product's rate is the median of each
round's. With `--write` the table goes to benchmarks/peract.md. Let nothing else run.
"""

import argparse
import datetime
import functools
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax

from perceiver_bench import memory
from perceiver_bench.benchmark import ours, table
from perceiver_bench.model.examples import random_batch
from perceiver_bench.model.presets import preset
from perceiver_bench.model.voxels import voxelise

TABLE = pathlib.Path(__file__).with_suffix(".md")


def seconds(run: Callable[[], Any]) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(rounds: int) -> str:
    """Returns the table as Markdown."""
    config = preset("peract")
    batch = {name: jax.numpy.asarray(array) for name, array in random_batch(config).items()}
    network, product = ours.forward(config, batch, plain=False), ours.matmul()
    counts = network.facts["operations"]
    voxels = jax.jit(functools.partial(voxelise, size=config.input.size))

    def make_voxels():
        voxels(batch["points"], batch["colours"], batch["bounds"]).block_until_ready()

    make_voxels()
    peak = memory.peak_bytes()
    found = [
        [seconds(run) for run in (product.run, network.run, make_voxels)] for _ in range(rounds)
    ]
    rates = [product.facts["operations"]["executed"] / one[0] for one in found]
    shares = [counts["executed"] / one[1] / rate for one, rate in zip(found, rates, strict=True)]
    medians = [statistics.median(column) for column in zip(*found, strict=True)]
    hardware = table.hardware()
    return f"""# PerAct on a CPU

    python benchmarks/peract.py --write

{hardware["cpu"]}, {hardware["cores"]} cores; jax {jax.__version__}; \
{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; medians of {rounds} rounds

| | |
|---|---:|
| float32 product of matrices | {statistics.median(rates) / 1e9:.0f} GFLOP/s |
| forward pass, one scene of 100^3 voxels | {medians[1]:.2f} s |
| operations that the original spells out | {counts["plain"] / 1e9:,.0f} GFLOP |
| operations that ours computes | {counts["executed"] / 1e9:,.0f} GFLOP |
| their share of the product's rate | {100 * statistics.median(shares):.0f} % |
| peak memory of the process | {peak / 1e9:.2f} GB |
| voxels of 4 x 128 x 128 points | {1000 * medians[2]:.0f} ms |

The original takes 15.5 to 17 s on two cores whose product runs at about 170 GFLOP/s.
"""


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = measure(arguments.rounds)
    print(text)
    if arguments.write:
        TABLE.write_text(text)


if __name__ == "__main__":
    main()
