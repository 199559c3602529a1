# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling over SentencePiece: the pretraining of Perceiver IO Base."""

from perceiver_bench import api

from . import baselines, common


def _presets() -> dict[str, api.RunConfig]:
    """Returns the runs; that of the paper is the network of Table 11."""
    small = api.MaskedTextData(
        tokenizer="sentencepiece",
        max_length=96,
        max_predicted=48,
        visible_probability=0.6,
        min_length=8,
    )
    tiny = api.MaskedTextData(
        tokenizer="sentencepiece", max_length=32, max_predicted=16, num_held_out=200
    )
    paper = api.MaskedTextData(
        tokenizer="sentencepiece", max_length=512, max_predicted=128, mixture=common.PAPER_MIXTURE
    )
    return {
        "small": common.pretraining(
            api.preset("language_sentencepiece_small"), small, common.SMALL_TRAINING
        ),
        "tiny": common.pretraining(
            api.preset("language_sentencepiece_tiny"), tiny, common.TINY_TRAINING
        ),
        "paper": common.pretraining(
            api.preset("language_sentencepiece"), paper, common.PAPER_TRAINING
        ),
    }


@api.register("language/sentencepiece")
def subword() -> api.Task:
    """Returns the task."""
    return common.task(
        "language/sentencepiece",
        summary="fill in masked words, piece by piece; bits per masked byte of held-out text",
        presets=_presets(),
        demo_presets=(),
        baselines={"unigram": baselines.unigram},
    )
