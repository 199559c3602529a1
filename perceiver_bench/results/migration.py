# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Records of older versions of the schema, as they would have been written today.

Version 1 knew neither the command nor the coverage nor the processor; its first records have
no `init`, and those of before there were files of examples no `examples`.
"""

from typing import Any

from perceiver_bench.results import schema

_NEW_IN_2 = ("command", "coverage")
_LATE_IN_1 = ("init", "examples")
_NEW_IN_2_DEVICE = ("processor", "cores")


def is_newer(value: Any) -> bool:
    """Whether a record, as plain JSON, is of a version after the one this program writes."""
    version = value.get("schema_version") if isinstance(value, dict) else None
    return type(version) is int and version > schema.VERSION


def migrate(value: Any) -> Any:
    """Returns a record, as plain JSON, in the newest version; what is none stays as it is.

    Raises:
        ValueError: if a record of version 1 has a field that came later.
    """
    if not isinstance(value, dict) or type(version := value.get("schema_version")) is not int:
        return value
    return _from_1(value) if version == 1 else value


def _from_1(value: dict[str, Any]) -> dict[str, Any]:
    """Returns a record of version 1 as one of version 2: what it did not know is None."""
    device = value.get("device")
    for fields, new in ((value, _NEW_IN_2), (device, _NEW_IN_2_DEVICE)):
        if isinstance(fields, dict) and (odd := [name for name in new if name in fields]):
            raise ValueError(f"version 1 has no field {odd[0]}")
    if isinstance(device, dict):
        device = {**device, **dict.fromkeys(_NEW_IN_2_DEVICE)}
    return {
        **dict.fromkeys((*_NEW_IN_2, *_LATE_IN_1)),
        **value,
        "schema_version": 2,
        **({} if device is None else {"device": device}),
    }
