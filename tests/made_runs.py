# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A hand-made run, as `record.write` takes it, for tests to change."""

from typing import Any

RUN: dict[str, Any] = {
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
    "coverage": {"num_measured": 872, "num_examples": 872},
    "checkpoint": {"path": "run/best", "step": 200, "digest": "ef01", "format": "orbax"},
    "init": None,
    "seed": 0,
    "num_params": 1234,
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "versions": {"python": "3.11.0", "jax": "0.10.2"},
    "device": {"platform": "cpu", "kind": "cpu", "count": 1, "processor": "Some CPU", "cores": 2},
    "precision": {"dtype": "float32", "jax_default_matmul_precision": None},
    "wall_seconds": 1.5,
    "learning_curve": [{"step": 100, "accuracy": 80.0}, {"step": 200, "accuracy": 93.0}],
    "command": [
        *("--mode=train", "--task=glue/sst2", "--preset=small", "--seed=0", "--data_dir=data"),
        *("--workdir=run", "--set=train.steps=200"),
    ],
}
