# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import gzip
import json
import logging
import shutil

import perceiver_bench.tasks.glue.specs as glue_specs
import pyarrow
import pyarrow.parquet
import pytest
from perceiver_bench.tasks.glue import reading

from perceiver_bench import errors, registry

SPECS = glue_specs.SPECS
TRAINED = [name for name in SPECS if name != "ax"]
PREDICT = "a test file has no labels, and --mode=predict writes its submission"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo data of every task in one folder, as the official download is."""
    folder = tmp_path_factory.mktemp("glue")
    for name in TRAINED:
        registry.get(f"glue/{name}").write_demo(folder, 0)
    return folder


def copied(demo, target, name, suffix):
    """Writes the Hugging Face copy of a task's demo data, and an unlabelled test split."""
    spec = SPECS[name]
    for split in ("train", "dev", "test"):
        source = reading.read(spec, demo, "dev" if split == "test" else split)
        rows = [
            {
                **dict(zip(spec.hub_texts, example["texts"], strict=True)),
                "label": -1 if split == "test" else example["label"],
                "idx": example["index"],
            }
            for example in source
        ]
        stem = spec.hub_files[split] + ("-00000-of-00001" if suffix == ".parquet" else "")
        path = target / spec.hub / f"{stem}{suffix}"
        path.parent.mkdir(exist_ok=True)
        if suffix == ".parquet":
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        else:
            data = "".join(json.dumps(row) + "\n" for row in rows).encode()
            path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    return target


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json.gz"])
def test_the_copy_of_hugging_face_is_the_same_data(demo, tmp_path, name, suffix):
    spec = SPECS[name]
    copied(demo, tmp_path, name, suffix)
    for split in ("train", "dev"):
        official, copy = (reading.read(spec, folder, split) for folder in (demo, tmp_path))
        assert list(copy) == list(official)
        for fact in ("num_examples", "official_num_examples", "label_counts", "mean_label"):
            assert copy.fingerprint.get(fact) == official.fingerprint.get(fact)
    # Its test split has labels of -1, which are not looked at.
    test = reading.read(spec, tmp_path, "test")
    assert [example["texts"] for example in test] == [e["texts"] for e in official]
    assert [example["index"] for example in test] == list(range(len(official)))
    assert all(example.keys() == {"texts", "index"} for example in test)


def test_the_official_file_wins_over_the_copy(demo, tmp_path):
    copied(demo, tmp_path, "rte", ".jsonl")
    shutil.copytree(demo / "RTE", tmp_path / "RTE")
    assert reading.read(SPECS["rte"], tmp_path, "dev").fingerprint["file"] == "dev.tsv"
    (tmp_path / "RTE" / "dev.tsv").unlink()
    assert reading.read(SPECS["rte"], tmp_path, "dev").fingerprint["file"] == "validation.jsonl"


TEST_FILES = {
    "cola": "index\tsentence\n{}\ta\n{}\tb\n",
    "sst2": "index\tsentence\n{}\ta\n{}\tb\n",
    "mrpc": "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n{}\t1\t2\ta\tA\n{}\t3\t4\tb\tB\n",
    "qqp": "id\tquestion1\tquestion2\n{}\ta\tA\n{}\tb\tB\n",
    "stsb": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n"
    "{}\tg\tf\ty\t0\tx\ty\ta\tA\n{}\tg\tf\ty\t0\tx\ty\tb\tB\n",
    "mnli_matched": "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse"
    "\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\n"
    "{}\t1\t1\tg\t( a\t( A\t(a\t(A\ta\tA\n{}\t2\t2\tg\t( b\t( B\t(b\t(B\tb\tB\n",
    "qnli": "index\tquestion\tsentence\n{}\ta\tA\n{}\tb\tB\n",
    "rte": "index\tsentence1\tsentence2\n{}\ta\tA\n{}\tb\tB\n",
}
TEST_FILES |= {"mnli_mismatched": TEST_FILES["mnli_matched"]}
TEST_FILES |= {"wnli": TEST_FILES["rte"], "ax": TEST_FILES["rte"]}


@pytest.mark.parametrize("name", SPECS)
def test_unlabelled_test_files_are_read_and_keep_their_numbers(tmp_path, name):
    spec = SPECS[name]
    path = tmp_path / spec.folder / spec.files["test"]
    path.parent.mkdir()
    path.write_text(TEST_FILES[name].format(7, 3))
    test = reading.read(spec, tmp_path, "test")
    pairs = [("a", "A"), ("b", "B")]
    texts = [pair[: len(spec.texts)] for pair in pairs]
    assert list(test) == [{"texts": texts[0], "index": 7}, {"texts": texts[1], "index": 3}]
    for numbers, message in (((5, 5), "line 3: .* is 5, as it is at .*line 2"), (("x", 1), "'x'")):
        path.write_text(TEST_FILES[name].format(*numbers))
        with pytest.raises(errors.UserError, match=message):
            reading.read(spec, tmp_path, "test")


@pytest.mark.parametrize("name", TRAINED)
def test_a_test_file_given_as_dev_is_told(tmp_path, name):
    spec = SPECS[name]
    path = tmp_path / spec.folder / spec.files["dev"]
    path.parent.mkdir()
    path.write_text(TEST_FILES[name].format(0, 1))
    with pytest.raises(errors.UserError, match=f"it has no column '{spec.label}'; {PREDICT}"):
        reading.read(spec, tmp_path, "dev")


@pytest.mark.parametrize("name", ["sst2", "stsb", "mnli_matched"])
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_test_file_of_the_copy_given_as_dev_is_told(demo, tmp_path, name, suffix):
    spec = SPECS[name]
    folder = copied(demo, tmp_path, name, suffix) / spec.hub
    (test,) = folder.glob(f"{spec.hub_files['test']}[-.]*")
    test.replace(folder / test.name.replace(spec.hub_files["test"], spec.hub_files["dev"]))
    with pytest.raises(errors.UserError, match=rf"(line|row) 1: 'label' is -1(\.0)?; {PREDICT}"):
        reading.read(spec, tmp_path, "dev")


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_file_given_as_dev_is_told_by_its_size(tmp_path, monkeypatch, name):
    spec = SPECS[name]
    registry.get(f"glue/{name}").write_demo(tmp_path, 0)
    folder = tmp_path / spec.folder
    size = len(reading.read(spec, tmp_path, "train"))
    monkeypatch.setitem(spec.num_rows, "train", size)
    (folder / spec.files["train"]).replace(folder / spec.files["dev"])
    with pytest.raises(errors.UserError, match="as many as the official training file has"):
        reading.read(spec, tmp_path, "dev")


def test_another_size_than_the_official_one_is_told_once(demo, caplog):
    reading._tell_size.cache_clear()
    with caplog.at_level(logging.WARNING, logger="absl"):
        for _ in range(2):
            source = reading.read(SPECS["rte"], demo, "dev")
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{demo / 'RTE/dev.tsv'}: 120 rows; the official file has 277"]
    assert source.fingerprint["official_num_examples"] == 277


SST2, RTE = "sentence\tlabel\n", "index\tsentence1\tsentence2\tlabel\n"
STSB = "\t".join([*"abcdefg", "sentence1", "sentence2", "score"]) + "\n" + "x\t" * 9
JSON = '{"sentence1": "a", "sentence2": "b", "label": %s, "idx": 0}\n'


@pytest.mark.parametrize(
    ("name", "file", "data", "message"),
    [
        ("sst2", "SST-2/dev.tsv", "", "is empty"),
        ("sst2", "SST-2/dev.tsv", SST2, "no rows"),
        ("sst2", "SST-2/dev.tsv", "text\tlabel\na\t1\n", "no column 'sentence'; its columns are"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t1\nb\n", "line 3: 1 columns, and 2 are due"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t2\n", "line 2: 'label' is '2'; .* one of 0, 1"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\tpositive\n", "line 2: 'label' is 'positive'"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t1.0\n", "line 2: 'label' is '1.0'"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t 1\n", "line 2: 'label' is ' 1'"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t\u0661\n", "line 2: 'label' is '\u0661'"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t\n", "line 2: 'label' is ''"),
        ("sst2", "SST-2/dev.tsv", SST2 + "a\t-1\n", f"line 2: 'label' is '-1'; {PREDICT}"),
        ("cola", "CoLA/dev.tsv", "gj04\t1\ta\n", "line 1: 3 columns, and 4 are due: 'source,"),
        ("cola", "CoLA/dev.tsv", "source\tlabel\tx\tsentence\n", "line 1: 'label' is 'label'"),
        ("rte", "RTE/dev.tsv", RTE + "0\ta\tb\tneutral\n", "one of entailment, not_entailment"),
        ("rte", "RTE/dev.tsv", RTE + "0\ta\tb\tEntailment\n", "'label' is 'Entailment'"),
        ("rte", "RTE/dev.tsv", RTE + "0\ta\tb\tc\tentailment\n", "line 2: 5 columns, and 4 are"),
        ("mnli_matched", "MNLI/dev_matched.tsv", RTE, "no rows"),
        ("mnli_matched", "MNLI/dev_matched.tsv", RTE + "0\ta\tb\tneutral\n", "no .*'gold_label'"),
        ("stsb", "STS-B/dev.tsv", STSB + "5.001\n", "line 2: 'score' is '5.001'; .* of 0 to 5"),
        ("stsb", "STS-B/dev.tsv", STSB + "-0.5\n", "line 2: 'score' is '-0.5'"),
        ("stsb", "STS-B/dev.tsv", STSB + "nan\n", "line 2: 'score' is 'nan'"),
        ("stsb", "STS-B/dev.tsv", STSB + "1e0\n", "line 2: 'score' is '1e0'"),
        ("stsb", "STS-B/dev.tsv", STSB + "\n", "line 2: 'score' is ''"),
        ("rte", "rte/validation.jsonl", JSON % "2", "line 1: 'label' is 2; .* one of 0, 1"),
        ("rte", "rte/validation.jsonl", JSON % "true", "line 1: 'label' is True"),
        ("rte", "rte/validation.jsonl", JSON % "1.0", "line 1: 'label' is 1.0"),
        ("rte", "rte/validation.jsonl", JSON % '"entailment"', "'label' is 'entailment'"),
        ("rte", "rte/validation.jsonl", JSON % "null", "line 1: 'label' is None"),
        ("rte", "rte/validation.jsonl", JSON % "[0]", r"line 1: 'label' is \[0\]"),
        ("stsb", "stsb/validation.jsonl", JSON % "NaN", "line 1: 'label' is nan"),
        ("stsb", "stsb/validation.jsonl", JSON % "6", "line 1: 'label' is 6; .* of 0 to 5"),
        ("rte", "rte/validation.jsonl", JSON % "0" + "{", "line 2: not JSON"),
        ("rte", "rte/validation.json", '{"sentence1": "a"}\n', "no column 'sentence2'"),
        (
            "rte",
            "rte/validation.jsonl",
            '{"sentence1": 3, "sentence2": "b", "label": 1}\n',
            "be text",
        ),
        ("rte", "rte/validation-00000-of-00001.parquet", "PAR1", "not a Parquet file"),
        ("rte", "rte/validation-00000-of-00002.parquet", "", "one file with the whole split"),
    ],
)
def test_a_file_that_will_not_do_is_named_with_its_line(tmp_path, name, file, data, message):
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(data)
    with pytest.raises(errors.UserError, match=message) as caught:
        reading.read(SPECS[name], tmp_path, "dev")
    assert str(path) in str(caught.value) or path.name in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_two_copies_of_a_split_are_no_choice_for_a_reader(tmp_path):
    for name in ("validation.jsonl", "validation.json"):
        (tmp_path / "rte").mkdir(exist_ok=True)
        (tmp_path / "rte" / name).write_text(JSON % 0)
    with pytest.raises(errors.UserError, match=r"validation\.json and validation\.jsonl; one file"):
        reading.read(SPECS["rte"], tmp_path, "dev")


@pytest.mark.parametrize("name", TRAINED)
def test_a_missing_file_tells_the_layout(tmp_path, name):
    spec = SPECS[name]
    task = registry.get(f"glue/{name}")
    for split in ("train", "dev"):
        with pytest.raises(errors.UserError) as caught:
            task.source(None, tmp_path, split)
        for file in (spec.files["train"], spec.files["dev"]):
            assert f"{spec.folder}/{file}" in str(caught.value)
        assert f"no file {spec.folder}/{spec.files[split]}" in str(caught.value)
        assert f"{spec.hub}/ with train*.parquet" in str(caught.value)


def test_the_official_quirks_are_read(tmp_path):
    files = {
        # No header, and quotes that are not quotes.
        "CoLA/dev.tsv": 'gj04\t1\t\t"a\ngj04\t0\t*\tb"\n',
        # A byte-order mark, and columns with spaces and signs in their names.
        "MRPC/dev.tsv": '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t1\t2\ta\t"b\r\n',
        # A line that is not as wide as the others.
        "QQP/dev.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        "0\t1\t2\ta\tb\t1\nlost\n1\t3\t4\tc\td\t0\n",
    }
    for file, text in files.items():
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(text.encode())
    assert list(reading.read(SPECS["cola"], tmp_path, "dev")) == [
        {"texts": ('"a',), "label": 1, "index": 0},
        {"texts": ('b"',), "label": 0, "index": 1},
    ]
    assert list(reading.read(SPECS["mrpc"], tmp_path, "dev")) == [
        {"texts": ("a", '"b'), "label": 1, "index": 0}
    ]
    qqp = reading.read(SPECS["qqp"], tmp_path, "dev")
    assert [example["texts"] for example in qqp] == [("a", "b"), ("c", "d")]
    assert qqp.fingerprint["num_lines_of_other_width"] == 1
