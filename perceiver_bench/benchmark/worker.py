# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A process that holds one network ready and runs it whenever it is asked to.

It builds the network of `--config` with random weights, runs it once, and answers a line
of JSON on standard output with what it knows of it. Then it answers every line of standard
input: `run` with `seconds`; `outputs PATH` writes the outputs to an .npz file; `quit` with
`peak_bytes`, after which it ends. All else that libraries print goes to standard error,
whose last line says why a worker has ended early.
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TextIO

import numpy as np

from perceiver_bench.config import ModelConfig, from_dict
from perceiver_bench.errors import UserError
from perceiver_bench.memory import peak_bytes
from perceiver_bench.model.examples import random_batch

IMPLEMENTATIONS = ("ours", "plain", "transformers", "matmul")
JOBS = ("forward", "train")


class Job(NamedTuple):
    """What a worker repeats.

    `run` returns when its outputs, arrays by name, are computed. `facts` are the first
    answer: of ours `compile_seconds` and the `operations` of a forward pass, as in `operations.py`.
    """

    run: Callable[[], dict[str, Any]]
    facts: dict[str, Any]


def _build(implementation: str, job: str, config: ModelConfig, settings: dict[str, Any]) -> Job:
    """Builds a network and warms it up.

    Only the library that is measured is imported: the other's memory would be in the peak.
    """
    if implementation == "transformers":
        from perceiver_bench.benchmark import baseline

        build = baseline.train if job == "train" else baseline.forward
        return build(config, settings, random_batch(config))
    from perceiver_bench.benchmark import ours

    if job == "train":
        return ours.train(config, random_batch(config))
    return ours.forward(config, random_batch(config), plain=implementation == "plain")


def _serve(job: Job, commands: TextIO, answers: TextIO) -> None:
    """Tells the facts, then answers one line for each command."""

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    answer(**job.facts)
    for line in commands:
        command, _, path = line.rstrip("\n").partition(" ")
        if command == "run":
            start = time.perf_counter()
            job.run()
            answer(seconds=time.perf_counter() - start)
        elif command == "outputs":
            arrays = {name: np.asarray(array) for name, array in job.run().items()}
            np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
            answer()
        elif command == "quit":
            answer(peak_bytes=peak_bytes())
            return


def main(argv: list[str]) -> int:
    """Serves one network until `quit` or the end of standard input."""
    parser = argparse.ArgumentParser(prog="perceiver_bench.benchmark.worker")
    parser.add_argument("--implementation", choices=IMPLEMENTATIONS, required=True)
    parser.add_argument("--job", choices=JOBS, default="forward")
    parser.add_argument("--config", type=json.loads, help="a ModelConfig as config.to_dict gives")
    parser.add_argument("--settings", type=json.loads, help="a config.json for transformers")
    arguments = parser.parse_args(argv)
    # Libraries may print; what they print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Short of memory, the kernel should end this process and nobody else's.
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        if arguments.implementation == "matmul":
            from perceiver_bench.benchmark.ours import matmul

            job = matmul()
        else:
            config = from_dict(arguments.config)
            job = _build(arguments.implementation, arguments.job, config, arguments.settings)
        _serve(job, sys.stdin, answers)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except Exception as error:  # the last line has to say it; tracebacks of JAX end otherwise
        print(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
