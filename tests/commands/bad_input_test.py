# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a person can get wrong: exit code 2 and one line that names it and the mend."""

import dataclasses
import io
import pathlib
import resource
import shutil

import numpy as np
import pytest
import tiny_runs
from random_networks import random_batch, random_weights

from perceiver_bench import registry
from perceiver_bench.model import presets
from perceiver_bench.train import weights

TASK = tiny_runs.TASK


def complaint(capfd, *arguments):
    """Runs a command line that has to fail, and returns its one line."""
    code, output, errors = tiny_runs.command(capfd, *arguments)
    assert code == 2, errors
    assert output == ""
    lines = [line for line in errors if line.startswith("perceiver-bench: ")]
    assert len(lines) == 1
    assert errors[-1] == lines[0]
    # Before it there may be lines of progress.
    assert all(line.startswith("INFO:absl:") for line in errors[:-1]), errors
    return lines[0].removeprefix("perceiver-bench: ")


@pytest.fixture
def data(base, tmp_path):
    """A copy of the data, to be spoiled."""
    return shutil.copytree(tiny_runs.data_dir(base), tmp_path / "data")


def evaluate(data, results, **values):
    values = {"checkpoint": "baseline:majority", **values}
    return [
        "--mode=evaluate",
        *tiny_runs.as_flags(task=TASK, data_dir=data, results_dir=results, **values),
    ]


def train(data, tmp_path, **values):
    values = {"workdir": tmp_path / "w", "results_dir": tmp_path / "r", "preset": "tiny", **values}
    return ["--mode=train", *tiny_runs.as_flags(task=TASK, data_dir=data, **values)]


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
            ["--mode=convert", "--model=flow", "--source=x", "--target=y.pt"],
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
        ({"set": "train.steps=0"}, "--set=train.steps=0: at least 1 is due"),
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
    arguments = train(tiny_runs.data_dir(base), tmp_path, **values)
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


@pytest.mark.parametrize(
    ("spoil", "due"),
    [
        (lambda folder: shutil.rmtree(folder), "no such folder; it should hold SST-2/train.tsv"),
        (_without("dev.tsv"), "it has no file SST-2/dev.tsv; it should hold"),
        (_without("train.tsv"), "it has no file SST-2/train.tsv; it should hold"),
        (_line("dev.tsv", 1, "text\tlabel"), "dev.tsv, line 1: the header is 'text\\tlabel'"),
        (_line("dev.tsv", 7, "a short row"), "dev.tsv, line 7: 1 columns, and 2 are due"),
        (_line("dev.tsv", 5, "fine\t2"), "dev.tsv, line 5: the label is '2' and should be one of"),
        (_line("train.tsv", 3, "fine\t"), "train.tsv, line 3: the label is ''"),
        (lambda folder: (folder / "SST-2" / "dev.tsv").write_text(""), "the file is empty"),
        (
            lambda folder: (folder / "SST-2" / "dev.tsv").write_text("sentence\tlabel\n"),
            "a header and no rows",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_data(mode, spoil, due, data, tmp_path, capfd):
    spoil(data)
    make = {"train": lambda: train(data, tmp_path), "evaluate": lambda: evaluate(data, tmp_path)}
    line = complaint(capfd, *make[mode]())
    assert due in line
    assert str(data) in line


def test_folders_that_cannot_be_written(base, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    data = tiny_runs.data_dir(base)
    for name, arguments in (
        ("workdir", train(data, tmp_path, workdir=below)),
        ("results_dir", train(data, tmp_path, results_dir=below)),
        ("results_dir", evaluate(data, below)),
    ):
        line = complaint(capfd, *arguments)
        assert line == f"--{name}={below}: cannot write there: Not a directory"


def test_tasks_and_baselines_that_do_not_exist(base, tmp_path, capfd):
    data = tiny_runs.data_dir(base)
    line = complaint(capfd, *train(data, tmp_path), "--task=glue/sst")
    assert line == "--task=glue/sst: no such task. Did you mean 'glue/sst2'?"
    line = complaint(capfd, *evaluate(data, tmp_path, checkpoint="baseline:majorty"))
    assert line.endswith("glue/sst2 has no such baseline. Did you mean 'majority'?")


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Weights of the tiny language model in every format, with its inputs."""
    folder = tmp_path_factory.mktemp("networks")
    config = presets.preset("imagenet_learned_tiny")
    for kind, name in (("official", "w.pickle"), ("huggingface", "hf"), ("orbax", "w")):
        weights.save(folder / name, random_weights(config), kind)
    np.savez(folder / "inputs.npz", **random_batch(config))
    return folder


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _text(path):
    path.write_text("no weights\n" * 100)


def _cut_all(path):
    for one in path.rglob("d/*"):
        _cut(one)


@pytest.mark.parametrize(
    ("name", "spoil", "due"),
    [
        ("w.pickle", _cut, "w.pickle: "),
        ("w.pickle", _text, "w.pickle: "),
        ("w.pickle", lambda path: path.write_bytes(b""), "w.pickle: "),
        ("w.txt", _text, "w.txt: neither an official file"),
        ("empty", lambda path: path.mkdir(), "empty: neither an official file"),
        ("hf/model.safetensors", _cut, "model.safetensors: damaged or cut short"),
        ("hf/model.safetensors", _text, "model.safetensors: damaged or cut short"),
        ("hf/model.safetensors", pathlib.Path.unlink, "hf: has neither model.safetensors nor"),
        ("hf/config.json", _cut, "config.json: not JSON, or damaged"),
        ("w/metadata/metadata", _cut, "w is damaged or incomplete: no metadata"),
        ("w/params", _cut_all, "w is damaged: "),
        ("w/params", shutil.rmtree, "w is damaged: "),
    ],
)
def test_weights_that_are_none(name, spoil, due, networks, tmp_path, capfd):
    folder = shutil.copytree(networks, tmp_path / "copy")
    spoil(folder / name)
    source = folder / name.split("/")[0]
    line = complaint(
        capfd,
        "--mode=convert",
        *tiny_runs.as_flags(model="imagenet_learned_tiny", source=source, target=tmp_path / "t"),
    )
    assert due in line
    assert str(source) in line
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("name", ["w.pickle", "hf", "w"])
@pytest.mark.parametrize(
    ("model", "change"), [("imagenet_learned_tiny", "head.num_classes=7"), ("flow_tiny", None)]
)
def test_weights_of_another_model(name, model, change, networks, tmp_path, capfd):
    """What differs is named: a shape, or the arrays that are missing or too many."""
    source = networks / name
    line = complaint(
        capfd,
        "--mode=convert",
        *tiny_runs.as_flags(
            model=model, source=source, target=tmp_path / "t", set=[change] if change else []
        ),
    )
    assert str(source) in line
    due = ("7", "10") if change else {"hf": ["architectures"], "w": ["absent"]}.get(name, ["lacks"])
    assert all(part in line for part in due), line


def test_weights_of_another_task_model(networks, base, tmp_path, capfd):
    data = tiny_runs.data_dir(base)
    for name in ("w.pickle", "hf", "w"):
        line = complaint(capfd, *evaluate(data, tmp_path, checkpoint=networks / name))
        assert line


def test_targets_that_cannot_be(networks, tmp_path, capfd):
    (tmp_path / "old").mkdir()
    (tmp_path / "file").write_text("")
    for model, target, due in (
        ("imagenet_learned_tiny", "old", "exists already; name a new one"),
        ("imagenet_learned_tiny", "file/below", f"--target={tmp_path / 'file'}: cannot write"),
        ("imagenet_learned_tiny", "file/x.pickle", f"--target={tmp_path / 'file'}: cannot write"),
    ):
        line = complaint(
            capfd,
            "--mode=convert",
            *tiny_runs.as_flags(
                model=model, source=networks / "w.pickle", target=tmp_path / target
            ),
        )
        assert due in line
    weights.save(tmp_path / "light", random_weights(presets.preset("flow_light_tiny")), "orbax")
    line = complaint(
        capfd,
        "--mode=convert",
        *tiny_runs.as_flags(
            model="flow_light_tiny", source=tmp_path / "light", target=tmp_path / "x.pickle"
        ),
    )
    assert "choose --format=orbax" in line


def _npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def _flipped(path):
    np.savez_compressed(path, images=np.random.default_rng(0).random((1, 32, 32, 3)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def _single_array():
    buffer = io.BytesIO()
    np.save(buffer, IMAGES)
    return buffer.getvalue()


IMAGES = np.zeros((1, 32, 32, 3), np.float32)


@pytest.mark.parametrize(
    ("spoil", "due"),
    [
        (pathlib.Path.unlink, "no such file"),
        (_cut, "not a readable .npz file"),
        (_text, "not a readable .npz file"),
        (_flipped, "not a readable .npz file"),
        (lambda path: path.write_bytes(b""), "not a readable .npz file"),
        (lambda path: path.write_bytes(_single_array()), "not a readable .npz file"),
        (_npz(images=np.array([{}], dtype=object)), "not a readable .npz file"),
        (_npz(image=IMAGES), "it should hold images; missing ['images'], unknown ['image']"),
        (_npz(images=IMAGES, extra=IMAGES), "unknown ['extra']"),
        (_npz(images=IMAGES[0]), "images is [32, 32, 3], not ['any', 'any', 'any', 3]"),
        (_npz(images=np.full((1, 32, 32, 3), np.nan)), "images holds values that are not finite"),
        (_npz(images=np.full((1, 2, 2, 3), "a")), "values of type <U1; numbers are due"),
        (_npz(images=IMAGES[:0]), "images holds 0 values"),
        (_npz(images=np.zeros((1, 2, 2, 3), complex)), "of type complex128"),
    ],
)
def test_images(spoil, due, networks, tmp_path, capfd):
    path = tmp_path / "inputs.npz"
    shutil.copy(networks / "inputs.npz", path)
    spoil(path)
    line = complaint(
        capfd,
        "--mode=forward",
        *tiny_runs.as_flags(
            model="imagenet_learned_tiny",
            checkpoint=networks / "w",
            inputs=path,
            outputs=tmp_path / "o.npz",
        ),
    )
    assert line.startswith(f"--inputs={path}: ")
    assert due in line
    assert not (tmp_path / "o.npz").exists()


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequences")
    for name in ("language_tiny", "multimodal_tiny"):
        weights.save(folder / name, random_weights(presets.preset(name)), "orbax")
    return folder


TOKENS = np.zeros((2, 64), np.int32)
SCENE = {
    "images": np.zeros((1, 2, 16, 16, 3), np.float32),
    "audio": np.zeros((1, 256, 1), np.float32),
}
POINTS = {"audio_points": np.zeros(3, int), "image_points": np.zeros(3, int)}


@pytest.mark.parametrize(
    ("model", "arrays", "due"),
    [
        ("language_tiny", {"inputs": TOKENS + 262}, "inputs must be ids from 0 to 261"),
        ("language_tiny", {"inputs": TOKENS - 1}, "inputs must be ids from 0 to 261"),
        ("language_tiny", {"inputs": TOKENS + 0.5}, "inputs must be ids from 0 to 261"),
        ("language_tiny", {"inputs": np.zeros((1, 65), int)}, "65 tokens, at most 64 are possible"),
        ("language_tiny", {"inputs": TOKENS, "input_mask": TOKENS[:1]}, "must have the shape of"),
        ("language_tiny", {"input_mask": TOKENS}, "missing ['inputs']"),
        ("multimodal_tiny", {"images": SCENE["images"]}, "missing ['audio']"),
        ("multimodal_tiny", {**SCENE, "audio_points": POINTS["audio_points"]}, "give both"),
        (
            "multimodal_tiny",
            {**SCENE, "audio": np.zeros((2, 256, 1))},
            "the network takes no such arrays",
        ),
        (
            "multimodal_tiny",
            {**SCENE, **POINTS, "image_points": np.array([512])},
            "image_points must be from 0 to 511",
        ),
    ],
)
def test_sequences(model, arrays, due, sequences, tmp_path, capfd):
    np.savez(tmp_path / "inputs.npz", **arrays)
    line = complaint(
        capfd,
        "--mode=forward",
        *tiny_runs.as_flags(
            model=model,
            checkpoint=sequences / model,
            inputs=tmp_path / "inputs.npz",
            outputs=tmp_path / "o.npz",
        ),
    )
    assert due in line


def test_outputs_that_cannot_be_written(networks, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    line = complaint(
        capfd,
        "--mode=forward",
        *tiny_runs.as_flags(
            model="imagenet_learned_tiny",
            checkpoint=networks / "w",
            inputs=networks / "inputs.npz",
            outputs=tmp_path / "file" / "o.npz",
        ),
    )
    assert line.startswith(f"{tmp_path / 'file' / 'o.npz'}: cannot be written: ")


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
        line = complaint(capfd, *train(data, tmp_path, workdir=workdir, **values))
        assert line == f"--workdir={workdir} holds a run with {field}; choose another workdir"
    other = shutil.copytree(data, tmp_path / "data")
    _line("train.tsv", 3, "other\t1")(other)
    line = complaint(capfd, *train(other, tmp_path, workdir=workdir, set=changes))
    assert f"--workdir={workdir} holds a run with data." in line


def test_a_damaged_checkpoint(base, tmp_path, capfd):
    """Training names it and the one before; evaluation of that one still works."""
    workdir = shutil.copytree(tiny_runs.trained(base)[0], tmp_path / "w")
    data, newest = tiny_runs.data_dir(base), workdir / "checkpoints" / str(tiny_runs.STEPS)
    (newest / "metadata" / "metadata").unlink()
    line = complaint(capfd, *train(data, tmp_path, set=list(tiny_runs.CHANGES)))
    assert f"checkpoint {newest} is damaged" in line
    assert f"remove the folder {newest} to go on from step 10" in line
    assert newest.is_dir()
    line = complaint(capfd, *evaluate(data, tmp_path / "r", checkpoint=workdir))
    assert f"checkpoint {newest} is damaged" in line
    before = workdir / "checkpoints" / "10"
    code, _, errors = tiny_runs.command(capfd, *evaluate(data, tmp_path / "r", checkpoint=before))
    assert code == 0, errors


def test_a_preset_of_another_network_than_the_checkpoint(base, tmp_path, capfd):
    trained = tiny_runs.trained(base)[0]
    arguments = evaluate(tiny_runs.data_dir(base), tmp_path, checkpoint=trained, preset="small")
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
    arguments = train(
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
