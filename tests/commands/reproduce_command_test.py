# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From a record to the command that made it, run again, and what it says differs."""

import dataclasses
import json
import shlex
import shutil

import pytest
import tiny_runs
from tiny_runs import TASK

from perceiver_bench import registry
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.results import record
from perceiver_bench.train import checkpoint

SAME = "Every number is the same to the last digit."


@pytest.fixture
def reproduce(capsys, tmp_path):
    """Runs the command line on a record; the new record goes to `tmp_path`."""

    def run(path, **flags):
        arguments = tiny_runs.as_flags(record=path, results_dir=tmp_path / "new", **flags)
        return tiny_runs.command(capsys, "--mode=reproduce", *arguments)

    return run


@pytest.fixture(scope="module")
def baseline(base, tmp_path_factory):
    return evaluated(base, tmp_path_factory.mktemp("baseline"), "baseline:bag_of_words", limit=40)


def evaluated(base, results_dir, name, **options):
    return evaluate(
        TASK,
        checkpoint_name=str(name),
        data_dir=tiny_runs.data_dir(base),
        results_dir=results_dir,
        **options,
    )


def changed(path, folder, **fields):
    """Returns the path of a copy of a record with other fields."""
    value = json.loads(path.read_text())
    copied = folder / path.name
    copied.write_text(json.dumps({**value, **fields}))
    return copied


def as_version_1(path, folder):
    """Returns the path of a copy of a record as it was before there were commands."""
    value = json.loads(path.read_text())
    kept = {name: value for name, value in value.items() if name not in ("command", "coverage")}
    device = {name: value["device"][name] for name in ("platform", "kind", "count")}
    copied = folder / path.name
    copied.write_text(json.dumps({**kept, "schema_version": 1, "device": device}))
    return copied


def metric_of(path, **fields):
    metrics = json.loads(path.read_text())["metrics"]
    metrics["accuracy"].update(fields)
    return metrics


def new_record(tmp_path):
    (found,) = record.read_all(tmp_path / "new")
    return found


def test_records_hold_their_commands_and_how_much_was_measured(base, baseline, tmp_path):
    found = record.read(baseline)
    folder = "/".join(tiny_runs.data_dir(base).parts[-2:])
    assert found.command == (
        *("--mode=evaluate", f"--task={TASK}", "--checkpoint=baseline:bag_of_words"),
        *("--limit=40", f"--data_dir={folder}"),
    )
    assert found.coverage == {"num_measured": 40, "num_examples": tiny_runs.NUM_DEV}
    workdir, path = tiny_runs.trained(base)
    found = record.read(path)
    assert found.command == (
        *("--mode=train", f"--task={TASK}", "--preset=tiny", "--seed=0", f"--data_dir={folder}"),
        f"--workdir={'/'.join(workdir.parts[-2:])}",
        *(f"--set={change}" for change in tiny_runs.CHANGES),
    )
    assert found.coverage == {"num_measured": tiny_runs.NUM_DEV, "num_examples": tiny_runs.NUM_DEV}
    assert str(base) not in path.read_text()
    best = record.read(evaluated(base, tmp_path, workdir / "best"))
    assert best.command is not None
    assert best.command[:2] == ("--mode=evaluate", f"--task={TASK}")


def test_a_baseline_is_the_same_again(base, baseline, reproduce, tmp_path):
    data_dir = tiny_runs.data_dir(base)
    code, output, errors = reproduce(baseline, data_dir=data_dir)
    assert code == 0, errors
    first, *_, last = output.splitlines()
    assert shlex.split(first) == [
        *("perceiver-bench", "--mode=evaluate", f"--task={TASK}"),
        *("--checkpoint=baseline:bag_of_words", "--limit=40", f"--data_dir={data_dir}"),
    ]
    assert last == SAME
    assert "| field |" not in output
    accuracy = record.read(baseline).metrics["accuracy"].value
    assert f"| accuracy | {accuracy!r} | {accuracy!r} | 0.0 | +0.00 |" in output
    assert new_record(tmp_path).partial_reason == f"--limit=40 of {tiny_runs.NUM_DEV} examples"


@pytest.mark.parametrize("is_old", [False, True])
def test_a_training_is_the_same_again(base, reproduce, tmp_path, is_old):
    """To the last bit of its weights, from the record alone."""
    workdir, path = tiny_runs.trained(base)
    before = record.read(path)
    given = as_version_1(path, tmp_path) if is_old else path
    data_dir, again = tiny_runs.data_dir(base), tmp_path / "again"
    code, output, errors = reproduce(given, data_dir=data_dir, workdir=again)
    assert code == 0, (output, errors)
    assert output.splitlines()[-1] == SAME
    assert f"--workdir={again}" in output.splitlines()[0]
    assert "checkpoint.digest" not in output
    now = new_record(tmp_path)
    assert now.checkpoint["digest"] == before.checkpoint["digest"]
    assert now.learning_curve == before.learning_curve
    assert tiny_runs.rows(again) == tiny_runs.rows(workdir)
    if is_old:
        return
    code, output, _ = reproduce(given, data_dir=data_dir, workdir=again)
    assert code == 0
    assert f"--workdir={again} holds a run: what is trained there is not trained again" in output


@pytest.mark.parametrize("is_old", [False, True])
def test_an_evaluation_of_weights_is_the_same_again(base, reproduce, tmp_path, is_old):
    workdir, _ = tiny_runs.trained(base)
    path = evaluated(base, tmp_path, workdir / "best", limit=20)
    given = as_version_1(path, tmp_path) if is_old else path
    shutil.copytree(workdir / "best", tmp_path / "moved")
    data_dir = tiny_runs.data_dir(base)
    code, output, errors = reproduce(given, data_dir=data_dir, checkpoint=tmp_path / "moved")
    assert code == 0, (output, errors)
    assert new_record(tmp_path).metrics == record.read(path).metrics
    before, last = checkpoint.steps(workdir / "checkpoints")
    older = workdir / "checkpoints" / str(before)
    code, output, _ = reproduce(given, data_dir=data_dir, checkpoint=older)
    assert code == 1
    assert f"| checkpoint.step | {last} | {before} |" in output
    assert "| checkpoint.digest | " in output
    assert output.splitlines()[-1].startswith("Not the same in value, standard error or number")


def test_a_number_that_differs_is_code_1(base, baseline, reproduce, tmp_path):
    old = record.read(baseline).metrics["accuracy"]
    assert old.standard_error
    metrics = metric_of(baseline, value=old.value - 2 * old.standard_error)
    path = changed(baseline, tmp_path, metrics=metrics)
    code, output, _ = reproduce(path, data_dir=tiny_runs.data_dir(base))
    assert code == 1
    (line,) = (line for line in output.splitlines() if line.startswith("| accuracy |"))
    assert line.endswith("| +2.00 |")
    assert output.splitlines()[-1] == (
        "Not the same in value, standard error or number of examples: accuracy."
    )


def test_the_last_digit_counts(base, baseline, reproduce, tmp_path):
    value = record.read(baseline).metrics["accuracy"].value
    path = changed(baseline, tmp_path, metrics=metric_of(baseline, value=value + 2e-14))
    assert record.read(path).metrics["accuracy"].value != value
    assert reproduce(path, data_dir=tiny_runs.data_dir(base))[0] == 1


def test_other_data_is_code_2(base, baseline, reproduce, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_runs.data_dir(base), other)
    dev = other / "SST-2" / "dev.tsv"
    dev.write_text(dev.read_text().replace("\t0\n", "\t1\n", 1))
    code, output, _ = reproduce(baseline, data_dir=other)
    assert code == 2
    assert "The two do not compare: the data is another: " in output.splitlines()[-1]
    assert "sha256" in output.splitlines()[-1]
    assert "| data.sha256 | " in output
    _, trained = tiny_runs.trained(base)
    code, output, _ = reproduce(trained, data_dir=other, workdir=tmp_path / "again")
    assert code == 2
    assert output.splitlines()[-1].startswith("not run: the data is another: ")
    assert not (tmp_path / "again").exists()


def test_another_version_or_protocol_of_the_task_is_code_2(
    base, baseline, reproduce, tmp_path, monkeypatch
):
    task = registry.get(TASK)
    data_dir, (_, trained) = tiny_runs.data_dir(base), tiny_runs.trained(base)
    flags = {"data_dir": data_dir, "workdir": tmp_path / "again"}
    for fields, message in (
        ({"version": task.version + 1}, f"task_version was {task.version} and is"),
        (
            {"protocol": "glue-dev/other"},
            "protocol was 'glue-dev/accuracy' and is 'glue-dev/other'",
        ),
    ):
        made = dataclasses.replace(task, **fields)
        monkeypatch.setitem(registry._TASKS, TASK, lambda made=made: made)
        code, output, _ = reproduce(trained, **flags)
        assert code == 2
        assert output.splitlines()[-1].startswith(f"not run: {message}")
        code, output, _ = reproduce(baseline, data_dir=data_dir)
        assert code == 2
        assert message in output.splitlines()[-1]
    assert not (tmp_path / "again").exists()


def test_other_versions_are_told_before_the_run(base, baseline, reproduce, tmp_path):
    versions = {**record.read(baseline).versions, "jax": "0.0.1", "gone": "5"}
    path = changed(baseline, tmp_path, versions=versions)
    code, output, _ = reproduce(path, data_dir=tiny_runs.data_dir(base))
    assert code == 0
    lines = output.splitlines()
    assert lines[1] == f"versions.jax was 0.0.1 and is {record.read(baseline).versions['jax']}"
    assert lines[2] == "versions.gone was 5 and is not known"
    assert "| versions.gone | 5 | not known |" in output
    assert lines[-1] == SAME


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("baseline", (), "--data_dir is missing: a record has no whole paths"),
        ("baseline", ("data_dir", "checkpoint"), "--checkpoint=x: the command of the record has"),
        ("trained", ("data_dir",), "--workdir is missing"),
        ("trained", (), "--data_dir, --workdir are missing"),
        ("trained", ("data_dir", "workdir", "checkpoint"), "--checkpoint=x: the command of the"),
        ("trained", ("data_dir", "workdir", "init"), "--init=x: the command of the record has no"),
        ("best", ("data_dir",), "--checkpoint is missing"),
        ("best", ("data_dir", "checkpoint", "workdir"), "--workdir=x: the command of the record"),
        ("pretrained", ("data_dir", "workdir"), "--init is missing"),
    ],
)
def test_paths_are_those_of_the_command(base, baseline, reproduce, tmp_path, kind, given, message):
    _, trained = tiny_runs.trained(base)
    flags = list(record.read(trained).command or ())
    evaluation = ["--mode=evaluate", f"--task={TASK}", "--checkpoint=run/best", "--data_dir=d"]
    path = baseline if kind == "baseline" else trained
    if command := {"best": evaluation, "pretrained": [*flags, "--init=runs/mlm"]}.get(kind):
        path = changed(trained, tmp_path, command=command)
    code, output, errors = reproduce(path, **dict.fromkeys(given, "x"))
    assert code == 2
    assert output.startswith("perceiver-bench --mode=")
    assert len(output.splitlines()) == 1
    assert message in errors[-1]
    assert not (tmp_path / "new").exists()


def test_a_file_that_the_command_sets_is_given_anew(base, baseline, reproduce, tmp_path):
    command = [*(record.read(baseline).command or ()), "--set=data.max_length=64"]
    path = changed(baseline, tmp_path, command=command)
    flags = {"data_dir": tiny_runs.data_dir(base)}
    code, output, _ = reproduce(path, set="data.max_length=48", **flags)
    assert code == 0
    assert "--set=data.max_length=48" in output.splitlines()[0]
    assert "data.max_length=64" not in output
    code, _, errors = reproduce(path, set="data.model=words.model", **flags)
    assert code == 2
    assert "--set=data.model=words.model: the command of the record does not set" in errors[-1]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--mode=predict", "--task=glue/sst2"], "a --mode of train or evaluate"),
        (["--mode=train", "--task=glue/rte"], "--task=glue/rte is not the record's glue/sst2"),
        (["--mode=train", "--task=glue/sst2", "--outputs=x"], "'--outputs=x' is no flag"),
    ],
)
def test_a_command_that_makes_no_record_is_not_run(baseline, reproduce, tmp_path, command, message):
    path = changed(baseline, tmp_path, command=command)
    code, output, errors = reproduce(path, data_dir="x")
    assert (code, output) == (2, "")
    assert f"field command: {message}" in errors[-1]
