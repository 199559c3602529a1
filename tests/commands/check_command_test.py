# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The gate as the command line and CI see it, and the forms that docs/ci.md shows."""

import copy
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import yaml
from absl import flags
from made_runs import RUN

from perceiver_bench import (
    run,  # noqa: F401 (defines the flags)
)
from perceiver_bench.commands.check import check, write_baseline
from perceiver_bench.errors import UserError
from perceiver_bench.results import baselines, record

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def _record(folder, *, value=93.0, **changes):
    """Writes a record of a run."""
    fields = copy.deepcopy(RUN) | {"protocol": "glue-dev/accuracy", "overrides": []} | changes
    fields["metrics"]["accuracy"]["value"] = value
    return record.write(fields, folder)


@pytest.fixture(autouse=True)
def _no_summary(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def baseline(tmp_path, capsys):
    """A baseline file made of one run; its tolerance is 2.6."""
    _record(tmp_path / "first")
    path = tmp_path / "baseline.yaml"
    assert write_baseline(path, results_dir=tmp_path / "first") == 0
    assert "baseline.yaml: written; read it" in capsys.readouterr().out
    return path


def _last_lines(capsys):
    """What follows the table on standard output."""
    output = capsys.readouterr().out
    assert output.startswith("task ")
    return output.partition("\n\n")[2].splitlines()


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({}, 0, None),
        ({"value": 95.6}, 0, None),
        ({"value": 90.4}, 0, None),
        ({"value": 98.2}, 1, "98.2 is 2.00 tolerances above the expected 93 ± 2.6, which is bett"),
        ({"value": 87.8}, 1, "87.8 is 2.00 tolerances below the expected 93 ± 2.6, which is wors"),
        ({"dataset": {"file": "x"}}, 2, "record .*: data is .{12}, due is .{12}"),
        ({"protocol": "other"}, 2, "record .*: protocol is other, due is glue-dev/accuracy"),
        ({"task_version": 2}, 2, "record .*: task version is 2, due is 1"),
        ({"preset": "tiny"}, 2, "no record of this run; .* preset is tiny, due is small"),
        ({"task": "glue/cola"}, 2, "no record of this task"),
        (
            {"partial": True, "partial_reason": "--limit=5"},
            2,
            r"there are partial records only \(--limit=5\)",
        ),
    ],
)
def test_a_change_gives_its_exit_code_and_one_sentence(
    baseline, tmp_path, capsys, changes, code, sentence
):
    _record(tmp_path / "results", **changes)
    assert check(baseline, results_dir=tmp_path / "results") == code
    *told, summary = _last_lines(capsys)
    words = {0: "1 of 1 within", 1: "1 out of tolerance", 2: "1 not comparable"}
    assert words[code] in summary
    assert len(told) == (code > 0)
    if told:
        verdict = {1: "out of tolerance", 2: "not comparable"}[code]
        start = re.escape(f"{verdict}: glue/sst2 accuracy (")
        assert re.fullmatch(rf"{start}preset small, .*\): {sentence}.*\.", told[0])


def test_an_empty_results_folder_is_not_comparable(baseline, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert check(baseline, results_dir=tmp_path / "empty") == 2
    assert "no record of this task" in _last_lines(capsys)[0]


def test_a_wrong_number_comes_before_a_missing_record(tmp_path, capsys):
    for task in ("glue/sst2", "glue/cola"):
        _record(tmp_path / "first", task=task)
    path = tmp_path / "baseline.yaml"
    write_baseline(path, results_dir=tmp_path / "first")
    capsys.readouterr()
    _record(tmp_path / "results", value=50.0)
    assert check(path, results_dir=tmp_path / "results") == 1
    assert len(_last_lines(capsys)) == 3
    assert check(path, results_dir=tmp_path / "results", tasks=["glue/cola"]) == 2
    assert len(_last_lines(capsys)) == 2


def test_junit_goes_to_its_file(baseline, tmp_path):
    _record(tmp_path / "results", value=50.0)
    junit = tmp_path / "new" / "gate.xml"
    assert check(baseline, results_dir=tmp_path / "results", junit_file=junit) == 1
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")


def test_the_step_summary_is_appended_to(baseline, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    _record(tmp_path / "results")
    for _ in range(2):
        assert check(baseline, results_dir=tmp_path / "results") == 0
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n## baseline.yaml\n\n| task | metric |")
    assert text.count("| glue/sst2 (preset small, ") == 2


def test_a_summary_that_cannot_be_written_is_an_error_after_the_table(
    baseline, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    _record(tmp_path / "results")
    with pytest.raises(UserError, match=r"^GITHUB_STEP_SUMMARY=.*: cannot be written: Is a dir"):
        check(baseline, results_dir=tmp_path / "results")
    assert "1 of 1 within tolerance" in _last_lines(capsys)[0]


def test_writing_keeps_an_existing_file_and_says_what_is_left_out(baseline, tmp_path, capsys):
    before = baseline.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        write_baseline(baseline, results_dir=tmp_path / "first")
    assert baseline.read_bytes() == before
    fields = copy.deepcopy(RUN["metrics"]["accuracy"]) | {"standard_error": None}
    _record(tmp_path / "more", metrics={"accuracy": RUN["metrics"]["accuracy"], "f1": fields})
    write_baseline(tmp_path / "other.yaml", results_dir=tmp_path / "more", tasks=["glue/sst2"])
    assert "left out: glue/sst2: small: no standard error of f1\n" in capsys.readouterr().out


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_has_an_example_that_is_a_baseline(tmp_path):
    example, workflow = _blocks("yaml")
    path = tmp_path / "baseline.yaml"
    path.write_text(example)
    assert len(baselines.read(path)) == 1
    # GitHub's `on` is YAML's True.
    assert set(yaml.safe_load(workflow)) == {"name", True, "permissions", "jobs"}


def test_the_workflow_runs_what_there_is():
    jobs = yaml.safe_load(_blocks("yaml")[1])["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    commands = [step["run"] for step in steps if "run" in step]
    gate = next(word for line in commands for word in line.split() if word == ".ci/gate")
    assert os.access(ROOT / gate, os.X_OK)
    for script in (*commands, *_blocks("bash"), (ROOT / gate).read_text(encoding="utf-8")):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=10)


def test_every_flag_that_is_shown_exists():
    script = (ROOT / ".ci" / "gate").read_text(encoding="utf-8")
    shown = set(re.findall(r"--([a-z_]+)\b(?=[= \]`\n])", PAGE + script)) - {"write"}
    assert {"mode", "baseline", "results_dir", "junit", "write_baseline", "task"} <= shown
    assert [name for name in sorted(shown) if name not in flags.FLAGS] == []


def test_files_that_are_linked_exist():
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.slow
def test_the_demos_gate_passes_and_notices_every_change(tmp_path, capsys):
    """Trains the demo's smallest network as CI does, then changes what is expected of it."""
    environment = {
        **os.environ,
        "VIRTUAL_ENV": sys.prefix,
        "RESULTS": str(tmp_path / "results"),
        "JUNIT": str(tmp_path / "gate.xml"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    done = subprocess.run(
        [ROOT / ".ci" / "gate"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert "within tolerance" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    first, *others = baselines.read(ROOT / "results" / "baselines" / "demo.yaml")
    nudged = first.expected + 2 * first.tolerance.amount
    for number, (changes, code) in enumerate(
        [
            ({"expected": nudged}, 1),
            ({"run": {**first.run, "seed": 1}}, 2),
            ({"dataset_fingerprint": "ab" * 32}, 2),
            ({"protocol": "other"}, 2),
        ]
    ):
        path = tmp_path / f"{number}.yaml"
        baselines.write([dataclasses.replace(first, **changes), *others], path)
        assert check(path, results_dir=tmp_path / "results") == code
        assert len(_last_lines(capsys)) == 2
