# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""An embedded simulator with RLBench's tasks, cameras and files, for machines without it."""

from .embedded import TASKS, EmbeddedSimulator
from .interface import CameraView, Cause, Observation, Simulator, StepResult

__all__ = [
    "TASKS",
    "CameraView",
    "Cause",
    "EmbeddedSimulator",
    "Observation",
    "Simulator",
    "StepResult",
]
