# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling over bytes and SentencePiece (paper, section 4.1 and F.3)."""

from . import byte_level, subword

__all__ = ["byte_level", "subword"]
