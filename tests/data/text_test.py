# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import io
import pickle

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench import errors
from perceiver_bench.config import TextData
from perceiver_bench.data import text

SENTENCES = [
    f"the {noun} is {adjective}"
    for noun in ("long film", "short film", "loud score", "quiet score")
    for adjective in ("good", "bad")
]


@pytest.fixture(scope="module")
def model():
    return text.train_sentencepiece(SENTENCES, vocab_size=60)


def test_bytes_have_the_ids_of_the_released_vocabulary():
    assert text.ByteTokenizer().encode("Aé").tolist() == [65 + 6, 0xC3 + 6, 0xA9 + 6]
    assert (text.ByteTokenizer.PAD, text.ByteTokenizer.MASK, text.ByteTokenizer.SEP) == (0, 3, 5)
    assert text.ByteTokenizer().encode(bytes([0, 255])).tolist() == [6, 261]


@pytest.mark.parametrize("sentence", ["it 's a charming journey .", "naïve 映画", ""])
def test_bytes_agree_with_the_transformers_library(sentence):
    transformers = pytest.importorskip("transformers", reason="the comparison needs transformers")
    reference = transformers.PerceiverTokenizer()
    expected = reference(sentence, add_special_tokens=False)["input_ids"]
    assert text.ByteTokenizer().encode(sentence).tolist() == expected


@given(st.text())
def test_bytes_decode_to_the_text(sentence):
    tokenizer = text.ByteTokenizer()
    ids = tokenizer.encode(sentence)
    assert ids.dtype == np.int32
    assert tokenizer.decode(ids) == sentence


@given(st.binary())
def test_bytes_encode_anything_and_decode_what_is_broken_with_replacement(data):
    tokenizer = text.ByteTokenizer()
    ids = tokenizer.encode(data)
    assert ids.size == 0 or (ids.min() >= 6 and ids.max() < tokenizer.vocab_size)
    assert tokenizer.decode(ids) == data.decode(errors="replace")


def test_bytes_decode_leaves_out_special_tokens():
    assert text.ByteTokenizer().decode(np.array([4, 71, 3, 72, 5, 0, 0])) == "AB"


@pytest.mark.parametrize("bad", [-1, 262])
def test_bytes_decode_refuses_ids_outside_the_vocabulary(bad):
    with pytest.raises(ValueError, match="262"):
        text.ByteTokenizer().decode(np.array([71, bad]))


def test_sentencepiece_training_is_deterministic_and_silent(model, capfd):
    assert text.train_sentencepiece(iter(SENTENCES), vocab_size=60) == model
    assert capfd.readouterr() == ("", "")


def test_sentencepiece_model_has_the_special_ids(model):
    tokenizer = text.SentencePieceTokenizer(model)
    processor = tokenizer._processor
    special = [processor.id_to_piece(i) for i in range(7)]
    assert special == ["<pad>", "<unk>", "<s>", "</s>", "[MASK]", "[CLS]", "[SEP]"]


def test_sentencepiece_encodes_to_ids_within_the_vocabulary_and_back(model):
    tokenizer = text.SentencePieceTokenizer(model)
    ids = tokenizer.encode(SENTENCES[0])
    assert ids.dtype == np.int32
    assert 0 < ids.min() <= ids.max() < tokenizer.vocab_size <= 60
    assert tokenizer.decode(np.append(ids, [0, 0])) == SENTENCES[0]
    assert tokenizer.encode("").shape == (0,)


def test_sentencepiece_survives_pickling_for_data_workers(model):
    tokenizer = text.SentencePieceTokenizer(model)
    copy = pickle.loads(pickle.dumps(tokenizer))
    np.testing.assert_array_equal(copy.encode(SENTENCES[1]), tokenizer.encode(SENTENCES[1]))


def test_sentencepiece_training_shrinks_to_a_small_text():
    small = text.SentencePieceTokenizer(text.train_sentencepiece(["hello world"], 8000))
    assert small.vocab_size < 100


def test_sentencepiece_training_does_not_leave_out_long_lines():
    # 5000 characters are beyond the library's own limit, where it drops a line silently.
    tokenizer = text.SentencePieceTokenizer(text.train_sentencepiece(["abc " * 1250, "xyz"], 30))
    assert tokenizer.decode(tokenizer.encode("abc")) == "abc"


@pytest.mark.parametrize(
    ("sentences", "vocab_size", "named"),
    [([], 100, "no text"), ([" ", ""], 100, "no text"), (SENTENCES, 8, "data.vocab_size=8")],
)
def test_sentencepiece_training_says_why_it_cannot(sentences, vocab_size, named):
    with pytest.raises(errors.UserError, match=named) as caught:
        text.train_sentencepiece(sentences, vocab_size)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [slice(0), slice(100), slice(1, None)])
def test_broken_sentencepiece_model_names_the_field(model, cut):
    with pytest.raises(errors.UserError, match=r"data\.model: not a SentencePiece model"):
        text.SentencePieceTokenizer(model[cut])


def test_sentencepiece_model_without_padding_id_is_refused():
    other = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=other,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(errors.UserError, match=r"data.model: its padding id is -1"):
        text.SentencePieceTokenizer(other.getvalue())


def test_prepare_sentencepiece_trains_from_all_lines_of_all_files(tmp_path, model):
    (tmp_path / "a.txt").write_text("\n".join(SENTENCES[:3]), encoding="utf-8")
    (tmp_path / "b.txt").write_bytes("\r\n".join(SENTENCES[3:]).encode() + b"\r\n")
    target = tmp_path / "new" / "t.model"
    text.prepare_sentencepiece([tmp_path / "a.txt", tmp_path / "b.txt"], 60, target)
    assert target.read_bytes() == model
    assert [path.name for path in target.parent.iterdir()] == ["t.model"]


def test_prepare_sentencepiece_names_a_missing_file_and_writes_nothing(tmp_path):
    with pytest.raises(errors.UserError, match=r"absent\.txt"):
        text.prepare_sentencepiece([tmp_path / "absent.txt"], 60, tmp_path / "t.model")
    assert not list(tmp_path.iterdir())


def test_tokenizer_larger_than_the_embedding_is_refused(model):
    size = text.SentencePieceTokenizer(model).vocab_size
    config = TextData(tokenizer="sentencepiece", max_length=8, vocab_size=size - 1)
    with pytest.raises(errors.UserError, match=f"--set data.vocab_size={size}"):
        text.make_tokenizer(config, {"tokenizer.model": model})
    with pytest.raises(errors.UserError, match="262"):
        text.make_tokenizer(TextData(tokenizer="bytes", max_length=8, vocab_size=256), {})


@given(st.lists(st.integers(1, 261), max_size=12), st.integers(1, 8))
def test_padding_keeps_a_prefix_and_masks_the_rest(ids, max_length):
    arrays = text.pad_to_length(np.array(ids, np.int32), max_length)
    real = min(len(ids), max_length)
    assert list(arrays) == ["inputs", "input_mask"]
    assert {(a.shape, a.dtype) for a in arrays.values()} == {((max_length,), np.dtype(np.int32))}
    assert arrays["inputs"].tolist() == ids[:real] + [0] * (max_length - real)
    assert arrays["input_mask"].tolist() == [1] * real + [0] * (max_length - real)
