# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RLBench: a robot's policy from demonstrations, as PerAct (Shridhar et al. 2022)."""
