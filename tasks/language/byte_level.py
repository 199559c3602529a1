# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling over UTF-8 bytes: the pretraining of the released network."""

from perceiver_bench import api

from . import baselines, common


def _presets() -> dict[str, api.RunConfig]:
    """Returns the runs; those of the paper are the networks of Table 11."""
    small = api.MaskedTextData(
        tokenizer="bytes",
        max_length=256,
        max_predicted=128,
        visible_probability=0.6,
        min_length=16,
    )
    tiny = api.MaskedTextData(tokenizer="bytes", max_length=64, max_predicted=32, num_held_out=200)
    medium = api.MaskedTextData(tokenizer="bytes", max_length=512, max_predicted=144)
    paper = api.MaskedTextData(
        tokenizer="bytes", max_length=2048, max_predicted=512, mixture=common.PAPER_MIXTURE
    )
    return {
        "small": common.pretraining(api.preset("language_small"), small, common.SMALL_TRAINING),
        "tiny": common.pretraining(api.preset("language_tiny"), tiny, common.TINY_TRAINING),
        "medium": common.pretraining(api.preset("language_medium"), medium, common.GPU_TRAINING),
        "paper": common.pretraining(api.preset("language"), paper, common.PAPER_TRAINING),
        "paper_plus": common.pretraining(api.preset("language_plus"), paper, common.PAPER_TRAINING),
        "paper_bert": common.pretraining(api.preset("language_bert"), paper, common.PAPER_TRAINING),
    }


@api.register("language/bytes")
def byte_level() -> api.Task:
    """Returns the task."""
    return common.task(
        "language/bytes",
        summary="fill in masked words, byte by byte; bits per masked byte of held-out text",
        presets=_presets(),
        demo_presets=("tiny",),
        baselines={"unigram": baselines.unigram, "five_gram": baselines.five_gram},
    )
