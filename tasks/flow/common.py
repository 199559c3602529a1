# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What all tasks of optical flow share: loss, tiles, metrics, baselines, pictures."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

from . import baselines, phases, pictures, presets, tiling

# A length has no gradient at 0; this, squared, is 0.002 pixels.
_LEAST_LENGTH = 1e-4
_NUM_PICTURES = 20


def loss(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float
) -> jax.Array:
    """Returns [B], each example's mean end-point error over its known pixels.

    Its unit is that of the released network's answer, 20 pixels: the targets of the original
    training were divided by it too.
    """
    del label_smoothing
    known = jnp.asarray(batch["flow_known"])
    difference = jnp.where(known[..., None], prediction["flow"] - batch["flow"], 0.0)
    squares = ((difference / api.FLOW_SCALE_FACTOR) ** 2).sum(axis=-1)
    lengths = jnp.where(known, jnp.sqrt(squares + _LEAST_LENGTH**2), 0.0)
    return lengths.sum(axis=(1, 2)) / jnp.maximum(known.sum(axis=(1, 2)), 1)


def in_tiles(
    config: api.RunConfig,
    network: Callable[[api.Arrays], api.Arrays],
    example: api.Arrays,
) -> Mapping[str, np.ndarray]:
    """Returns `flow` [H, W, 2] of an example of any size, by the protocol `data.tiling`."""
    assert isinstance(config.data, api.FlowData)
    return {
        "flow": tiling.predict(
            example["images"],
            config.data.size,
            config.data.tiling,
            lambda tiles: network({"images": tiles})["flow"],
        )
    }


def write_pictures(
    name: str,
    source: Callable[[Any, pathlib.Path, str], api.Source],
    split: str,
    config: api.FlowData,
    assets: Mapping[str, bytes],
    data_dir: pathlib.Path,
    run: api.Predict,
) -> Iterator[tuple[str, bytes]]:
    """Yields pictures of twenty pairs, spread over the split: frame, flow, truth, error."""
    del assets
    folder = name.split("/")[1]
    for example, _, prediction in run(api.Sample(source(config, data_dir, split), _NUM_PICTURES)):
        stem = example["name"].replace("/", "_")
        yield f"{folder}/{stem}.png", pictures.panel(example, prediction["flow"])


def task(
    name: str,
    *,
    summary: str,
    protocol: str,
    layout: str,
    splits: tuple[str, str],
    source: Callable[[Any, pathlib.Path, str], api.Source],
    main_metric: str,
    write_demo: Callable[[pathlib.Path, int], None],
    default_preset: str = "paper",
    without: Sequence[str] = (),
    mixture: str = "",
    **parts: Any,
) -> api.Task:
    """Returns a task of optical flow.

    `main_metric` comes first of all flow metrics, but for those that `without` names, of
    maps that the benchmark never has.
    """
    metrics = {
        metric: api.FLOW_METRICS[metric]
        for metric in dict.fromkeys([main_metric, *api.FLOW_METRICS])
        if not any(f"_{part}_" in metric for part in without)
    }
    runs = presets.presets(mixture)
    return api.Task(
        name=name,
        version=1,
        summary=summary,
        protocol=protocol,
        layout=layout,
        splits=splits,
        presets={default_preset: runs[default_preset], **runs},
        source=source,
        prepare_assets=lambda _, __: {},
        preprocess=phases.preprocess,
        loss=loss,
        metrics=metrics,
        baselines={
            "zero": baselines.zero,
            "farneback": baselines.farneback,
            "dis": baselines.dis,
        },
        write_demo=write_demo,
        fresh_parts=(),
        evaluation_group=2,
        in_parts=in_tiles,
        checkpoints_of=tuple(other for other in TRAINED if other != name),
        pictures=functools.partial(write_pictures, name, source, splits[1]),
        **parts,
    )


TRAINED = ("flow/generated", "flow/flyingchairs", "flow/mixture")
"""The tasks that train networks, which all others evaluate."""
