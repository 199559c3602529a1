# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""SST-2: is a sentence, or a phrase of one, from a film review positive?"""

from perceiver_bench import api

from . import baselines, common, demo

_NUM_CLASSES = 2
_NUM_TRAIN = 67_349


@api.register("glue/sst2")
def sst2() -> api.Task:
    """Returns the task; class 0 is negative and class 1 positive."""
    return api.Task(
        name="glue/sst2",
        version=1,
        summary="sentiment of film reviews; accuracy on the dev set",
        protocol="glue-dev/accuracy",
        layout=common.layout("SST-2"),
        splits=("train", "dev"),
        presets=common.presets(num_outputs=_NUM_CLASSES, num_train=_NUM_TRAIN),
        demo_presets=("tiny", "tiny_sentencepiece"),
        source=common.source("SST-2", header=("sentence", "label"), num_labels=_NUM_CLASSES),
        prepare_assets=common.prepare_assets,
        preprocess=common.preprocess,
        loss=api.cross_entropy,
        metrics={"accuracy": api.ACCURACY, "cross_entropy": api.CROSS_ENTROPY},
        baselines={"majority": baselines.majority, "bag_of_words": baselines.bag_of_words},
        write_demo=demo.write_demo,
        paper_rows=("glue/sst2",),
    )
