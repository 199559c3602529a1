# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Measures speed and memory of our networks beside those of the transformers library.

    python benchmarks/speed.py [--job=train] [--model=flow] [--rounds=5] [--outputs=FOLDER]

benchmarks/README.md says what is measured, how, and how to read the table.
"""

import argparse
import pathlib
import sys

from perceiver_bench.benchmark.speed import JOBS
from perceiver_bench.commands.benchmark import benchmark
from perceiver_bench.errors import UserError


def main(argv: list[str]) -> int:
    """Prints the table and writes it; 2 for a mendable fault, told in one line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--job", choices=JOBS, default="forward")
    parser.add_argument(
        "--model", action="append", default=[], help="may be repeated; the six official by default"
    )
    parser.add_argument("--rounds", type=int, help="how often each runs; 5 by default")
    parser.add_argument(
        "--outputs",
        type=pathlib.Path,
        default=pathlib.Path(__file__).parent / "results",
        help="folder of the JSON file and the table",
    )
    flags = parser.parse_args(argv)
    try:
        return benchmark(
            job=flags.job, models=flags.model, rounds=flags.rounds, outputs=flags.outputs
        )
    except UserError as error:
        print(f"speed.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
