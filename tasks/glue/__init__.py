# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""GLUE: sentences in, one judgement out (paper, section 4.1 and appendix F)."""

from . import average, cola, mnli, mrpc, multitask, qnli, qqp, rte, sst2, stsb, wnli

__all__ = [
    "average",
    "cola",
    "mnli",
    "mrpc",
    "multitask",
    "qnli",
    "qqp",
    "rte",
    "sst2",
    "stsb",
    "wnli",
]
