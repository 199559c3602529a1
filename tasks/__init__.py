# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks, one folder a family."""

if __name__ != "perceiver_bench.tasks":
    raise ImportError("import perceiver_bench.tasks: the folder tasks/ has no other name")
