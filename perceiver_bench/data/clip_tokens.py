# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokenizer: byte-pair encoding of lower-cased words.

The original code first mends text with the package `ftfy` (wrong encodings, curly quotes,
control characters). Instructions need no mending, so of all that only the composed form of
Unicode (NFC) is applied here, as in the transformers library.
"""

import html
import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from absl import logging

from perceiver_bench.errors import UserError

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
# Encoding a word takes time in the square of its length; an instruction is some 50 characters.
_MAX_CHARACTERS = 4096
# A word is one of the first, or a run of letters, one digit, or a run of others.
_FIXED = re.compile(rf"{re.escape(START)}|{re.escape(END)}|'(?:[stmd]|re|ve|ll)")
_RUN = re.compile("L+|N|O+")
_SPACES = frozenset("\t\n\v\f\r\x85")


def byte_symbols() -> dict[int, str]:
    """Returns the character that stands for each byte, in the order of CLIP's vocabulary.

    Bytes that print in Latin-1 come first and stand for themselves; the characters from
    U+0100 stand for the others.
    """
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printing))
    return {byte: chr(byte) for byte in printing} | {
        byte: chr(256 + index) for index, byte in enumerate(others)
    }


class ClipTokenizer:
    """Turns text into ids of a vocabulary, whose highest id is the end of a text.

    Args:
        vocabulary: The id of each token; tokens that end a word end in `</w>`.
        merges: Pairs of tokens that become one, those to be taken first at the front.

    Raises:
        UserError: if these are not of CLIP's form.
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]):
        self._symbols = byte_symbols()
        _check(vocabulary, merges, self._symbols.values())
        self._ids = dict(vocabulary)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._words: dict[str, list[int]] = {word: [self._ids[word]] for word in (START, END)}

    @property
    def vocab_size(self) -> int:
        """All ids are less than this."""
        return len(self._ids)

    def tokens(self, text: str) -> list[int]:
        """Returns the ids of `text` between those of start and end, however many.

        Raises:
            UserError: for text that is far too long for an instruction, or no Unicode.
        """
        if len(text) > _MAX_CHARACTERS:
            raise UserError(
                f"an instruction of {len(text)} characters ({text[:40]!r} ...); at most"
                f" {_MAX_CHARACTERS} are taken, of which CLIP sees its first 77 tokens"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"the instruction {text[:80]!r} holds half of a character") from error
        ids = [self._ids[START]]
        for word in _split(_clean(text)):
            if word not in self._words:
                self._words[word] = self._encode_word(word)
            ids += self._words[word]
        return [*ids, self._ids[END]]

    def encode(self, text: str, length: int) -> np.ndarray:
        """Returns `length` ids, int32, of which those after the end are 0.

        The original code refuses longer text. Here its last tokens are dropped, the end is
        kept, and a warning is logged.

        Raises:
            UserError: as `tokens`.
        """
        ids = self.tokens(text)
        if len(ids) > length:
            logging.warning("%r has %d tokens; %d are kept", text[:80], len(ids), length)
            ids = [*ids[: length - 1], ids[-1]]
        padded = np.zeros(length, np.int32)
        padded[: len(ids)] = ids
        return padded

    def _encode_word(self, word: str) -> list[int]:
        """Returns the ids of a word, merging its bytes pair by pair."""
        parts = [self._symbols[byte] for byte in word.encode()]
        parts[-1] += WORD_END
        while len(parts) > 1:
            pairs = list(itertools.pairwise(parts))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            merged, position = [], 0
            while position < len(parts):
                is_best = position < len(pairs) and pairs[position] == best
                merged.append("".join(best) if is_best else parts[position])
                position += 2 if is_best else 1
            parts = merged
        return [self._ids[part] for part in parts]


def _check(vocabulary: Mapping[str, int], merges, symbols) -> None:
    """Raises UserError unless every text has ids, and merges lead to tokens."""
    ids = list(vocabulary.values())
    if any(type(one) is not int for one in ids) or sorted(ids) != list(range(len(ids))):
        raise UserError("its ids are not 0, 1, 2 and so on; fetch it again")
    needed = [*symbols, *(symbol + WORD_END for symbol in symbols), START, END]
    missing = [token for token in needed if token not in vocabulary]
    if missing:
        raise UserError(f"its vocabulary lacks {missing[0]!r}, so it is not CLIP's")
    if vocabulary[END] != len(ids) - 1:
        raise UserError(f"{END} is not the last token of its vocabulary, so it is not CLIP's")
    for first, second in merges:
        if not {first, second, first + second} <= vocabulary.keys():
            raise UserError(
                f"the merge of {first[:40]!r} and {second[:40]!r} is of no tokens of its"
                " vocabulary; fetch both again"
            )


def _clean(text: str) -> str:
    """Resolves HTML entities, twice as the original does, and lower-cases."""
    return html.unescape(html.unescape(unicodedata.normalize("NFC", text))).lower()


def _split(text: str) -> Iterator[str]:
    """Yields the words of lower-cased text, without the spaces."""
    kinds = "".join(map(_kind, text))
    position = 0
    while position < len(text):
        match = _FIXED.match(text, position) or _RUN.match(kinds, position)
        if match:
            yield text[match.start() : match.end()]
        position = match.end() if match else position + 1


def _kind(character: str) -> str:
    """Returns L for a letter, N for a number, Z for a space, O for any other."""
    kind = unicodedata.category(character)[0]
    if kind in "LNZ":
        return kind
    return "Z" if character in _SPACES else "O"
