# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MuJoCo, whose names come from compiled modules that type checkers cannot look into."""

import importlib
from typing import Any

mujoco: Any = importlib.import_module("mujoco")
