# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The average of GLUE, in the paper's convention and in the leaderboard's."""

from perceiver_bench import api

_COLA = ("glue/cola", "matthews_correlation")
_MNLI = (("glue/mnli_matched", "accuracy"), ("glue/mnli_mismatched", "accuracy"))
_MRPC = ("glue/mrpc", "accuracy")
_MULTITASK = "glue/multitask"
_QNLI = ("glue/qnli", "accuracy")
_QQP = ("glue/qqp", "accuracy")
_RTE = ("glue/rte", "accuracy")
_SST2 = ("glue/sst2", "accuracy")
_STSB = ("glue/stsb", "pearson_correlation")
_WNLI = ("glue/wnli", "accuracy")

api.register_average(
    api.Average(
        benchmark="glue/average",
        protocol="glue-dev/average-8",
        summary="as in the paper, the mean of eight tasks: Matthews correlation for CoLA, Pearson"
        " for STS-B, accuracy for the others; the two MNLI sets are averaged first and count"
        " once; without WNLI",
        terms=((_COLA,), _MNLI, (_MRPC,), (_QNLI,), (_QQP,), (_RTE,), (_SST2,), (_STSB,)),
        joint=_MULTITASK,
    )
)

api.register_average(
    api.Average(
        benchmark="glue/average",
        protocol="glue-dev/average-leaderboard",
        summary="as on the leaderboard, the mean of nine tasks: MRPC and QQP are the mean of"
        " accuracy and F1, STS-B that of Pearson and Spearman, MNLI that of its two sets; with"
        " WNLI",
        terms=(
            (_COLA,),
            _MNLI,
            (_MRPC, ("glue/mrpc", "f1")),
            (_QNLI,),
            (_QQP, ("glue/qqp", "f1")),
            (_RTE,),
            (_SST2,),
            (_STSB, ("glue/stsb", "spearman_correlation")),
            (_WNLI,),
        ),
        joint=_MULTITASK,
    )
)
