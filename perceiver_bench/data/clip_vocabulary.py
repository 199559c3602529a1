# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the vocabulary of CLIP's tokenizer from OpenAI's file or Hugging Face's."""

import gzip
import pathlib
import zlib
from typing import Any

from perceiver_bench.data.clip_tokens import END, START, WORD_END, ClipTokenizer, byte_symbols
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights.huggingface_files import read_json

# OpenAI's file holds 262,144 merges, of which CLIP takes the first for 49,408 tokens.
_MAX_MERGES = 49152 - 256 - 2
# It has 3.2 MB unpacked.
_MAX_BYTES = 2**24
_TOKENIZER_FILE, _VOCABULARY_FILE, _MERGES_FILE = "tokenizer.json", "vocab.json", "merges.txt"


def read_tokenizer(path: pathlib.Path) -> ClipTokenizer:
    """Returns the tokenizer at `path`.

    Args:
        path: OpenAI's `bpe_simple_vocab_16e6.txt.gz`, or the Hugging Face folder that holds
            `vocab.json` and `merges.txt`, or `tokenizer.json`.

    Raises:
        UserError: if there is none of these, or it is damaged or not CLIP's.
    """
    if not path.is_dir():
        vocabulary, merges = _read_openai(path)
    elif (path / _VOCABULARY_FILE).exists():
        vocabulary = read_json(path / _VOCABULARY_FILE)
        merges = _merges(_read_text(path / _MERGES_FILE), path / _MERGES_FILE)
    elif (path / _TOKENIZER_FILE).exists():
        path = path / _TOKENIZER_FILE
        vocabulary, merges = _read_tokenizer_json(path)
    else:
        raise UserError(
            f"{path}: has neither {_VOCABULARY_FILE} and {_MERGES_FILE} nor {_TOKENIZER_FILE};"
            " or name OpenAI's bpe_simple_vocab_16e6.txt.gz"
        )
    try:
        return ClipTokenizer(vocabulary, merges)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _read_openai(path: pathlib.Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    merges = _merges(_read_text(path), path)[:_MAX_MERGES]
    symbols = list(byte_symbols().values())
    tokens = [*symbols, *(symbol + WORD_END for symbol in symbols)]
    tokens += [first + second for first, second in merges]
    tokens += [START, END]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise UserError(f"{path}: several of its merges give one token; fetch it again")
    return vocabulary, merges


def _read_tokenizer_json(path: pathlib.Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    match read_json(path).get("model"):
        case {
            "type": "BPE",
            "end_of_word_suffix": "</w>",
            "vocab": dict() as vocabulary,
            "merges": list() as merges,
        }:
            return vocabulary, [_pair(merge, path) for merge in merges]
    raise UserError(f"{path}: its model is not byte-pair encoding with </w>, so it is not CLIP's")


def _read_text(path: pathlib.Path) -> str:
    """Returns the content of a text file, packed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise UserError(f"{path}: more than {_MAX_BYTES} bytes, so not what it should be")
        return data.decode()
    except (gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged or cut short ({error}); fetch it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def _merges(text: str, path: pathlib.Path) -> list[tuple[str, str]]:
    """Returns the merges of a text, one a line, after a line that tells the version."""
    # No splitlines: some of the characters that it splits at stand for bytes.
    lines = text.removesuffix("\n").split("\n")
    if "#version" not in lines[0]:
        raise UserError(f"{path}: its first line is no #version, so it is no list of merges")
    return [_pair(line, path) for line in lines[1:]]


def _pair(merge: Any, path: pathlib.Path) -> tuple[str, str]:
    """Returns the two tokens of a merge, `"a b"` or `["a", "b"]`."""
    match merge.split(" ") if isinstance(merge, str) else merge:
        case [str() as first, str() as second]:
            return first, second
    raise UserError(f"{path}: {str(merge)[:60]!r} is no merge of two tokens; fetch it again")
