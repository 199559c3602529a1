# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""WNLI: does a sentence entail itself with a pronoun replaced?"""

from perceiver_bench import api

from . import common


@api.register("glue/wnli")
def wnli() -> api.Task:
    """Returns the task; class 1 is entailment."""
    return common.task(
        "wnli",
        summary="what a pronoun stands for; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY},
        paper_rows=(),  # the paper leaves it out of its table and its average
    )
