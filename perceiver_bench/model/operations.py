# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Counts the operations of matrix products and convolutions, as the paper does.

A multiplication and an addition count as two (appendix D). What is counted is what runs: the
program is traced, and every product in it counts as often as its loop.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.extend
from flax import nnx

from perceiver_bench.config import ModelConfig
from perceiver_bench.model import plan
from perceiver_bench.model.weights.mapping import empty_model


class Operations(NamedTuple):
    """Operations of one forward pass: those `executed`, and those of the network as written."""

    executed: int
    plain: int


def network_operations(config: ModelConfig, batch: Mapping[str, Any]) -> Operations:
    """Counts a network's operations on `batch`: arrays, or their shapes and types."""
    structure, state = empty_model(config)

    def forward(state, batch):
        return nnx.merge(structure, state)(batch)

    executed = count_operations(forward, state, batch)
    with plan.forced("plain"):
        # A function of its own: traces are kept by function.
        plain = count_operations(lambda *arguments: forward(*arguments), state, batch)
    return Operations(executed, plain)


def count_operations(function: Callable, *arguments) -> int:
    """Counts the operations of `function`, whose arguments may be shapes and types.

    Raises:
        ValueError: If there is a loop whose length the program does not know.
    """
    return _count(jax.make_jaxpr(function)(*arguments).jaxpr)


def _count(jaxpr: jax.extend.core.Jaxpr) -> int:
    return sum(_count_equation(equation) for equation in jaxpr.eqns)


def _count_equation(equation) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return (
            2
            * math.prod(equation.outvars[0].aval.shape)
            * math.prod(shape[axis] for axis in contracted)
        )
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        numbers = params["dimension_numbers"].rhs_spec  # output channels, inputs, space
        inputs = math.prod(kernel) // kernel[numbers[0]]
        return 2 * math.prod(equation.outvars[0].aval.shape) * inputs
    if name == "while":
        inner = _inner_jaxprs(params)
        if any(_count(jaxpr) for jaxpr in inner):
            raise ValueError("a loop of unknown length multiplies matrices")
        return 0
    if name == "cond":
        return max(_count(branch.jaxpr) for branch in params["branches"])
    times = params["length"] if name == "scan" else 1
    return times * sum(_count(jaxpr) for jaxpr in _inner_jaxprs(params))


def _inner_jaxprs(params: Mapping[str, Any]) -> list[jax.extend.core.Jaxpr]:
    """Returns the programs among an equation's parameters (scan, jit, checkpoint, ...)."""
    found = []
    for value in params.values():
        if isinstance(value, jax.extend.core.ClosedJaxpr):
            found.append(value.jaxpr)
        elif isinstance(value, jax.extend.core.Jaxpr):
            found.append(value)
    return found
