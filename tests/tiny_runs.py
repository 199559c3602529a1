# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Short runs that tests of training and of the command line share."""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

import jax
from absl import flags
from absl.testing import flagsaver
from jax.experimental.compilation_cache import compilation_cache

from perceiver_bench import registry, run
from perceiver_bench.commands.train import train

TASK = "glue/sst2"
NUM_TRAIN, NUM_DEV = 120, 51  # the last group of 8 in evaluation has 3
STEPS = 12
_OF_TIME = ("examples_per_second", "waited_for_data")
# Every source of randomness is on, and every interval differs.
CHANGES = (
    *("model.encoder.num_latents=4", "model.input.max_length=48", "data.max_length=48"),
    *("model.dropout=0.1", "model.attention_dropout=0.1"),
    *(f"train.steps={STEPS}", "train.batch_size=16", "train.optimizer.warmup_steps=2"),
    *("train.log_every=4", "train.evaluate_every=6", "train.checkpoint_every=5"),
)


@contextlib.contextmanager
def compiling_once(base: pathlib.Path) -> Iterator[None]:
    """Compiles quickly, and lets every process that a test starts reuse what is compiled.

    Within another use of it, that one's settings come back at the end: a run that is
    compiled otherwise in its middle rounds otherwise.
    """
    settings = {
        "jax_compilation_cache_dir": str(base / "compiled"),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
        "jax_disable_most_optimizations": True,
    }
    before = {name: jax.config.values[name] for name in settings}

    def update(values):
        for name, value in values.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()

    update(settings)
    try:
        yield
    finally:
        update(before)


@functools.cache
def data_dir(base: pathlib.Path) -> pathlib.Path:
    """The beginning of the demo data of `TASK`."""
    registry.get(TASK).write_demo(base / "whole", 0)
    (base / "data" / "SST-2").mkdir(parents=True)
    for name, size in (("train", NUM_TRAIN), ("dev", NUM_DEV)):
        lines = (base / "whole" / "SST-2" / f"{name}.tsv").read_text().splitlines(keepends=True)
        (base / "data" / "SST-2" / f"{name}.tsv").write_text("".join(lines[: size + 1]))
    return base / "data"


@functools.cache
def trained(base: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """An unbroken run of bytes: its workdir and its record. Nobody may change it."""
    record = train_tiny(base, base / "trained")
    return base / "trained", record


def train_tiny(
    base: pathlib.Path,
    workdir: pathlib.Path,
    preset: str = "tiny",
    changes: Sequence[str] = CHANGES,
    **options,
) -> pathlib.Path:
    """Trains `TASK` as `trained` does and returns the record."""
    return train(
        TASK,
        preset=preset,
        changes=changes,
        workdir=workdir,
        results_dir=base / "results",
        **{"data_dir": data_dir(base), **options},
    )


def as_flags(**values) -> list[str]:
    """Returns flags as they stand on a command line; lists repeat the flag."""
    return [
        f"--{name}={one}"
        for name, value in values.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]


def command(capsys, *arguments: str) -> tuple[int, str, list[str]]:
    """Runs the command line in this process: exit code, standard output, lines of error."""
    with flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        try:
            code = run._dispatch(run._parse(["perceiver-bench", *arguments]))
        except SystemExit as stop:
            code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


def evaluate_flags(data, results, **values) -> list[str]:
    """Returns the command line that evaluates `TASK`, by default with a baseline."""
    values = {"checkpoint": "baseline:majority", **values}
    return [
        "--mode=evaluate",
        *as_flags(task=TASK, data_dir=data, results_dir=results, **values),
    ]


def train_flags(data, tmp_path, **values) -> list[str]:
    """Returns the command line that trains `TASK` in `tmp_path`."""
    values = {"workdir": tmp_path / "w", "results_dir": tmp_path / "r", "preset": "tiny", **values}
    return ["--mode=train", *as_flags(task=TASK, data_dir=data, **values)]


def complaint(capfd, *arguments: str) -> str:
    """Runs a command line that has to fail with code 2, and returns its one line."""
    code, output, errors = command(capfd, *arguments)
    assert code == 2, errors
    assert output == ""
    lines = [line for line in errors if line.startswith("perceiver-bench: ")]
    assert len(lines) == 1
    assert errors[-1] == lines[0]
    # Before it there may be lines of progress.
    assert all(line.startswith("INFO:absl:") for line in errors[:-1]), errors
    return lines[0].removeprefix("perceiver-bench: ")


def start(base: pathlib.Path, *arguments: str, **variables: str) -> subprocess.Popen:
    """Starts the real command line."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "JAX_COMPILATION_CACHE_DIR": str(base / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "perceiver_bench", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(workdir: pathlib.Path) -> list[dict]:
    """Returns the rows of a run's log without what depends on time."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name not in _OF_TIME}
        for line in lines
    ]
