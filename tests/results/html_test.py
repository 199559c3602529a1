# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import base64
import dataclasses
import hashlib
import pathlib
import re

import html_made
import pytest
from html_page import check

from perceiver_bench.errors import UserError
from perceiver_bench.results import groups, lines, record, reported
from perceiver_bench.results.cells import Cells
from perceiver_bench.results.html import curve_drawings, overview, page, speed
from perceiver_bench.results.visible import visible

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SHOWN = (
    *("value", "standard_error", "interval_low", "interval_high"),
    *("deviation", "best", "num_seeds", "difference", "paper"),
)
AVERAGES = {"glue/average": Cells(("model", "sst2"), [("<b>", "50.0 ± 1.0")], ("A note",))}


def render(records, rows=html_made.paper_rows, **changes):
    parts = {"galleries": {}, "documents": (), "averages": {}, "made_up": False} | changes
    return page.html(records, rows, **parts)


@pytest.fixture
def whole(make, tmp_path):
    """The text of a page with everything in it."""
    html_made.fill(tmp_path)
    html_made.write_speed(tmp_path / "speed", html_made.speed_document())
    out = tmp_path / "report.html"
    page.write_html(
        html_made.every_kind(make),
        html_made.paper_rows,
        out,
        results_dir=tmp_path,
        speed_dir=tmp_path / "speed",
        averages=AVERAGES,
    )
    return out.read_text(encoding="utf-8")


def test_page_with_everything_is_well_formed(whole):
    found = check(whole)
    for text in ("Against the paper", "glue/average", "To look at", "Speed and memory"):
        assert text in found.text
    assert "plugin/unknown" in found.text
    assert len(found.all("img")) == 2
    assert len(found.all("video")) == 1


def test_empty_folder_and_single_record(make, tmp_path):
    assert "no record yet" in check(render([])).text
    found = check(render([make(0)]))
    assert "1 run of 1 task, 2026-01-02, on cpu" in found.text
    page.write_html([], html_made.paper_rows, tmp_path / "r.html", results_dir=tmp_path / "none")
    check((tmp_path / "r.html").read_text(encoding="utf-8"))


def test_page_of_the_committed_records():
    records = record.read_all(ROOT / "results")
    text = render(records, reported.rows, documents=speed.read(ROOT / "benchmarks" / "results"))
    found = check(text)
    for one in records:
        assert f"records/{one.task}/{one.run_id}.json" in text
        assert one.dataset_fingerprint in text
        for measured in one.metrics.values():
            assert repr(measured.value) in found.text


def test_the_same_records_give_the_same_bytes(make, whole, tmp_path):
    records = html_made.every_kind(make)
    assert render(records) == render(records[::-1])
    page.write_html(
        records,
        html_made.paper_rows,
        tmp_path / "again.html",
        results_dir=tmp_path,
        speed_dir=tmp_path / "speed",
        averages=AVERAGES,
    )
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == whole


def test_numbers_are_those_of_the_other_tables(make):
    records = [one for one in html_made.every_kind(make) if one.task == "glue/sst2"]
    found = check(render(records)).text
    for group in groups.groups(records):
        shown = lines.lines("glue/sst2", group, html_made.paper_rows("glue/sst2"), every_seed=False)
        assert len(shown) > 2
        for line in shown:
            for name in _SHOWN:
                assert line.get(name, "").replace("-", "\N{MINUS SIGN}") in found


def test_foreign_texts_come_out_as_texts(whole, make):
    found = check(whole)
    assert found.text.count(visible(html_made.HOSTILE)) >= 4
    assert "\u202e" not in whole
    assert "&lt;/style&gt;&lt;script&gt;alert(&#34;1&#34;)" in whole
    row = dataclasses.replace(
        html_made.PUBLISHED, model=html_made.HOSTILE, source="javascript:alert(1)", note="<i>"
    )
    hostile = {html_made.HOSTILE: {html_made.HOSTILE: [html_made.HOSTILE]}}
    one = make(0, config=hostile, dataset=hostile, git={"commit": "<i>", "dirty": True})
    found = check(render([one], lambda _: (row,)))
    assert "javascript:alert(1), Table 14" in found.text
    assert r"odd\ud800" in check(render([make(0, preset="odd\ud800")])).text
    assert "<i>, with changes that are not in it" in found.text


def test_policy_allows_nothing_but_this_style(whole):
    found = check(whole)
    policy = next(one["content"] for one in found.all("meta") if "http-equiv" in one)
    style = re.search("<style>(.*)</style>", whole, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "media-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "url(" not in style
    assert "@import" not in style


def test_overview_compares_the_best_setting_of_the_newest_group(make):
    records = [make(0, value=90.0), make(1, value=94.0, seed=1), make(2, baseline="majority")]
    records.append(make(3, value=92.5, overrides=("train.steps=50",)))
    found = groups.groups(records)
    rows = html_made.paper_rows("glue/sst2")
    (one,), why = overview.comparisons("glue/sst2", found, rows, made_up=False)
    assert why == ""
    assert (one.value, one.spread) == ("92.50", ("± 0.86",))
    assert one.published.printed == "93.17"
    assert (one.difference, one.standing) == ("\N{MINUS SIGN}0.67", "worse")
    assert (one.baseline, one.chosen_from) == ("majority 93.00", 2)
    assert one.bar == overview.Bar(0.0, 92.5, 93.17, 91.64, 93.36, 93.0)
    (one,), _ = overview.comparisons("glue/sst2", groups.groups(records[:2]), rows, made_up=False)
    # Of 90 and 94: 12.706 of Student's t with one degree of freedom, times the root of 8 / 2.
    assert one.value == "92.00"
    assert one.spread == ("[66.59, 117.41]", "deviation 2.83", "best 94.00 of 2 seeds")
    assert (one.bar.low, one.bar.high) == (66.59, 100.0)


@pytest.mark.parametrize(
    ("value", "direction", "standing"),
    [(95.0, "higher", "better"), (95.0, "lower", "worse"), (93.171, "higher", "equal")],
)
def test_standing_follows_the_direction(make, value, direction, standing):
    ours = html_made.metrics(1, value=value, direction=direction)
    row = dataclasses.replace(html_made.PUBLISHED, direction=direction)
    found = groups.groups([make(0, metrics=ours)])
    (one,), _ = overview.comparisons("glue/sst2", found, [row], made_up=False)
    assert one.standing == standing


@pytest.mark.parametrize(
    ("changes", "row", "why"),
    [
        ({"dataset": {"num_examples": 2, "official_num_examples": 9}}, {}, "2 of 9 examples"),
        ({}, {"protocol": "elsewhere"}, "another protocol, elsewhere"),
        ({}, {"unit": "1"}, "another unit"),
        ({"baseline": "majority"}, {}, "no whole run but baselines"),
        ({}, {"metric": "f1"}, "no published number of these metrics"),
    ],
)
def test_what_does_not_compare_stands_apart_with_its_reason(make, changes, row, why):
    rows = [dataclasses.replace(html_made.PUBLISHED, **row)]
    text = check(render([make(0, **changes)], lambda _: rows)).text
    assert "No run here compares" in text
    assert why in text
    assert "to the paper" not in text


def test_made_up_data_compares_with_nothing(make):
    text = check(render([make(0)], made_up=True)).text
    assert "the data of these runs is made up" in text
    assert "to the paper" not in text


def test_two_published_numbers_of_one_place_are_both_shown(make):
    again = dataclasses.replace(html_made.PUBLISHED, value=12.34, printed="12.34")
    text = check(render([make(0)], lambda _: (html_made.PUBLISHED, again))).text
    assert "93.17" in text
    assert "12.34" in text


def test_curves_are_drawn_where_their_numbers_are(make):
    found = groups.groups(html_made.every_kind(make)[:5])
    drawing = curve_drawings.drawing(found[0], [html_made.PUBLISHED])
    # The mean of two seeds; the axis goes from 0 to 200 steps in 310 units from 40 on.
    (curve,) = drawing.curves
    assert curve.values == {100: "81.00", 200: "92.00"}
    assert [x for x, _ in curve.points] == [195.0, 350.0]
    ticks = {tick.text: tick.place for tick in drawing.vertical}
    low, high = ticks["50"], ticks["100"]
    assert curve.points[1][1] == pytest.approx(low + (high - low) * 42 / 50, abs=0.01)
    assert [level.value for level in drawing.levels] == ["81.88", "50.92", "93.17"]
    assert len(curve.band.split()) == 4


def test_a_curve_of_one_point_and_no_curve(make):
    single = groups.groups([make(0, learning_curve=({"step": 0, "accuracy": 1.0},))])[0]
    drawing = curve_drawings.drawing(single, [])
    assert len(drawing.curves[0].points) == 1
    check(render([make(0, learning_curve=({"step": 0, "accuracy": 1.0},))]))
    assert curve_drawings.drawing(groups.groups([make(0)])[0], []) is None


def test_speed_shows_what_the_files_beside_it_show():
    documents = speed.read(ROOT / "benchmarks" / "results")
    assert documents
    for document in documents:
        path = ROOT / "benchmarks" / "results" / document.file
        written = path.with_suffix(".md").read_text(encoding="utf-8")
        for row in document.rows:
            assert all(f"| {cell} |" in written for cell in row), row


def test_speed_says_what_was_not_measured(tmp_path):
    html_made.write_speed(tmp_path, html_made.speed_document())
    (found,) = speed.read(tmp_path)
    assert found.header == (
        "Model",
        "ours, s",
        "transformers, s",
        "transformers / ours",
        "ours, MB",
    )
    assert found.rows == ((html_made.HOSTILE, "0.780", "1.03", "1.43", "1,171"),)
    assert found.notes == (f"{html_made.HOSTILE}, baseline_peak_bytes: no memory",)
    assert found.versions == {"jax": "0.10.2"}
    assert found.commit == "0123456789abcdef, with changes"


@pytest.mark.parametrize("field", [*html_made.speed_document()])
def test_a_broken_speed_file_is_named(tmp_path, field):
    document = html_made.speed_document()
    del document[field]
    path = html_made.write_speed(tmp_path, document)
    with pytest.raises(UserError, match=re.escape(str(path))):
        speed.read(tmp_path)


@pytest.mark.parametrize("value", ["1.0", True, [], 10**400, float("nan")])
def test_a_speed_that_is_no_number_is_an_error(tmp_path, value):
    document = html_made.speed_document()
    document["rows"][0]["seconds"] = value
    html_made.write_speed(tmp_path, document)
    with pytest.raises(UserError, match="not a result of --mode=benchmark"):
        speed.read(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        page.write_html(
            [], html_made.paper_rows, tmp_path / "file" / "r.html", results_dir=tmp_path
        )
