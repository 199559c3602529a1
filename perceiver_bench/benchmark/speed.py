# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Runs implementations in turn, each in a process of its own, and takes medians.

In every round each process runs once, so that whatever slows the machine down slows all. Who
comes first changes from round to round, for what a process left in the caches slows the next.
"""

import contextlib
import dataclasses
import json
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from perceiver_bench.benchmark.process import NotMeasured, Worker, worker_command
from perceiver_bench.config import FlowInput, ModelConfig, MultimodalInput, to_dict
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.model.presets import OFFICIAL, PRESETS, preset
from perceiver_bench.model.weights.huggingface_config import config_json

JOBS = ("forward", "train", "growth", "bfloat16")
ROUNDS = 5
# Frames of a quarter, half, one, two and four times the area of the flow network's own.
GROWTH_SIZES = ((184, 248), (260, 352), (368, 496), (520, 704), (736, 992))

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contestant:
    """One implementation of one network, to be run in the first `rounds` rounds."""

    implementation: str
    config: ModelConfig
    rounds: int
    job: str = "forward"

    def command(self) -> list[str]:
        """Returns the command that starts its worker.

        Raises:
            UserError: if the transformers library has no such network or training step.
        """
        arguments = [f"--implementation={self.implementation}", f"--job={self.job}"]
        arguments.append(f"--config={json.dumps(to_dict(self.config))}")
        if self.implementation == "transformers":
            if self.job == "train" and isinstance(self.config.input, MultimodalInput):
                raise UserError("transformers cannot decode all of these outputs in one call")
            arguments.append(f"--settings={json.dumps(config_json(self.config))}")
        return worker_command(*arguments)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """What was measured of one contestant: all of it, or nothing and the reason why."""

    seconds: Sequence[float] = ()
    peak_bytes: int | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    failure: str | None = None

    @property
    def median(self) -> float | None:
        """The median of the seconds over the rounds, None where nothing was measured."""
        return statistics.median(self.seconds) if self.seconds else None


def contestants(job: str, model: str, rounds: int | None) -> dict[str, Contestant]:
    """Returns who is compared in a job: `ours`, and where there are any `plain`, `baseline`.

    `rounds` None means five, and one for the multimodal network in transformers, which
    encodes 128 times for one set of outputs.
    """
    config = preset(model)
    count = ROUNDS if rounds is None else rounds
    ours = Contestant(implementation="ours", config=config, rounds=count)
    if job == "bfloat16":
        half = dataclasses.replace(config, dtype="bfloat16")
        return {"ours": dataclasses.replace(ours, config=half), "baseline": ours}
    if job == "train":
        ours = dataclasses.replace(ours, job="train")
        return {"ours": ours, "baseline": dataclasses.replace(ours, implementation="transformers")}
    once = rounds is None and isinstance(config.input, MultimodalInput)
    return {
        "ours": ours,
        "plain": dataclasses.replace(ours, implementation="plain"),
        "baseline": dataclasses.replace(
            ours, implementation="transformers", rounds=1 if once else count
        ),
    }


def _progress(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def alternate(
    group: Mapping[str, Contestant], matmul: Worker, label: str, *, with_outputs: bool = False
) -> tuple[dict[str, Timing], float]:
    """Runs the contestants in turn, and after them in every round the matrix product.

    Returns:
        A timing for every contestant, and the median GFLOP/s of the matrix product.
    """
    failures: dict[str, str] = {}
    seconds: dict[str, list[float]] = {name: [] for name in group}
    matmul_seconds, timings = [], {}
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        workers: dict[str, Worker] = {}

        @contextlib.contextmanager
        def excluding(name: str) -> Iterator[None]:
            """Leaves out a contestant whose worker ends inside."""
            try:
                yield
            except (NotMeasured, UserError) as error:
                failures[name] = str(error)
                workers.pop(name, None)
                _progress(f"{label}, {name}: not measured: {error}")

        for name, contestant in group.items():
            _progress(f"{label}, {name}: building and warming up")
            with excluding(name):
                workers[name] = stack.enter_context(Worker(contestant.command()))
        for index in range(max(contestant.rounds for contestant in group.values())):
            names = list(workers)
            first = index % max(len(names), 1)
            for name in names[first:] + names[:first]:
                if index < group[name].rounds:
                    with excluding(name):
                        seconds[name].append(workers[name].ask("run")["seconds"])
                        _progress(f"{label}, round {index + 1}, {name}: {seconds[name][-1]:.3g} s")
            matmul_seconds.append(matmul.ask("run")["seconds"])
        for name, worker in list(workers.items()):
            with excluding(name):
                outputs = {}
                if with_outputs:
                    path = pathlib.Path(folder) / f"{name}.npz"
                    worker.ask(f"outputs {path}")
                    with np.load(path, allow_pickle=False) as archive:
                        outputs = {key: archive[key] for key in archive.files}
                timings[name] = Timing(
                    seconds=seconds[name],
                    peak_bytes=worker.ask("quit")["peak_bytes"],
                    facts=worker.facts,
                    outputs=outputs,
                )
    timings |= {name: Timing(failure=failure) for name, failure in failures.items()}
    rate = matmul.facts["operations"]["executed"] / statistics.median(matmul_seconds) / 1e9
    return timings, rate


def relative_errors(
    found: Mapping[str, np.ndarray], due: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Returns each output's rms error, relative to the standard deviation that is due."""
    return {
        name: float(np.sqrt(np.square(found[name].astype(np.float64) - due[name]).mean()))
        / float(due[name].std(dtype=np.float64))
        for name in due
        if name in found
    }


def make_row(job: str, model: str, timings: Mapping[str, Timing], matmul_gflops: float) -> Row:
    """Returns one row of the JSON file; what was not measured is None.

    `ratio` is the median over the rounds of the baseline's seconds over ours. `model_gflop`
    counts a forward pass as the paper does, `executed_gflop` what ours computes of it, and
    `share` is the rate of that over the rate of the matrix product, None for training.
    """
    missing = Timing()
    ours, baseline = timings["ours"], timings.get("baseline", missing)
    pairs = list(zip(baseline.seconds, ours.seconds, strict=False))
    operations = ours.facts.get("operations", {})
    gflop = {name: count / 1e9 for name, count in operations.items()}
    row: Row = {
        "model": model,
        "seconds": ours.median,
        "baseline_seconds": baseline.median,
        "ratio": statistics.median(theirs / our for theirs, our in pairs) if pairs else None,
        "peak_bytes": ours.peak_bytes,
        "baseline_peak_bytes": baseline.peak_bytes,
        "matmul_gflops": matmul_gflops,
        "model_gflop": gflop.get("plain"),
        "executed_gflop": gflop.get("executed"),
        "share": None,
        "compile_seconds": ours.facts.get("compile_seconds"),
    }
    if ours.median is not None and job != "train":
        row["share"] = gflop["executed"] / ours.median / matmul_gflops
    if "plain" in timings:
        plain = timings["plain"]
        row |= {"plain_seconds": plain.median, "plain_peak_bytes": plain.peak_bytes}
    return row | {
        "rounds": {name: list(timing.seconds) for name, timing in timings.items()},
        "not_measured": {name: one.failure for name, one in timings.items() if one.failure},
    }


def check(job: str, models: Sequence[str], rounds: int | None) -> None:
    """Raises UserError for a job, model or number of rounds that there is not."""
    if job not in JOBS:
        raise UserError(f"--job={job}: no such job.{nearest(job, JOBS)}")
    if rounds is not None and rounds < 1:
        raise UserError(f"--rounds={rounds}: at least 1 is due")
    for model in models:
        config = preset(model)
        if job == "growth" and not isinstance(config.input, FlowInput):
            raise UserError(f"--model={model}: growth is measured with flow; leave --model out")


def measure(job: str, models: Sequence[str], rounds: int | None) -> Iterator[Row]:
    """Yields the rows of a job, measured one after the other.

    Args:
        job: One of `JOBS`.
        models: Names of networks; the six official ones, or for growth `flow`, if empty.
        rounds: How often each contestant runs; None for the default of `contestants`.

    Raises:
        UserError: for arguments that `check` refuses, or if the matrix product fails.
    """
    check(job, models, rounds)
    try:
        with Worker(worker_command("--implementation=matmul")) as matmul:
            if job == "growth":
                yield from _grow(models or ("flow",), rounds or ROUNDS, matmul)
                return
            for model in models or OFFICIAL:
                group = contestants(job, model, rounds)
                timings, rate = alternate(group, matmul, model, with_outputs=job == "bfloat16")
                row = make_row(job, model, timings, rate)
                if job == "bfloat16":
                    found, due = (timings[name].outputs for name in ("ours", "baseline"))
                    row["errors"] = relative_errors(found, due)
                yield row
    except NotMeasured as error:
        raise UserError(f"the matrix product beside the networks failed: {error}") from error


def _grow(models: Sequence[str], rounds: int, matmul: Worker) -> Iterator[Row]:
    for model in models:
        build: Callable[..., ModelConfig] = PRESETS[model]
        for size in GROWTH_SIZES:
            ours = Contestant(implementation="ours", config=build(size=size), rounds=rounds)
            label = f"{model} {size[0]}x{size[1]}"
            timings, rate = alternate({"ours": ours}, matmul, label)
            yield make_row("growth", model, timings, rate) | {"pixels": size[0] * size[1]}
