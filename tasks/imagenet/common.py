# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What the tasks of image classification share: preparation, loss, metrics, baselines."""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

from . import baselines, crops, mixing, predictions, preprocessing, randaugment

Open = Callable[[api.ImageData, pathlib.Path, str], api.Source]


def task(
    name: str,
    *,
    classes: Sequence[tuple[str, str]],
    source: Open,
    **parts: Any,
) -> api.Task:
    """Returns a task over `classes`, pairs of an identifier and a name in the order of labels."""
    num_classes = len(classes)
    shared: dict[str, Any] = {
        "prepare_assets": lambda _, __: {},
        "preprocess": functools.partial(preprocess, num_classes),
        "mix": mix,
        "loss": loss,
        "baselines": {
            "majority": functools.partial(baselines.majority, num_classes),
            "mean_colour": functools.partial(baselines.mean_colour, num_classes),
            "nearest_centroid": functools.partial(baselines.nearest_centroid, num_classes),
            "logistic_regression": functools.partial(baselines.logistic_regression, num_classes),
        },
        "fresh_parts": ("head",),
        "predict": functools.partial(predictions.write_files, classes, source, parts["splits"][1]),
    }
    return api.Task(name=name, version=1, source=source, **(shared | parts))


def preprocess(num_classes: int, config: api.ImageData, assets: Mapping[str, bytes]) -> api.Prepare:
    """Returns `example -> arrays`: `images` [H, W, 3], `label`, `weight` (0 for a bad file).

    `real_labels` [classes] is there where they are known, and in training what `mix` needs.
    """
    del assets
    return functools.partial(_prepare, num_classes, config)


def _prepare(
    num_classes: int,
    config: api.ImageData,
    example: api.Example,
    generator: np.random.Generator | None,
) -> api.Arrays:
    pixels = example["pixels"]
    arrays: dict[str, Any] = {
        "label": np.array(example["label"], np.int32),
        "weight": np.array(not example["is_bad"], np.float32),
    }
    if generator is None:
        arrays["images"] = preprocessing.prepare_evaluation(
            pixels, config.size, config.protocol, config.central_share
        )
        if "real_labels" in example:
            arrays["real_labels"] = np.isin(np.arange(num_classes), example["real_labels"])
        return arrays
    arrays["images"] = preprocessing.normalise(
        preprocessing.resize(augmented(pixels, config, generator), config.size, config.protocol)
    )
    return arrays | dict(mixing.draw(config.size, config.augmentation, generator))


def augmented(
    pixels: np.ndarray, config: api.ImageData, generator: np.random.Generator
) -> np.ndarray:
    """Returns a random crop [h, w, 3] of an image, flipped and distorted at random."""
    change = config.augmentation
    crop = crops.random_crop(pixels, change.crop_area, change.crop_aspect, generator)
    if change.flip:
        crop = crops.flip(crop, generator)
    return randaugment.distort(
        crop, change.randaugment_layers, change.randaugment_magnitude, generator
    )


def mix(config: api.ImageData) -> Callable[[api.Arrays], api.Arrays] | None:
    """Returns what makes one example of two, or None where the augmentation does not."""
    if not config.augmentation.mixes:
        return None
    return functools.partial(mixing.mix, augmentation=config.augmentation)


def loss(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float
) -> jax.Array:
    """Returns the cross-entropy [B] in nats, 0 for a bad file.

    Of a mixture it is that with both labels, by their shares.
    """
    losses = api.cross_entropy(prediction, batch, label_smoothing)
    if "mixed_label" in batch:
        share = batch["label_share"]
        other = {"label": batch["mixed_label"]}
        losses = share * losses + (1 - share) * api.cross_entropy(
            prediction, other, label_smoothing
        )
    return losses * jnp.asarray(batch["weight"])
