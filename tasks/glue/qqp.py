# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""QQP: do two questions from Quora ask the same?"""

from perceiver_bench import api

from . import common


@api.register("glue/qqp")
def qqp() -> api.Task:
    """Returns the task; class 1 is a duplicate."""
    return common.task(
        "qqp",
        summary="duplicate questions; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY, "f1": api.F1},
    )
