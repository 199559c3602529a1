# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A small vocabulary of CLIP's kind, learned from a few words, in its two file formats.

Nothing of the package writes or reads here.
"""

import collections
import gzip
import itertools
import json

TEXT = """
put the red block in the bottom drawer and close it
push the maroon button , then push the green button
slide the block to the target , then stack two rose cups
screw in the light bulb from the azure holder it's on don't they're
ein blaues Glas auf den Tisch über fünf Würfel le bébé où naïve façade
""".lower()

_PRINTING = [byte for byte in range(256) if chr(byte).isprintable() and byte != ord(" ")]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTING]
SYMBOLS = {byte: chr(byte) for byte in _PRINTING} | {
    byte: chr(256 + index) for index, byte in enumerate(_OTHERS)
}


def learned_merges(count):
    """Returns `count` merges: the most frequent pair of neighbours, time after time."""
    words = collections.Counter()
    for word in TEXT.split():
        symbols = [SYMBOLS[byte] for byte in word.encode()]
        words[(*symbols[:-1], f"{symbols[-1]}</w>")] += 1
    merges, made = [], set()
    while len(merges) < count:
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        # Each token comes from one pair only, as in the released vocabulary.
        first, second = min(
            (pair for pair in pairs if "".join(pair) not in made),
            key=lambda pair: (-pairs[pair], pair),
        )
        merges.append((first, second))
        made.add(first + second)
        words = collections.Counter(
            {_merged(word, first, second): times for word, times in words.items()}
        )
    return merges


def _merged(word, first, second):
    joined = []
    for symbol in word:
        if symbol == second and joined and joined[-1] == first:
            joined[-1] = first + second
        else:
            joined.append(symbol)
    return tuple(joined)


MERGES = learned_merges(120)
TOKENS = [
    *SYMBOLS.values(),
    *(f"{symbol}</w>" for symbol in SYMBOLS.values()),
    *("".join(pair) for pair in MERGES),
    "<|startoftext|>",
    "<|endoftext|>",
]
VOCABULARY = {token: index for index, token in enumerate(TOKENS)}


def merges_text(merges=MERGES, header='"bpe_simple_vocab_16e6.txt#version: 0.2'):
    return "\n".join([header, *(" ".join(pair) for pair in merges)]) + "\n"


def write_openai(path, text=None):
    path.write_bytes(gzip.compress((text or merges_text()).encode()))
    return path


def write_huggingface(folder):
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    (folder / "merges.txt").write_text(merges_text(header="#version: 0.2"))
    return folder
