# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The machine and its versions, and the table that a person reads."""

import importlib.metadata
import os
import pathlib
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

_LIBRARIES = ("jax", "jaxlib", "flax", "numpy", "torch", "transformers")
_CPUINFO = pathlib.Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
_MISSING = "not measured"


def _cpu_field(name: str) -> str:
    """Returns a field of the first processor in /proc/cpuinfo, empty where there is none."""
    try:
        found = re.search(rf"^{name}\s*:\s*(.+)$", _CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1).strip() if found else ""


def hardware() -> dict[str, Any]:
    """Returns the processor's name and the number of its cores that may be used."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = _cpu_field("model name") or platform.processor() or platform.machine()
    return {"cpu": name, "cores": cores}


def cpu_flags() -> str:
    """Returns the processor's features, comma between, empty where the system does not tell."""
    return ",".join(_cpu_field("flags").split())


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself, as far as the system tells."""
    return bool(_BFLOAT16_FLAGS & set(cpu_flags().split(",")))


def versions() -> dict[str, str | None]:
    """Returns the version of each library that is measured, None where it is missing."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def file_stem(document: Row) -> str:
    """Returns the name of a result's files: job, hardware and versions."""
    machine, libraries = document["hardware"], document["versions"]
    cpu = re.sub(r"[^a-z0-9]+", "-", machine["cpu"].lower()).strip("-")
    # Without the build, as `+cpu`.
    named = [f"{name}-{(libraries[name] or 'none').split('+')[0]}" for name in ("jax", "torch")]
    return "_".join(["speed", document["job"], f"{cpu}-{machine['cores']}-cores", *named])


def _seconds(value: float) -> str:
    """Three digits, or all of those before the point."""
    return f"{value:,.0f}" if value >= 1e3 else f"{value:#.3g}".rstrip(".")


def _field(name: str, form: Callable[[Any], str]) -> Callable[[Row], str]:
    return lambda row: _MISSING if row.get(name) is None else form(row[name])


def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f}"


def _decimals(count: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{count}f}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _per_megapixel(name: str, scale: float) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        if row[name] is None:
            return _MISSING
        return _seconds(row[name] / scale / (row["pixels"] / 1e6))

    return cell


def _errors(row: Row) -> str:
    return ", ".join(f"{name} {value:.1e}" for name, value in row["errors"].items()) or _MISSING


Column = tuple[str, Callable[[Row], str]]
_MODEL: Column = ("model", lambda row: row["model"])
_PEAK: Column = ("ours, MB", _field("peak_bytes", _megabytes))
_RATE: list[Column] = [
    ("GFLOP", _field("model_gflop", _decimals(1))),
    ("GFLOP done", _field("executed_gflop", _decimals(1))),
    ("product, GFLOP/s", _field("matmul_gflops", _decimals(0))),
    ("share", _field("share", _percent)),
]


def _against(ours: str, baseline: str) -> list[Column]:
    return [
        (f"{ours}, s", _field("seconds", _seconds)),
        (f"{baseline}, s", _field("baseline_seconds", _seconds)),
        (f"{baseline} / {ours}", _field("ratio", _decimals(2))),
    ]


_BASELINE_PEAK: Column = ("transformers, MB", _field("baseline_peak_bytes", _megabytes))
_COLUMNS: dict[str, list[Column]] = {
    "forward": [
        _MODEL,
        *_against("ours", "transformers"),
        ("ours plain, s", _field("plain_seconds", _seconds)),
        *_RATE,
        _PEAK,
        ("ours plain, MB", _field("plain_peak_bytes", _megabytes)),
        _BASELINE_PEAK,
    ],
    "train": [_MODEL, *_against("ours", "transformers"), _PEAK, _BASELINE_PEAK],
    "growth": [
        _MODEL,
        ("pixels", _field("pixels", _decimals(0))),
        ("seconds", _field("seconds", _seconds)),
        ("seconds / megapixel", _per_megapixel("seconds", 1)),
        *_RATE,
        ("peak, MB", _field("peak_bytes", _megabytes)),
        ("MB / megapixel", _per_megapixel("peak_bytes", 1e6)),
    ],
    "bfloat16": [
        _MODEL,
        *_against("bfloat16", "float32"),
        ("bfloat16, MB", _field("peak_bytes", _megabytes)),
        ("float32, MB", _field("baseline_peak_bytes", _megabytes)),
        ("rms error / deviation", _errors),
    ],
}
_TITLES = {
    "forward": "One forward pass",
    "train": "One training step: forward, backward, LAMB (torch has no LAMB: AdamW)",
    "growth": "One forward pass of the flow network on frames of growing area",
    "bfloat16": "One forward pass of ours in bfloat16 and in float32",
}


def markdown(document: Row) -> str:
    """Returns the table of a document, with what it was measured on."""
    machine, libraries = document["hardware"], document["versions"]
    known = ", ".join(f"{name} {version}" for name, version in libraries.items() if version)
    columns = _COLUMNS[document["job"]]
    lines = [
        f"# {_TITLES[document['job']]}",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; {known}; {document['date']},"
        f" {_commit(document['git'])}; batch 1,"
        " random weights, medians over rounds in which all ran in turn:"
        f" {_rounds(document['rows'])}.",
        "",
        "| " + " | ".join(heading for heading, _ in columns) + " |",
        "|---|" + "---:|" * (len(columns) - 1),
        *("| " + " | ".join(cell(row) for _, cell in columns) + " |" for row in document["rows"]),
    ]
    notes = [
        f"- {row['model']}, {name}: {reason}"
        for row in document["rows"]
        for name, reason in row["not_measured"].items()
    ]
    return "\n".join([*lines, *(["", "Not measured:", "", *notes] if notes else []), ""])


def _commit(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "commit unknown"
    return f"commit {git['commit'][:9]}" + (" with changes" if git["dirty"] else "")


def _rounds(rows: Sequence[Row]) -> str:
    """Says how often the contestants ran, such as `5; multimodal baseline 1`."""
    most = max((len(one) for row in rows for one in row["rounds"].values()), default=0)
    fewer = [
        f"{row['model']} {name} {len(one)}"
        for row in rows
        for name, one in row["rounds"].items()
        if 0 < len(one) < most
    ]
    return "; ".join([str(most), *fewer])
