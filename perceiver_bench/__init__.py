# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Perceiver IO trained, evaluated and compared on every benchmark of its paper."""
