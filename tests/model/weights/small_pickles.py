# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A small checkpoint, and a file to hold a pickle of it, for the tests of reading pickles."""

import numpy as np

PROTOCOLS = range(6)
TREE = {
    "encoder/~/linear": {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.zeros(3, np.float32),
    },
    "encoder/~/batch_norm/mean_ema": {"counter": np.asarray(1, np.int32)},
}


def write(folder, data):
    path = folder / "checkpoint.pystate"
    path.write_bytes(data)
    return path
