# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MNLI: does one sentence entail another, contradict it, or neither?"""

from perceiver_bench import api

from . import common


@api.register("glue/mnli_matched")
def mnli_matched() -> api.Task:
    """Returns the task with the dev set from the sources of the training set.

    Class 0 is entailment, 1 neutral and 2 contradiction.
    """
    return common.task(
        "mnli_matched",
        summary="entailment, same sources as in training; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY},
    )


@api.register("glue/mnli_mismatched")
def mnli_mismatched() -> api.Task:
    """Returns the task with the dev set from other sources than the training set's."""
    return common.task(
        "mnli_mismatched",
        summary="entailment, other sources than in training; accuracy on the dev set",
        metrics={"accuracy": api.ACCURACY},
        trained_as="glue/mnli_matched",
    )
