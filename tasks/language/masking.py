# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Whole-word masking: from a crop of text to masked inputs and what stood there.

Words are what white space (of ASCII) separates. Each is masked by itself with the same
probability, all of its tokens at once; the rule is the same for bytes and for pieces of
SentencePiece (paper, section F.3). A masked token always becomes the mask.
"""

from typing import NamedTuple

import numpy as np

from perceiver_bench import api

_SPACES = b" \t\n\r\x0b\x0c"
_IS_SPACE = np.isin(np.arange(256), np.frombuffer(_SPACES, np.uint8))


class Tokens(NamedTuple):
    """A crop as tokens.

    `ids` [n]; `words` [n], the number of the word that a token belongs to, -1 for white
    space; `sizes` [number of words], the bytes of each word.
    """

    ids: np.ndarray
    words: np.ndarray
    sizes: np.ndarray


def byte_tokens(text: bytes, max_length: int) -> Tokens:
    """Returns the first `max_length` bytes of a text as tokens of their own."""
    text = text[:max_length]
    is_word = ~_IS_SPACE[np.frombuffer(text, np.uint8)]
    begins = is_word & ~np.concatenate([[False], is_word[:-1]])
    words = np.where(is_word, np.cumsum(begins) - 1, -1)
    return Tokens(api.ByteTokenizer().encode(text), words, np.bincount(words[is_word]))


def piece_tokens(tokenizer: api.SentencePieceTokenizer, text: bytes, max_length: int) -> Tokens:
    """Returns the pieces of a text's words, as many whole words as `max_length` holds."""
    found = text.split()
    pieces = tokenizer.encode_words([word.decode(errors="replace") for word in found])
    counts = np.array([len(one) for one in pieces], np.int64)
    counts = counts[np.cumsum(counts) <= max_length]
    ids = np.array([piece for one in pieces[: len(counts)] for piece in one], np.int32)
    sizes = np.array([len(word) for word in found[: len(counts)]], np.int64)
    return Tokens(ids, np.repeat(np.arange(len(counts)), counts), sizes)


def mask_words(
    tokens: Tokens,
    mask_id: int,
    config: api.MaskedTextData,
    generator: np.random.Generator,
    *,
    visible_probability: float = 0.0,
) -> dict[str, np.ndarray]:
    """Masks words and says what stood there, of other words too with `visible_probability`.

    Where there would be more than `config.max_predicted` tokens to predict, words chosen at
    random are left out, masked ones last.

    Returns:
        `inputs` and `input_mask` int32 [max_length]; `output_positions` int32
        [max_predicted], the chosen positions in order, then zeros; `label` int32
        [max_predicted], the tokens there; `label_weight` float32 [max_predicted], 1 where
        there is one; `masked_bytes` float32 [], the bytes of the masked words.
    """
    drawn = generator.random(len(tokens.sizes))
    masked = config.mask_probability
    threshold = masked + visible_probability * (1 - masked)
    lengths = np.bincount(tokens.words[tokens.words >= 0], minlength=len(tokens.sizes))
    order = np.argsort(drawn)  # the masked words first, for they drew the lowest numbers
    has_room = np.empty(len(order), bool)
    has_room[order] = np.cumsum(lengths[order]) <= config.max_predicted
    is_chosen = has_room & (drawn < threshold)
    is_masked = is_chosen & (drawn < masked)
    # The last entry is what -1, white space, finds.
    positions = np.flatnonzero(np.append(is_chosen, False)[tokens.words])
    ids = np.where(np.append(is_masked, False)[tokens.words], mask_id, tokens.ids)
    count = len(positions)

    def padded(values: np.ndarray, dtype: type) -> np.ndarray:
        row = np.zeros(config.max_predicted, dtype)
        row[:count] = values
        return row

    return {
        **api.pad_to_length(ids, config.max_length),
        "output_positions": padded(positions, np.int32),
        "label": padded(tokens.ids[positions], np.int32),
        "label_weight": padded(np.ones(count), np.float32),
        "masked_bytes": np.array(tokens.sizes[is_masked].sum(), np.float32),
    }
