# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: flags, dispatch, and errors in one line.

perceiver-bench --suite=demo
    makes small data, trains a tiny model of every family, prints the table
perceiver-bench --mode=train --task=glue/sst2 --data_dir=glue_data --workdir=W
    trains, saves, resumes by itself, evaluates at the end; with --sweep every setting
    of the task's grid, with --seeds=3 three seeds, each in a workdir of its own in W
    --mesh=data:4,fsdp:2 divides batches and parameters over devices; --distributed joins the
    processes that a cluster started, --coordinator=HOST:PORT --process_id=I --num_processes=N
    others
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
    makes tables from records; --html=FILE one page with all, --latex=FILE tables for a paper
perceiver-bench --mode=check --baseline=expected.yaml --results_dir=results
    compares records with expected metrics, for CI: exit code 0, 1 outside of tolerance, 2 not
    comparable; --write_baseline writes such a file from records
perceiver-bench --mode=compare --record=A.json,B.json
    two runs of one task, example by example: difference, interval, wins and losses
perceiver-bench --mode=reproduce --record=A.json --data_dir=D --workdir=W
    runs the command that made a record, and says what differs now: exit code 0 if no number
    does, 1 if one does, 2 not comparable; --checkpoint=C where it evaluated weights
perceiver-bench --mode=list
    tasks, presets and models, and what is missing for each
"""

import pathlib
import sys

from absl import app, flags, logging

from perceiver_bench import options
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.modes import COMMANDS, demo


def _dispatch(argv: list[str]) -> int:
    """Runs what the flags ask for and returns the exit code."""
    from perceiver_bench.train.loop import Interrupted

    _quiet_other_packages()
    try:
        if argv[1:]:
            raise UserError(f"unknown argument {argv[1]!r}; flags begin with --")
        suite, mode = options.SUITE.value, options.MODE.value
        if suite not in (None, "demo"):
            raise UserError(f"--suite={suite}: no such suite.{nearest('demo', ['demo'])}")
        if suite and not mode:
            return demo()
        if not mode:
            raise UserError(f"--mode is missing: {', '.join(options.MODES)}; or --suite=demo")
        if mode not in COMMANDS:
            raise UserError(f"--mode={mode}: no such mode.{nearest(mode, options.MODES)}")
        if not options.is_distributed():
            return COMMANDS[mode]()
        return _one_of_many(mode)
    except UserError as error:
        _complain(error)
        return 2
    except Interrupted as stop:
        _complain(f"{stop}; the same command goes on from it")
        return 143
    except KeyboardInterrupt:
        _complain("interrupted; a training run goes on from its last checkpoint")
        return 130


def _one_of_many(mode: str) -> int:
    """Runs a mode in this and all other processes."""
    from perceiver_bench import distributed

    if mode not in ("train", "evaluate"):
        raise UserError(f"--mode={mode} runs in one process; leave out --distributed")
    distributed.start(
        options.COORDINATOR.value, options.PROCESS_ID.value, options.NUM_PROCESSES.value
    )
    if not distributed.is_first():
        logging.set_verbosity(logging.WARNING)
    try:
        return COMMANDS[mode]()
    except (UserError, KeyboardInterrupt):
        raise
    except Exception:
        distributed.await_loss()
        raise


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
    if {"--help", "-help", "-h"} & set(argv):
        print(f"{__doc__}\n{flags.FLAGS.module_help(options)}")
        sys.exit(0)
    try:
        return flags.FLAGS(argv)
    except flags.UnrecognizedFlagError as error:
        known = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(options)]
        _complain(f"--{error.flagname}: no such flag.{nearest(error.flagname, known)}")
        sys.exit(2)
    except flags.Error as error:
        _complain(error)
        sys.exit(2)
