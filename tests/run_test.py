# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The program as a person starts it; every mode's faults are in commands/bad_input_test.py."""

import json
import subprocess
import sys

import pytest
import tiny_runs

from perceiver_bench import run
from perceiver_bench.errors import UserError


def start(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "perceiver_bench", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_help_shows_the_modes_and_every_flag():
    done = start("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for mode in run.options.MODES:
        assert f"--mode={mode}" in done.stdout
    for flag in ("data_dir", "workdir", "checkpoint", "set", "repeat"):
        assert f"  --{flag}: " in done.stdout


def test_a_wrong_flag_is_one_line_and_code_2():
    done = start("--tsk=glue/sst2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "perceiver-bench: --tsk: no such flag. Did you mean 'task'?\n"


def test_a_wrong_path_is_one_line_and_code_2_without_warnings(tmp_path):
    done = start(
        "--mode=train", "--task=glue/sst2", f"--data_dir={tmp_path / 'x'}", f"--workdir={tmp_path}"
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"perceiver-bench: --data_dir={tmp_path / 'x'}: no such folder;")


def test_an_error_is_one_line_whatever_is_in_it(capsys, monkeypatch):
    def fail():
        raise UserError("a\nb\r\n  c")

    monkeypatch.setitem(run.COMMANDS, "list", fail)
    code, output, errors = tiny_runs.command(capsys, "--mode=list")
    assert (code, output, errors) == (2, "", ["perceiver-bench: a b c"])


def test_an_interruption_is_one_line_and_code_143(capsys, monkeypatch):
    from perceiver_bench.train.loop import Interrupted

    def stop():
        raise Interrupted("stopped by SIGTERM; saved step 3 in W")

    monkeypatch.setitem(run.COMMANDS, "list", stop)
    code, _, errors = tiny_runs.command(capsys, "--mode=list")
    assert code == 143
    (line,) = errors
    assert line.endswith("saved step 3 in W; the same command goes on from it")


def test_a_fault_of_the_program_is_not_hidden(capsys, monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setitem(run.COMMANDS, "list", fail)
    with pytest.raises(ZeroDivisionError):
        tiny_runs.command(capsys, "--mode=list")


def test_every_mode_has_a_command():
    assert set(run.COMMANDS) == set(run.options.MODES)


def test_evaluate_takes_several_tasks_and_prints_a_table_for_each(tmp_path, capsys):
    folder = tiny_runs.data_dir(tmp_path)
    code, output, _ = tiny_runs.command(
        capsys,
        "--mode=evaluate",
        "--task=glue/sst2,glue/sst2",
        "--checkpoint=baseline:majority",
        f"--data_dir={folder}",
        f"--results_dir={tmp_path / 'results'}",
    )
    assert code == 0
    assert output.count("Protocol glue-dev/accuracy") == 2
    records = list((tmp_path / "results").rglob("*.json"))
    assert len(records) == 2
    metrics = json.loads(records[0].read_text())["metrics"]
    assert metrics["accuracy"]["n"] == tiny_runs.NUM_DEV


def test_prepare_writes_a_model_of_the_text(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("the plot is moving\n" * 50)
    code, output, _ = tiny_runs.command(
        capsys,
        "--mode=prepare",
        f"--inputs={tmp_path / 'a.txt'}",
        f"--outputs={tmp_path / 'm.model'}",
        "--vocab_size=30",
    )
    assert (code, output) == (0, "")
    assert (tmp_path / "m.model").stat().st_size > 100
