# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet at other resolutions than the network was trained at.

Fourier positions exist for any image size; learned ones are interpolated.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from perceiver_bench import api

from . import common, demo, ilsvrc2012, presets, source

PERCENTAGES = (100, 50, 75, 125, 150)
"""Sizes in per cent of the side that the network was trained at; the first is the main one."""


def side(length: int, percentage: int) -> int:
    """Returns a percentage of a side in pixels, as a multiple of four as convolution has it."""
    return max(round(length * percentage / 400), 1) * 4


def preprocess(num_classes: int, config: api.ImageData, assets: Mapping[str, bytes]) -> api.Prepare:
    """Returns `example -> arrays`: `images_50` [H / 2, W / 2, 3] and so on for every size."""
    height, width = config.size
    prepares = {
        percentage: common.preprocess(
            num_classes,
            dataclasses.replace(config, size=(side(height, percentage), side(width, percentage))),
            assets,
        )
        for percentage in PERCENTAGES
    }

    def prepare(example: api.Example, generator: np.random.Generator | None) -> api.Arrays:
        found = {percentage: dict(one(example, generator)) for percentage, one in prepares.items()}
        images = {f"images_{percentage}": one.pop("images") for percentage, one in found.items()}
        return found[PERCENTAGES[0]] | images

    return prepare


def at_every_size(
    config: api.RunConfig,
    network: Callable[[api.Arrays], api.Arrays],
    example: api.Arrays,
) -> Mapping[str, np.ndarray]:
    """Returns `logits_50` [classes] and so on for every size."""
    del config
    return {
        f"logits_{percentage}": network({"images": example[f"images_{percentage}"][None]})[
            "logits"
        ][0]
        for percentage in PERCENTAGES
    }


def _at(percentage: int, metric: api.Metric) -> api.Metric:
    """Returns a metric of the predictions at one size."""

    def rows(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> Mapping[str, Any]:
        return metric.rows({"logits": prediction[f"logits_{percentage}"]}, batch)

    return dataclasses.replace(metric, rows=rows)


@api.register("imagenet/resolution")
def resolution() -> api.Task:
    """Returns the task."""
    top1 = api.IMAGE_METRICS["top1_accuracy"]
    return common.task(
        "imagenet/resolution",
        summary="ImageNet at 50 to 150 % of the resolution of training; top-1 accuracy",
        protocol="imagenet-resolution/{protocol}",
        layout="as for imagenet/ilsvrc2012",
        splits=("validation", "validation"),
        classes=ilsvrc2012.CLASSES,
        presets=presets.imagenet_presets(),
        demo_presets=(),
        source=source.open_source,
        preprocess=functools.partial(preprocess, len(ilsvrc2012.CLASSES)),
        metrics={f"top1_accuracy_at_{size}_percent": _at(size, top1) for size in PERCENTAGES},
        baselines={},
        write_demo=demo.write_imagenet,
        paper_rows=(),
        in_parts=at_every_size,
        # Sizes differ, so that a group would be one image beside zeros.
        evaluation_group=1,
        checkpoints_of=("imagenet/ilsvrc2012",),
        predict=None,
    )
