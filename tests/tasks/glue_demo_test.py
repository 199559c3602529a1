# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from perceiver_bench.tasks.glue import specs

from perceiver_bench import registry
from perceiver_bench.data import text

TASK = registry.get("glue/sst2")
OTHERS = [name for name in specs.SPECS if name not in ("sst2", "ax")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    TASK.write_demo(folder, 0)
    return folder


@pytest.fixture(scope="module")
def train(demo):
    return TASK.source(None, demo, "train")


@pytest.fixture(scope="module")
def dev(demo):
    return TASK.source(None, demo, "dev")


def test_sst2_has_the_true_format_and_balanced_labels(demo, train, dev):
    for source, rows in ((train, 2000), (dev, 400)):
        assert source.fingerprint["num_examples"] == rows
        assert source.fingerprint["label_counts"] == {"0": rows // 2, "1": rows // 2}
    lines = (demo / "SST-2" / "dev.tsv").read_bytes().split(b"\n")
    assert lines[0] == b"sentence\tlabel"
    assert all(line[-4:] in (b". \t0", b". \t1") for line in lines[1:-1])


def test_sst2_repeats_no_sentence_and_keeps_dev_apart(train, dev):
    sentences = [example["texts"] for source in (train, dev) for example in source]
    assert len(set(sentences)) == len(sentences) == 2400


def test_sst2_label_follows_the_last_clause_and_its_negation(dev):
    positive = {"good", "moving", "funny", "clever", "charming", "fresh", "lovely", "sharp"}
    positive |= {"warm", "bold"}
    negations = ("not", "hardly", "never", "far from", "anything but", "scarcely")
    for example in dev:
        clause = example["texts"][0].removesuffix(" . ").split(" but the ")[-1]
        clause = clause.split(" but this ")[-1].split(" but its ")[-1]
        negated = any(f" {negation} " in clause for negation in negations)
        assert example["label"] == ((clause.split()[-1] in positive) != negated), example


@pytest.mark.parametrize("preset", ["tiny", "tiny_sentencepiece"])
def test_sst2_sentences_fit_the_tiny_presets(train, dev, preset):
    config = TASK.presets[preset].data
    assets = TASK.prepare_assets(config, lambda: train)
    tokenizer = text.make_tokenizer(config, assets)
    lengths = [len(tokenizer.encode(x["texts"][0].rstrip())) for s in (train, dev) for x in s]
    assert max(lengths) <= config.max_length


@pytest.fixture(scope="module", params=OTHERS)
def other(request, tmp_path_factory):
    """A task, the folder of its demo data, and its two sources."""
    task = registry.get(f"glue/{request.param}")
    folder = tmp_path_factory.mktemp(request.param)
    task.write_demo(folder, 0)
    return task, folder, [task.source(None, folder, split) for split in task.splits]


def test_other_tasks_repeat_no_example_and_use_all_labels(other):
    task, _, sources = other
    num_train = 2000 if task.name == "glue/stsb" else 600
    for source, size in zip(sources, (num_train, 120), strict=True):
        assert len(source) == size
        if counts := source.fingerprint.get("label_counts"):
            assert min(counts.values()) > size / len(counts) * 0.7
        else:
            scores = [example["label"] for example in source]
            assert min(scores) < 0.5
            assert max(scores) > 4.5
    examples = [(*e["texts"], e["label"]) for source in sources for e in source]
    assert len(set(examples)) == num_train + 120
    spec = specs.SPECS[task.name.removeprefix("glue/")]
    assert {len(example["texts"]) for example in sources[0]} == {len(spec.texts)}
    room = task.presets["tiny"].data.max_length
    assert max(len("_".join(example["texts"])) for example in sources[0]) <= room


def test_other_tasks_have_the_columns_of_the_official_files(other):
    task, folder, _ = other
    name = task.name.removeprefix("glue/")
    columns = {
        "cola": (4, 4),
        "mrpc": (5, 5),
        "qqp": (6, 6),
        "stsb": (10, 10),
        "mnli_matched": (12, 16),
        "mnli_mismatched": (12, 16),
    }.get(name, (4, 4))
    spec = specs.SPECS[name]
    for split, due in zip(("train", "dev"), columns, strict=True):
        data = (folder / spec.folder / spec.files[split]).read_bytes()
        assert data.startswith(b"\xef\xbb\xbf") == (name == "mrpc")
        widths = [len(line.split(b"\t")) for line in data.splitlines()]
        assert widths.count(due) == len(widths) - (name == "qqp")


def scores(task, train, dev):
    """Returns the main metric of every baseline."""
    prepare = task.preprocess(task.presets["tiny"].data, {})
    labels = np.stack([prepare(example, None)["label"] for example in dev])
    found = {}
    for name, baseline in task.baselines.items():
        prediction = baseline(train, dev, prepare)
        assert prediction["logits"].dtype == np.float32
        np.testing.assert_array_equal(prediction["logits"], baseline(train, dev, prepare)["logits"])
        metric = task.metrics[task.main_metric]
        rows = metric.rows(prediction, {"label": labels})
        found[name] = metric.pooling.value({part: np.asarray(row) for part, row in rows.items()})
    return found


def test_sst2_cannot_be_solved_by_single_words(train, dev):
    found = scores(TASK, train, dev)
    assert found["majority"] == 50
    assert 60 < found["bag_of_words"] < 80


def test_shared_words_solve_pairs_and_no_words_tell_the_order_of_cola(other):
    task, _, (train, dev) = other
    found = scores(task, train, dev)
    if task.name == "glue/cola":
        assert found["majority"] == 0
        assert abs(found["bag_of_words"]) < 25
    else:
        assert found["majority"] < 60
        assert found["bag_of_words"] > 95
