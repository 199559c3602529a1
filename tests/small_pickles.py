# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A small checkpoint, a file for a pickle of it, and the classes of old pickles, for tests."""

import sys
import types

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


def fake_class(monkeypatch, module_name, name):
    """Makes a mapping class importable under the name that old files hold."""
    module = types.ModuleType(module_name)
    cls = type(name, (dict,), {"__reduce__": lambda self: (cls, (dict(self),))})
    cls.__module__ = module_name
    setattr(module, name, cls)
    for parent in ("haiku", "haiku._src"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    monkeypatch.setitem(sys.modules, module_name, module)
    return cls
