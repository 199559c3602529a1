# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The flags of the command line, and what they stand for."""

import pathlib
from collections.abc import Iterable

from absl import flags

from perceiver_bench.errors import UserError

MODES = (
    *("train", "evaluate", "predict", "forward", "convert", "prepare"),
    *("report", "check", "compare", "reproduce", "benchmark", "plan", "list"),
)

MODE = flags.DEFINE_string("mode", None, f"What to do: {', '.join(MODES)}.")
SUITE = flags.DEFINE_string("suite", None, "demo: every family end to end on made data.")
TASK = flags.DEFINE_list("task", [], "Task or tasks, such as glue/sst2; see --mode=list.")
MODEL = flags.DEFINE_string("model", None, "Network, such as flow; see --mode=list.")
PRESET = flags.DEFINE_string("preset", None, "Preset of the task; its first by default.")
SET = flags.DEFINE_multi_string("set", [], "Change one field: --set=train.steps=200.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with the benchmark's own files.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a training run.")
RESULTS_DIR = flags.DEFINE_string("results_dir", "results", "Folder of records and tables.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "Weights in any format, a workdir (newest), WORKDIR/best, or baseline:NAME."
)
INIT = flags.DEFINE_string("init", None, "Pretrained weights that training starts from.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of parameters, dropout and data order.", 0)
SEEDS = flags.DEFINE_integer("seeds", None, "Train N seeds, from --seed on.", 1)
SWEEP = flags.DEFINE_bool("sweep", False, "Train every setting of the task's grid.")
LIMIT = flags.DEFINE_integer("limit", None, "Evaluate or predict the first N examples only.", 1)
SKIP_BAD = flags.DEFINE_integer(
    "skip_bad", None, "Go on without up to N image files that are broken, or copies.", 0
)
INPUTS = flags.DEFINE_list("inputs", [], "Input arrays (.npz), or text files to prepare from.")
OUTPUTS = flags.DEFINE_string("outputs", None, "File or folder to write.")
VOCAB_SIZE = flags.DEFINE_integer("vocab_size", 8000, "Tokens of a prepared tokenizer.", 16)
REPEAT = flags.DEFINE_integer(
    "repeat", None, "Time N more runs of --mode=forward; rounds of a benchmark.", 1
)
JOB = flags.DEFINE_string("job", "forward", "Benchmark: forward, train, growth or bfloat16.")
COMPILATION_CACHE = flags.DEFINE_bool(
    "compilation_cache", True, "Keep what training compiles in the workdir, for restarts."
)
MESH = flags.DEFINE_string(
    "mesh", None, "Devices along data, fsdp, tensor: --mesh=data:4,fsdp:2; or auto."
)
DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "One of many processes that the cluster has started."
)
COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, where no cluster tells."
)
PROCESS_ID = flags.DEFINE_integer("process_id", None, "Number of this process, from 0.", 0)
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes there are.", 1)
SOURCE = flags.DEFINE_string("source", None, "Weights to convert.")
TARGET = flags.DEFINE_string("target", None, "Where the converted weights go.")
FORMAT = flags.DEFINE_enum(
    "format", None, ["orbax", "huggingface", "official", "peract"], "Format of --target."
)
CHECK = flags.DEFINE_bool("check", False, "With --mode=report: fail if tables are out of date.")
HTML = flags.DEFINE_string("html", None, "Page that --mode=report writes too: all on one.")
LATEX = flags.DEFINE_string("latex", None, "File of LaTeX tables that --mode=report writes too.")
BASELINE = flags.DEFINE_string("baseline", None, "File of expected metrics, of --mode=check.")
WRITE_BASELINE = flags.DEFINE_bool("write_baseline", False, "Write --baseline from records.")
RECORD = flags.DEFINE_list(
    "record", [], "Record to reproduce, or two to compare: files, or ids of runs."
)
METRIC = flags.DEFINE_string("metric", None, "What is compared; a task's main metric by default.")
JUNIT = flags.DEFINE_string("junit", None, "JUnit XML file that --mode=check writes too.")


def path(flag: flags.FlagHolder) -> pathlib.Path:
    """Returns the path that a flag holds; raises UserError if it is not given."""
    if not flag.value:
        raise UserError(f"--{flag.name} is missing")
    return pathlib.Path(flag.value)


def data_dir(names: Iterable[str]) -> pathlib.Path:
    """Returns --data_dir; raises UserError if it is not given and one of the tasks needs it."""
    from perceiver_bench import registry, task

    if not DATA_DIR.value and not any(registry.get(name).needs_data for name in names):
        return task.NO_DATA
    return path(DATA_DIR)


def changes(names: Iterable[str]) -> list[str]:
    """Returns every --set, and what --skip_bad stands for among them."""
    from perceiver_bench import registry

    if SKIP_BAD.value is None:
        return SET.value
    for name in names:
        task = registry.get(name)
        if not hasattr(task.presets[task.default_preset].data, "skip_bad"):
            raise UserError(f"--skip_bad={SKIP_BAD.value}: {name} does not skip files")
    return [*SET.value, f"data.skip_bad={SKIP_BAD.value}"]


def is_distributed() -> bool:
    """Whether this is one of several processes that were started alike."""
    flags_of_it = (COORDINATOR, PROCESS_ID, NUM_PROCESSES)
    return DISTRIBUTED.value or any(flag.value is not None for flag in flags_of_it)


def one(flag: flags.FlagHolder) -> str:
    """Returns the single value of a flag or of a list flag."""
    values = flag.value if isinstance(flag.value, list) else [flag.value] if flag.value else []
    if len(values) != 1:
        raise UserError(f"--{flag.name}: exactly one is due, got {values or 'none'}")
    return values[0]
