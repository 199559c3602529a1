# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a person can get wrong in a run: exit code 2 and one line that names it and the mend."""

import dataclasses
import resource
import shutil

import pytest
import tiny_runs
from tiny_runs import TASK, complaint, evaluate_flags, train_flags

from perceiver_bench import registry


@pytest.fixture
def data(base, tmp_path):
    """A copy of the data, to be spoiled."""
    return shutil.copytree(tiny_runs.data_dir(base), tmp_path / "data")


@pytest.mark.parametrize(
    ("arguments", "due"),
    [
        ([], "--mode is missing: train, evaluate,"),
        (["--mode=trian"], "--mode=trian: no such mode. Did you mean 'train'?"),
        (["--suite=dem"], "--suite=dem: no such suite. Did you mean 'demo'?"),
        (["train"], "unknown argument 'train'; flags begin with --"),
        (["--tsk=glue/sst2"], "--tsk: no such flag. Did you mean 'task'?"),
        (["--mode=train", "--seed=x"], "flag --seed=x: invalid literal"),
        (["--mode=train", "--seed=-1"], "flag --seed=-1: -1 is not a non-negative integer"),
        (["--mode=evaluate", "--limit=0"], "flag --limit=0: 0 is not a positive integer"),
        (["--mode=convert", "--format=zip"], "flag --format=zip: value should be one of <orbax|"),
        (["--mode=train"], "--task: exactly one is due, got none"),
        (["--mode=train", "--task=a/b,c/d"], "--task: exactly one is due, got ['a/b', 'c/d']"),
        (["--mode=train", f"--task={TASK}"], "--data_dir is missing"),
        (["--mode=train", f"--task={TASK}", "--data_dir=x"], "--workdir is missing"),
        (["--mode=evaluate"], "--task is missing"),
        (["--mode=evaluate", f"--task={TASK}"], "--checkpoint: exactly one is due, got none"),
        (["--mode=evaluate", f"--task={TASK}", "--checkpoint=x"], "--data_dir is missing"),
        (["--mode=forward"], "--model: exactly one is due"),
        (["--mode=forward", "--model=flow"], "--checkpoint is missing"),
        (["--mode=forward", "--model=flow", "--checkpoint=x"], "--inputs: exactly one is due"),
        (
            ["--mode=forward", "--model=flow", "--checkpoint=x", "--inputs=a"],
            "--outputs is missing",
        ),
        (["--mode=convert", "--model=flow"], "--source is missing"),
        (["--mode=convert", "--model=flow", "--source=x"], "--target is missing"),
        (["--mode=convert", "--model=flwo", "--source=x", "--target=y"], "Did you mean 'flow'?"),
        (
            ["--mode=convert", "--model=flow", "--source=x", "--target=y.npz"],
            "give --format=orbax|",
        ),
        (
            ["--mode=convert", "--model=flow", "--source=x", "--target=y"],
            "x: no such file or folder",
        ),
        (["--mode=prepare"], "--inputs is missing: text files"),
        (["--mode=prepare", "--inputs=absent.txt", "--outputs=m"], "absent.txt: no such text file"),
        (["--mode=report", "--results_dir=absent"], "--results_dir=absent: no such folder"),
        (["--mode=list", "--checkpoint=absent"], "absent: no such file or folder"),
    ],
)
def test_flags(arguments, due, capfd):
    assert due in complaint(capfd, *arguments)


@pytest.mark.parametrize(
    ("values", "due"),
    [
        ({"preset": "tinny"}, "--preset=tinny: glue/sst2 has no such preset. Did you mean 'tiny'?"),
        ({"set": "train.stps=3"}, "TrainConfig has no field 'stps'. Did you mean 'steps'?"),
        ({"set": "trian.steps=3"}, "RunConfig has no field 'trian'. Did you mean 'train'?"),
        ({"set": "train.steps"}, "--set=train.steps: write it as path=value"),
        ({"set": "train.steps=ten"}, "--set=train.steps=ten: 'ten' is not of type int"),
        ({"set": "train.steps=1.5"}, "'1.5' is not of type int"),
        ({"set": "train.steps=0"}, "--set=train.steps=0: at least 1 is due, or 0 and a positive"),
        ({"set": "train.steps=-1"}, "--set=train.steps=-1: at least 1 is due"),
        ({"set": ["train.steps=0", "train.epochs=-1"]}, "--set=train.steps=0: at least 1 is due"),
        ({"set": "train.epochs=inf"}, "'inf' is not of type float"),
        ({"set": "train=3"}, "'train' has fields, set one of them: steps,"),
        ({"set": "train.steps.x=3"}, "'steps' has no fields of its own"),
        ({"set": "train.optimizer.name=sgd"}, "'sgd' is none of lamb, adamw"),
        ({"set": "train.optimizer.learning_rate=nan"}, "'nan' is not of type float"),
        ({"set": "train.optimizer.warmup_steps=999"}, "warmup_steps=999: must be"),
        ({"set": "model.remat=yes"}, "write true or false, not 'yes'"),
        ({"set": "model.dtype=float64"}, "'float64' is none of float32, bfloat16"),
        ({"set": "model.encoder.self_attention.num_heads=3"}, "does not divide into 3 heads"),
        ({"set": "model.encoder.num_latents=0"}, "encoder.num_latents=0 of the model: at least 1"),
        ({"set": "data.max_length=97"}, "data.max_length=97: more than model.input.max_length=96"),
        ({"set": "data.tokenizer=sentencepiece"}, "data.vocab_size=262"),
        ({"set": ["data.tokenizer=sentencepiece", "data.model=absent"]}, "data.model=absent"),
        ({"init": "absent"}, "absent: no such file or folder of weights"),
    ],
)
def test_runs(values, due, base, tmp_path, capfd):
    arguments = train_flags(tiny_runs.data_dir(base), tmp_path, **values)
    if due == "data.vocab_size=262":  # more pieces than there is text for is no fault
        arguments += ["--set=data.vocab_size=20"]
        due = "data.vocab_size=20: SentencePiece cannot train"
    assert due in complaint(capfd, *arguments)


def _without(name):
    return lambda folder: (folder / "SST-2" / name).unlink()


def _line(name, number, text):
    def change(folder):
        path = folder / "SST-2" / name
        lines = path.read_text().splitlines()
        lines[number - 1] = text
        path.write_text("\n".join(lines) + "\n")

    return change


def _train_as_dev(folder):
    shutil.copy(folder / "SST-2" / "train.tsv", folder / "SST-2" / "dev.tsv")


def _test_as_dev(folder):
    (folder / "SST-2" / "dev.tsv").write_text("index\tsentence\n0\tfine\n")


@pytest.mark.parametrize(
    ("spoil", "due"),
    [
        (_train_as_dev, "dev.tsv holds the same bytes as train.tsv; training data is no data to"),
        (_test_as_dev, "dev.tsv: it has no column 'label'; a test file has no labels"),
        (lambda folder: shutil.rmtree(folder), "no such folder; it should hold SST-2/train.tsv"),
        (_without("dev.tsv"), "it has no file SST-2/dev.tsv; it should hold"),
        (_without("train.tsv"), "it has no file SST-2/train.tsv; it should hold"),
        (
            _line("dev.tsv", 1, "text\tlabel"),
            "dev.tsv: it has no column 'sentence'; its columns are",
        ),
        (_line("dev.tsv", 7, "a short row"), "dev.tsv, line 7: 1 columns, and 2 are due"),
        (_line("dev.tsv", 5, "fine\t2"), "dev.tsv, line 5: 'label' is '2'; it should be one of"),
        (_line("train.tsv", 3, "fine\t"), "train.tsv, line 3: 'label' is ''"),
        (lambda folder: (folder / "SST-2" / "dev.tsv").write_text(""), "the file is empty"),
        (
            lambda folder: (folder / "SST-2" / "dev.tsv").write_text("sentence\tlabel\n"),
            "dev.tsv: the file has no rows",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_data(mode, spoil, due, data, tmp_path, capfd):
    spoil(data)
    make = {
        "train": lambda: train_flags(data, tmp_path),
        "evaluate": lambda: evaluate_flags(data, tmp_path),
    }
    line = complaint(capfd, *make[mode]())
    assert due in line
    assert str(data) in line or spoil is _train_as_dev


def test_a_checkpoint_is_not_evaluated_on_what_it_was_trained_on(base, data, tmp_path, capfd):
    _train_as_dev(data)
    (data / "SST-2" / "train.tsv").unlink()  # weights that have their tokenizer need no more
    trained = tiny_runs.trained(base)[0]
    line = complaint(capfd, *evaluate_flags(data, tmp_path, checkpoint=trained))
    assert line == (
        f"--data_dir: dev.tsv is what --checkpoint={trained} was trained on;"
        " training data is no data to evaluate on"
    )


def test_folders_that_cannot_be_written(base, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    data = tiny_runs.data_dir(base)
    for name, arguments in (
        ("workdir", train_flags(data, tmp_path, workdir=below)),
        ("results_dir", train_flags(data, tmp_path, results_dir=below)),
        ("results_dir", evaluate_flags(data, below)),
    ):
        line = complaint(capfd, *arguments)
        assert line == f"--{name}={below}: cannot write there: Not a directory"


def test_tasks_and_baselines_that_do_not_exist(base, tmp_path, capfd):
    data = tiny_runs.data_dir(base)
    line = complaint(capfd, *train_flags(data, tmp_path), "--task=glue/sst")
    assert line == "--task=glue/sst: no such task. Did you mean 'glue/sst2'?"
    line = complaint(capfd, *evaluate_flags(data, tmp_path, checkpoint="baseline:majorty"))
    assert line.endswith("glue/sst2 has no such baseline. Did you mean 'majority'?")


def test_a_workdir_of_another_run(base, tmp_path, capfd):
    workdir = shutil.copytree(tiny_runs.trained(base)[0], tmp_path / "w")
    data = tiny_runs.data_dir(base)
    changes = list(tiny_runs.CHANGES)
    for values, field in (
        ({"set": [*changes, "train.label_smoothing=0.1"]}, "train.label_smoothing=0.0, not 0.1"),
        ({"set": changes, "seed": 1}, "seed=0, not 1"),
        (
            {"set": [*changes, "data.tokenizer=sentencepiece"]},
            "data.tokenizer=bytes, not sentencepiece",
        ),
    ):
        line = complaint(capfd, *train_flags(data, tmp_path, workdir=workdir, **values))
        assert line == f"--workdir={workdir} holds a run with {field}; choose another workdir"
    other = shutil.copytree(data, tmp_path / "data")
    _line("train.tsv", 3, "other\t1")(other)
    line = complaint(capfd, *train_flags(other, tmp_path, workdir=workdir, set=changes))
    assert f"--workdir={workdir} holds a run with data." in line


def test_a_damaged_checkpoint(base, tmp_path, capfd):
    """Training names it and the one before; evaluation of that one still works."""
    workdir = shutil.copytree(tiny_runs.trained(base)[0], tmp_path / "w")
    data, newest = tiny_runs.data_dir(base), workdir / "checkpoints" / str(tiny_runs.STEPS)
    (newest / "metadata" / "metadata").unlink()
    line = complaint(capfd, *train_flags(data, tmp_path, set=list(tiny_runs.CHANGES)))
    assert f"checkpoint {newest} is damaged" in line
    assert f"remove the folder {newest} to go on from step 10" in line
    assert newest.is_dir()
    line = complaint(capfd, *evaluate_flags(data, tmp_path / "r", checkpoint=workdir))
    assert f"checkpoint {newest} is damaged" in line
    before = workdir / "checkpoints" / "10"
    code, _, errors = tiny_runs.command(
        capfd, *evaluate_flags(data, tmp_path / "r", checkpoint=before)
    )
    assert code == 0, errors


def test_a_preset_of_another_network_than_the_checkpoint(base, tmp_path, capfd):
    trained = tiny_runs.trained(base)[0]
    arguments = evaluate_flags(
        tiny_runs.data_dir(base), tmp_path, checkpoint=trained, preset="small"
    )
    assert "checkpoints/12 holds another model: " in complaint(capfd, *arguments)


def test_a_checkpoint_of_another_task(base, tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(registry._TASKS, "glue/other", lambda: _renamed("glue/other"))
    line = complaint(
        capfd,
        "--mode=evaluate",
        *tiny_runs.as_flags(
            task="glue/other",
            data_dir=tiny_runs.data_dir(base),
            checkpoint=tiny_runs.trained(base)[0],
            results_dir=tmp_path,
        ),
    )
    assert line.endswith("was trained on glue/sst2, not on glue/other")


def _renamed(name):
    return dataclasses.replace(registry.get(TASK), name=name)


def test_a_full_disk_in_a_real_process(base, tmp_path):
    """No file may grow beyond 20 kB: the checkpoint fails, the one before is whole."""
    workdir = shutil.copytree(tiny_runs.trained(base)[0], tmp_path / "w")
    shutil.rmtree(workdir / "checkpoints" / str(tiny_runs.STEPS))
    arguments = train_flags(
        tiny_runs.data_dir(base), tmp_path, set=list(tiny_runs.CHANGES), workdir=workdir
    )
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        process = tiny_runs.start(base, *arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    output, errors = process.communicate()
    assert process.returncode == 2, errors
    assert output == ""
    path = workdir / "checkpoints" / str(tiny_runs.STEPS)
    assert errors.splitlines()[-1].startswith(
        f"perceiver-bench: cannot write the checkpoint {path}"
    )
    assert "File too large" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert [one.name for one in (workdir / "checkpoints").iterdir()] == ["10"]
