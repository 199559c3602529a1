# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Hand-made runs."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from made_runs import RUN

from perceiver_bench.results import record, schema
from perceiver_bench.results.record import MetricValue, Record


@pytest.fixture
def run() -> dict[str, Any]:
    """What a caller gives to `record.write`."""
    return copy.deepcopy(RUN)


@pytest.fixture(scope="session")
def make() -> Callable[..., Record]:
    """Builds a record without a file: `make(number, value=..., baseline=..., **fields)`."""

    def build(
        number: int, *, value: float = 93.0, baseline: str | None = None, **changes: Any
    ) -> Record:
        fields = copy.deepcopy(RUN) | {
            "schema_version": schema.VERSION,
            "run_id": f"20260102T0304{number:02d}Z-{number:08x}",
            "date_utc": f"2026-01-02T03:04:{number:02d}Z",
            "metrics": {"accuracy": MetricValue(**RUN["metrics"]["accuracy"] | {"value": value})},
            "overrides": (),
            "init": None,
            "learning_curve": None,
            "command": None,
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
