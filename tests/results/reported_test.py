# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import pathlib
import statistics

import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.results import reported

_FILE = pathlib.Path(__file__).parents[2] / "results" / "reported.csv"
_HEADER = (
    "benchmark,split,protocol,metric,model,value,unit,direction,source,table,page_or_section,note"
)
_LINE = "a/b,dev,,accuracy,Model,93.17,%,higher,arXiv:1,Table 1,,"
_PAPER = "arXiv:2107.14795v3"


def _published(benchmark, model, table):
    (row,) = [
        row
        for row in reported.rows(benchmark)
        if (row.model, row.table, row.source) == (model, table, _PAPER)
    ]
    return row


@pytest.mark.parametrize(
    ("benchmark", "model", "table", "printed", "unit", "direction"),
    [
        ("glue/sst2", "Perceiver IO (UTF-8 bytes)", "Table 14", "93.17", "%", "higher"),
        ("glue/sst2", "Perceiver IO Base (SentencePiece)", "Table 14", "94.38", "%", "higher"),
        ("glue/sst2", "BERT matching FLOPs (UTF-8 bytes)", "Table 14", "89.00", "%", "higher"),
        ("glue/average", "Perceiver IO++ (UTF-8 bytes)", "Table 1", "81.8", "x100", "higher"),
        ("flow/sintel_clean", "Perceiver IO", "Table 3", "1.81", "px", "lower"),
        ("flow/sintel_final", "Perceiver IO", "Table 3", "2.42", "px", "lower"),
        ("flow/kitti2015", "Perceiver IO", "Table 3", "4.98", "px", "lower"),
        ("imagenet/top1", "Perceiver IO A (Fourier)", "Table 7", "79.0", "%", "higher"),
        ("imagenet/top1", "Perceiver IO A (learned)", "Table 7", "72.7", "%", "higher"),
        ("imagenet/top1", "Perceiver IO A (convolution)", "Table 7", "82.1", "%", "higher"),
        ("imagenet/top1", "Perceiver IO B (Fourier)", "Table 7", "84.5", "%", "higher"),
        ("imagenet/top1", "Perceiver IO B (convolution)", "Table 7", "86.4", "%", "higher"),
        ("starcraft/elite_bot", "Perceiver IO", "Table 9", "0.87", "1", "higher"),
    ],
)
def test_known_numbers_stand_in_the_file(benchmark, model, table, printed, unit, direction):
    row = _published(benchmark, model, table)
    assert (row.printed, row.unit, row.direction) == (printed, unit, direction)
    assert row.value == float(printed)


def test_the_averages_of_glue_are_the_means_of_their_eight_tasks():
    averages = [row for row in reported.rows("glue/average") if row.table == "Table 14"]
    assert len(averages) == 9
    for average in averages:

        def value(task, model=average.model):
            return _published(f"glue/{task}", model, "Table 14").value

        mnli = (value("mnli_matched") + value("mnli_mismatched")) / 2
        others = [value(t) for t in ("cola", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb")]
        assert abs(statistics.mean([mnli, *others]) - average.value) < 0.006, average.model


def test_the_averages_of_rlbench_are_the_means_of_their_eighteen_tasks():
    every = reported.read(_FILE)
    for average in reported.rows("rlbench/average"):
        values = [
            row.value
            for row in every
            if row.benchmark.startswith("rlbench/")
            and row is not average
            and (row.model, row.table) == (average.model, average.table)
            and row.benchmark != "rlbench/average"
        ]
        if values:
            assert len(values) == 18, average.model
            assert abs(statistics.mean(values) - average.value) < 0.051, average.model


def test_each_protocol_of_rlbench_has_the_average_and_all_eighteen_tasks():
    every = [row for row in reported.read(_FILE) if row.protocol]
    for name, average in (("best_on_validation", "42.7"), ("final_checkpoint", "49.4")):
        rows = [row for row in every if row.protocol == f"rlbench18-test/{name}"]
        assert len({row.benchmark for row in rows}) == len(rows) == 19
        assert len({(row.model, row.source, row.table) for row in rows}) == 1
        assert [row.printed for row in rows if row.benchmark == "rlbench/average"] == [average]
    assert len(every) == 38


def test_no_number_stands_there_twice_and_all_come_with_the_package():
    every = reported.read(_FILE)
    assert len(every) == 400
    keys = [(r.benchmark, r.split, r.metric, r.model, r.source, r.table) for r in every]
    assert len(set(keys)) == len(keys)
    for benchmark in {row.benchmark for row in every}:
        expected = tuple(row for row in every if row.benchmark == benchmark)
        assert reported.rows(benchmark) == expected
    assert reported.rows("no/such") == ()


def test_percentages_and_correlations_lie_within_their_range():
    for row in reported.read(_FILE):
        assert row.value >= 0, row
        if row.unit in ("%", "x100"):
            assert 0 <= row.value <= 100, row
        if row.unit == "px":
            assert row.direction == "lower", row


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (_LINE.replace("93.17", "93,17"), "has 13 columns"),
        (_LINE.replace("93.17", "about 93"), "column value"),
        (_LINE.replace("93.17", "nan"), "column value"),
        (_LINE.replace("%", "percent"), "column unit"),
        (_LINE.replace("higher", "up"), "column direction"),
        (_LINE.replace("Table 1", ""), "both empty"),
        (_LINE.replace("arXiv:1", ""), "column source is empty"),
        (_LINE.replace("higher", "lower"), "give it one of each"),
        ('"' + _LINE, "unexpected end"),
        ("", "has 0 columns"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(tmp_path, line, message):
    path = tmp_path / "reported.csv"
    path.write_text(f"{_HEADER}\n{_LINE}\n{line}\n")
    with pytest.raises(UserError, match=rf"reported\.csv, line [34]: .*{message}"):
        reported.read(path)


def test_a_wrong_header_a_binary_and_an_absent_file_are_refused(tmp_path):
    path = tmp_path / "reported.csv"
    with pytest.raises(UserError, match="cannot be read"):
        reported.read(path)
    path.write_text("")
    with pytest.raises(UserError, match="line 1: the columns must be"):
        reported.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        reported.read(path)
