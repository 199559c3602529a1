# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: one Orbax composite of separate items, complete or absent.

A checkpoint is a folder named by its step, with the items `params`, `model_state`,
`optimizer`, `rngs` and `metadata` (JSON: the configuration, the position in the data,
checksums, and small files such as a tokenizer). Orbax writes under a temporary name and
renames at the end, so a folder named by a number is complete. Arrays and the metadata have
checksums, so that a file damaged later is noticed. All processes write their parts of the
arrays; nothing in a checkpoint depends on how many there were, or on their mesh.
"""

import base64
import functools
import gc
import json
import logging
import pathlib
import re
import shutil
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding

from perceiver_bench import config as configs
from perceiver_bench import distributed
from perceiver_bench.data.pipeline import TrainingBatches
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights.mapping import (
    Weights,
    expected_shapes,
    flatten,
    split_state,
    unflatten,
)
from perceiver_bench.train.checksums import checksums
from perceiver_bench.train.step import TrainState

FORMAT_VERSION = 2
_OF_WEIGHTS = {"model", "extras", "checksums"}
_OF_RUNS = {"run", "extras", "checksums", "position"}
_OF_RUNS |= {"step", "losses", "identity", "preset", "overrides"}
_TEMPORARY = ".orbax-checkpoint-tmp"  # how Orbax marks what it has not finished


class Damaged(UserError):
    """A checkpoint that exists but cannot be read, or is not what was written."""


def steps(folder: pathlib.Path) -> list[int]:
    """Returns the steps of the complete checkpoints in `folder`, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if re.fullmatch(r"\d+", path.name))


class _OrbaxError(Exception):
    """What Orbax says went wrong, in one line."""


def _orbax(action: Callable[[ocp.Checkpointer], Any]) -> Any:
    """Returns `action(checkpointer)`; raises _OrbaxError.

    An error in a thread of Orbax is logged, printed and raised; here it is raised only.
    """
    thread_hook, late_hook = threading.excepthook, sys.unraisablehook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable()
        threading.excepthook = lambda _: None
        sys.unraisablehook = functools.partial(_unless_of_orbax, late_hook)
        try:
            result, reason = _attempt(action)
            for thread in threading.enumerate() if reason else ():
                if type(thread).__module__.startswith("orbax."):
                    threading.Thread.join(thread)  # its own `join` raises once more
        finally:
            threading.excepthook = thread_hook
            logging.disable(logging.NOTSET)
    if reason:
        # What was reading or writing may end at any later time, so this stays as it is.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        gc.collect()
        raise _OrbaxError(reason)
    sys.unraisablehook = late_hook
    return result


def _unless_of_orbax(otherwise: Callable[[Any], Any], unraisable: Any) -> None:
    """Ignores what coroutines of Orbax that nobody awaits any more complain about."""
    code = getattr(unraisable.object, "cr_code", None)
    is_abandoned = code is not None and "orbax" in code.co_filename
    is_late = unraisable.object is None and "Event loop is closed" in str(unraisable.exc_value)
    if not (is_abandoned or is_late):
        otherwise(unraisable)


def _attempt(action: Callable[[ocp.Checkpointer], Any]) -> tuple[Any, str]:
    """Returns the result and no reason, or the reason why there is none; keeps nothing alive."""
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            return action(checkpointer), ""
    except Exception as error:  # of tensorstore, of threads, of Orbax itself
        return None, _first_line(str(error)) or type(error).__name__


def _first_line(text: str) -> str:
    """Returns the first line without tensorstore's specification, its middle left out if long."""
    line = text.strip().partition("\n")[0].partition(" [tensorstore_spec")[0]
    return line if len(line) < 250 else f"{line[:120]} ... {line[-120:]}"


def _json_checksum(value: Any) -> int:
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


def _leaves(tree: Any) -> dict[str, Any]:
    """Returns the leaves of any tree under plain names, as Orbax keeps them best."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _array_items(state: TrainState) -> dict[str, dict[str, Any]]:
    """Returns the arrays of each item of a checkpoint; items without arrays are left out."""
    items = {
        "params": flatten(state.params),
        "model_state": flatten(state.model_state),
        "optimizer": _leaves(state.optimizer_state),
        "rngs": {"key": jax.random.key_data(state.key)},
    }
    return {name: leaves for name, leaves in items.items() if leaves}


def _encode(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(content).decode() for name, content in files.items()}


def extras(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the small files that a checkpoint's metadata holds."""
    return {name: base64.b64decode(text) for name, text in metadata["extras"].items()}


def _write(path: pathlib.Path, arrays: dict[str, dict], metadata: dict) -> None:
    """Writes one composite checkpoint; raises UserError if that fails."""
    metadata = metadata | {
        "format_version": FORMAT_VERSION,
        "checksums": {name: checksums(leaves) for name, leaves in arrays.items()},
    }
    metadata["checksum"] = _json_checksum(metadata)
    items = {
        **{name: ocp.args.StandardSave(unflatten(leaves)) for name, leaves in arrays.items()},
        "metadata": ocp.args.JsonSave(metadata),
    }
    try:
        _orbax(lambda orbax: orbax.save(path.resolve(), args=ocp.args.Composite(**items)))
    except _OrbaxError as error:
        for half in (path, *path.parent.glob(f"{path.name}{_TEMPORARY}*")):
            shutil.rmtree(half, ignore_errors=True)
        raise UserError(f"cannot write the checkpoint {path}: {error}") from error


def clean(folder: pathlib.Path) -> None:
    """Removes what an interrupted save or removal left in `folder`; waits for all processes."""
    if distributed.is_first() and folder.is_dir():
        for path in folder.glob(f"*{_TEMPORARY}*"):
            shutil.rmtree(path, ignore_errors=True)
    distributed.wait_for_all()


def save(
    folder: pathlib.Path,
    state: TrainState,
    batches: TrainingBatches,
    run: configs.RunConfig,
    extras: Mapping[str, bytes],
    metadata: Mapping[str, Any],
    keep: int,
) -> None:
    """Saves the state under its step, then removes all but the `keep` newest checkpoints.

    Every process writes what its devices hold.

    Raises:
        UserError: if it cannot be written; earlier checkpoints are untouched then.
    """
    step = int(state.step)
    path = folder / str(step)
    if path.exists():
        return
    made_here = {"step": step, "run": configs.to_dict(run), "extras": _encode(extras)}
    _write(path, _array_items(state), {**metadata, **made_here, "position": batches.position})
    for old in steps(folder)[:-keep] if distributed.is_first() else ():
        # Renamed first: a removal that is interrupted must not leave half a checkpoint.
        doomed = folder / f"{old}{_TEMPORARY}-removed"
        (folder / str(old)).rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    distributed.wait_for_all()


def save_weights(path: pathlib.Path, weights: Weights) -> None:
    """Writes the parameters alone as an Orbax checkpoint.

    Raises:
        UserError: if `path` exists or cannot be written.
    """
    if path.exists():
        raise UserError(f"--target={path} exists already; name a new folder")
    arrays = {"params": flatten(weights.params), "model_state": flatten(weights.state)}
    arrays = {name: leaves for name, leaves in arrays.items() if leaves}
    metadata = {"model": configs.to_dict(weights.config), "extras": _encode(weights.extras)}
    _write(path, arrays, metadata)


def read_metadata(path: pathlib.Path) -> dict[str, Any]:
    """Returns the metadata of the checkpoint folder `path`.

    Raises:
        Damaged: if there is none that this version can read.
    """
    args = ocp.args.Composite(metadata=ocp.args.JsonRestore())
    try:
        metadata = _orbax(lambda orbax: orbax.restore(path.resolve(), args=args))["metadata"]
    except _OrbaxError as error:
        raise Damaged(f"checkpoint {path} is damaged or incomplete: no metadata") from error
    if not isinstance(metadata, dict) or metadata.get("format_version") != FORMAT_VERSION:
        raise Damaged(f"checkpoint {path}: not of format version {FORMAT_VERSION}")
    if metadata.pop("checksum", None) != _json_checksum(metadata):
        raise Damaged(f"checkpoint {path} is damaged: its metadata has changed")
    missing = (_OF_RUNS if "run" in metadata else _OF_WEIGHTS) - metadata.keys()
    if missing:
        raise Damaged(f"checkpoint {path}: its metadata lacks {', '.join(sorted(missing))}")
    return metadata


def _read(path: pathlib.Path, targets: dict[str, dict], metadata: dict) -> dict[str, dict]:
    """Restores items; arrays go where their targets are, and are checked by their checksums."""

    def abstract(leaf: Any) -> jax.ShapeDtypeStruct:
        is_array = isinstance(leaf, jax.Array)
        sharding = leaf.sharding if is_array else SingleDeviceSharding(jax.local_devices()[0])
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    arguments = {
        name: ocp.args.StandardRestore(unflatten({k: abstract(v) for k, v in leaves.items()}))
        for name, leaves in targets.items()
    }
    args = ocp.args.Composite(**arguments)
    try:
        restored = _orbax(lambda orbax: orbax.restore(path.resolve(), args=args))
    except _OrbaxError as error:
        raise Damaged(f"checkpoint {path} is damaged: {error}") from error
    arrays = {}
    for name in targets:
        arrays[name] = flatten(restored[name])
        for leaf, found in checksums(arrays[name]).items():
            if metadata["checksums"].get(name, {}).get(leaf) != found:
                raise Damaged(f"checkpoint {path} is damaged: {name}/{leaf} has changed")
    return arrays


def restore(
    path: pathlib.Path, template: TrainState, batches: TrainingBatches
) -> tuple[TrainState, list[float]]:
    """Reads the whole state of a run into shape and places of `template`, and moves `batches`.

    The second value are the losses that `save` was given.

    Raises:
        Damaged: if anything in it is missing or has changed.
    """
    metadata = read_metadata(path)
    arrays = _read(path, _array_items(template), metadata)
    batches.move_to(metadata["position"])
    _, optimizer = jax.tree.flatten(template.optimizer_state)
    names = _leaves(template.optimizer_state)
    step = jax.numpy.asarray(metadata["step"], jax.numpy.int32)
    state = TrainState(
        step=jax.device_put(step, template.step.sharding),
        params=unflatten(arrays["params"]),
        model_state=unflatten(arrays.get("model_state", {})),
        optimizer_state=jax.tree.unflatten(
            optimizer, [arrays["optimizer"][name] for name in names]
        ),
        key=jax.random.wrap_key_data(arrays["rngs"]["key"]),
    )
    return state, metadata["losses"]


def load_weights(path: pathlib.Path) -> tuple[Weights, dict[str, Any]]:
    """Reads parameters and model state of a checkpoint folder, and its metadata.

    Raises:
        Damaged: if anything in it is missing or has changed.
    """
    metadata = read_metadata(path)
    if "run" in metadata:
        model = configs.from_dict(metadata["run"]).model
    else:
        model = configs.from_dict(metadata["model"])
    params, state = (flatten(tree) for tree in split_state(expected_shapes(model)))
    targets = {"params": params, "model_state": state} if state else {"params": params}
    arrays = _read(path, targets, metadata)
    weights = Weights(
        config=model,
        params=unflatten(arrays["params"]),
        state=unflatten(arrays.get("model_state", {})),
        extras=extras(metadata),
    )
    return weights, metadata
