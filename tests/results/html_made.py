# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the page is made of in tests: one record of every kind, published rows, files."""

import dataclasses
import io
import json
import pathlib
from collections.abc import Callable
from typing import Any

import PIL.Image

from perceiver_bench.results.record import MetricValue, Record
from perceiver_bench.results.reported import ReportedRow

HOSTILE = """</style><script>alert("1")</script><img src=x onerror='alert(1)'>&\u202eevil"""

PUBLISHED = ReportedRow(
    benchmark="glue/sst2",
    split="dev",
    protocol="",
    metric="accuracy",
    model="Perceiver IO (UTF-8 bytes)",
    value=93.17,
    printed="93.17",
    unit="%",
    direction="higher",
    source="arXiv:2107.14795v3",
    table="Table 14",
    page_or_section="Appendix F",
    note="",
)
OTHER_MODEL = dataclasses.replace(PUBLISHED, model="BERT Base", value=93.98, printed="93.98")


def paper_rows(task: str) -> tuple[ReportedRow, ...]:
    """Gives the rows of one task, and of another that names other protocols than its runs'."""
    if task == "glue/sst2":
        return PUBLISHED, OTHER_MODEL
    if task == "rlbench/close_jar":
        return (dataclasses.replace(PUBLISHED, protocol="rlbench18-test/final_checkpoint"),)
    return ()


def metrics(count: int, **changes: Any) -> dict[str, MetricValue]:
    """Returns `count` metrics, the main one as in the other hand-made runs."""
    names = ["accuracy", *(f"other_metric_{number}_over_examples" for number in range(1, count))]
    fields = {"value": 93.0, "standard_error": 0.86, "n": 872, "unit": "%", "direction": "higher"}
    return {name: MetricValue(**fields | changes) for name in names}


def every_kind(make: Callable[..., Record]) -> list[Record]:
    """Returns records of five tasks that between them fill every part of the page."""
    curve = [{"step": 100, "accuracy": 80.0}, {"step": 200, "accuracy": 90.0}]
    higher = [{"step": 100, "accuracy": 82.0}, {"step": 200, "accuracy": 94.0}]
    part = {"num_examples": 2, "official_num_examples": 1041}
    return [
        make(0, value=90.0, learning_curve=tuple(curve)),
        make(1, value=94.0, seed=1, learning_curve=tuple(higher)),
        make(2, value=80.0, overrides=("train.steps=50",), metrics=metrics(12)),
        make(3, value=50.92, baseline="majority"),
        make(4, value=81.88, baseline="bag_of_words"),
        make(5, partial=True, partial_reason="the first 10 examples"),
        make(6, value=88.0, dataset={"dev.tsv": "another"}),
        make(7, task="flow/sintel_clean", dataset=part, metrics=metrics(1, unit="px")),
        make(8, task="rlbench/close_jar", metrics=metrics(1, interval=(88.0, 96.5))),
        make(9, task="plugin/unknown", preset=HOSTILE, overrides=(f"data.x={HOSTILE}",)),
        make(10, task="plugin/partial_only", partial=True, partial_reason="a limit"),
    ]


def picture(width: int = 8, height: int = 4, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height), (200, 80, 40)).save(file, kind)
    return file.getvalue()


def fill(results_dir: pathlib.Path) -> None:
    """Writes what a results folder may hold to look at."""
    folder = results_dir / "pictures" / "glue" / "sst2"
    (folder / "deeper").mkdir(parents=True)
    (folder / "deeper" / "one.png").write_bytes(picture())
    (folder / "two.jpg").write_bytes(picture(kind="JPEG"))
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    (folder / "words.md").write_text(f"the [cat | dog] {HOSTILE}", encoding="utf-8")
    (folder / "numbers.csv").write_text("1,2\n")
    (folder / "broken.png").write_bytes(b"no picture")


def speed_document() -> dict[str, Any]:
    """Returns a result of `--mode=benchmark` as its file holds it."""
    row = {
        "model": HOSTILE,
        "seconds": 0.78,
        "baseline_seconds": 1.03,
        "ratio": 1.4278,
        "peak_bytes": 1171484672,
        "baseline_peak_bytes": None,
        "rounds": {"ours": [0.8, 0.78, 0.7]},
        "not_measured": {"baseline_peak_bytes": "no memory"},
    }
    return {
        "job": "forward",
        "date": "2026-11-22",
        "hardware": {"cpu": "A CPU", "cores": 2},
        "versions": {"jax": "0.10.2", "torch": None},
        "git": {"commit": "0123456789abcdef", "dirty": True},
        "rows": [row],
    }


def write_speed(folder: pathlib.Path, document: Any) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    path = folder / "speed_forward.json"
    path.write_text(json.dumps(document))
    return path
