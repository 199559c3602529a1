# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Text as token ids: UTF-8 bytes, or the pieces of a SentencePiece model."""

import io
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import sentencepiece

from perceiver_bench.config import TextData
from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically

PAD = 0
SENTENCEPIECE_ASSET = "tokenizer.model"
"""The name under which a model keeps its SentencePiece model among its assets."""

# SentencePiece leaves out longer lines without a word; its own limit is 4192 bytes.
_MAX_LINE_BYTES = 1 << 20


class Tokenizer(Protocol):
    """Turns a text into ids; the id 0 is padding."""

    @property
    def vocab_size(self) -> int:
        """All ids are less than this."""
        ...

    def encode(self, text: str, /) -> np.ndarray:
        """Returns the ids [length], int32."""
        ...

    def special_id(self, name: str, /) -> int:
        """Returns the id of `MASK`, `CLS` or `SEP`; raises UserError if there is none."""
        ...

    def decode(self, ids: np.ndarray, /) -> str:
        """Returns the text of the ids [length]."""
        ...


class ByteTokenizer:
    """UTF-8 bytes with the vocabulary of the released language model: byte b is b + 6."""

    PAD, BOS, EOS, MASK, CLS, SEP = range(6)
    num_special_tokens = 6
    vocab_size = 262

    def encode(self, text: str | bytes) -> np.ndarray:
        """Returns the ids [length] of `text`, int32, without special tokens."""
        data = text.encode() if isinstance(text, str) else text
        return np.frombuffer(data, np.uint8).astype(np.int32) + self.num_special_tokens

    def special_id(self, name: str) -> int:
        """Returns the id of `MASK`, `CLS` or `SEP`."""
        return {"MASK": self.MASK, "CLS": self.CLS, "SEP": self.SEP}[name]

    def decode(self, ids: np.ndarray) -> str:
        """Returns the text of `ids` [length] without special tokens.

        Bytes that are not UTF-8 become the replacement character.

        Raises:
            ValueError: for an id outside the vocabulary.
        """
        ids = np.asarray(ids, np.int64)
        if ids.size and not 0 <= ids.min() <= ids.max() < self.vocab_size:
            raise ValueError(f"ids lie in [0, {self.vocab_size}), got {ids.min()}..{ids.max()}")
        data = ids[ids >= self.num_special_tokens] - self.num_special_tokens
        return data.astype(np.uint8).tobytes().decode(errors="replace")


class SentencePieceTokenizer:
    """The pieces of a SentencePiece model, given as the bytes of its .model file.

    Raises:
        UserError: if the bytes are no SentencePiece model, or its padding id is not 0.
    """

    def __init__(self, model: bytes) -> None:
        try:
            if not model:  # the library takes no bytes for "load a model later"
                raise RuntimeError("empty")
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise UserError(
                "data.model: not a SentencePiece model; --mode=prepare makes one from text"
            ) from None
        if self._processor.pad_id() != PAD:
            raise UserError(
                f"data.model: its padding id is {self._processor.pad_id()} and has to be 0;"
                " --mode=prepare makes such a model from text"
            )

    @property
    def vocab_size(self) -> int:
        """The number of pieces, special ones included."""
        return self._processor.vocab_size()

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids [length] of `text`, int32, without special tokens."""
        return np.asarray(self._processor.encode(text), np.int32)

    def encode_words(self, words: Sequence[str]) -> list[list[int]]:
        """Returns the ids of each word; joined they are those of the words with spaces between."""
        return self._processor.encode(list(words))

    def special_id(self, name: str) -> int:
        """Returns the id of `MASK`, `CLS` or `SEP`, the pieces `[MASK]`, `[CLS]`, `[SEP]`.

        Raises:
            UserError: if the model has no such piece.
        """
        piece = f"[{name}]"
        found = self._processor.piece_to_id(piece)
        if found == self._processor.unk_id():
            raise UserError(
                f"data.model: it has no piece {piece}; --mode=prepare makes such a model from text"
            )
        return found

    def decode(self, ids: np.ndarray) -> str:
        """Returns the text of `ids` [length]; normalised, so not always what was encoded."""
        return self._processor.decode([int(i) for i in ids if i != PAD])


def train_sentencepiece(sentences: Iterable[str], vocab_size: int) -> bytes:
    """Trains a unigram model of at most `vocab_size` pieces and returns its .model bytes.

    Ids: 0 padding, 1 unknown, 2 and 3 begin and end, 4 [MASK], 5 [CLS], 6 [SEP]. Text too
    small for `vocab_size` gives fewer pieces. The same sentences give the same bytes.

    Raises:
        UserError: if there is no text, or more characters than `vocab_size` has room for.
    """
    model = io.BytesIO()
    has_text = False

    def watched() -> Iterator[str]:
        nonlocal has_text
        for sentence in sentences:
            has_text = has_text or bool(sentence.strip())
            yield sentence

    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=watched(),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            pad_id=PAD,
            unk_id=1,
            bos_id=2,
            eos_id=3,
            user_defined_symbols=["[MASK]", "[CLS]", "[SEP]"],
            max_sentence_length=_MAX_LINE_BYTES,
            num_threads=1,  # sums are taken thread by thread, so the count changes the model
            minloglevel=2,
        )
    except (RuntimeError, ValueError) as error:
        if not has_text:
            raise UserError("no text to train a SentencePiece model from") from None
        reason = str(error).splitlines()[0]
        raise UserError(
            f"data.vocab_size={vocab_size}: SentencePiece cannot train: {reason}"
        ) from None
    return model.getvalue()


def prepare_sentencepiece(
    text_files: Sequence[pathlib.Path], vocab_size: int, target_path: pathlib.Path
) -> None:
    """Trains a SentencePiece model from the lines of `text_files` and writes its .model file.

    Raises:
        UserError: if a file cannot be read or training is not possible.
    """
    for path in text_files:
        if not path.is_file():
            raise UserError(f"{path}: no such text file to train a SentencePiece model from")
    write_atomically(target_path, train_sentencepiece(_lines(text_files), vocab_size))


def _lines(paths: Iterable[pathlib.Path]) -> Iterator[str]:
    """Yields the lines of all files; broken UTF-8 becomes the replacement character."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                yield line.decode(errors="replace").rstrip("\r\n")


def tokenizer_assets(config: TextData, sentences: Callable[[], Iterable[str]]) -> dict[str, bytes]:
    """Returns what the tokenizer of `config` is made of: a SentencePiece model, or nothing.

    The model is the file `config.model`, or without one made from the sentences, which are
    asked for only then.

    Raises:
        UserError: if the file cannot be read, is no SentencePiece model, or has another
            number of pieces than `config.vocab_size`.
    """
    if config.tokenizer == "bytes":
        return {}
    if not config.model:
        return {SENTENCEPIECE_ASSET: train_sentencepiece(sentences(), config.vocab_size)}
    try:
        model = pathlib.Path(config.model).read_bytes()
    except OSError as error:
        raise UserError(
            f"data.model={config.model}: cannot be read: {error.strerror};"
            " left empty, one is trained from the training text"
        ) from error
    size = SentencePieceTokenizer(model).vocab_size
    if size != config.vocab_size:
        raise UserError(
            f"data.model={config.model}: it has {size} pieces, data.vocab_size is"
            f" {config.vocab_size}; another model, or --set=data.vocab_size={size}"
            f" --set=model.input.vocab_size={size}"
        )
    return {SENTENCEPIECE_ASSET: model}


def make_tokenizer(config: TextData, assets: Mapping[str, bytes]) -> Tokenizer:
    """Returns the tokenizer that `config` names; SentencePiece needs its asset.

    Raises:
        UserError: if it has more tokens than `config.vocab_size`, which the embedding has.
    """
    if config.tokenizer == "bytes":
        tokenizer = ByteTokenizer()
    else:
        tokenizer = SentencePieceTokenizer(assets[SENTENCEPIECE_ASSET])
    if tokenizer.vocab_size > config.vocab_size:
        size = tokenizer.vocab_size
        raise UserError(
            f"data.vocab_size={config.vocab_size}: the tokenizer has {size} tokens;"
            f" --set data.vocab_size={size} --set model.input.vocab_size={size}"
        )
    return tokenizer


def pad_to_length(ids: np.ndarray, max_length: int) -> dict[str, np.ndarray]:
    """Truncates or pads `ids` [length] to a fixed length.

    Returns:
        `inputs` int32 [max_length], and `input_mask` int32 [max_length], 1 where real.
    """
    ids = ids[:max_length]
    inputs = np.full(max_length, PAD, np.int32)
    inputs[: len(ids)] = ids
    return {"inputs": inputs, "input_mask": (np.arange(max_length) < len(ids)).astype(np.int32)}
