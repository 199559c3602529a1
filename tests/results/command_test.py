# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import pathlib
import shlex

import pytest
import tiny_runs

from perceiver_bench import options
from perceiver_bench.results import command
from perceiver_bench.results.command import Command
from perceiver_bench.task import NO_DATA

TRAINING = Command(
    mode="train",
    task="glue/sst2",
    preset="small",
    changes=("train.steps=5", "data.model=my words.model"),
    init="runs/mlm/best",
    seed=3,
    data_dir="it's data",
    workdir="W",
)
EVALUATION = Command(mode="evaluate", task="glue/sst2", checkpoint="baseline:majority", limit=5)


@pytest.mark.parametrize("made", [TRAINING, EVALUATION, Command(mode="train", task="a/b")])
def test_flags_are_those_of_the_command(made):
    assert command.parse(made.flags()) == made
    text = command.as_text(made.flags())
    assert shlex.split(text) == ["perceiver-bench", *made.flags()]


def test_the_command_line_takes_the_flags(capsys, monkeypatch):
    taken = []

    def train():
        flags = (options.TASK, options.PRESET, options.SET, options.SEED, options.DATA_DIR)
        taken.extend(flag.value for flag in flags)
        return 0

    monkeypatch.setitem(tiny_runs.run.COMMANDS, "train", train)
    assert tiny_runs.command(capsys, *TRAINING.flags())[0] == 0
    assert taken == [["glue/sst2"], "small", [*TRAINING.changes], 3, "it's data"]


def test_a_shell_gets_what_was_given():
    text = command.as_text(TRAINING.flags())
    assert "'--set=data.model=my words.model'" in text
    assert """'--data_dir=it'"'"'s data'""" in text


def test_what_cannot_be_printed_does_not_keep_a_record_from_being_written():
    flags = Command(mode="train", task="a/b", data_dir="a\nb\udc80\x1b", workdir="ä").flags()
    assert flags == ["--mode=train", "--task=a/b", "--data_dir=a?b??", "--workdir=ä"]


def test_a_data_folder_that_was_not_given_is_no_flag():
    assert command.shown(NO_DATA) is None
    assert command.shown(pathlib.Path("glue")) == "glue"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "a --mode of train or evaluate and a --task are due"),
        (["--mode=train"], "a --task are due"),
        (["--mode=predict", "--task=a/b"], "a --mode of train or evaluate"),
        (["--mode=evaluate", "--task=a/b"], "has no --checkpoint"),
        (["--mode=train", "--task=a/b", "--task=a/c"], "'--task=a/c' is no flag of a command"),
        (["--mode=train", "--task=a/b", "--seed=x"], "'--seed=x' is no flag"),
        (["--mode=train", "--task=a/b", "--seed=-1"], "'--seed=-1' is no flag"),
        (["--mode=train", "--task=a/b", "--outputs=x"], "'--outputs=x' is no flag"),
        (["--mode=train", "--task=a/b", "--changes=x"], "'--changes=x' is no flag"),
        (["--mode=train", "--task=a/b", "rm"], "'rm' is no flag"),
    ],
)
def test_what_makes_no_record_is_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        command.parse(flags)
