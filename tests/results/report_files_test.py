# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import types

import numpy as np
import PIL.Image
import pytest

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.report import paper_rows, report
from perceiver_bench.results import curves, groups, record, reported

_README = "# A project\n\n<!-- begin hand/made -->\n<!-- end hand/made -->\nthe rest\n"
_CHECKPOINT = {"path": "run", "step": 3, "digest": "ab", "format": "orbax"}


@pytest.fixture
def results(tmp_path, run):
    """A results folder with a run and a baseline, and a README beside it."""
    (tmp_path / "README.md").write_text(_README)
    run["task"] = "hand/made"
    record.write(run, tmp_path / "results")
    run |= {"checkpoint": {"baseline": "majority"}, "preset": None, "learning_curve": None}
    record.write(run, tmp_path / "results")
    return tmp_path / "results"


def test_report_writes_tables_a_picture_and_the_readme(results):
    assert report(results, check=False) == 0
    names = {path.name for path in results.rglob("*") if path.is_file()}
    assert {"TABLES.md", "tables.csv", "hand_made.png"} < names
    written = (results / "TABLES.md").read_text(encoding="utf-8")
    assert "## hand/made" in written
    assert "93.00 ± 0.86" in written
    assert "curves/hand_made.png" in written
    readme = (results.parent / "README.md").read_text(encoding="utf-8")
    assert "93.00 ± 0.86" in readme
    assert readme.startswith("# A project\n\n<!-- begin")
    assert readme.endswith("the rest\n")


def test_check_writes_nothing_and_detects_every_change(results, run, capsys):
    assert report(results, check=True) == 1
    assert not (results / "TABLES.md").exists()
    report(results, check=False)
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in results.parent.rglob("*")}
    assert report(results, check=True) == 0
    assert capsys.readouterr().out == ""
    for name in ("TABLES.md", "tables.csv", "../README.md"):
        path = results / name
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("93.00", "94.00"), encoding="utf-8")
        assert report(results, check=True) == 1
        assert path.name in capsys.readouterr().out
        path.write_text(text, encoding="utf-8")
    assert set(before) == set(results.parent.rglob("*"))
    (results / "curves" / "hand_made.png").unlink()
    assert report(results, check=True) == 1
    assert "hand_made.png" in capsys.readouterr().out
    report(results, check=False)
    record.write({**run, "task": "hand/other"}, results)
    assert report(results, check=True) == 1


def test_averages_stand_in_the_tables_and_in_the_readme(results, run):
    readme = results.parent / "README.md"
    readme.write_text(f"{_README}<!-- begin glue/average --><!-- end glue/average -->")
    report(results, check=False)
    assert "## glue/average" not in (results / "TABLES.md").read_text(encoding="utf-8")
    record.write({**run, "task": "glue/rte", "preset": "mine", "checkpoint": _CHECKPOINT}, results)
    assert report(results, check=True) == 1
    report(results, check=False)
    written = (results / "TABLES.md").read_text(encoding="utf-8")
    assert written.index("## glue/average") < written.index("## glue/rte")
    for text in (written, readme.read_text(encoding="utf-8")):
        (line,) = [line for line in text.splitlines() if line.startswith("| mine | best |")]
        assert "| 93.00 |" in line
        assert line.endswith("| 1 of 8 | 1 of 9 |")
    assert report(results, check=True) == 0


def test_a_readme_without_markers_stays_as_it_is(results):
    readme = results.parent / "README.md"
    readme.write_text("nothing here")
    report(results, check=False)
    assert readme.read_text() == "nothing here"
    assert report(results, check=True) == 0


def test_no_records_make_empty_tables_and_no_folder_is_an_error(tmp_path):
    assert report(tmp_path, check=False) == 0
    assert "No record yet." in (tmp_path / "TABLES.md").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="--results_dir="):
        report(tmp_path / "absent", check=False)


def test_the_published_rows_of_an_unknown_task_are_those_of_its_name():
    assert paper_rows("flow/kitti2015") == reported.rows("flow/kitti2015")
    assert paper_rows("hand/made") == ()


def test_the_published_rows_of_a_task_are_those_it_names(monkeypatch):
    task = types.SimpleNamespace(paper_rows=["flow/sintel_final", "flow/sintel_clean"], metrics={})
    monkeypatch.setattr(registry, "names", lambda: ("hand/made",))
    monkeypatch.setattr(registry, "get", lambda name: {"hand/made": task}[name])
    final, clean = reported.rows("flow/sintel_final"), reported.rows("flow/sintel_clean")
    assert final
    assert paper_rows("hand/made") == final + clean
    task.paper_rows.append("flow/sintel")
    with pytest.raises(UserError, match="paper_rows names 'flow/sintel', which"):
        paper_rows("hand/made")


def test_the_published_rows_of_a_task_of_many_are_under_its_own_names(monkeypatch):
    task = types.SimpleNamespace(
        paper_rows=["rlbench/average", "rlbench/open_drawer"],
        metrics={"success_rate": None, "open_drawer_success_rate": None},
    )
    monkeypatch.setattr(registry, "names", lambda: ("hand/made",))
    monkeypatch.setattr(registry, "get", lambda name: {"hand/made": task}[name])
    found = paper_rows("hand/made")
    average, drawer = reported.rows("rlbench/average"), reported.rows("rlbench/open_drawer")
    assert [row.value for row in found] == [row.value for row in average + drawer]
    names = [row.metric for row in found]
    assert names == ["success_rate"] * len(average) + ["open_drawer_success_rate"] * len(drawer)


def test_learning_curves_are_a_small_picture_of_fixed_bytes(make, tmp_path, monkeypatch):
    curve = tuple({"step": s, "accuracy": 50.0 + s / 10} for s in range(0, 400, 20))
    records = [
        make(1, learning_curve=curve, preset="a $mall$ one"),
        make(2, learning_curve=curve[:9], seed=1),
        make(3, learning_curve=curve[:7], seed=2),
        make(4, value=50.9, baseline="majority"),
    ]
    first, second = tmp_path / "a.png", tmp_path / "b" / "b.png"
    rows = reported.rows("glue/sst2")
    (group,) = groups.groups(records)
    curves.plot_learning_curves(group, first, rows)
    monkeypatch.setitem(__import__("matplotlib").rcParams, "figure.facecolor", "black")
    curves.plot_learning_curves(group, second, rows)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 100_000
    with PIL.Image.open(first) as picture:
        assert picture.size == (700, 400)
        assert not picture.info.get("Software")
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    curves.plot_learning_curves(*groups.groups(records[:1]), second, rows)
    assert first.read_bytes() != second.read_bytes()
    with pytest.raises(ValueError, match="no run has a learning curve"):
        curves.plot_learning_curves(*groups.groups(records[3:]), second)
