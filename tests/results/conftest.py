# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Hand-made runs."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from perceiver_bench.results import record
from perceiver_bench.results.record import MetricValue, Record

_RUN: dict[str, Any] = {
    "task": "glue/sst2",
    "task_version": 1,
    "split": "dev",
    "protocol": "glue-dev-v1",
    "metrics": {
        "accuracy": {
            "value": 93.0,
            "standard_error": 0.86,
            "n": 872,
            "unit": "%",
            "direction": "higher",
        }
    },
    "partial": False,
    "partial_reason": None,
    "preset": "small",
    "overrides": ["train.steps=200"],
    "config": {"data": {"tokenizer": "bytes", "max_length": 64}, "model": {"dtype": "float32"}},
    "dataset": {"dev.tsv": {"size": 10, "sha256": "ab"}},
    "checkpoint": {"path": "run/best", "step": 200, "digest": "ef01", "format": "orbax"},
    "init": None,
    "seed": 0,
    "num_params": 1234,
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "versions": {"python": "3.11.0", "jax": "0.10.2"},
    "device": {"platform": "cpu", "kind": "cpu", "count": 1},
    "precision": {"dtype": "float32", "jax_default_matmul_precision": None},
    "wall_seconds": 1.5,
    "learning_curve": [{"step": 100, "accuracy": 80.0}, {"step": 200, "accuracy": 93.0}],
}


@pytest.fixture
def run() -> dict[str, Any]:
    """What a caller gives to `record.write`."""
    return copy.deepcopy(_RUN)


@pytest.fixture(scope="session")
def make() -> Callable[..., Record]:
    """Builds a record without a file: `make(number, value=..., baseline=..., **fields)`."""

    def build(
        number: int, *, value: float = 93.0, baseline: str | None = None, **changes: Any
    ) -> Record:
        fields = copy.deepcopy(_RUN) | {
            "schema_version": 1,
            "run_id": f"20260102T0304{number:02d}Z-{number:08x}",
            "date_utc": f"2026-01-02T03:04:{number:02d}Z",
            "metrics": {"accuracy": MetricValue(**_RUN["metrics"]["accuracy"] | {"value": value})},
            "overrides": (),
            "init": None,
            "learning_curve": None,
            "examples": None,
        }
        if baseline:
            fields |= {"checkpoint": {"baseline": baseline}, "preset": None, "config": {}}
            fields |= {"seed": None, "num_params": None, "git": None}
        fields |= changes
        fields |= {
            "config_fingerprint": record.fingerprint(fields["config"]),
            "dataset_fingerprint": record.fingerprint(fields["dataset"]),
        }
        assert set(fields) == {field.name for field in dataclasses.fields(Record)}
        return Record(**fields)

    return build
