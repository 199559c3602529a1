# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A small made-up SST-2 in the true format, whose labels single words do not give away.

Of five sentences three are plain, `the plot is truly moving .`, and have the polarity of
their adjective; one is negated, `this plot is hardly moving .`, and has the opposite one;
one holds a contrast, `its plot is far from dull but the cast is so weak .`, where the last
clause decides. A bag of words gets about 70 % of them.
"""

import pathlib
import random

from perceiver_bench import api

_NUM_TRAIN = 2000
_NUM_DEV = 400

# These make 2160 different plain sentences of a label, of which about 720 are drawn.
_DETERMINERS = ("the", "this", "its")
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
            kind = ("plain", "plain", "plain", "negated", "contrast")[index % 5]
            while (sentence := _sentence(rng, kind, label)) in seen:
                pass
            seen.add(sentence)
            lines.append(f"{sentence} \t{label}")  # the original has this space
        text = "".join(f"{line}\n" for line in lines)
        api.write_atomically(folder / "SST-2" / f"{split}.tsv", text.encode())


def _sentence(rng: random.Random, kind: str, label: int) -> str:
    """Returns a sentence of that kind and label."""
    if kind != "contrast":
        return f"{_clause(rng, label, negated=kind == 'negated')} ."
    first = _clause(rng, 1 - label, negated=rng.random() < 0.3)
    last = _clause(rng, label, negated=rng.random() < 0.3)
    return f"{first} but {last} ."


def _clause(rng: random.Random, polarity: int, *, negated: bool) -> str:
    """Returns a clause of that polarity; a negated one has the other's adjective."""
    adjective = rng.choice(_ADJECTIVES[1 - polarity if negated else polarity])
    modifier = rng.choice(_NEGATIONS if negated else _ADVERBS)
    return f"{rng.choice(_DETERMINERS)} {rng.choice(_NOUNS)} is {modifier} {adjective}"
