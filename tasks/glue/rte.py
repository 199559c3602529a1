# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RTE: does one text entail another?"""

from perceiver_bench import api

from . import common


@api.register("glue/rte")
def rte() -> api.Task:
    """Returns the task; class 0 is entailment."""
    return common.task(
        "rte",
        summary="does one text entail another; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY},
    )
