# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--set a.b=c`: changes one field of a frozen configuration, with its type checked."""

import dataclasses
import math
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from perceiver_bench.errors import UserError, nearest

T = TypeVar("T")


def apply(config: T, overrides: Iterable[str]) -> T:
    """Returns `config` with each `path=value` applied in order.

    Raises:
        UserError: for a missing `=`, an unknown path (with the nearest field), or a value
            that is not of the field's type.
    """
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals:
            raise UserError(f"--set={override}: write it as path=value, as in train.steps=100")
        config = _replace(config, path.split("."), text, override)
    return config


def _replace(config: Any, path: list[str], text: str, override: str) -> Any:
    """Returns `config` with the field at `path` parsed from `text`."""
    fields = {field.name for field in dataclasses.fields(config)}
    name, *rest = path
    if name not in fields:
        raise UserError(
            f"--set={override}: {type(config).__name__} has no field {name!r}."
            + nearest(name, fields)
        )
    old = getattr(config, name)
    if rest and not dataclasses.is_dataclass(old):
        raise UserError(f"--set={override}: {name!r} has no fields of its own")
    if not rest and dataclasses.is_dataclass(old):
        inner = ", ".join(field.name for field in dataclasses.fields(old))
        raise UserError(f"--set={override}: {name!r} has fields, set one of them: {inner}")
    if rest:
        new = _replace(old, rest, text, override)
    else:
        new = _parse(text, typing.get_type_hints(type(config))[name], override)
    try:
        return dataclasses.replace(config, **{name: new})
    except ValueError as error:
        raise UserError(f"--set={override}: {error}") from error


def _parse(text: str, hint: Any, override: str) -> Any:
    """Reads `text` as a value of the type `hint`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if text.lower() == "none" and type(None) in arguments:
            return None
        return _parse(text, next(a for a in arguments if a is not type(None)), override)
    if origin is typing.Literal:
        if text not in arguments:
            choices = ", ".join(arguments)
            raise UserError(f"--set={override}: {text!r} is none of {choices}")
        return text
    if origin is tuple:
        parts = text.strip("()[]").split(",")
        kinds = arguments[:1] * len(parts) if arguments[-1] is Ellipsis else arguments
        if len(parts) != len(kinds):
            raise UserError(f"--set={override}: {len(kinds)} values are due, comma between")
        return tuple(
            _parse(part.strip(), kind, override) for part, kind in zip(parts, kinds, strict=True)
        )
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise UserError(f"--set={override}: write true or false, not {text!r}")
        return text.lower() == "true"
    try:
        value = hint(text)
        if hint is float and not math.isfinite(value):
            raise ValueError
        return value
    except ValueError:
        raise UserError(f"--set={override}: {text!r} is not of type {hint.__name__}") from None
