# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Random weights for any network, the same on every machine, without a file."""

import math
import zlib

import numpy as np

from perceiver_bench.config import ModelConfig
from perceiver_bench.model.weights import mapping
from perceiver_bench.model.weights.mapping import Weights

_SHARP = ("cross_attention.attention.query.kernel", "decoder.attention.query.kernel")


def _value(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """One leaf, from a generator seeded by its path: well scaled, and never zero or one.

    What starts at zero or one in training would hide an exchange of two leaves. Queries of
    the cross-attentions are large, so that the softmax picks single inputs and outputs differ.
    """
    rng = np.random.default_rng(zlib.crc32(path.encode()))
    value = rng.standard_normal(shape, dtype=np.float32)
    if path.endswith(".kernel"):
        sharp = 2.0 if path.endswith(_SHARP) else 1.0
        inputs = shape[:-1] if path.endswith("convolution.kernel") else shape[-2:-1]
        return value * np.float32(sharp / math.sqrt(math.prod(inputs)))
    if path.endswith("_counter"):
        return np.asarray(4, np.int32)
    if path.endswith((".scale", "_average")):
        return 1 + np.float32(0.1) * np.abs(value)
    return value * np.float32(0.05) if path.endswith(".bias") else value


def random_weights(config: ModelConfig) -> Weights:
    """Returns weights for `config` whose every leaf is random."""
    leaves = {
        path: _value(path, leaf.shape) for path, leaf in mapping.expected_shapes(config).items()
    }
    params, state = mapping.split_state(leaves)
    return Weights(config=config, params=params, state=state)
