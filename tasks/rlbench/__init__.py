# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Perceiver IO as a robot's policy (PerAct)."""

from perceiver_bench import api

try:
    import av  # noqa: F401
    import mujoco  # noqa: F401
    import PIL  # noqa: F401
except ImportError as error:
    raise api.MissingDependency(
        "MuJoCo, PyAV and Pillow are missing; pip install 'perceiver-bench[rlbench]'"
    ) from error

from . import embedded, peract18

__all__ = ["embedded", "peract18"]
