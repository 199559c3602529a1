# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""QNLI: does a sentence of Wikipedia answer a question?"""

from perceiver_bench import api

from . import common


@api.register("glue/qnli")
def qnli() -> api.Task:
    """Returns the task; class 0 is entailment, that it does."""
    return common.task(
        "qnli",
        summary="does a sentence answer a question; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY},
    )
