# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A small made-up SST-2 in the true format, whose labels single words do not give away.

Three kinds of sentences, in equal parts: `the plot is truly moving .` has the polarity of
its adjective; `the plot is hardly moving .` has the opposite one; in `the plot is moving
but the cast is dull .` the last clause decides. A clause may be negated in any of them.
"""

import pathlib
import random

from perceiver_bench import api

_NUM_TRAIN = 2000
_NUM_DEV = 400

# 12 * 6 * 10 different clauses of a kind and a label, where about 400 are drawn.
_NOUNS = ("film", "movie", "plot", "story", "cast", "score")
_NOUNS += ("acting", "script", "humor", "ending", "dialogue", "pace")
_ADJECTIVES = (
    ("bad", "dull", "boring", "clumsy", "bland", "tired", "silly", "weak", "stale", "flat"),
    ("good", "moving", "funny", "clever", "charming", "fresh", "lovely", "sharp", "warm", "bold"),
)
_ADVERBS = ("truly", "very", "quite", "so", "really", "rather")
_NEGATIONS = ("not", "hardly", "never", "far from", "anything but", "scarcely")


def write_demo(folder: pathlib.Path, seed: int) -> None:
    """Writes `SST-2/train.tsv` (2000 rows) and `SST-2/dev.tsv` (400 rows) to `folder`.

    Half of each file is positive, no sentence comes twice, and one seed gives one data set.
    """
    rng = random.Random(seed)
    seen = set()
    for split, size in (("train", _NUM_TRAIN), ("dev", _NUM_DEV)):
        labels = [index % 2 for index in range(size)]
        rng.shuffle(labels)
        lines = ["sentence\tlabel"]
        for index, label in enumerate(labels):
            kind = index % 3
            while (sentence := _sentence(rng, kind, label)) in seen:
                pass
            seen.add(sentence)
            lines.append(f"{sentence} \t{label}")  # the original has this space
        text = "".join(f"{line}\n" for line in lines)
        api.write_atomically(folder / "SST-2" / f"{split}.tsv", text.encode())


def _sentence(rng: random.Random, kind: int, label: int) -> str:
    """Returns a plain (kind 0), negated (1) or contrasting (2) sentence of that label."""
    if kind < 2:
        return f"{_clause(rng, label, negated=kind == 1)} ."
    first = _clause(rng, 1 - label, negated=rng.random() < 0.3)
    last = _clause(rng, label, negated=rng.random() < 0.3)
    return f"{first} but {last} ."


def _clause(rng: random.Random, polarity: int, *, negated: bool) -> str:
    """Returns a clause of that polarity."""
    noun = rng.choice(_NOUNS)
    if negated:
        return f"the {noun} is {rng.choice(_NEGATIONS)} {rng.choice(_ADJECTIVES[1 - polarity])}"
    return f"the {noun} is {rng.choice(_ADVERBS)} {rng.choice(_ADJECTIVES[polarity])}"
