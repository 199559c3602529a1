# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The files of CLIP's vocabulary: OpenAI's and Hugging Face's, good and broken."""

import gzip
import itertools
import json
import sys

import pytest
from clip_made_files import MERGES, TEXT, VOCABULARY, merges_text, write_huggingface, write_openai

from perceiver_bench.data.clip_tokens import ClipTokenizer
from perceiver_bench.data.clip_vocabulary import read_tokenizer
from perceiver_bench.errors import UserError

EXPECTED = ClipTokenizer(VOCABULARY, MERGES).tokens(TEXT)


def tokenizer_json(folder, **changes):
    merges = changes.pop("merges", [list(pair) for pair in MERGES])
    model = {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": VOCABULARY, "merges": merges}
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps({"model": model | changes}))
    return folder


def test_openais_file_is_read(tmp_path):
    tokenizer = read_tokenizer(write_openai(tmp_path / "bpe_simple_vocab_16e6.txt.gz"))
    assert tokenizer.vocab_size == len(VOCABULARY)
    assert tokenizer.tokens(TEXT) == EXPECTED


def test_of_openais_merges_the_first_are_taken(tmp_path):
    symbols = list(VOCABULARY)[:256]
    merges = list(itertools.product(symbols, symbols))
    assert len(merges) > 48894
    path = write_openai(tmp_path / "many.txt.gz", merges_text(merges))
    assert read_tokenizer(path).vocab_size == 49408


def test_hugging_faces_files_are_read(tmp_path):
    assert read_tokenizer(write_huggingface(tmp_path / "two")).tokens(TEXT) == EXPECTED
    assert read_tokenizer(tokenizer_json(tmp_path / "lists")).tokens(TEXT) == EXPECTED
    joined = tokenizer_json(tmp_path / "text", merges=[" ".join(pair) for pair in MERGES])
    assert read_tokenizer(joined).tokens(TEXT) == EXPECTED


def test_a_folder_that_the_transformers_library_wrote_is_read(tmp_path):
    if sys.version_info >= (3, 12):
        pytest.importorskip("transformers", reason="the pinned torch has no build for it")
    import transformers

    saved = transformers.CLIPTokenizer(vocab=VOCABULARY, merges=MERGES)
    saved.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").exists()
    assert read_tokenizer(tmp_path).tokens(TEXT) == EXPECTED


def test_a_folder_without_them_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has neither vocab.json and merges.txt nor tokenizer"):
        read_tokenizer(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps(VOCABULARY))
    with pytest.raises(UserError, match=r"merges.txt: cannot be read \(No such file"):
        read_tokenizer(tmp_path)
    with pytest.raises(UserError, match=r"none.gz: cannot be read \(No such file"):
        read_tokenizer(tmp_path / "none.gz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\n", "its first line is no #version"),
        (merges_text([*MERGES, ("a", "b c")]), "'a b c' is no merge of two tokens"),
        (merges_text([*MERGES, ("alone",)]), "'alone' is no merge of two tokens"),
        (merges_text([*MERGES, MERGES[0]]), "several of its merges give one token"),
        (merges_text([("no", "token")]), "the merge of 'no' and 'token' is of no tokens"),
        ("#version" + " " * 2**24, "more than 16777216 bytes"),
    ],
)
def test_a_broken_list_of_merges_is_refused(text, message, tmp_path):
    path = write_openai(tmp_path / "merges.txt.gz", text)
    with pytest.raises(UserError, match=message) as error:
        read_tokenizer(path)
    assert str(error.value).startswith(f"{path}: ")


def test_damaged_bytes_are_refused(tmp_path):
    path = write_openai(tmp_path / "merges.txt.gz")
    whole = path.read_bytes()
    for broken in (whole[:200], b"not gzip", whole[:20] + b"xxxx" + whole[24:]):
        path.write_bytes(broken)
        with pytest.raises(UserError, match="damaged or cut short"):
            read_tokenizer(path)
    path.write_bytes(gzip.compress(b"#version\n\xff \xff"))
    with pytest.raises(UserError, match="damaged or cut short"):
        read_tokenizer(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "Unigram"}, "its model is not byte-pair encoding with </w>"),
        ({"end_of_word_suffix": None}, "its model is not byte-pair encoding with </w>"),
        ({"vocab": [1]}, "its model is not byte-pair encoding with </w>"),
        ({"merges": [["a"]]}, "is no merge of two tokens"),
        ({"merges": [["a", 1]]}, "is no merge of two tokens"),
        ({"merges": 5}, "its model is not byte-pair encoding with </w>"),
        ({"vocab": {"a": 0}, "merges": []}, "its vocabulary lacks '!'"),
        ({"vocab": {"a": None}}, "its ids are not 0, 1, 2"),
    ],
)
def test_a_broken_tokenizer_json_is_refused(changes, message, tmp_path):
    folder = tokenizer_json(tmp_path / "folder", **changes)
    with pytest.raises(UserError, match=message):
        read_tokenizer(folder)


def test_what_is_no_json_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(UserError, match=r"tokenizer.json: not JSON"):
        read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": 1}')
    with pytest.raises(UserError, match="its model is not byte-pair encoding"):
        read_tokenizer(tmp_path)
