# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import csv
import io
import locale
import random
import time

import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.results import comparable, markdown, tables
from perceiver_bench.results.record import MetricValue
from perceiver_bench.results.reported import ReportedRow


def _row(model, printed, metric="accuracy", unit="%", direction="higher", protocol=""):
    return ReportedRow(
        benchmark="glue/sst2",
        split="dev",
        protocol=protocol,
        metric=metric,
        model=model,
        value=float(printed),
        printed=printed,
        unit=unit,
        direction=direction,
        source="arXiv:1",
        table="Table 14",
        page_or_section="",
        note="",
    )


_ROWS = (_row("Model (UTF-8 bytes)", "93.17"), _row("Model (SentencePiece)", "94.38"))


def _metric(value, direction="higher", unit="%"):
    return MetricValue(value=value, standard_error=0.016, n=872, unit=unit, direction=direction)


def _body(text):
    """The lines of a table below its header, as cells."""
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    return found[2:]


def _apart(text):
    """The lines of the tables of published rows that do not compare, as cells."""
    parts = text.split("Published, not comparable: ")[1:]
    return [cells for part in parts for cells in _body(part)]


def test_a_table_is_exactly_this(make):
    records = [
        make(1, value=92.5),
        make(2, value=92.8922, overrides=("train.steps=9",), seed=1),
        make(3, value=93.0),
        make(4, value=50.9174, baseline="majority"),
        make(5, value=80.0, baseline="bag_of_words"),
        make(6, value=99.0, partial=True, partial_reason="first 5 examples (--limit=5)"),
    ]
    data = records[0].dataset_fingerprint[:12]
    # fmt: off
    assert tables.task_table("glue/sst2", records, _ROWS) == (
        f"Protocol glue-dev-v1, task version 1, split dev, data {data}.\n"
        "\n"
        "| row | metric | ours | n | paper | difference | preset | step | commit | date |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| ours, seed 0 | accuracy (%) ↑ | 93.00 ± 0.86 | 872 | 93.17 | -0.17 | small | 200 | 0123456789 | 2026-01-02 |\n"  # noqa: E501
        "| ours, seed 1 | accuracy (%) ↑ | 92.89 ± 0.86 | 872 | 93.17 | -0.28 | small; train.steps=9 | 200 | 0123456789 | 2026-01-02 |\n"  # noqa: E501
        "| baseline bag_of_words | accuracy (%) ↑ | 80.00 ± 0.86 | 872 |  |  |  |  |  | 2026-01-02 |\n"  # noqa: E501
        "| baseline majority | accuracy (%) ↑ | 50.92 ± 0.86 | 872 |  |  |  |  |  | 2026-01-02 |\n"
        "| Model (UTF-8 bytes) [arXiv:1, Table 14, dev] | accuracy (%) ↑ |  |  | 93.17 |  |  |  |  |  |\n"  # noqa: E501
        "| Model (SentencePiece) [arXiv:1, Table 14, dev] | accuracy (%) ↑ |  |  | 94.38 |  |  |  |  |  |\n"  # noqa: E501
        "\n"
        "Ours: ± one standard error over the examples.\n"
        "\n"
        "Paper and difference (ours minus paper) are those of Model (UTF-8 bytes).\n"
        "\n"
        "Partial, so not in the table: small, 2026-01-02: first 5 examples (--limit=5).\n"
    )
    # fmt: on


def test_the_paper_row_is_that_of_the_tokenizer(make):
    pieces = make(1, value=94.0, config={"data": {"tokenizer": "sentencepiece"}})
    (cells, *_) = _body(tables.task_table("glue/sst2", [pieces], _ROWS))
    assert cells[4:6] == ["94.38", "-0.38"]
    for config in ({}, {"data": None}, {"data": {"tokenizer": ["bytes"]}}):
        other = make(1, config=config)
        assert comparable.reference_row(other, "accuracy", _ROWS) == _ROWS[0]


def test_direction_is_an_arrow_and_the_difference_keeps_its_sign(make):
    rows = (_row("Model (UTF-8 bytes)", "1.81", "end_point_error", "px", "lower"),)
    records = [make(1, metrics={"end_point_error": _metric(2.0, "lower", "px")})]
    (cells, paper) = _body(tables.task_table("glue/sst2", records, rows))
    assert cells[1:6] == ["end_point_error (px) ↓", "2.000 ± 0.016", "872", "1.81", "+0.190"]
    assert paper[1] == "end_point_error (px) ↓"


@pytest.mark.parametrize("change", [{"unit": "1"}, {"direction": "lower"}])
def test_numbers_of_another_unit_or_direction_are_not_subtracted(make, change):
    record = make(1, metrics={"accuracy": _metric(0.93, **change)})
    text = tables.task_table("glue/sst2", [record], _ROWS)
    (cells, *_) = _body(text)
    assert cells[4:6] == ["", ""]
    assert "Published, not comparable: another unit or direction of accuracy.\n" in text


def test_partial_records_alone_make_no_table(make):
    record = make(1, value=12.34, partial=True, partial_reason="first 5 examples")
    text = tables.task_table("glue/sst2", [record], _ROWS)
    assert _body(text) == []
    assert "12.34" not in text
    assert "Partial, so not in the table: small, 2026-01-02: first 5 examples." in text
    rows = csv.DictReader(io.StringIO(tables.tables_csv([record], lambda _: _ROWS)))
    assert list(rows) == []


def test_a_partial_run_does_not_hide_the_whole_one_before_it(make):
    records = [make(1, value=90.0), make(2, partial=True, partial_reason="first 5 examples")]
    (cells, *_) = _body(tables.task_table("glue/sst2", records, ()))
    assert cells[2] == "90.00 ± 0.86"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"dataset": {"dev.tsv": {"size": 11}}}, "data"),
        ({"protocol": "glue-dev-v2"}, "protocol"),
        ({"task_version": 2}, "task version"),
        ({"split": "test"}, "split"),
    ],
)
def test_records_that_do_not_compare_stand_apart_and_it_is_said(make, change, name):
    records = [make(1, value=90.0), make(2, value=91.0, **change)]
    text = tables.task_table("glue/sst2", records, ())
    assert text.startswith(
        "These 2 tables do not compare with each other: their records differ in " + name + ".\n"
    )
    assert text.count("| row | metric |") == 2
    assert text.index("91.00") < text.index("90.00")  # the newest first
    assert "do not compare" not in tables.task_table("glue/sst2", records[:1], ())


def test_tables_depend_on_neither_order_nor_time_zone_nor_locale(make, monkeypatch):
    records = [make(i, seed=i % 3, task=f"a/{'xyz'[i % 2]}") for i in range(6)]
    records += [make(7, baseline="majority", task="a/x"), make(8, seed=None, task="a/x")]
    pictures = {"a/x": "curves/a_x.png"}
    expected = tables.tables(records, lambda _: _ROWS, pictures, {})
    expected_csv = tables.tables_csv(records, lambda _: _ROWS)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    old = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "C")
        random.Random(0).shuffle(records)
        assert tables.tables(records, lambda _: _ROWS, pictures, {}) == expected
        assert tables.tables_csv(records, lambda _: _ROWS) == expected_csv
    finally:
        locale.setlocale(locale.LC_ALL, old)
        monkeypatch.undo()
        time.tzset()
    assert expected.index("## a/x") < expected.index("curves/a_x.png") < expected.index("## a/y")


def test_runs_that_differ_in_their_seed_have_one_line(make):
    """Of 90, 91 and 94: mean 91.67, sum of squares 8.67, deviation the root of its half.

    Of Student's t with two degrees of freedom 4.303 leaves 2.5 % above: 4.303 * 2.08 / 1.73 = 5.17.
    """
    records = [make(i, value=90.0 + 2 * i, seed=i) for i in range(3)]
    records += [make(5, value=95.0, init="/runs/of/mlm/best"), make(6, overrides=("train.x=1",))]
    records += [make(7, value=91.0, seed=1, git={"commit": "f" * 16, "dirty": True})]
    (several, with_init, other, *_) = _body(tables.task_table("glue/sst2", records, _ROWS))
    assert several[:6] == [
        *("ours, 3 seeds", "accuracy (%) ↑"),
        "91.67 [86.50, 96.84], deviation 2.08, best 94.00 of 3 seeds",
        *("872", "93.17", "-1.50"),
    ]
    assert several[6:] == ["small", "200", "several (dirty)", "2026-01-02"]
    assert with_init[2] == "95.00 ± 0.86"
    assert with_init[6] == "small; from mlm/best"
    assert other[6] == "small; train.x=1"


def test_csv_keeps_the_runs_of_a_line_over_seeds(make):
    records = [make(i, value=90.0 + 2 * i, seed=i, init="a/b/c") for i in range(3)]
    found = list(csv.DictReader(io.StringIO(tables.tables_csv(records, lambda _: ()))))
    assert [line["kind"] for line in found] == ["run", "run", "run", "seeds"]
    assert [line["value"] for line in found] == ["90.00", "92.00", "94.00", "92.00"]
    assert [line["seed"] for line in found] == ["0", "1", "2", ""]
    assert {line["init"] for line in found} == {"a/b/c"}
    one = found[-1]
    assert (one["deviation"], one["best"], one["num_seeds"]) == ("2.00", "94.00", "3")
    assert (one["interval_low"], one["interval_high"]) == ("87.03", "96.97")
    assert (one["standard_error"], one["run_id"]) == ("", "")


def test_csv_holds_the_lines_of_the_tables(make):
    records = [make(1), make(2, baseline="majority")]
    found = list(csv.DictReader(io.StringIO(tables.tables_csv(records, lambda _: _ROWS))))
    assert [line["kind"] for line in found] == ["run", "baseline", "paper", "paper"]
    run = found[0]
    assert (run["value"], run["standard_error"], run["paper"]) == ("93.00", "0.86", "93.17")
    assert (run["run_id"], run["dirty"], run["seed"]) == (records[0].run_id, "false", "0")
    assert found[2]["paper"] == "93.17"
    assert found[2]["value"] == ""


def test_text_cannot_break_out_of_a_cell(make):
    record = make(1, preset="a|b", overrides=("x=<script>", "y=[z](http://w)"))
    text = tables.task_table("glue/sst2", [record], ())
    assert "a\\|b; x=&lt;script&gt; y=[z]\\(http://w)" in text


def test_a_table_is_put_between_its_markers_and_again():
    text = "before\n<!-- begin a/b -->\nold\n<!-- end a/b -->\nafter <!-- begin c --><!-- end c -->"
    once = markdown.replace_between(text, "a/b", "| new |\n")
    assert once == (
        "before\n<!-- begin a/b -->\n\n| new |\n\n<!-- end a/b -->\n"
        "after <!-- begin c --><!-- end c -->"
    )
    assert markdown.replace_between(once, "a/b", "| new |\n") == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- begin a -->",
        "<!-- end a --><!-- begin a -->",
        "<!-- begin a --><!-- end a --><!-- begin a --><!-- end a -->",
    ],
)
def test_missing_or_doubled_markers_are_refused(text):
    with pytest.raises(UserError, match=r"README\.md: needs one"):
        markdown.replace_between(text, "a", "table")


def test_a_part_of_the_official_data_is_not_compared_with_published_rows(make):
    for found, compares in ((872, True), (3, False)):
        dataset = {"sha256": "x", "num_examples": found, "official_num_examples": 872}
        one = make(1, value=93.0, dataset=dataset)
        text = tables.task_table("glue/sst2", [one], _ROWS)
        assert ("Paper and difference" in text) == compares
        reason = "Published, not comparable: these runs saw a part of the official data, 3 of 872"
        assert (reason in text) != compares
        # Said of the data too, which may have no published row.
        alone = tables.task_table("glue/sst2", [one], ())
        assert (", a part of the official set: 3 of 872 examples.\n" in alone) != compares


def test_made_up_data_is_not_compared_with_published_rows(make):
    text = tables.task_table("glue/sst2", [make(1, value=93.0)], _ROWS, made_up=True)
    assert _body(text)[0][4:6] == ["", ""]
    assert "\nThe data is made up.\n" in text
    assert [cells[2] for cells in _apart(text)] == ["93.17", "94.38"]
    assert "Paper and difference" not in text


def test_an_interval_stands_in_the_place_of_the_standard_error(make):
    metrics = {
        "success_rate": MetricValue(
            value=86.0, standard_error=4.9, n=50, unit="%", direction="higher", interval=(73.8, 93)
        ),
        "accuracy": _metric(93.0),
    }
    one, other = make(1, metrics=metrics), make(2, metrics=metrics, seed=1)
    text = tables.task_table("glue/sst2", [one], _ROWS)
    assert (
        "Ours: [ends of the 95 % interval over the examples]; ± one standard error over the"
        " examples.\n" in text
    )
    assert [cells[2] for cells in _body(text)[:2]] == ["86.00 [73.80, 93.00]", "93.00 ± 0.02"]
    several = tables.task_table("glue/sst2", [one, other], _ROWS)
    assert "Ours: of several seeds the mean, its 95 % t-interval and the sample dev" in several
    assert _body(several)[0][2] == "86.00 [86.00, 86.00], deviation 0.00, best 86.00 of 2 seeds"
    found = list(csv.DictReader(io.StringIO(tables.tables_csv([one], lambda _: _ROWS))))
    ends = [(line["standard_error"], line["interval_low"], line["interval_high"]) for line in found]
    assert ends == [("4.90", "73.80", "93.00"), ("0.02", "", ""), *[("", "", "")] * 2]


_BY_PROTOCOL = (
    _row("Model, best", "42.7", protocol="real/best"),
    _row("Model, last", "49.4", protocol="real/last"),
    _row("Model, other", "30.4"),
)


@pytest.mark.parametrize(("protocol", "printed"), [("real/best", "42.7"), ("real/last", "49.4")])
def test_the_paper_row_is_that_of_the_protocol(make, protocol, printed):
    one = make(1, value=50.0, protocol=protocol, config={})
    text = tables.task_table("glue/sst2", [one], _BY_PROTOCOL)
    assert _body(text)[0][4:6] == [printed, f"{50 - float(printed):+.2f}"]
    assert f"are those of Model, {protocol.removeprefix('real/')}." in text
    assert "other protocols" not in text


def test_rows_of_other_protocols_are_shown_and_not_compared_with(make):
    one = make(1, protocol="toy/last", config={})
    text = tables.task_table("glue/sst2", [one], _BY_PROTOCOL)
    assert _body(text)[0][4:6] == ["", ""]
    published = _apart(text)
    assert [cells[2] for cells in published] == ["42.7", "49.4", "30.4"]
    assert published[0][0] == "Model, best [arXiv:1, Table 14, dev, real/best]"
    assert published[2][0] == "Model, other [arXiv:1, Table 14, dev]"
    for name in ("real/best", "real/last", "not named"):
        assert f"another protocol, {name}; these runs are of toy/last, which" in text
    assert "Paper and difference" not in text
    found = list(csv.DictReader(io.StringIO(tables.tables_csv([one], lambda _: _BY_PROTOCOL))))
    protocols = [line["protocol"] for line in found]
    assert protocols == ["toy/last", "real/best", "real/last", "toy/last"]
    reasons = [line["not_comparable"].partition(";")[0] for line in found]
    names = ("real/best", "real/last", "not named")
    assert reasons == ["", *(f"another protocol, {name}" for name in names)]
