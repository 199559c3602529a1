# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Masked words and what a network puts there, to be read by a person."""

from collections.abc import Iterable

import numpy as np

from perceiver_bench import api


def markdown(
    tokenizer: api.Tokenizer, examples: Iterable[tuple[api.Example, api.Arrays, api.Arrays]]
) -> str:
    """Returns examples as text, each masked word as `[guess | truth]`, a right one as `[word]`."""
    parts = ["# Masked words: [guess | truth], or [word] where the guess is right\n"]
    for number, (_, arrays, prediction) in enumerate(examples, start=1):
        guesses = np.argmax(prediction["logits"], axis=-1)
        parts.append(f"## {number}\n\n{_filled(tokenizer, arrays, guesses)}\n")
    return "\n".join(parts)


def _filled(tokenizer: api.Tokenizer, arrays: api.Arrays, guesses: np.ndarray) -> str:
    """Returns the text of an example with guesses [P] and truth at its masked positions."""
    count = int(arrays["label_weight"].sum())
    positions = arrays["output_positions"][:count]
    truth = arrays["inputs"][: int(arrays["input_mask"].sum())].copy()
    guessed, is_masked = truth.copy(), np.zeros(len(truth), bool)
    truth[positions], guessed[positions] = arrays["label"][:count], guesses[:count]
    is_masked[positions] = True
    ends = np.flatnonzero(np.diff(is_masked)) + 1
    texts = []
    for begin, end in zip([0, *ends], [*ends, len(truth)], strict=True):
        word = tokenizer.decode(truth[begin:end])
        if is_masked[begin:end].any():
            guess = tokenizer.decode(guessed[begin:end])
            word = f"[{word}]" if guess == word else f"[{guess} | {word}]"
        texts.append(word)
    # Pieces carry no space between two runs of them, bytes their own.
    joint = "" if isinstance(tokenizer, api.ByteTokenizer) else " "
    return " ".join(joint.join(texts).split())
