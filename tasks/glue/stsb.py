# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""STS-B: how similar in meaning are two sentences, from 0 to 5?"""

from perceiver_bench import api

from . import common


@api.register("glue/stsb")
def stsb() -> api.Task:
    """Returns the task; the single output stands for the score."""
    return common.task(
        "stsb",
        summary="similarity of two sentences; Pearson correlation on the dev set",
        protocol="glue-dev/pearson",
        metrics={"pearson_correlation": api.PEARSON, "spearman_correlation": api.SPEARMAN},
        demo_presets=("tiny",),
    )
