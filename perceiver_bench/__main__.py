# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m perceiver_bench`."""

from perceiver_bench.run import main

main()
