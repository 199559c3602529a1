# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=predict` with tasks that exist for this test, over the data of the tiny runs."""

import dataclasses
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
import tiny_runs
from random_networks import random_weights
from tiny_runs import TASK, as_flags, command, complaint

from perceiver_bench import overrides, registry
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.errors import UserError
from perceiver_bench.train import checkpoint as checkpoints
from perceiver_bench.train import weights

WHOLE = ("left.tsv", "right.tsv")


def write_dev(config, assets, data_dir, run):
    """One file, of the labelled dev split: label, number of tokens, and both logits."""
    del assets
    source = registry.get(TASK).source(config, data_dir, "dev")
    lines = []
    for example, arrays, prediction in run(source):
        row = example["label"], arrays["input_mask"].sum(), *prediction["logits"]
        lines.append("\t".join(str(float(value)) for value in row))
    yield "dev.tsv", "\n".join(lines).encode()


def writing(*files):
    """Returns a `predict` that asks for predictions and writes these files."""

    def write(config, assets, data_dir, run):
        del assets
        source = registry.get(TASK).source(config, data_dir, "dev")
        num_rows = sum(1 for _ in run(source))
        for name in files:
            yield name, f"{num_rows} rows\n".encode()

    return write


@pytest.fixture
def add(monkeypatch):
    """Registers a task like `TASK` for this test, and returns its name."""

    def add_task(name, **changes):
        task = dataclasses.replace(registry.get(TASK), name=name, trained_as=TASK, **changes)
        registry.names()  # the others are found before
        monkeypatch.setitem(registry._TASKS, name, lambda: task)
        return name

    return add_task


@pytest.fixture
def dev(add):
    return add("toy/dev", predict=write_dev, submission=())


@pytest.fixture
def halves(add):
    return [
        add(f"toy/{name.removesuffix('.tsv')}", predict=writing(name), submission=WHOLE)
        for name in WHOLE
    ]


@pytest.fixture
def flagged(base, tmp_path):
    """Gives the command line; tasks and checkpoints may be lists."""

    def flags(tasks, outputs="out", checkpoint="baseline:majority", **more):
        listed = [tasks] if isinstance(tasks, str) else tasks
        values = {"data_dir": tiny_runs.data_dir(base), "outputs": tmp_path / outputs, **more}
        return [
            "--mode=predict",
            f"--task={','.join(listed)}",
            *as_flags(checkpoint=checkpoint, **values),
        ]

    return flags


def table(path):
    return np.array([line.split("\t") for line in path.read_text().splitlines()], float)


@pytest.mark.parametrize("kind", ["workdir", "best", "weights alone", "baseline"])
def test_predictions_are_those_that_evaluation_measures(kind, base, dev, flagged, tmp_path, capsys):
    workdir = tiny_runs.trained(base)[0]
    checkpoint, sizes, named = str(workdir), (), {}
    if kind == "best":
        checkpoint = str(workdir / "best")
    elif kind == "baseline":
        checkpoint = "baseline:bag_of_words"
    elif kind == "weights alone":
        # These do not know the sizes that they are of.
        checkpoint, sizes = str(tmp_path / "w"), tiny_runs.CHANGES[:3]
        named = {"preset": "tiny", "set": list(sizes)}
        folder = weights.checkpoint_folder(workdir)
        weights.save(tmp_path / "w", checkpoints.load_weights(folder)[0], "orbax")
    code, output, errors = command(capsys, *flagged(dev, checkpoint=checkpoint, **named))
    assert (code, output) == (0, ""), errors
    labels, tokens, *logits = table(tmp_path / "out" / "dev.tsv").T
    record = evaluate(
        dev,
        checkpoint_name=checkpoint,
        preset=named.get("preset"),
        changes=sizes,
        data_dir=tiny_runs.data_dir(base),
        results_dir=tmp_path / "results",
    )
    measured = json.loads(record.read_text())["metrics"]
    accuracy = 100 * (np.argmax(logits, axis=0) == labels).mean()
    surprise = np.log1p(np.exp((logits[0] - logits[1]) * np.where(labels == 1, 1, -1)))
    assert accuracy == pytest.approx(measured["accuracy"]["value"], abs=1e-9)
    assert surprise.mean() == pytest.approx(measured["cross_entropy"]["value"], rel=1e-5)
    assert len(labels) == measured["accuracy"]["n"] == tiny_runs.NUM_DEV
    source = registry.get(TASK).source(None, tiny_runs.data_dir(base), "dev")
    assert labels.tolist() == [source[row]["label"] for row in range(len(source))]
    assert tokens.min() > 0
    assert min(len(set(column)) for column in (tokens, *logits)) > 5
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dev.tsv"]


def test_weights_of_every_format_predict_the_same(flagged, tmp_path, capsys):
    """With a network that all formats exist for: masked words, filled in."""
    task = registry.get("language/bytes")
    task.write_demo(tmp_path / "text", 0)
    # The sizes of a decoder that transformers has.
    sizes = {"num_heads": 8, "qk_channels": 256, "v_channels": 32}
    changes = [f"model.decoder.cross_attention.{name}={size}" for name, size in sizes.items()]
    network = random_weights(overrides.apply(task.presets["tiny"], changes).model)
    written = []
    for kind, name in (("official", "w.pickle"), ("huggingface", "hf"), ("orbax", "w")):
        weights.save(tmp_path / name, network, kind)
        options = {"checkpoint": tmp_path / name, "preset": "tiny", "set": changes, "limit": 2}
        code, _, errors = command(
            capsys, *flagged(task.name, kind, data_dir=tmp_path / "text", **options)
        )
        assert code == 0, errors
        (file,) = (tmp_path / kind).iterdir()
        written.append(file.read_bytes())
    assert len(set(written)) == 1
    assert written[0].count(b"\n## ") == 2


def test_a_submission_has_what_the_network_answers(base, dev, flagged, tmp_path, capsys):
    """The test set repeats the dev set backwards, so the answers are known from there."""
    config = overrides.apply(registry.get(TASK).presets["tiny"], tiny_runs.CHANGES).model
    weights.save(tmp_path / "w", random_weights(config), "orbax")
    data = shutil.copytree(tiny_runs.data_dir(base), tmp_path / "data")
    _, *rows = (data / "SST-2" / "dev.tsv").read_text().splitlines()
    sentences = [row.split("\t")[0] for row in reversed(rows)]
    sentences = (sentences * (1821 // len(sentences) + 1))[:1821]
    test = [f"{index}\t{sentence}" for index, sentence in enumerate(sentences)]
    (data / "SST-2" / "test.tsv").write_text("\n".join(["index\tsentence", *test]) + "\n")
    options = {"checkpoint": tmp_path / "w", "preset": "tiny", "set": list(tiny_runs.CHANGES[:3])}
    for task in (dev, TASK):
        code, _, errors = command(capsys, *flagged(task, data_dir=data, **options))
        assert code == 0, errors
    _, _, *logits = table(tmp_path / "out" / "dev.tsv").T
    classes = np.argmax(logits, axis=0)
    assert len(set(classes)) == 2
    lines = (tmp_path / "out" / "SST-2.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction"
    due = [classes[-1 - index % len(classes)] for index in range(1821)]
    assert lines[1:] == [f"{index}\t{answer}" for index, answer in enumerate(due)]


@pytest.mark.parametrize("checkpoint", ["trained", "baseline:bag_of_words"])
def test_a_limit_keeps_the_first_rows(checkpoint, base, dev, flagged, tmp_path, capsys):
    if checkpoint == "trained":
        checkpoint = tiny_runs.trained(base)[0]
    for outputs, more in (("whole", {}), ("first", {"limit": 10}), ("all", {"limit": 999})):
        code, _, errors = command(capsys, *flagged(dev, outputs, checkpoint, **more))
        assert code == 0, errors
    whole = table(tmp_path / "whole" / "dev.tsv")
    np.testing.assert_array_equal(table(tmp_path / "first" / "dev.tsv"), whole[:10])
    np.testing.assert_array_equal(table(tmp_path / "all" / "dev.tsv"), whole)


def test_files_go_into_folders_below_and_replace_older_ones(add, flagged, tmp_path, capsys):
    task = add("toy/several", predict=writing("a.tsv", "below/b.tsv"), submission=())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.tsv").write_text("older")
    (tmp_path / "out" / "other").write_text("kept")
    assert command(capsys, *flagged(task))[0] == 0
    content = f"{tiny_runs.NUM_DEV} rows\n"
    assert (tmp_path / "out" / "a.tsv").read_text() == content
    assert (tmp_path / "out" / "below" / "b.tsv").read_text() == content
    assert (tmp_path / "out" / "other").read_text() == "kept"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/../../b", "/a", "..\\a", "a\\..\\..\\b", "C:a", "C:\\a", "a\0b"],
)
@pytest.mark.parametrize("outputs", ["below/out", "below/out.zip"])
def test_a_file_outside_the_folder_is_refused(name, outputs, add, flagged, tmp_path, capfd):
    task = add("toy/hostile", predict=writing("left.tsv", name), submission=())
    if outputs.endswith(".zip"):
        add("toy/hostile", predict=writing("left.tsv", name), submission=WHOLE)
    line = complaint(capfd, *flagged(task, outputs))
    assert line.startswith("--outputs: ")
    assert "is no name of a file within a folder" in line
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == (set() if outputs.endswith(".zip") else {"left.tsv"})


def test_an_archive_is_whole_and_the_same_every_time(halves, flagged, tmp_path, capsys):
    for name in ("a.zip", "below/b.zip"):
        code, _, errors = command(capsys, *flagged(halves[::-1], name))
        assert code == 0, errors
    content = (tmp_path / "a.zip").read_bytes()
    assert (tmp_path / "below" / "b.zip").read_bytes() == content
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        assert whole.testzip() is None
        assert whole.namelist() == list(WHOLE)
        rows = f"{tiny_runs.NUM_DEV} rows\n".encode()
        assert {whole.read(name) for name in WHOLE} == {rows}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "below"]


def test_an_archive_takes_a_checkpoint_for_each_task(base, add, flagged, tmp_path, capsys):
    """In the order of the tasks: each file is that of its checkpoint alone."""

    def renamed(name):
        def write(config, assets, data_dir, run):
            for _, content in write_dev(config, assets, data_dir, run):
                yield name, content

        return write

    tasks = [add(f"toy/{name}", predict=renamed(name), submission=WHOLE) for name in WHOLE]
    given = [str(tiny_runs.trained(base)[0]), "baseline:majority"]
    expected = []
    for task, checkpoint, name in zip(tasks, given, WHOLE, strict=True):
        assert command(capsys, *flagged(task, "alone", checkpoint))[0] == 0
        expected.append((tmp_path / "alone" / name).read_bytes())
    assert expected[0] != expected[1]
    assert command(capsys, *flagged(tasks, "both.zip", ",".join(given)))[0] == 0
    with zipfile.ZipFile(tmp_path / "both.zip") as whole:
        assert [whole.read(name) for name in WHOLE] == expected


def test_an_incomplete_archive_is_refused_before_anything_is_computed(
    add, halves, flagged, tmp_path, capfd
):
    def never(*_):
        raise AssertionError("a prediction was computed")

    left, right = halves
    add(left, predict=writing("left.tsv"), submission=WHOLE, baselines={"never": never})
    line = complaint(capfd, *flagged(left, "a.zip", "baseline:never"))
    due = "incomplete, so nothing is written; missing: right.tsv; tasks that are not in --task: "
    assert line == f"--outputs={tmp_path / 'a.zip'}: {due}{right}"
    assert not list(tmp_path.iterdir())


def test_a_fault_of_a_later_task_is_told_before_anything_is_computed(
    add, halves, flagged, tmp_path, capfd
):
    def never(*_):
        raise AssertionError("a prediction was computed")

    def broken(*_):
        raise UserError("--data_dir: it has no test set")
        yield

    left, right = halves
    add(left, predict=writing("left.tsv"), submission=WHOLE, baselines={"never": never})
    absent = tmp_path / "absent"
    line = complaint(capfd, *flagged(halves, "a.zip", f"baseline:never,{absent}"))
    assert line == f"{absent}: no such file or folder of weights"
    add(right, predict=broken, submission=WHOLE)
    line = complaint(capfd, *flagged(halves, "a.zip", "baseline:never,baseline:majority"))
    assert line == "--data_dir: it has no test set"


def test_no_archive_is_left_when_the_computing_fails(add, halves, flagged, tmp_path):
    def breaks(*_):
        raise ZeroDivisionError

    left, right = halves
    add(right, predict=writing("right.tsv"), submission=WHOLE, baselines={"breaks": breaks})
    (tmp_path / "a.zip").write_text("older")
    with pytest.raises(ZeroDivisionError):
        command(None, *flagged([left, right], "a.zip", "baseline:majority,baseline:breaks"))
    assert (tmp_path / "a.zip").read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_an_archive_has_no_other_files(add, halves, flagged, tmp_path, capfd):
    task = add("toy/more", predict=writing("more.tsv"), submission=WHOLE)
    line = complaint(capfd, *flagged([*halves, task], "a.zip"))
    assert line.endswith("nothing is written; no such file is due: more.tsv")
    other = add("toy/other", predict=writing("left.tsv"), submission=WHOLE)
    for outputs in ("a.zip", "out"):
        line = complaint(capfd, *flagged([*halves, other], outputs))
        assert "left.tsv would be written twice" in line
    assert not (tmp_path / "a.zip").exists()


def test_what_cannot_be_predicted_is_said(dev, add, halves, flagged, tmp_path, capfd):
    left, right = halves
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.zip").mkdir()
    mute = add("toy/mute", predict=None, submission=())
    third = add("toy/third", predict=writing("3.tsv"), submission=("3.tsv",))
    for arguments, due in (
        (flagged(mute), f"--task={mute}: it writes no predictions; tasks that do: "),
        (flagged("toy/lef"), "--task=toy/lef: no such task. Did you mean 'toy/left'?"),
        (flagged([left, left]), f"--task: {left} is named twice"),
        (flagged(left, limit=3), f"--limit=3: {left} writes a submission, which is of all rows"),
        (flagged(halves, "a.zip", limit=999), f"--limit=999: {left} writes a submission"),
        (flagged(dev, "a.zip"), f"{dev} has no archive; name a folder"),
        (flagged([left, third], "a.zip"), f"--task: {left} and {third} have different archives"),
        (
            flagged([left, right, dev], "a.zip", "baseline:majority,baseline:majority"),
            "--checkpoint: 2 names for 3 tasks; give one for each",
        ),
        (flagged(dev, checkpoint="baseline:none"), "has no such baseline"),
        (flagged(dev, checkpoint=tmp_path / "x"), "x: no such file or folder of weights"),
        (flagged(dev, data_dir=tmp_path / "x"), f"--data_dir={tmp_path / 'x'}: no such folder"),
        (flagged(dev, "file"), f"--outputs={tmp_path / 'file'}: cannot write there: File exists"),
        (flagged(dev, "file/below"), "file/below: cannot write there: Not a directory"),
        (flagged(halves, "file/a.zip"), "cannot write there: "),
        (flagged(halves, "folder.zip"), "folder.zip: a folder has that name"),
        (["--mode=predict"], "--task is missing"),
        (["--mode=predict", f"--task={dev}"], "--checkpoint: exactly one is due, got none"),
        (["--mode=predict", f"--task={dev}", "--checkpoint=x"], "--data_dir is missing"),
        (
            ["--mode=predict", f"--task={dev}", "--checkpoint=x", "--data_dir=x"],
            "--outputs is missing",
        ),
    ):
        assert due in complaint(capfd, *arguments)
