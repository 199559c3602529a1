# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: flags, dispatch, and errors in one line.

perceiver-bench --suite=demo
    makes small data, trains a tiny model of every family, prints the table
perceiver-bench --mode=train --task=glue/sst2 --data_dir=glue_data --workdir=W
    trains, saves, resumes by itself, evaluates at the end; with --sweep every setting
    of the task's grid, with --seeds=3 three seeds, each in a workdir of its own in W
perceiver-bench --mode=evaluate --task=glue/sst2 --data_dir=glue_data --checkpoint=W
    writes a record and prints the table; also --checkpoint=baseline:majority
perceiver-bench --mode=predict --task=glue/sst2 --data_dir=glue_data --checkpoint=W --outputs=F
    writes what a benchmark's server wants; --task=a,b --checkpoint=A,B --outputs=F.zip too
perceiver-bench --mode=forward --model=flow --checkpoint=C --inputs=a.npz --outputs=b.npz
    runs the bare network on arrays
perceiver-bench --mode=convert --model=flow --source=X --target=Y
    converts weights between official, Hugging Face, PerAct and Orbax
perceiver-bench --mode=benchmark --model=flow --job=forward
    measures speed and memory beside transformers; --job=train, growth or bfloat16 too
perceiver-bench --mode=plan --model=flow
    how a network will be computed, and its operations, without running it
perceiver-bench --mode=prepare --inputs=text.txt --outputs=tokenizer.model
    trains a SentencePiece model from text
perceiver-bench --mode=prepare --task=imagenet/ilsvrc2012 --data_dir=imagenet --outputs=shards
    writes a benchmark's data once in a form that is read faster; --data_dir=shards from then on
perceiver-bench --mode=report --results_dir=results
    makes tables from records
perceiver-bench --mode=list
    tasks, presets and models, and what is missing for each
"""

import pathlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

from absl import app, flags, logging

from perceiver_bench.errors import UserError, nearest

MODES = (
    *("train", "evaluate", "predict", "forward", "convert", "prepare"),
    *("report", "benchmark", "plan", "list"),
)

_MODE = flags.DEFINE_string("mode", None, f"What to do: {', '.join(MODES)}.")
_SUITE = flags.DEFINE_string("suite", None, "demo: every family end to end on made data.")
_TASK = flags.DEFINE_list("task", [], "Task or tasks, such as glue/sst2; see --mode=list.")
_MODEL = flags.DEFINE_string("model", None, "Network, such as flow; see --mode=list.")
_PRESET = flags.DEFINE_string("preset", None, "Preset of the task; its first by default.")
_SET = flags.DEFINE_multi_string("set", [], "Change one field: --set=train.steps=200.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with the benchmark's own files.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a training run.")
_RESULTS_DIR = flags.DEFINE_string("results_dir", "results", "Folder of records and tables.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "Weights in any format, a workdir (newest), WORKDIR/best, or baseline:NAME."
)
_INIT = flags.DEFINE_string("init", None, "Pretrained weights that training starts from.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of parameters, dropout and data order.", 0)
_SEEDS = flags.DEFINE_integer("seeds", None, "Train N seeds, from --seed on.", 1)
_SWEEP = flags.DEFINE_bool("sweep", False, "Train every setting of the task's grid.")
_LIMIT = flags.DEFINE_integer("limit", None, "Evaluate or predict the first N examples only.", 1)
_SKIP_BAD = flags.DEFINE_integer(
    "skip_bad", None, "Go on without up to N image files that are broken, or copies.", 0
)
_INPUTS = flags.DEFINE_list("inputs", [], "Input arrays (.npz), or text files to prepare from.")
_OUTPUTS = flags.DEFINE_string("outputs", None, "File or folder to write.")
_VOCAB_SIZE = flags.DEFINE_integer("vocab_size", 8000, "Tokens of a prepared tokenizer.", 16)
_REPEAT = flags.DEFINE_integer(
    "repeat", None, "Time N more runs of --mode=forward; rounds of a benchmark.", 1
)
_JOB = flags.DEFINE_string("job", "forward", "Benchmark: forward, train, growth or bfloat16.")
_COMPILATION_CACHE = flags.DEFINE_bool(
    "compilation_cache", True, "Keep what training compiles in the workdir, for restarts."
)
_SOURCE = flags.DEFINE_string("source", None, "Weights to convert.")
_TARGET = flags.DEFINE_string("target", None, "Where the converted weights go.")
_FORMAT = flags.DEFINE_enum(
    "format", None, ["orbax", "huggingface", "official", "peract"], "Format of --target."
)
_CHECK = flags.DEFINE_bool("check", False, "With --mode=report: fail if tables are out of date.")


def _path(flag: flags.FlagHolder) -> pathlib.Path:
    """Returns the path that a flag holds; raises UserError if it is not given."""
    if not flag.value:
        raise UserError(f"--{flag.name} is missing")
    return pathlib.Path(flag.value)


def _data_dir(names: Iterable[str]) -> pathlib.Path:
    """Returns --data_dir; raises UserError if it is not given and one of the tasks needs it."""
    from perceiver_bench import registry, task

    if not _DATA_DIR.value and not any(registry.get(name).needs_data for name in names):
        return task.NO_DATA
    return _path(_DATA_DIR)


def _changes(names: Iterable[str]) -> list[str]:
    """Returns every --set, and what --skip_bad stands for among them."""
    from perceiver_bench import registry

    if _SKIP_BAD.value is None:
        return _SET.value
    for name in names:
        task = registry.get(name)
        if not hasattr(task.presets[task.default_preset].data, "skip_bad"):
            raise UserError(f"--skip_bad={_SKIP_BAD.value}: {name} does not skip files")
    return [*_SET.value, f"data.skip_bad={_SKIP_BAD.value}"]


def _one(flag: flags.FlagHolder) -> str:
    """Returns the single value of a flag or of a list flag."""
    values = flag.value if isinstance(flag.value, list) else [flag.value] if flag.value else []
    if len(values) != 1:
        raise UserError(f"--{flag.name}: exactly one is due, got {values or 'none'}")
    return values[0]


def _train() -> int:
    from perceiver_bench.commands.evaluate import table
    from perceiver_bench.commands.sweep import sweep
    from perceiver_bench.commands.train import train

    several = bool(_SWEEP.value or _SEEDS.value)
    names = _TASK.value if several and _TASK.value else [_one(_TASK)]
    options: dict[str, Any] = {
        "preset": _PRESET.value,
        "changes": _changes(names),
        "data_dir": _data_dir(names),
        "workdir": _path(_WORKDIR),
        "init": pathlib.Path(_INIT.value) if _INIT.value else None,
        "seed": _SEED.value,
        "results_dir": pathlib.Path(_RESULTS_DIR.value),
        "keep_compiled": _COMPILATION_CACHE.value,
    }
    if several:
        num_seeds = _SEEDS.value or 1
        print(sweep(names, over_settings=_SWEEP.value, num_seeds=num_seeds, **options))
    else:
        train(names[0], **options)
        print(table(names[0], options["results_dir"]))
    return 0


def _evaluate() -> int:
    from perceiver_bench.commands.evaluate import evaluate, table

    if not _TASK.value:
        raise UserError("--task is missing; see --mode=list")
    results_dir = pathlib.Path(_RESULTS_DIR.value)
    for name in _TASK.value:
        evaluate(
            name,
            checkpoint_name=str(_one(_CHECKPOINT)),
            preset=_PRESET.value,
            changes=_changes([name]),
            data_dir=_data_dir([name]),
            limit=_LIMIT.value,
            results_dir=results_dir,
        )
        print(table(name, results_dir))
    return 0


def _predict() -> int:
    from perceiver_bench.commands.predict import predict

    if not _TASK.value:
        raise UserError("--task is missing; see --mode=list")
    checkpoint = _one(_CHECKPOINT)
    predict(
        _TASK.value,
        checkpoint_names=checkpoint.split(",") if len(_TASK.value) > 1 else [checkpoint],
        preset=_PRESET.value,
        changes=_changes(_TASK.value),
        data_dir=_data_dir(_TASK.value),
        outputs=_path(_OUTPUTS),
        limit=_LIMIT.value,
    )
    return 0


def _forward() -> int:
    from perceiver_bench.commands.network import forward

    forward(
        _one(_MODEL),
        checkpoint=_path(_CHECKPOINT),
        inputs=pathlib.Path(_one(_INPUTS)),
        outputs=_path(_OUTPUTS),
        changes=_SET.value,
        repeat=_REPEAT.value,
    )
    return 0


def _convert() -> int:
    from perceiver_bench.commands.network import convert

    convert(
        _one(_MODEL),
        source=_path(_SOURCE),
        target=_path(_TARGET),
        target_format=_FORMAT.value,
        changes=_SET.value,
    )
    return 0


def _prepare() -> int:
    from perceiver_bench.commands.prepare import prepare
    from perceiver_bench.data.text import prepare_sentencepiece

    if _TASK.value:
        name = _one(_TASK)
        prepare(
            name,
            preset=_PRESET.value,
            changes=_changes([name]),
            data_dir=_data_dir([name]),
            outputs=_path(_OUTPUTS),
        )
        return 0
    files = [pathlib.Path(name) for name in _INPUTS.value]
    if not files:
        raise UserError("--inputs is missing: text files, comma between; or name a --task")
    prepare_sentencepiece(files, _VOCAB_SIZE.value, _path(_OUTPUTS))
    return 0


def _report() -> int:
    from perceiver_bench.report import report

    return report(pathlib.Path(_RESULTS_DIR.value), _CHECK.value)


def _benchmark() -> int:
    from perceiver_bench.commands.benchmark import RESULTS, benchmark

    return benchmark(
        job=_JOB.value,
        models=_MODEL.value.split(",") if _MODEL.value else (),
        rounds=_REPEAT.value,
        outputs=pathlib.Path(_OUTPUTS.value) if _OUTPUTS.value else RESULTS,
    )


def _plan() -> int:
    from perceiver_bench.commands.plan import describe

    print(describe(_one(_MODEL), _SET.value))
    return 0


def _list() -> int:
    from perceiver_bench.commands.listing import listing

    data_dir, checkpoint = (
        pathlib.Path(flag.value) if flag.value else None for flag in (_DATA_DIR, _CHECKPOINT)
    )
    print(listing(data_dir, checkpoint))
    return 0


def _demo() -> int:
    from perceiver_bench.commands.demo import demo

    workdir = pathlib.Path(_WORKDIR.value or "demo")
    print(demo(workdir=workdir, results_dir=workdir / "results", seed=_SEED.value))
    return 0


_COMMANDS: dict[str, Callable[[], int]] = {
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "forward": _forward,
    "convert": _convert,
    "prepare": _prepare,
    "report": _report,
    "benchmark": _benchmark,
    "plan": _plan,
    "list": _list,
}


def _dispatch(argv: list[str]) -> int:
    """Runs what the flags ask for and returns the exit code."""
    from perceiver_bench.train.loop import Interrupted

    _quiet_other_packages()
    try:
        if argv[1:]:
            raise UserError(f"unknown argument {argv[1]!r}; flags begin with --")
        if _SUITE.value not in (None, "demo"):
            raise UserError(f"--suite={_SUITE.value}: no such suite.{nearest('demo', ['demo'])}")
        if _SUITE.value and not _MODE.value:
            return _demo()
        if not _MODE.value:
            raise UserError(f"--mode is missing: {', '.join(MODES)}; or --suite=demo")
        if _MODE.value not in _COMMANDS:
            raise UserError(f"--mode={_MODE.value}: no such mode.{nearest(_MODE.value, MODES)}")
        return _COMMANDS[_MODE.value]()
    except UserError as error:
        _complain(error)
        return 2
    except Interrupted as stop:
        _complain(f"{stop}; the same command goes on from it")
        return 143
    except KeyboardInterrupt:
        _complain("interrupted; a training run goes on from its last checkpoint")
        return 130


def _complain(message: object) -> None:
    """Prints one line on standard error, whatever a path or another library put into it."""
    print(f"perceiver-bench: {' '.join(str(message).split())}", file=sys.stderr)


def _quiet_other_packages() -> None:
    """Shows this package's progress, and of other packages only warnings."""
    logging.set_verbosity(logging.INFO)
    here = str(pathlib.Path(__file__).parent)
    logging.get_absl_handler().addFilter(
        lambda entry: entry.pathname.startswith(here) or entry.levelno > 20
    )


def main() -> None:
    """Runs the command line; wrong flags and mendable faults exit with code 2."""
    app.run(lambda argv: sys.exit(_dispatch(argv)), flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    here = sys.modules[__name__]
    if {"--help", "-help", "-h"} & set(argv):
        print(f"{__doc__}\n{flags.FLAGS.module_help(here)}")
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(here)]
        _complain(f"--{error.flagname}: no such flag.{nearest(error.flagname, known)}")
        sys.exit(2)
    except flags.Error as error:
        _complain(error)
        sys.exit(2)
