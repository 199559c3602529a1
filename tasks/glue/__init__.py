# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""GLUE: sentences in, one judgement out (paper, section 4.1 and appendix F)."""

from . import sst2

__all__ = ["sst2"]
