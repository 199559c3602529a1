# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A compiled forward pass: one program for one shape of batch, then arrays only."""

import time
from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx

from perceiver_bench import memory
from perceiver_bench.config import ModelConfig
from perceiver_bench.model.interface import Prediction
from perceiver_bench.model.weights.mapping import Weights, empty_model, to_model


class Forward:
    """The forward pass of a network, compiled before there are any weights.

    Compiling takes memory that is given back before the weights are read, and a batch that
    the network does not take is found at once. `compile_seconds` includes tracing;
    `scratch_bytes` is what a pass needs beside weights, inputs and outputs, None where the
    device does not tell.

    Raises:
        TypeError, ValueError: if the network takes no batch of these shapes.
    """

    def __init__(self, config: ModelConfig, batch: Mapping[str, Any]):
        start = time.perf_counter()
        self.config = config
        # In bfloat16 a scan converts each layer's weights while it takes them off the stack.
        self._unstacked = config.dtype == "float32"
        graph, state = empty_model(config, unstacked=self._unstacked)
        run = jax.jit(lambda state, batch: nnx.merge(graph, state)(batch))
        self._compiled = run.lower(state, dict(batch)).compile()
        analysis = self._compiled.memory_analysis()
        self.scratch_bytes = analysis.temp_size_in_bytes if analysis else None
        self.compile_seconds = time.perf_counter() - start
        memory.release()
        self._state: Any = None

    def load(self, weights: Weights) -> None:
        """Takes the weights over, without a copy where the device allows it."""
        self._state = nnx.split(to_model(weights, unstacked=self._unstacked))[1]
        memory.release()

    def __call__(self, batch: Mapping[str, Any]) -> Prediction:
        """Runs the network and waits for its prediction."""
        return jax.block_until_ready(self._compiled(self._state, dict(batch)))
