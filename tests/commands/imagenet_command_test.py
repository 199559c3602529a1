# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet through the command line: logits, other sizes, bad files, prepared shards."""

import csv
import io
import json
import math

import imagenet_made_files as made
import jax
import numpy as np
import pytest
from perceiver_bench.tasks.imagenet import classes, common, decoding, resolution
from random_networks import random_weights
from tiny_runs import as_flags, command, complaint

from perceiver_bench import overrides, registry
from perceiver_bench.model.inference import Forward
from perceiver_bench.train import weights

TASK = "imagenet/ilsvrc2012"
LABELS = (0, 0, 1, 7, 7, 7, 388, 999, 999)
SMALL = ("model.encoder.num_latents=4",)


@pytest.fixture(scope="module")
def images():
    sizes = [(40, 56), (56, 40), (33, 34)]
    generator = np.random.default_rng(0)
    contents = [
        made.encoded(generator.integers(0, 256, (*sizes[i % 3], 3), np.uint8))
        for i in range(len(LABELS))
    ]
    return made.validation_images(LABELS, contents)


pytestmark = pytest.mark.usefixtures("base")  # which compiles quickly


@pytest.fixture
def data(tmp_path, images):
    made.write_class_folders(tmp_path / "data/val", images)
    return tmp_path / "data"


def network(preset):
    """Random weights of a tiny preset."""
    config = overrides.apply(registry.get(TASK).presets[preset], SMALL)
    return random_weights(config.model)


@pytest.fixture
def flagged(data, tmp_path):
    """Gives the command line for a random network of a preset."""

    def flags(mode, preset="tiny", **more):
        folder = tmp_path / preset
        if not folder.exists():
            weights.save(folder, network(preset), "orbax")
        values = {"task": TASK, "data_dir": data, "checkpoint": folder, "preset": preset}
        return [f"--mode={mode}", *as_flags(**{**values, "set": SMALL, **more})]

    return flags


def records(tmp_path):
    paths = sorted((tmp_path / "results").rglob("records/**/*.json"))
    return [json.loads(path.read_text()) for path in paths]


def forward(preset, images, **changes):
    """The logits of the bare network for the pixels that the protocol makes of the files."""
    config = registry.get(TASK).presets[preset]
    config = overrides.apply(config, [*SMALL, *(f"{k}={v}" for k, v in changes.items())])
    prepare = common.preprocess(1000, config.data, {})
    pixels = [decoding.decode(one.content, config.data.protocol) for one in images]
    arrays = [prepare({"pixels": one, "label": 0, "is_bad": False}, None) for one in pixels]
    batch = {"images": np.stack([one["images"] for one in arrays])}
    run = Forward(config.model, batch)
    run.load(network(preset))
    return jax.device_get(run(batch))["logits"]


@pytest.mark.parametrize("preset", ["tiny", "tiny_learned", "tiny_convolution"])
def test_evaluation_gives_the_logits_of_the_bare_network(preset, flagged, images, tmp_path, capsys):
    expected = forward(preset, images)
    code, _, errors = command(capsys, *flagged("predict", preset, outputs=tmp_path / "out"))
    assert code == 0, errors
    logits = np.load(tmp_path / "out/logits.npy")
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5 * expected.std())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/predictions.csv").read_text())))
    assert [row["name"].split("/")[-1] for row in rows] == [one.name for one in images]
    assert [row["label_id"] for row in rows] == [classes.WNIDS[label] for label in LABELS]
    assert [row["name_1"] for row in rows] == [classes.NAMES[i] for i in expected.argmax(-1)]

    code, table, errors = command(
        capsys, *flagged("evaluate", preset, results_dir=tmp_path / "results")
    )
    assert code == 0, errors
    (record,) = records(tmp_path)
    assert record["protocol"] == "imagenet-validation/original"
    surprise = np.log(np.exp(expected.astype(np.float64)).sum(-1)) - expected[np.arange(9), LABELS]
    assert record["metrics"]["cross_entropy"]["value"] == pytest.approx(surprise.mean(), rel=1e-5)
    assert record["metrics"]["top1_accuracy"]["n"] == 9
    assert "real_accuracy" not in record["metrics"]
    # Nine images are no validation set: the paper's rows are of another one.
    assert "9 of 50,000 examples" in table


def test_another_protocol_is_another_protocol_in_the_record(flagged, images, tmp_path, capsys):
    changes = (*SMALL, "data.protocol=pillow")
    flags = flagged("evaluate", set=changes, results_dir=tmp_path / "results")
    code, _, errors = command(capsys, *flags)
    assert code == 0, errors
    (record,) = records(tmp_path)
    assert record["protocol"] == "imagenet-validation/pillow"
    logits = forward("tiny", images, **{"data.protocol": "pillow"}).astype(np.float64)
    surprise = np.log(np.exp(logits).sum(-1)) - logits[np.arange(9), LABELS]
    assert record["metrics"]["cross_entropy"]["value"] == pytest.approx(surprise.mean(), rel=1e-5)


def test_the_sweep_over_resolutions_is_that_of_single_sizes(flagged, images, tmp_path, capsys):
    """The others have it by tests/model/position_test.py, where no number but theirs is."""
    flags = flagged(
        *("evaluate", "tiny_learned"),
        task="imagenet/resolution",
        results_dir=tmp_path / "results",
    )
    code, _, errors = command(capsys, *flags)
    assert code == 0, errors
    (record,) = records(tmp_path)
    assert next(iter(record["metrics"])) == "top1_accuracy_at_100_percent"
    assert len(record["metrics"]) == len(resolution.PERCENTAGES)
    for percentage, side in ((100, 32), (50, 16), (125, 40)):
        logits = forward("tiny_learned", images, **{"data.size": f"{side},{side}"})
        accuracy = 100 * np.mean(logits.argmax(-1) == np.array(LABELS))
        metric = record["metrics"][f"top1_accuracy_at_{percentage}_percent"]
        assert metric["value"] == pytest.approx(accuracy, abs=1e-4)


def spoil(data):
    """Makes three bad files: cut short, empty and a text."""
    paths = sorted((data / "val").rglob("*.JPEG"))
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    paths[4].write_bytes(b"")
    paths[6].write_text("no image at all")
    return [paths[i].name for i in (1, 4, 6)]


def test_bad_files_are_named_and_the_run_refuses(flagged, data, tmp_path, capfd):
    names = spoil(data)
    line = complaint(capfd, *flagged("evaluate", results_dir=tmp_path / "results", skip_bad=2))
    assert "3 of 9" in line
    assert all(name in line for name in names)
    assert "--skip_bad=3" in line
    assert not records(tmp_path)


def test_bad_files_are_left_out_and_the_record_says_so(flagged, data, images, tmp_path, capsys):
    spoil(data)
    expected = forward("tiny", images)
    is_good = np.ones(9, bool)
    # By the order of the files on disk, which is that of the classes.
    is_good[[1, 4, 6]] = False
    flags = flagged("evaluate", results_dir=tmp_path / "results", skip_bad=3)
    code, _, errors = command(capsys, *flags)
    assert code == 0, errors
    (record,) = records(tmp_path)
    assert record["partial"]
    assert record["partial_reason"] == "3 bad files skipped"
    assert record["metrics"]["top1_accuracy"]["n"] == 6
    logits = expected.astype(np.float64)
    surprise = np.log(np.exp(logits).sum(-1)) - logits[np.arange(9), LABELS]
    found = record["metrics"]["cross_entropy"]["value"]
    assert found == pytest.approx(surprise[is_good].mean(), rel=1e-5)


def test_copies_would_count_twice(flagged, data, tmp_path, capfd):
    paths = sorted((data / "val").rglob("*.JPEG"))
    paths[3].write_bytes(paths[0].read_bytes())
    line = complaint(capfd, *flagged("evaluate", results_dir=tmp_path / "results"))
    assert paths[3].name in line
    assert "copy" in line


def test_a_task_that_skips_no_files_says_so(tmp_path, capfd):
    flags = as_flags(mode="evaluate", task="glue/sst2", data_dir=tmp_path, skip_bad=3)
    line = complaint(capfd, *flags, "--checkpoint=baseline:majority")
    assert line == "--skip_bad=3: glue/sst2 does not skip files"


def test_prepared_shards_give_the_very_numbers(flagged, data, tmp_path, capsys):
    shards = tmp_path / "shards"
    code, _, errors = command(
        capsys, *as_flags(mode="prepare", task=TASK, data_dir=data, outputs=shards)
    )
    assert code == 0, errors
    for folder in (data, shards):
        flags = flagged("evaluate", data_dir=folder, results_dir=tmp_path / "results")
        code, _, errors = command(capsys, *flags)
        assert code == 0, errors
    one, other = records(tmp_path)
    assert one["metrics"] == other["metrics"]
    assert one["dataset"]["sha256"] == other["dataset"]["sha256"]


def test_a_task_whose_files_are_read_as_they_are_is_not_prepared(tmp_path, capfd):
    flags = as_flags(mode="prepare", task="glue/sst2", data_dir=tmp_path, outputs=tmp_path / "o")
    line = complaint(capfd, *flags)
    assert line.startswith("--task=glue/sst2: its files are read as they are; tasks to prepare:")
    assert TASK in line


def test_real_labels_count_what_has_some(flagged, images, tmp_path, capsys):
    expected = forward("tiny", images).argmax(-1)
    lists = [[] for _ in range(50_000)]
    for index in range(1, 9):  # the first image has none
        lists[index] = [int(expected[index]), 5] if index % 2 else [3]
    (tmp_path / "real.json").write_text(json.dumps(lists))
    changes = (*SMALL, f"data.real_labels={tmp_path / 'real.json'}")
    code, _, errors = command(
        capsys, *flagged("evaluate", set=changes, results_dir=tmp_path / "results")
    )
    assert code == 0, errors
    (record,) = records(tmp_path)
    metric = record["metrics"]["real_accuracy"]
    right = sum(index % 2 or expected[index] == 3 for index in range(1, 9))
    assert metric["n"] == 8
    assert math.isclose(metric["value"], 100 * right / 8)
