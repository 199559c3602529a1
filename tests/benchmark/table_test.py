# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The table: names of files, cells, and what is said of the machine."""

import json
import pathlib

import pytest

from perceiver_bench.benchmark import speed, table
from perceiver_bench.benchmark.speed import Timing

OPERATIONS = {"plain": 987_000_000_000, "executed": 500_000_000_000}
OURS = Timing(
    seconds=[10.0, 12.5, 20.0],
    peak_bytes=1_234_000_000,
    facts={"operations": OPERATIONS, "compile_seconds": 3.0},
)
BASELINE = Timing(seconds=[25.0, 25.0, 100.0], peak_bytes=4_800_000_000)


def document(job, row):
    return {
        "job": job,
        "date": "2026-01-31",
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "hardware": {"cpu": "AMD EPYC (7R13) @2.6GHz", "cores": 2},
        "versions": {"python": "3.11.7", "jax": "0.10.2", "torch": "2.13.0+cpu", "flax": None},
        "rows": [row],
    }


def cells(text):
    """Returns the last row of a table by heading."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    headings, values = ([cell.strip() for cell in row.split("|")[1:-1]] for row in rows[::2])
    return dict(zip(headings, values, strict=True))


def test_a_file_is_named_for_job_hardware_and_versions():
    due = "speed_forward_amd-epyc-7r13-2-6ghz-2-cores_jax-0.10.2_torch-2.13.0"
    row = speed.make_row("forward", "flow", {"ours": OURS}, 100.0)
    assert table.file_stem(document("forward", row)) == due
    without = document("forward", row)
    without["versions"]["torch"] = None
    assert table.file_stem(without).endswith("_torch-none")


def test_a_table_names_the_commit():
    made = document("forward", speed.make_row("forward", "flow", {"ours": OURS}, 100.0))
    assert "2026-01-31, commit 012345678; batch 1" in table.markdown(made)
    made["git"]["dirty"] = True
    assert "commit 012345678 with changes;" in table.markdown(made)
    assert "commit unknown" in table.markdown(made | {"git": None})


def test_a_forward_table_shows_every_number():
    row = speed.make_row(
        "forward", "flow", {"ours": OURS, "plain": BASELINE, "baseline": BASELINE}, 100.0
    )
    text = table.markdown(document("forward", row))
    assert cells(text) == {
        "model": "flow",
        "ours, s": "12.5",
        "transformers, s": "25.0",
        "transformers / ours": "2.50",
        "ours plain, s": "25.0",
        "GFLOP": "987.0",
        "GFLOP done": "500.0",
        "product, GFLOP/s": "100",
        "share": "40%",
        "ours, MB": "1,234",
        "ours plain, MB": "4,800",
        "transformers, MB": "4,800",
    }
    for word in ("AMD EPYC (7R13) @2.6GHz, 2 cores", "jax 0.10.2", "2026-01-31", "in turn: 3."):
        assert word in text
    assert "flax" not in text


def test_what_is_missing_is_not_measured_and_says_why():
    timings = {"ours": OURS, "baseline": Timing(failure="pip install torch transformers")}
    text = table.markdown(document("train", speed.make_row("forward", "flow", timings, 100.0)))
    assert cells(text) == {
        "model": "flow",
        "ours, s": "12.5",
        "transformers, s": "not measured",
        "transformers / ours": "not measured",
        "ours, MB": "1,234",
        "transformers, MB": "not measured",
    }
    assert "- flow, baseline: pip install torch transformers" in text


def test_growth_is_told_for_a_megapixel():
    row = speed.make_row("forward", "flow", {"ours": OURS}, 100.0) | {"pixels": 500_000}
    found = cells(table.markdown(document("growth", row)))
    assert found["pixels"] == "500,000"
    assert found["seconds / megapixel"] == "25.0"
    assert found["MB / megapixel"] == "2,468"


def test_bfloat16_shows_the_error_of_every_output():
    row = speed.make_row("forward", "multimodal", {"ours": OURS, "baseline": BASELINE}, 100.0)
    row["errors"] = {"audio": 0.0123, "image": 0.5}
    found = cells(table.markdown(document("bfloat16", row)))
    assert found["rms error / deviation"] == "audio 1.2e-02, image 5.0e-01"
    assert found["float32 / bfloat16"] == "2.50"


def test_fewer_rounds_are_told():
    timings = {"ours": OURS, "baseline": Timing(seconds=[25.0], peak_bytes=1)}
    text = table.markdown(
        document("forward", speed.make_row("forward", "multimodal", timings, 100.0))
    )
    assert "in turn: 3; multimodal baseline 1." in text


@pytest.mark.parametrize(
    ("value", "due"),
    [(0.00123456, "0.00123"), (0.5, "0.500"), (35.96, "36.0"), (359.6, "360"), (1234.4, "1,234")],
)
def test_seconds_have_three_digits(value, due):
    assert table._seconds(value) == due


@pytest.mark.parametrize(
    ("flags", "due"), [("fpu avx2 avx512_bf16", True), ("amx_bf16", True), ("fpu avx512f", False)]
)
def test_bfloat16_is_read_from_the_flags_of_the_processor(flags, due, tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n")
    monkeypatch.setattr(table, "_CPUINFO", path)
    assert table.has_bfloat16() is due
    assert table.hardware()["cpu"] == "Some CPU"


def test_a_system_without_cpuinfo_has_a_processor_too(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "_CPUINFO", tmp_path / "none")
    assert table.hardware()["cpu"]
    assert not table.has_bfloat16()


def test_the_readme_shows_the_recorded_table():
    root = pathlib.Path(__file__).resolve().parents[2]
    text = (root / "README.md").read_text()
    shown = text.split("<!-- begin speed -->\n")[1].split("<!-- end speed -->")[0].strip()
    (path,) = (root / "benchmarks/results").glob("speed_forward_*.md")
    recorded = path.read_text()
    assert recorded == table.markdown(json.loads(path.with_suffix(".json").read_text()))
    assert shown == recorded.split("\n", 2)[2].strip()
