# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokenizer by hand-worked cases and against the transformers library."""

import html
import logging
import sys

import hypothesis
import numpy as np
import pytest
from clip_made_files import MERGES, SYMBOLS, TEXT, VOCABULARY
from hypothesis import strategies as st

from perceiver_bench.data.clip_tokens import ClipTokenizer, byte_symbols
from perceiver_bench.errors import UserError

TOKENIZER = ClipTokenizer(VOCABULARY, MERGES)
START, END = len(VOCABULARY) - 2, len(VOCABULARY) - 1


def pieces(text):
    """Returns the tokens of a text by name, without start and end."""
    names = list(VOCABULARY)
    first, *ids, last = TOKENIZER.tokens(text)
    assert (first, last) == (START, END)
    return [names[one] for one in ids]


@pytest.fixture(scope="module")
def reference():
    """The tokenizer of the transformers library for the same vocabulary."""
    if sys.version_info >= (3, 12):
        pytest.importorskip("transformers", reason="the pinned torch has no build for it")
    import transformers

    return transformers.CLIPTokenizer(vocab=VOCABULARY, merges=MERGES)


def test_bytes_that_do_not_print_have_symbols_from_256():
    assert byte_symbols() == SYMBOLS
    assert list(byte_symbols()) == list(SYMBOLS)
    assert (SYMBOLS[0], SYMBOLS[ord(" ")], SYMBOLS[0xAD]) == ("Ā", "Ġ", "Ń")


def test_words_are_whole_or_bytes():
    assert pieces("the block") == ["the</w>", "block</w>"]
    assert pieces("  The\n\tBLOCK ") == ["the</w>", "block</w>"]
    assert pieces("qxz") == ["q", "x", "z</w>"]
    assert pieces("日") == [SYMBOLS[0xE6], SYMBOLS[0x97], f"{SYMBOLS[0xA5]}</w>"]


def test_pairs_are_merged_in_order_of_rank():
    merges = [("b", "c"), ("a", "b"), ("bc", "d</w>"), ("a", "bc")]
    words = ["bc", "ab", "bcd</w>", "abc"]
    kept = [*list(VOCABULARY)[:512], *words, "<|startoftext|>", "<|endoftext|>"]
    tokenizer = ClipTokenizer({token: i for i, token in enumerate(kept)}, merges)
    # a b c d: first b c, then bc d; a b is ranked higher than both but has lost its b.
    assert [kept[i] for i in tokenizer.tokens("abcd")[1:-1]] == ["a", "bcd</w>"]
    assert [kept[i] for i in tokenizer.tokens("abcab")[1:-1]] == ["abc", "a", "b</w>"]


def test_words_are_letters_single_digits_others_and_contractions():
    assert pieces("q12x") == ["q</w>", "1</w>", "2</w>", "x</w>"]
    assert pieces("q.!z") == ["q</w>", ".", "!</w>", "z</w>"]
    assert pieces("they're") == [*pieces("they"), *pieces(" 're")]
    assert pieces("q'sz") == ["q</w>", "'s</w>", "z</w>"]
    assert pieces("q!'s") == ["q</w>", "!", "'</w>", "s</w>"]


def test_entities_are_resolved_twice_and_the_text_lower_cased_as_a_whole():
    assert pieces("q &amp;lt; Q") == ["q</w>", "<</w>", "q</w>"]
    # The sigma that ends a word, which a character by itself does not tell.
    assert pieces("ΟΣ") == pieces("ος")


def test_special_tokens_in_a_text_are_themselves():
    assert pieces("q<|endoftext|>") == ["q</w>", "<|endoftext|>"]


def test_an_empty_text_is_start_and_end():
    assert TOKENIZER.tokens("") == TOKENIZER.tokens(" \n") == [START, END]


def test_ids_are_padded_with_zeros():
    ids = TOKENIZER.encode("the block", 7)
    expected = [START, VOCABULARY["the</w>"], VOCABULARY["block</w>"], END, 0, 0, 0]
    assert ids.dtype == np.int32
    assert ids.tolist() == expected


def test_long_text_loses_its_last_words_and_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        ids = TOKENIZER.encode("the block " * 40, 77)
    both = [VOCABULARY["the</w>"], VOCABULARY["block</w>"]]
    assert ids.tolist() == [START, *(both * 38)[:75], END]
    assert "has 82 tokens; 77 are kept" in caplog.text
    caplog.clear()
    assert TOKENIZER.encode("the " * 75, 77).tolist() == [START, *both[:1] * 75, END]
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "message"), [("a" * 5000, "of 5000 characters"), ("a\ud800", "half of a character")]
)
def test_what_is_no_instruction_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        TOKENIZER.tokens(text)


@pytest.mark.parametrize("text", [TEXT, *TEXT.split("\n"), TEXT.title(), "", "don't we'll I'D"])
def test_instructions_equal_the_transformers_library(text, reference):
    assert TOKENIZER.tokens(text) == reference(text)["input_ids"]


# Code points that Unicode has not assigned yet differ between versions of its tables.
ANY = st.text(st.characters(codec="utf-8", exclude_categories=["Cn", "Co"]), max_size=40)
ASCII = st.text(st.characters(codec="ascii"), max_size=60)
WORDS = st.lists(st.sampled_from([*TEXT.split(), "'s", "'", "12", "é", "ß", "\u0301"])).map("".join)


@hypothesis.settings(deadline=None, max_examples=300)
@hypothesis.given(text=st.one_of(ANY, ASCII, WORDS))
@hypothesis.example(text="\x1c a \x85 b \u180e c\xa0d\u3000e")
@hypothesis.example(text="½ Ⅷ ² ٣ 一 _ ª ǅ İ \u017f \u212a ''s !'s 'S")
def test_text_of_any_kind_equals_the_transformers_library(text, reference):
    # There the library differs from the original, which is followed here.
    hypothesis.assume(html.unescape(text) == text and "Σ" not in text and "<|" not in text)
    assert TOKENIZER.tokens(text) == reference(text)["input_ids"]


def renamed(old, new):
    return {new if token == old else token: index for token, index in VOCABULARY.items()}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (VOCABULARY | {"a": 1}, "its ids are not 0, 1, 2"),
        (VOCABULARY | {"a": "b"}, "its ids are not 0, 1, 2"),
        (VOCABULARY | {"a": True}, "its ids are not 0, 1, 2"),
        (VOCABULARY | {"new": END + 1}, "is not the last token"),
        (renamed("b</w>", "new"), "its vocabulary lacks 'b</w>'"),
        (renamed("<|startoftext|>", "<s>"), r"lacks '<\|startoftext\|>'"),
        (renamed("the</w>", "new"), r"the merge of '\w+' and '.*' is of no tokens"),
        ({}, "its vocabulary lacks '!'"),
    ],
)
def test_another_vocabulary_is_refused(changed, message):
    with pytest.raises(UserError, match=message):
        ClipTokenizer(changed, MERGES)
