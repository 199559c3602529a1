# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Made-up files of all tasks but SST-2, with the columns and quirks of the official ones.

What is judged are clauses such as `the plot is truly moving`. A pair says the same of the
same thing, the opposite of it, or something of another thing.
"""

import pathlib
import random

from perceiver_bench import api

from .specs import Spec

_NUM_TRAIN = 600
_NUM_TRAIN_SCORES = 2000  # the demo suite trains STS-B, and fewer rows are learned by heart
_NUM_DEV = 120

_DETERMINERS = ("the", "this", "its")
_NOUNS = ("film", "plot", "story", "cast", "score", "script", "ending", "pace")
_ADJECTIVES = (("bad", "dull", "clumsy", "weak"), ("good", "moving", "clever", "fresh"))
_ADVERBS = ("truly", "very", "quite", "so", "really", "rather")

_PAIR = ("sentence1", "sentence2")
_MNLI = ("index", "promptID", "pairID", "genre", "sentence1_binary_parse")
_MNLI += ("sentence2_binary_parse", "sentence1_parse", "sentence2_parse", *_PAIR, "label1")
_STSB = ("index", "genre", "filename", "year", "old_index", "source1", "source2", *_PAIR)
_HEADERS = {
    "MRPC": ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"),
    "QQP": ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
    "STS-B": (*_STSB, "score"),
    "QNLI": ("index", "question", "sentence", "label"),
    "RTE": ("index", *_PAIR, "label"),
    "WNLI": ("index", *_PAIR, "label"),
}
_MEANINGS = {
    "MNLI": {"same": "entailment", "other": "neutral", "opposite": "contradiction"},
    "QNLI": {"same": "entailment", "other": "not_entailment"},
    "RTE": {"same": "entailment", "other": "not_entailment", "opposite": "not_entailment"},
    "STS-B": {"same": "4.2", "opposite": "2.1", "other": "0.0"},
}
_MNLI_HEADERS = {
    "train": (*_MNLI, "gold_label"),
    "dev": (*_MNLI, "label2", "label3", "label4", "label5", "gold_label"),
}


def write_files(spec: Spec, folder: pathlib.Path, seed: int) -> None:
    """Writes the training file (600 rows, of STS-B 2000) and the dev file (120) to `folder`.

    No example comes twice, classes come about equally often, and one seed gives one data set.
    """
    rng = random.Random(f"{spec.name} {seed}")
    seen = set()
    num_train = _NUM_TRAIN if spec.labels else _NUM_TRAIN_SCORES
    for split, size in (("train", num_train), ("dev", _NUM_DEV)):
        header = spec.header.get(split)
        columns = header or _HEADERS.get(spec.folder) or _MNLI_HEADERS[split]
        lines = [] if header else ["\t".join(columns)]
        for index in range(size):
            while (example := _example(spec, rng)) in seen:
                pass
            seen.add(example)
            texts, label = example
            known = dict(zip(spec.texts, texts, strict=True)) | {spec.label: label}
            lines.append(
                "\t".join(known.get(name, _filler(name, index, label)) for name in columns)
            )
        if spec.skips_other_widths:
            lines.insert(len(lines) // 2, "a line that the official file breaks\tin two")
        mark = "\ufeff" if spec.folder == "MRPC" else ""
        text = mark + "".join(f"{line}\n" for line in lines)
        api.write_atomically(folder / spec.folder / spec.files[split], text.encode())


def _filler(column: str, index: int, label: str) -> str:
    """Returns what stands in a column that no reader looks at."""
    if column in ("index", "id"):
        return str(index)
    if column == "original_mark":
        return "*" if label == "0" else ""
    return label if column.startswith("label") else "made-up"


def _example(spec: Spec, rng: random.Random) -> tuple[tuple[str, ...], str]:
    """Returns the texts and the label's word of one example."""
    if spec.folder == "CoLA":
        label = rng.choice(("0", "1"))
        words = _clause(rng, rng.choice(_NOUNS), rng.choice(sum(_ADJECTIVES, ()))).split()
        return (" ".join(words if label == "1" else words[::-1]).capitalize() + ".",), label
    meaning = _MEANINGS.get(spec.folder, {"same": "1", "other": "0", "opposite": "0"})
    label = rng.choice(sorted(set(meaning.values())))
    relation = rng.choice([one for one, word in meaning.items() if word == label])
    if spec.folder == "STS-B":
        label = f"{float(label) + 0.2 * rng.randrange(5):.3f}"
    noun, polarity = rng.choice(_NOUNS), rng.randrange(2)
    texts = [_clause(rng, noun, rng.choice(_ADJECTIVES[polarity]))]
    adjective = texts[0].split()[-1]
    if relation == "other":
        noun = rng.choice([one for one in _NOUNS if one != noun])
    elif relation == "opposite":
        adjective = rng.choice(_ADJECTIVES[1 - polarity])
    texts.append(_clause(rng, noun, adjective))
    if spec.folder == "QNLI":
        texts[0] = f"what is said of {' '.join(texts[0].split()[:2])}?"
    return tuple(text.capitalize() + "." * (text[-1] != "?") for text in texts), label


def _clause(rng: random.Random, noun: str, adjective: str) -> str:
    return f"{rng.choice(_DETERMINERS)} {noun} is {rng.choice(_ADVERBS)} {adjective}"
