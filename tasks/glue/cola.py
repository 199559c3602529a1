# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CoLA: is a sentence acceptable English?"""

from perceiver_bench import api

from . import common


@api.register("glue/cola")
def cola() -> api.Task:
    """Returns the task; class 1 is an acceptable sentence."""
    return common.task(
        "cola",
        summary="is a sentence acceptable English; Matthews correlation on the dev set",
        protocol="glue-dev/matthews",
        metrics={"matthews_correlation": api.MATTHEWS, "accuracy": api.ACCURACY},
    )
