# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the leaderboard of GLUE reads, from test files in their true formats and full sizes."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
import tiny_runs
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.glue import submission
from perceiver_bench.tasks.glue.specs import SPECS

from perceiver_bench import registry
from perceiver_bench.errors import UserError

_PARSES = "sentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
_MNLI = f"index\tpromptID\tpairID\tgenre\t{_PARSES}\tsentence1\tsentence2"
_STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
_MRPC = "#1 ID\t#2 ID\t#1 String\t#2 String"
_PAIR = "index\tsentence1\tsentence2"

TESTS = {
    "CoLA/test.tsv": ("index\tsentence", "CoLA.tsv", 1063),
    "SST-2/test.tsv": ("index\tsentence", "SST-2.tsv", 1821),
    "MRPC/test.tsv": (f"index\t{_MRPC}", "MRPC.tsv", 1725),
    "QQP/test.tsv": ("id\tquestion1\tquestion2", "QQP.tsv", 390_965),
    "STS-B/test.tsv": (_STSB, "STS-B.tsv", 1379),
    "MNLI/test_matched.tsv": (_MNLI, "MNLI-m.tsv", 9796),
    "MNLI/test_mismatched.tsv": (_MNLI, "MNLI-mm.tsv", 9847),
    "QNLI/test.tsv": ("index\tquestion\tsentence", "QNLI.tsv", 5463),
    "RTE/test.tsv": (_PAIR, "RTE.tsv", 3000),
    "WNLI/test.tsv": (_PAIR, "WNLI.tsv", 146),
    "diagnostic/diagnostic.tsv": (_PAIR, "AX.tsv", 1104),
}
"""Header, file of the submission and official rows of each test file."""

# Two rows of the second label and one of the first, so that the second is the commonest.
TRAIN = {
    "CoLA/train.tsv": (None, ("0", "1"), "gj04\t{label}\t\tThe cat sat."),
    "SST-2/train.tsv": ("sentence\tlabel", ("1", "0"), "a film \t{label}"),
    "MRPC/train.tsv": (f"Quality\t{_MRPC}", ("0", "1"), "{label}\t1\t2\tOne cat.\tA cat."),
    "QQP/train.tsv": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
        ("1", "0"),
        "7\t1\t2\tWho?\tWhat?\t{label}",
    ),
    "STS-B/train.tsv": (
        f"{_STSB}\tscore",
        ("5.000", "3.800"),
        "0\tg\tf\t2012\t1\tn\tn\tA plane.\tA bird.\t{label}",
    ),
    "MNLI/train.tsv": (
        f"{_MNLI}\tlabel1\tgold_label",
        ("neutral", "contradiction"),
        "0\t1\t1n\tg\t( a )\t( b )\t(A)\t(B)\tA.\tB.\t{label}\t{label}",
    ),
    "QNLI/train.tsv": (
        "index\tquestion\tsentence\tlabel",
        ("entailment", "not_entailment"),
        "0\tWho?\tNobody.\t{label}",
    ),
    "RTE/train.tsv": (f"{_PAIR}\tlabel", ("not_entailment", "entailment"), "0\tA.\tB.\t{label}"),
    "WNLI/train.tsv": (f"{_PAIR}\tlabel", ("0", "1"), "0\tA.\tB.\t{label}"),
}
# The mean score of STS-B is (5 + 2 * 3.8) / 3.
COMMONEST = {
    **{"CoLA.tsv": "1", "SST-2.tsv": "0", "MRPC.tsv": "1", "QQP.tsv": "0", "STS-B.tsv": "4.200"},
    **{"MNLI-m.tsv": "contradiction", "MNLI-mm.tsv": "contradiction", "AX.tsv": "contradiction"},
    **{"QNLI.tsv": "not_entailment", "RTE.tsv": "entailment", "WNLI.tsv": "1"},
}
ALL = ("cola", "sst2", "mrpc", "stsb", "mnli_matched", "mnli_mismatched", "qnli", "rte")
ALL += ("wnli", "qqp")


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def test_lines(header, numbers):
    """Lines of a test file: quotes that are not quotes in every text."""
    start, *_, last = header.split("\t")
    width = header.count("\t")
    yield header
    for number in numbers:
        cells = [f'"{start} {number}', *["n/a"] * (width - 2), f'{last} "" {number}"'][-width:]
        yield "\t".join([str(number), *cells])


test_lines.__test__ = False


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A whole GLUE in the official layout: small training sets and full test sets."""
    folder = tmp_path_factory.mktemp("glue_data")
    for name, (header, labels, row) in TRAIN.items():
        rows = [row.format(label=labels[index > 0]) for index in range(3)]
        write(folder / name, rows if header is None else [header, *rows])
    for name, (header, _, size) in TESTS.items():
        write(folder / name, test_lines(header, range(size)))
    return folder


def small(name, size):
    """The data set with another official size of its test file."""
    return dataclasses.replace(SPECS[name], num_rows={"train": 3, "dev": 3, "test": size})


def file_of(spec):
    return f"{spec.folder}/{spec.files['test']}"


def answers(content):
    """Reads a file of the submission as the leaderboard does: its rows, (index, prediction)."""
    header, *rows = content.decode().removesuffix("\n").split("\n")
    assert header == "index\tprediction"
    return [tuple(row.split("\t")) for row in rows]


def predicting(logits):
    """Stands for a network that answers with the rows of `logits` in turn."""

    def run(source):
        assert len(source) == len(logits)
        for index, row in enumerate(logits):
            yield source[index], {}, {"logits": row}

    return run


def test_the_files_are_the_leaderboards():
    assert sorted(submission.FILES) == sorted(file for _, file, _ in TESTS.values())
    assert {
        (file_of(spec), spec.leaderboard, spec.num_rows["test"]) for spec in SPECS.values()
    } == {(name, file, size) for name, (_, file, size) in TESTS.items()}
    for name in ALL:
        assert registry.get(f"glue/{name}").submission == submission.FILES


def test_all_of_glue_is_one_archive_and_less_is_refused(data, tmp_path, capsys):
    """The command that a user types, with the commonest answer of every training set."""
    tasks = [f"glue/{name}" for name in ALL]
    shared = tiny_runs.as_flags(
        data_dir=data, checkpoint="baseline:majority", outputs=tmp_path / "glue.zip"
    )
    code, _, errors = tiny_runs.command(
        capsys, "--mode=predict", f"--task={','.join(tasks[1:-1])}", *shared
    )
    assert code == 2
    assert errors[-1].endswith(
        "incomplete, so nothing is written; missing: CoLA.tsv, QQP.tsv;"
        " tasks that are not in --task: glue/cola, glue/qqp"
    )
    assert not list(tmp_path.iterdir())

    code, output, errors = tiny_runs.command(
        capsys, "--mode=predict", f"--task={','.join(tasks)}", *shared
    )
    assert (code, output) == (0, ""), errors
    with zipfile.ZipFile(tmp_path / "glue.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(file for _, file, _ in TESTS.values())
        for _, file, size in TESTS.values():
            rows = answers(archive.read(file))
            assert [index for index, _ in rows] == [str(index) for index in range(size)], file
            assert {answer for _, answer in rows} == {COMMONEST[file]}, file


@pytest.mark.parametrize("name", [name for name in SPECS if SPECS[name].labels])
def test_an_answer_is_the_word_of_the_largest_logit_in_the_files_order(name, tmp_path):
    rng = np.random.default_rng(0)
    spec, numbers = small(name, 60), rng.permutation(1000)[:60]
    write(tmp_path / file_of(spec), test_lines(TESTS[file_of(spec)][0], numbers))
    logits = rng.standard_normal((60, len(spec.labels))).astype(np.float32)
    logits[7] = 0  # equal ones are the first class, as the metric has it
    ((file, content),) = submission.predict([spec], None, {}, tmp_path, predicting(logits))
    rows = answers(content)
    assert file == spec.leaderboard
    assert [int(index) for index, _ in rows] == numbers.tolist()
    assert [spec.labels.index(word) for _, word in rows] == logits.argmax(-1).tolist()
    assert len(set(rows)) == 60


@settings(max_examples=50, deadline=None)
@given(outputs=st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=5))
def test_a_score_is_a_number_with_three_decimals_of_0_to_5(outputs, tmp_path_factory):
    spec, folder = small("stsb", len(outputs)), tmp_path_factory.mktemp("stsb")
    write(folder / file_of(spec), test_lines(_STSB, range(len(outputs))))
    logits = np.array(outputs, np.float32)[:, None]
    ((_, content),) = submission.predict([spec], None, {}, folder, predicting(logits))
    for (_, answer), output in zip(answers(content), outputs, strict=True):
        due = min(max(2.5 * (1 + output), 0), 5)  # -1 stands for 0 and 1 for 5
        assert float(answer) == pytest.approx(due, abs=0.000501)
        assert len(answer.split(".")[1]) == 3
        assert not answer.startswith("-")


def test_a_matched_model_answers_the_diagnostic_set_too(tmp_path):
    specs = [
        small(spec.name, size) for size, spec in enumerate(submission.answered("mnli_matched"), 2)
    ]
    for spec in specs:
        write(
            tmp_path / file_of(spec),
            test_lines(TESTS[file_of(spec)][0], range(spec.num_rows["test"])),
        )

    def run(source):
        for index in range(len(source)):
            yield source[index], {}, {"logits": np.eye(3)[index % 3]}

    words = ("entailment", "neutral", "contradiction")
    assert [
        (file, answers(content))
        for file, content in submission.predict(specs, None, {}, tmp_path, run)
    ] == [
        ("MNLI-m.tsv", [("0", words[0]), ("1", words[1])]),
        ("AX.tsv", [("0", words[0]), ("1", words[1]), ("2", words[2])]),
    ]
    (alone,) = submission.answered("mnli_mismatched")
    assert alone.leaderboard == "MNLI-mm.tsv"


def test_the_copys_test_set_is_answered_by_its_numbers(tmp_path):
    spec = small("rte", 3)
    rows = [
        {"premise": "A", "hypothesis": "B", "sentence1": "A", "sentence2": "B"}
        | {"idx": number, "label": -1}
        for number in (5, 0, 9)
    ]
    write(tmp_path / spec.hub / "test.jsonl", [json.dumps(row) for row in rows])
    ((_, content),) = submission.predict(
        [spec], None, {}, tmp_path, predicting(np.eye(2)[[1, 0, 1]])
    )
    assert answers(content) == [
        ("5", "not_entailment"),
        ("0", "entailment"),
        ("9", "not_entailment"),
    ]


def never(source):
    raise AssertionError(f"predicted {len(source)} rows")


def complaint(spec, folder, run=never):
    with pytest.raises(UserError) as caught:
        list(submission.predict([spec], None, {}, folder, run))
    return str(caught.value)


@pytest.mark.parametrize("size", [1, 145, 147])
def test_another_number_of_rows_is_refused(size, tmp_path):
    write(tmp_path / "WNLI/test.tsv", test_lines(_PAIR, range(size)))
    assert complaint(SPECS["wnli"], tmp_path) == (
        f"--data_dir={tmp_path}: a submission needs 146 rows in WNLI.tsv, and WNLI/test.tsv has"
        f" {size}; take the official test file"
    )


@pytest.mark.parametrize(
    ("line", "text", "due"),
    [
        (4, "1\ta\tb", "line 4: 'index' is 1, as"),
        (4, "01\ta\tb", "line 4: 'index' is 1, as"),
        (4, "x\ta\tb", "line 4: 'index' is 'x'"),
        (4, "-1\ta\tb", "line 4: 'index' is '-1'"),
        (4, '"2"\ta\tb', "line 4: 'index' is"),
        (4, "2\ta\tb\tc", "line 4: 4 columns"),
        (4, "2\ta", "line 4: 2 columns"),
        (1, "id\tsentence1\tsentence", "sentence2"),
    ],
)
def test_a_test_file_that_is_none_is_refused(line, text, due, tmp_path):
    lines = list(test_lines(_PAIR, range(146)))
    lines[line - 1] = text
    write(tmp_path / "WNLI/test.tsv", lines)
    assert due in complaint(SPECS["wnli"], tmp_path)


@pytest.mark.parametrize("missing", ["MNLI/test_matched.tsv", "diagnostic/diagnostic.tsv"])
def test_a_missing_test_file_is_named_before_anything_is_computed(missing, data, tmp_path):
    for name in ("MNLI/test_matched.tsv", "diagnostic/diagnostic.tsv"):
        if name != missing:
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).symlink_to(data / name)
    with pytest.raises(UserError, match=f"--data_dir=.*it has no file {missing}"):
        list(submission.predict(submission.answered("mnli_matched"), None, {}, tmp_path, never))


@pytest.mark.parametrize("name", ["cola", "stsb"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_is_refused(name, value, tmp_path):
    spec = small(name, 3)
    write(tmp_path / file_of(spec), test_lines(TESTS[file_of(spec)][0], range(10, 13)))
    logits = np.ones((3, spec.num_outputs), np.float32)
    logits[1, -1] = value
    line = complaint(spec, tmp_path, predicting(logits))
    assert f"its answer to row 11 of {spec.leaderboard} is" in line


@pytest.mark.parametrize("name", ["cola", "mrpc", "sst2", "wnli", "ax"])
def test_the_real_test_files_are_taken(name, shared):
    spec = SPECS[name]
    logits = np.random.default_rng(0).standard_normal((spec.num_rows["test"], spec.num_outputs))
    folder = shared / "data/glue/glue_data"
    ((file, content),) = submission.predict([spec], None, {}, folder, predicting(logits))
    assert file == spec.leaderboard
    real = (folder / file_of(spec)).read_bytes().decode().split("\n")
    numbers = [line.split("\t")[0] for line in real[1:] if line]
    assert [index for index, _ in answers(content)] == numbers
    assert [spec.labels.index(word) for _, word in answers(content)] == logits.argmax(-1).tolist()
