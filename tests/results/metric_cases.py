# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Every way of pooling, with rows that tests of resampling share."""

import numpy as np
from perceiver_bench.tasks.glue.multitask_metrics import DATA_SETS

from perceiver_bench import registry
from perceiver_bench.metrics.base import MeanOfExamples, PooledOverElements
from perceiver_bench.metrics.correlation import F1, MATTHEWS, SPEARMAN
from perceiver_bench.metrics.images import IMAGE_METRICS
from perceiver_bench.metrics.success import success_metrics
from perceiver_bench.task import Metric

SIZE = 60


def metric(pooling, direction="higher"):
    return Metric(rows=dict, pooling=pooling, unit="1", direction=direction, optimum=1.0)


MEAN = metric(MeanOfExamples(scale=100.0))
POOLED = metric(PooledOverElements(scale=100.0))
SUCCESS = success_metrics(("open", "close", "push"))["success_rate"]


def ones(sums):
    return {"sum": np.asarray(sums, np.float64), "weight": np.ones(len(sums))}


def episodes(outcomes):
    """Rows of `(task, seed, success)`; a seed may come several times."""
    task, seed, success = (np.array(column) for column in zip(*outcomes, strict=True))
    return {
        **{"sum": success.astype(np.float64), "weight": np.ones(len(task))},
        **{"task": task, "variation": np.zeros_like(task), "seed": seed},
    }


def multitask(seed):
    """A metric over several data sets, and rows of them in any order."""
    average = registry.get("glue/multitask").metrics["average_score"]
    generator = np.random.default_rng(seed)
    sets = np.random.default_rng(5).permutation(np.repeat(np.arange(len(DATA_SETS)), 12))
    labels = np.random.default_rng(6).integers(0, 2, len(sets))
    found = {}
    for place, name in enumerate(DATA_SETS):
        answers = np.where(generator.random(len(sets)) < 0.8, labels, 1 - labels)
        found[f"{name}/weight"] = (sets == place).astype(np.float32)
        if name in ("cola", "stsb"):
            found |= {f"{name}/predicted": answers, f"{name}/label": labels}
        else:
            found[f"{name}/sum"] = (answers == labels).astype(np.float32)
    return average, found


def cases():
    """Every way of pooling, with rows of one run."""
    generator = np.random.default_rng(1)
    weights = generator.integers(0, 3, SIZE).astype(np.float32)  # some examples count nothing
    sums = {"sum": weights * generator.random(SIZE), "weight": weights}
    labels = generator.integers(0, 2, SIZE)
    classes = {"predicted": generator.integers(0, 2, SIZE), "label": labels}
    runs = [(t, s, (t + s) % 3 > 0) for t in range(3) for s in range(5 + t) for _ in range(2)]
    return {
        "mean": (MEAN, sums),
        "pooled": (POOLED, sums),
        "matthews": (MATTHEWS, classes),
        "f1": (F1, classes),
        "spearman": (SPEARMAN, {"predicted": generator.random(SIZE), "label": labels}),
        "per_class": (
            IMAGE_METRICS["mean_per_class_accuracy"],
            {"sum": np.minimum(weights, 1), "weight": weights > 0, "label": labels},
        ),
        "tasks": (SUCCESS, episodes(runs)),
        "data_sets": multitask(2),
        "one_data_set": (
            registry.get("glue/multitask").metrics["cola_matthews_correlation"],
            {**classes, "weight": weights > 0},
        ),
    }


CASES = cases()
