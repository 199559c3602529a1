# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The official files of ../shared/data, where they are: sizes and labels as published."""

import numpy as np
import pytest
from perceiver_bench.tasks.glue import reading, specs

from perceiver_bench import errors, registry

DEV_LABELS = {
    "cola": {"0": 322, "1": 721},
    "sst2": {"0": 428, "1": 444},
    "mrpc": {"0": 129, "1": 279},
    "qnli": {"entailment": 2702, "not_entailment": 2761},
    "rte": {"entailment": 146, "not_entailment": 131},
    "wnli": {"0": 40, "1": 31},
    "mnli_matched": {"entailment": 3479, "neutral": 3123, "contradiction": 3213},
}
TRAIN_LABELS = {
    "cola": {"0": 2528, "1": 6023},
    "sst2": {"0": 29_780, "1": 37_569},
    "mrpc": {"0": 1194, "1": 2474},
    "rte": {"entailment": 1249, "not_entailment": 1241},
    "wnli": {"0": 323, "1": 312},
}


@pytest.fixture(scope="module")
def folder(shared):
    path = shared / "data" / "glue" / "glue_data"
    if not path.is_dir():
        pytest.skip(f"needs the official files of GLUE in {path}")
    return path


@pytest.mark.parametrize(
    ("name", "split", "labels"),
    [(name, "dev", labels) for name, labels in DEV_LABELS.items()]
    + [(name, "train", labels) for name, labels in TRAIN_LABELS.items()],
)
def test_files_have_the_official_rows_and_labels(folder, name, split, labels):
    source = reading.read(specs.SPECS[name], folder, split)
    assert source.fingerprint["label_counts"] == labels
    assert len(source) == sum(labels.values()) == source.fingerprint["official_num_examples"]
    assert source.fingerprint["num_lines_with_broken_utf8"] == 0


@pytest.mark.parametrize(("split", "size", "mean"), [("train", 5749, 2.701), ("dev", 1500, 2.364)])
def test_scores_are_read(folder, split, size, mean):
    source = reading.read(specs.SPECS["stsb"], folder, split)
    assert len(source) == size == source.fingerprint["official_num_examples"]
    assert source.fingerprint["mean_label"] == pytest.approx(mean, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "size"), [("cola", 1063), ("sst2", 1821), ("mrpc", 1725), ("wnli", 146), ("ax", 1104)]
)
def test_test_files_have_the_official_rows(folder, name, size):
    source = reading.read(specs.SPECS[name], folder, "test")
    assert [example["index"] for example in source] == list(range(size))
    assert size == source.fingerprint["official_num_examples"]


@pytest.mark.parametrize(
    ("name", "split", "size"),
    [("mnli_mismatched", "dev", 1000), ("qqp", "dev", 3496), ("qqp", "train", 12_000)],
)
def test_what_is_not_the_official_file_is_read_and_shows_it(folder, name, split, size):
    source = reading.read(specs.SPECS[name], folder, split)
    assert len(source) == size < source.fingerprint["official_num_examples"]


@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "rte", "wnli", "stsb"])
def test_a_training_file_given_as_dev_is_told(folder, tmp_path, name):
    spec = specs.SPECS[name]
    (tmp_path / spec.folder).mkdir()
    (tmp_path / spec.folder / "dev.tsv").symlink_to(folder / spec.folder / "train.tsv")
    with pytest.raises(errors.UserError, match="as many as the official training file has"):
        reading.read(spec, tmp_path, "dev")


@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "wnli"])
def test_a_test_file_given_as_dev_is_told(folder, tmp_path, name):
    spec = specs.SPECS[name]
    (tmp_path / spec.folder).mkdir()
    (tmp_path / spec.folder / "dev.tsv").symlink_to(folder / spec.folder / "test.tsv")
    with pytest.raises(errors.UserError, match=r"no column '(label|Quality)'; a test file has no"):
        reading.read(spec, tmp_path, "dev")


def test_the_first_examples_are_the_official_ones(folder):
    first = {
        name: reading.read(specs.SPECS[name], folder, "dev")[0]
        for name in ("cola", "sst2", "mrpc", "stsb", "rte")
    }
    assert first["cola"]["texts"] == ("The sailors rode the breeze clear of the rocks.",)
    assert first["sst2"]["texts"] == ("it 's a charming and often affecting journey . ",)
    assert first["mrpc"]["texts"][1].startswith('"The foodservice pie business does not')
    assert first["stsb"]["label"] == 5.0
    assert first["rte"]["texts"][1] == "Christopher Reeve had an accident."


def test_the_known_scores_of_the_baselines(folder):
    for name, baseline, metric, due in (
        ("sst2", "majority", "accuracy", 50.92),
        ("sst2", "bag_of_words", "accuracy", 81.88),
        ("cola", "majority", "accuracy", 69.13),
        ("mrpc", "majority", "accuracy", 68.38),
        ("mrpc", "majority", "f1", 81.22),
        ("stsb", "bag_of_words", "pearson_correlation", 46.93),
    ):
        task = registry.get(f"glue/{name}")
        train, dev = (task.source(None, folder, split) for split in task.splits)
        prepare = task.preprocess(task.presets["tiny"].data, {})
        labels = np.stack([prepare(example, None)["label"] for example in dev])
        prediction = task.baselines[baseline](train, dev, prepare)
        rows = task.metrics[metric].rows(prediction, {"label": labels})
        value = task.metrics[metric].pooling.value({k: np.asarray(v) for k, v in rows.items()})
        assert value == pytest.approx(due, abs=0.25), (name, baseline)
