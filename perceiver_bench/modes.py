# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What each `--mode` does with the flags; returns the exit code.

Commands are imported when they run: JAX takes seconds, and `--help` should not.
"""

import pathlib
from collections.abc import Callable
from typing import Any

from perceiver_bench import options
from perceiver_bench.errors import UserError


def _say(text: str) -> None:
    """Prints what all of several processes know once."""
    from perceiver_bench import distributed

    if distributed.is_first():
        print(text)


def _train() -> int:
    from perceiver_bench.commands.evaluate import table
    from perceiver_bench.commands.sweep import sweep
    from perceiver_bench.commands.train import train

    several = bool(options.SWEEP.value or options.SEEDS.value)
    names = options.TASK.value if several and options.TASK.value else [options.one(options.TASK)]
    settings: dict[str, Any] = {
        "preset": options.PRESET.value,
        "changes": options.changes(names),
        "data_dir": options.data_dir(names),
        "workdir": options.path(options.WORKDIR),
        "init": pathlib.Path(options.INIT.value) if options.INIT.value else None,
        "seed": options.SEED.value,
        "results_dir": pathlib.Path(options.RESULTS_DIR.value),
        "keep_compiled": options.COMPILATION_CACHE.value,
        "mesh": options.MESH.value,
    }
    if several:
        num_seeds = options.SEEDS.value or 1
        _say(sweep(names, over_settings=options.SWEEP.value, num_seeds=num_seeds, **settings))
    else:
        train(names[0], **settings)
        _say(table(names[0], settings["results_dir"]))
    return 0


def _evaluate() -> int:
    from perceiver_bench.commands.evaluate import evaluate, table

    if not options.TASK.value:
        raise UserError("--task is missing; see --mode=list")
    results_dir = pathlib.Path(options.RESULTS_DIR.value)
    for name in options.TASK.value:
        evaluate(
            name,
            checkpoint_name=str(options.one(options.CHECKPOINT)),
            preset=options.PRESET.value,
            changes=options.changes([name]),
            data_dir=options.data_dir([name]),
            limit=options.LIMIT.value,
            results_dir=results_dir,
        )
        _say(table(name, results_dir))
    return 0


def _predict() -> int:
    from perceiver_bench.commands.predict import predict

    if not options.TASK.value:
        raise UserError("--task is missing; see --mode=list")
    checkpoint = options.one(options.CHECKPOINT)
    predict(
        options.TASK.value,
        checkpoint_names=checkpoint.split(",") if len(options.TASK.value) > 1 else [checkpoint],
        preset=options.PRESET.value,
        changes=options.changes(options.TASK.value),
        data_dir=options.data_dir(options.TASK.value),
        outputs=options.path(options.OUTPUTS),
        limit=options.LIMIT.value,
    )
    return 0


def _forward() -> int:
    from perceiver_bench.commands.network import forward

    forward(
        options.one(options.MODEL),
        checkpoint=options.path(options.CHECKPOINT),
        inputs=pathlib.Path(options.one(options.INPUTS)),
        outputs=options.path(options.OUTPUTS),
        changes=options.SET.value,
        repeat=options.REPEAT.value,
    )
    return 0


def _convert() -> int:
    from perceiver_bench.commands.network import convert

    convert(
        options.one(options.MODEL),
        source=options.path(options.SOURCE),
        target=options.path(options.TARGET),
        target_format=options.FORMAT.value,
        changes=options.SET.value,
    )
    return 0


def _prepare() -> int:
    from perceiver_bench.commands.prepare import prepare
    from perceiver_bench.data.text import prepare_sentencepiece

    if options.TASK.value:
        name = options.one(options.TASK)
        prepare(
            name,
            preset=options.PRESET.value,
            changes=options.changes([name]),
            data_dir=options.data_dir([name]),
            outputs=options.path(options.OUTPUTS),
        )
        return 0
    files = [pathlib.Path(name) for name in options.INPUTS.value]
    if not files:
        raise UserError("--inputs is missing: text files, comma between; or name a --task")
    prepare_sentencepiece(files, options.VOCAB_SIZE.value, options.path(options.OUTPUTS))
    return 0


def _report() -> int:
    from perceiver_bench.report import report

    html, latex = (
        pathlib.Path(flag.value) if flag.value else None for flag in (options.HTML, options.LATEX)
    )
    return report(pathlib.Path(options.RESULTS_DIR.value), options.CHECK.value, html, latex)


def _check() -> int:
    from perceiver_bench.commands.check import check, write_baseline

    baseline, results_dir = options.path(options.BASELINE), pathlib.Path(options.RESULTS_DIR.value)
    if options.WRITE_BASELINE.value:
        return write_baseline(baseline, results_dir=results_dir, tasks=options.TASK.value)
    return check(
        baseline,
        results_dir=results_dir,
        tasks=options.TASK.value,
        junit_file=pathlib.Path(options.JUNIT.value) if options.JUNIT.value else None,
    )


def _compare() -> int:
    from perceiver_bench.commands.compare import compare

    print(
        compare(
            options.RECORD.value,
            metric=options.METRIC.value,
            results_dir=pathlib.Path(options.RESULTS_DIR.value),
            outputs=pathlib.Path(options.OUTPUTS.value) if options.OUTPUTS.value else None,
        )
    )
    return 0


def _reproduce() -> int:
    from perceiver_bench.commands.reproduce import reproduce

    return reproduce(
        options.one(options.RECORD),
        data_dir=options.DATA_DIR.value,
        workdir=options.WORKDIR.value,
        checkpoint=options.CHECKPOINT.value,
        init=options.INIT.value,
        changes=options.SET.value,
        results_dir=pathlib.Path(options.RESULTS_DIR.value),
        keep_compiled=options.COMPILATION_CACHE.value,
    )


def _benchmark() -> int:
    from perceiver_bench.commands.benchmark import RESULTS, benchmark

    return benchmark(
        job=options.JOB.value,
        models=options.MODEL.value.split(",") if options.MODEL.value else (),
        rounds=options.REPEAT.value,
        outputs=pathlib.Path(options.OUTPUTS.value) if options.OUTPUTS.value else RESULTS,
    )


def _plan() -> int:
    from perceiver_bench.commands.plan import describe

    print(describe(options.one(options.MODEL), options.SET.value))
    return 0


def _list() -> int:
    from perceiver_bench.commands.listing import listing

    data_dir, checkpoint = (
        pathlib.Path(flag.value) if flag.value else None
        for flag in (options.DATA_DIR, options.CHECKPOINT)
    )
    print(listing(data_dir, checkpoint))
    return 0


def demo() -> int:
    """Runs the demo suite."""
    from perceiver_bench.commands.demo import demo as run_demo

    workdir = pathlib.Path(options.WORKDIR.value or "demo")
    print(run_demo(workdir=workdir, results_dir=workdir / "results", seed=options.SEED.value))
    return 0


COMMANDS: dict[str, Callable[[], int]] = {
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "forward": _forward,
    "convert": _convert,
    "prepare": _prepare,
    "report": _report,
    "check": _check,
    "compare": _compare,
    "reproduce": _reproduce,
    "benchmark": _benchmark,
    "plan": _plan,
    "list": _list,
}
