# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration as JSON values and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from perceiver_bench.config import flow_augmentation, flow_generator, images, network, run, voxels
from perceiver_bench.errors import UserError

_CONFIGS: dict[str, type] = {
    name: cls
    for module in (network, run, flow_augmentation, flow_generator, images, voxels)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}


def to_dict(config: Any) -> Any:
    """Returns `config` as JSON values; every dataclass carries its name under `type`."""
    if dataclasses.is_dataclass(config):
        fields = {f.name: to_dict(getattr(config, f.name)) for f in dataclasses.fields(config)}
        return {"type": type(config).__name__, **fields}
    return [to_dict(item) for item in config] if isinstance(config, tuple) else config


def from_dict(value: Any) -> Any:
    """Builds the configuration that `to_dict` wrote.

    Raises:
        UserError: if a type or a field is not one of this version's.
    """
    if isinstance(value, list):
        return tuple(from_dict(item) for item in value)
    if not isinstance(value, dict):
        return value
    fields = {name: from_dict(item) for name, item in value.items() if name != "type"}
    cls = _CONFIGS.get(value.get("type", ""))
    if cls is None:
        raise UserError(f"configuration of unknown type {value.get('type')!r}")
    try:
        return cls(**fields)
    except TypeError as error:
        raise UserError(f"configuration {cls.__name__} of another version: {error}") from error


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the plain values of nested JSON objects by dotted path."""
    leaves: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            leaves.update(flat(item, f"{prefix}{name}."))
        else:
            leaves[f"{prefix}{name}"] = item
    return leaves
