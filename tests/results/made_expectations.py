# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A hand-made expectation, for tests to change."""

from perceiver_bench.results.baselines import Expectation, Tolerance


def due(**changes):
    fields = {
        "task": "glue/sst2",
        "task_version": 1,
        "split": "dev",
        "protocol": "glue-dev/accuracy",
        "metric": "accuracy",
        "unit": "%",
        "direction": "higher",
        "expected": 93.0,
        "tolerance": Tolerance("absolute", 0.1),
        "why": "made by hand",
    }
    return Expectation(**{**fields, **changes})
