# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokenizer and network together, from files."""

import dataclasses
import sys

import numpy as np
import pytest
from clip_made_files import MERGES, VOCABULARY, write_huggingface, write_openai
from clip_random import random_network
from flax import nnx
from random_networks import fast_jit, quick_jax

from perceiver_bench.data.clip_tokens import ClipTokenizer
from perceiver_bench.errors import UserError
from perceiver_bench.model import clip_encoder
from perceiver_bench.model.clip_encoder import ClipEncoder, load_encoder
from perceiver_bench.model.clip_text import ClipText, ClipTextConfig

TEXTS = ["close the red block", "", "push the button", "close the red block"]
CONFIG = ClipTextConfig(
    vocab_size=len(VOCABULARY),
    num_positions=11,
    channels=16,
    num_heads=2,
    num_layers=2,
    projection_channels=5,
)
TOKENIZER = ClipTokenizer(VOCABULARY, MERGES)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(clip_encoder, "jax", quick_jax)


def test_texts_are_embedded_in_order_and_each_once(monkeypatch):
    network = random_network(CONFIG)
    encoder = ClipEncoder(network, TOKENIZER)
    asked = []
    encode = ClipTokenizer.encode
    monkeypatch.setattr(
        ClipTokenizer, "encode", lambda self, *args: asked.append(args) or encode(self, *args)
    )
    tokens, sentences = encoder.encode(TEXTS)
    assert (tokens.shape, sentences.shape) == ((4, 11, 16), (4, 5))
    assert tokens.dtype == sentences.dtype == np.float32
    ids = np.stack([encode(TOKENIZER, text, 11) for text in TEXTS])
    structure, state = nnx.split(network)
    expected = fast_jit(lambda state, ids: nnx.merge(structure, state)(ids))(state, ids)
    np.testing.assert_allclose(tokens, expected.tokens, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sentences, expected.sentence, rtol=1e-5, atol=1e-5)
    again, _ = encoder.encode(TEXTS[::-1])
    np.testing.assert_array_equal(again, tokens[::-1])
    assert asked == [(text, 11) for text in TEXTS[:3]]


def test_no_texts_give_no_embeddings():
    tokens, sentences = ClipEncoder(random_network(CONFIG), TOKENIZER).encode([])
    assert (tokens.shape, sentences.shape) == ((0, 11, 16), (0, 5))


def test_a_tokenizer_of_other_weights_is_refused():
    config = dataclasses.replace(CONFIG, vocab_size=49408)
    network = nnx.eval_shape(lambda: ClipText(config, rngs=nnx.Rngs(0)))
    message = f"the tokenizer has {len(VOCABULARY)} tokens, CLIP's weights 49408"
    with pytest.raises(UserError, match=message):
        ClipEncoder(network, TOKENIZER)


@pytest.mark.parametrize("form", ["openai", "huggingface"])
def test_local_files_are_all_that_is_needed(form, tmp_path):
    if sys.version_info >= (3, 12):
        pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
    import clip_reference
    import torch

    reference = clip_reference.Clip(len(VOCABULARY)).eval()
    torch.save(reference.state_dict(), tmp_path / "RN50.pt")
    write = {"openai": write_openai, "huggingface": write_huggingface}[form]
    encoder = load_encoder(tmp_path / "RN50.pt", write(tmp_path / "words.txt.gz"))
    ids = np.stack([TOKENIZER.encode(text, 11) for text in TEXTS])
    expected, sentence = reference(torch.from_numpy(ids).long())
    tokens, sentences = encoder.encode(TEXTS)
    for found, due in ((tokens, expected), (sentences, sentence)):
        due = due.detach().numpy()
        np.testing.assert_allclose(found, due, rtol=0, atol=1e-5 * np.abs(due).max())
