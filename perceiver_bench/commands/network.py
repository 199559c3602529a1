# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=forward` and `--mode=convert`: the bare network, and its weights' formats."""

import dataclasses
import json
import math
import pathlib
import statistics
import time
from collections.abc import Sequence

import numpy as np
from absl import logging

from perceiver_bench import memory, npz, overrides
from perceiver_bench.commands.setup import buildable, writable_folder
from perceiver_bench.config import (
    FlowInput,
    ImageInput,
    ModelConfig,
    MultimodalInput,
    TextInput,
    VoxelInput,
)
from perceiver_bench.errors import UserError
from perceiver_bench.files import atomic_file
from perceiver_bench.model.inference import Forward
from perceiver_bench.model.presets import preset
from perceiver_bench.model.voxels import cells_of
from perceiver_bench.train import weights


def _input_shapes(config: ModelConfig) -> dict[str, tuple[int | None, ...]]:
    """Returns the arrays that a network reads, with their shapes; None is any size."""
    match config.input:
        case TextInput():
            task = {"task": (None,)} if config.num_tasks else {}
            return {"inputs": (None, None), "input_mask": (None, None), **task}
        case ImageInput():
            return {"images": (None, None, None, 3)}
        case FlowInput():
            return {"images": (None, 2, None, None, 3)}
        case MultimodalInput() as inputs:
            return {
                "images": (None, *inputs.video_size, 3),
                "audio": (None, inputs.audio_samples, 1),
                "image_points": (None,),
                "audio_points": (None,),
            }
        case VoxelInput() as inputs:
            language: dict[str, tuple[int | None, ...]] = {
                "language": (None, inputs.num_tokens, inputs.token_channels)
            }
            if inputs.instruction_encoder is not None:
                language = {"instruction": (None, None), "instruction_mask": (None, None)}
            return {
                "points": (None, None, 3),
                "colours": (None, None, 3),
                "bounds": (None, 6),
                "proprio": (None, inputs.proprioception),
                **language,
            }


# Far above the largest scene, video or batch of text that a machine computes at once.
_MAX_INPUT_BYTES = 2**34
_OPTIONAL = ("input_mask", "image_points", "audio_points")
_INTEGERS = ("inputs", "task", "instruction", "instruction_mask", *_OPTIONAL)


def read_inputs(path: pathlib.Path, config: ModelConfig) -> dict[str, np.ndarray]:
    """Reads the network's input arrays from an .npz file, by name.

    Raises:
        UserError: if the file is damaged, or an array is missing, unknown or misshapen.
    """
    try:
        with path.open("rb") as file:
            arrays = npz.read_arrays(file, max_bytes=_MAX_INPUT_BYTES)
    except FileNotFoundError:
        raise UserError(f"--inputs={path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"--inputs={path}: not a readable .npz file ({error})") from error
    shapes = _input_shapes(config)
    missing = shapes.keys() - arrays.keys() - set(_OPTIONAL)
    unknown = arrays.keys() - shapes.keys()
    if missing or unknown:
        raise UserError(
            f"--inputs={path}: it should hold {', '.join(shapes)};"
            f" missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    if "bounds" in arrays and arrays["bounds"].ndim == 1:
        arrays["bounds"] = arrays["bounds"][None]
    for name, array in arrays.items():
        due = shapes[name]
        if len(array.shape) != len(due) or any(
            size not in (None, found) for size, found in zip(due, array.shape, strict=True)
        ):
            sizes = ["any" if size is None else size for size in due]
            raise UserError(f"--inputs={path}: {name} is {list(array.shape)}, not {sizes}")
        if array.dtype.kind not in "biuf" or not array.size:
            raise UserError(
                f"--inputs={path}: {name} holds {array.size} values of type {array.dtype};"
                " numbers are due"
            )
        if not np.all(np.isfinite(array)):
            raise UserError(f"--inputs={path}: {name} holds values that are not finite")
    if isinstance(config.input, TextInput):
        _check_tokens(path, arrays, config.input)
        _check_tasks(path, arrays, config)
    if isinstance(config.input, MultimodalInput):
        _check_points(path, arrays, config.input)
    if isinstance(config.input, VoxelInput):
        _check_scene(path, arrays, config.input)
    if ("image_points" in arrays) != ("audio_points" in arrays):
        raise UserError(f"--inputs={path}: give both image_points and audio_points, or neither")
    # float32 and int32 are what the networks compute in.
    return {
        name: array.astype(np.int32 if name in _INTEGERS else np.float32)
        for name, array in arrays.items()
    }


def _check_tokens(path: pathlib.Path, arrays: dict[str, np.ndarray], config: TextInput) -> None:
    """Raises UserError for token ids or lengths that the network does not have."""
    tokens = arrays["inputs"]
    if tokens.dtype.kind not in "iu" or tokens.min() < 0 or tokens.max() >= config.vocab_size:
        raise UserError(f"--inputs={path}: inputs must be ids from 0 to {config.vocab_size - 1}")
    if tokens.shape[1] > config.max_text_length:
        raise UserError(
            f"--inputs={path}: inputs has {tokens.shape[1]} tokens, at most"
            f" {config.max_text_length} are possible"
        )
    if arrays.get("input_mask", tokens).shape != tokens.shape:
        raise UserError(f"--inputs={path}: input_mask must have the shape of inputs")


def _check_tasks(path: pathlib.Path, arrays: dict[str, np.ndarray], config: ModelConfig) -> None:
    """Raises UserError for tasks that the network does not have."""
    if not config.num_tasks:
        return
    task = arrays["task"]
    if task.dtype.kind not in "iu" or len(task) != len(arrays["inputs"]):
        raise UserError(f"--inputs={path}: task must hold an integer for each row of inputs")
    if task.min() < 0 or task.max() >= config.num_tasks:
        raise UserError(f"--inputs={path}: task must be from 0 to {config.num_tasks - 1}")


def _check_points(
    path: pathlib.Path, arrays: dict[str, np.ndarray], config: MultimodalInput
) -> None:
    """Raises UserError for points to decode that the network does not have."""
    num_patches = config.audio_samples // config.audio_patch
    for name, size in (
        ("audio_points", num_patches),
        ("image_points", math.prod(config.video_size)),
    ):
        points = arrays.get(name, np.zeros(1, np.int32))
        if points.dtype.kind not in "iu" or points.min() < 0 or points.max() >= size:
            raise UserError(f"--inputs={path}: {name} must be from 0 to {size - 1}")


def _check_scene(path: pathlib.Path, arrays: dict[str, np.ndarray], config: VoxelInput) -> None:
    """Raises UserError for points without colours, or bounds that hold none of them."""
    points, bounds = arrays["points"], arrays["bounds"]
    if arrays["colours"].shape != points.shape:
        raise UserError(f"--inputs={path}: colours must have the shape of points")
    for name, array in arrays.items():
        found = len(array)
        if found != len(points) and not (name == "bounds" and found == 1):
            raise UserError(f"--inputs={path}: {len(points)} scenes in points, {found} in {name}")
    if encoder := config.instruction_encoder:
        ids, length = arrays["instruction"], arrays["instruction"].shape[1]
        if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= encoder.vocab_size:
            raise UserError(
                f"--inputs={path}: instruction must be ids from 0 to {encoder.vocab_size - 1}"
            )
        if length > encoder.max_length or arrays["instruction_mask"].shape != ids.shape:
            raise UserError(
                f"--inputs={path}: instruction has {length} tokens, at most"
                f" {encoder.max_length} are possible; instruction_mask has its shape"
            )
    if not np.all(bounds[:, :3] < bounds[:, 3:]):
        raise UserError(
            f"--inputs={path}: bounds must be x, y, z of the lowest corner, then of the highest"
        )
    _, inside = cells_of(points.astype(np.float32), bounds.astype(np.float32), config.size)
    empty = np.flatnonzero(~np.asarray(inside).any(axis=1))
    if empty.size:
        raise UserError(
            f"--inputs={path}: the bounds hold none of the points of scene {empty[0]}; points"
            " and bounds must be in metres, in one frame"
        )


def forward(
    model_name: str,
    *,
    checkpoint: pathlib.Path,
    inputs: pathlib.Path,
    outputs: pathlib.Path,
    changes: Sequence[str],
    repeat: int | None,
) -> None:
    """Runs a network on arrays and writes its prediction to an .npz file.

    With `repeat` it runs that often again, and prints one JSON line: `compile_seconds`,
    `seconds` (the median after the first run) and `peak_bytes` of the process.

    Raises:
        UserError: for weights or arrays that do not fit the network.
    """
    config = buildable(overrides.apply(preset(model_name), changes))
    batch = read_inputs(inputs, config)
    try:
        run = Forward(config, batch)
    except (TypeError, ValueError) as error:
        raise UserError(f"--inputs={inputs}: the network takes no such arrays: {error}") from error
    loaded, _ = weights.load(checkpoint, config)
    # Some formats know details of the network that the names of its arrays do not tell.
    config = overrides.apply(loaded.config, changes)
    if config != run.config:
        run = Forward(config, batch)
    run.load(dataclasses.replace(loaded, config=config))
    del loaded
    prediction = run(batch)
    with atomic_file(outputs) as file:
        arrays = {name: np.asarray(array) for name, array in prediction.items()}
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    if repeat:
        seconds = []
        for _ in range(repeat):
            start = time.perf_counter()
            run(batch)
            seconds.append(time.perf_counter() - start)
        line = {
            "compile_seconds": run.compile_seconds,
            "seconds": statistics.median(seconds),
            "peak_bytes": memory.peak_bytes(),
        }
        print(json.dumps(line))


def convert(
    model_name: str,
    *,
    source: pathlib.Path,
    target: pathlib.Path,
    target_format: str | None,
    changes: Sequence[str],
) -> None:
    """Reads weights in any format and writes them in another.

    Raises:
        UserError: if the source is damaged or another model, or the target exists.
    """
    kind = weights.target_format(target, target_format)
    writable_folder(target.parent, "target")
    config = buildable(overrides.apply(preset(model_name), changes))
    loaded, origin = weights.load(source, config)
    weights.save(target, loaded, kind)
    logging.info("%s (%s) -> %s (%s)", source, origin["format"], target, kind)
