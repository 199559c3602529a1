# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MRPC: do two sentences from the news say the same?"""

from perceiver_bench import api

from . import common


@api.register("glue/mrpc")
def mrpc() -> api.Task:
    """Returns the task; class 1 is a paraphrase."""
    return common.task(
        "mrpc",
        summary="paraphrases in the news; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY, "f1": api.F1},
    )
