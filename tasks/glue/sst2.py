# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""SST-2: is a sentence, or a phrase of one, from a film review positive?"""

from perceiver_bench import api

from . import common, demo


@api.register("glue/sst2")
def sst2() -> api.Task:
    """Returns the task; class 0 is negative and class 1 positive."""
    return common.task(
        "sst2",
        summary="sentiment of film reviews; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY},
        demo_presets=("tiny", "tiny_sentencepiece"),
        write_demo=demo.write_demo,
    )
