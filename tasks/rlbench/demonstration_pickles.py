# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The pickles of an RLBench episode, read without RLBench.

Nothing of a file is imported or called. Objects of RLBench's two classes become dicts of
their attributes; every other class is refused.
"""

import io
import pathlib
from typing import Any

from perceiver_bench import api

_DEMO = "rlbench.demo.Demo"
_OBSERVATION = "rlbench.backend.observation.Observation"
# An observation without pictures takes 3 kB.
_MAX_BYTES = 1 << 27


def read_observations(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the attributes of every observation in `low_dim_obs.pkl`, in order.

    Arrays are read-only, and a NumPy scalar is an array without axes.

    Raises:
        UserError: naming the file, if it is missing, damaged, too large, holds another class,
            or is not the demonstration of at least two observations.
    """
    demo = _read(path)
    observations = demo.fields.get("_observations") if _is_record(demo, _DEMO) else None
    if not isinstance(observations, list) or not all(
        _is_record(observation, _OBSERVATION) for observation in observations
    ):
        raise api.UserError(f"{path}: not a demonstration of RLBench ({_DEMO})")
    if len(observations) < 2:
        raise api.UserError(
            f"{path}: {len(observations)} observations, and at least two are due; record it again"
        )
    return [observation.fields for observation in observations]


def read_descriptions(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the phrasings of the instruction in `variation_descriptions.pkl`, as they stand.

    Some versions of RLBench wrote an observation there, which has none: an empty tuple.

    Raises:
        UserError: naming the file, if it is missing, damaged, or anything else.
    """
    content = _read(path)
    if _is_record(content, _OBSERVATION):
        return ()
    if not isinstance(content, list) or not all(isinstance(text, str) for text in content):
        raise api.UserError(f"{path}: not a list of instructions")
    return tuple(content)


def read_variation_number(path: pathlib.Path) -> int:
    """Returns the number in `variation_number.pkl`.

    Raises:
        UserError: naming the file, if it is missing, damaged, or holds no such number.
    """
    content = _read(path)
    if type(content) is not int or content < 0:
        raise api.UserError(f"{path}: not the number of a variation")
    return content


def _is_record(value: Any, name: str) -> bool:
    return isinstance(value, api.Record) and value.name == name


def _read(path: pathlib.Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise api.UserError(f"{path}: missing; copy the episode again") from error
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > _MAX_BYTES:
        raise api.UserError(f"{path}: larger than any demonstration; record it again")
    # From memory: the interpreter asks for the position three times an opcode.
    file = io.BytesIO(content)
    return api.read_pickle(file, path, lists=True, records=(_DEMO, _OBSERVATION))
