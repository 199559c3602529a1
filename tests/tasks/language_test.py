# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Masked language modelling: masks, loss and metrics, text read from folders."""

import dataclasses
import json
import math
import re

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceiver_bench.tasks.language import common, fill, masking
from scipy.special import log_softmax

from perceiver_bench import registry
from perceiver_bench.config import MaskedTextData
from perceiver_bench.data.text import (
    SENTENCEPIECE_ASSET,
    ByteTokenizer,
    SentencePieceTokenizer,
    train_sentencepiece,
)
from perceiver_bench.errors import UserError

BYTES = MaskedTextData(tokenizer="bytes", max_length=64, max_predicted=24)
PIECES = MaskedTextData(tokenizer="sentencepiece", max_length=32, max_predicted=12, vocab_size=60)
WORDS = ("one", "two", "three", "seven", "twelve", "naïve")


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    return train_sentencepiece((" ".join(rng.choice(WORDS, 8)) for _ in range(300)), 60)


def example(text, index=0):
    text = text if isinstance(text, bytes) else text.encode()
    return {"text": text, "index": index, "progress": 0.0}


@settings(deadline=None)
@given(text=st.binary(min_size=0, max_size=90), seed=st.integers(0, 2**32 - 1))
def test_byte_masks_cover_whole_words_and_nothing_else(text, seed):
    tokens = masking.byte_tokens(text, 64)
    arrays = masking.mask_words(tokens, ByteTokenizer.MASK, BYTES, np.random.default_rng(seed))
    count = int(arrays["label_weight"].sum())
    positions = arrays["output_positions"][:count]
    restored = arrays["inputs"].copy()
    assert (restored[positions] == ByteTokenizer.MASK).all()
    restored[positions] = arrays["label"][:count]
    plain = text[:64]
    assert (restored[: len(plain)] - 6).astype(np.uint8).tobytes() == plain
    assert not restored[len(plain) :].any()
    assert arrays["input_mask"].sum() == len(plain)
    assert (np.diff(positions) > 0).all()
    masked = set(positions.tolist())
    for word in re.finditer(rb"[^ \t\n\r\x0b\x0c]+", plain):
        inside = set(range(*word.span())) & masked
        assert inside in (set(), set(range(*word.span())))
        masked -= inside
    assert not masked  # no white space
    assert arrays["masked_bytes"] == count
    assert not arrays["label"][count:].any()


def test_each_word_is_masked_with_the_probability_asked_for():
    tokens = masking.byte_tokens(b"ab " * 21, 64)
    rng = np.random.default_rng(0)
    counts = [
        masking.mask_words(tokens, 3, BYTES, rng)["label_weight"].sum() / 2 for _ in range(2000)
    ]
    # 21 words, binomial: the mean of 2000 has a deviation of 0.037.
    assert np.mean(counts) == pytest.approx(21 * 0.15, abs=0.15)
    assert np.var(counts) == pytest.approx(21 * 0.15 * 0.85, rel=0.15)


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.5), (0.1, 0.25), (0.2, 0.0), (0.9, 0.0)])
def test_visible_words_are_predicted_too_in_training_at_first(progress, share):
    data = MaskedTextData(
        tokenizer="bytes",
        max_length=64,
        max_predicted=64,
        visible_probability=0.5,
        visible_share=0.2,
    )
    prepare = common.preprocess(data, {})
    seen = np.zeros(2)
    for seed in range(300):
        training = {**example("ab " * 60), "progress": progress}
        arrays = prepare(training, np.random.default_rng(seed))
        count = int(arrays["label_weight"].sum())
        shown = arrays["inputs"][arrays["output_positions"][:count]]
        is_masked = shown == ByteTokenizer.MASK
        assert (shown == arrays["label"][:count])[~is_masked].all()
        assert is_masked.sum() == arrays["masked_bytes"]
        seen += [is_masked.sum(), (~is_masked).sum()]
    small = common.preprocess(dataclasses.replace(data, max_predicted=8), {})
    for seed in range(100):
        arrays = small(training, np.random.default_rng(seed))
        shown = arrays["inputs"][arrays["output_positions"][: int(arrays["label_weight"].sum())]]
        assert arrays["masked_bytes"] == min((shown == ByteTokenizer.MASK).sum(), 8)
    assert seen[1] / seen[0] == pytest.approx(share * 0.85 / 0.15, rel=0.1)
    evaluated = prepare(example("ab " * 60), None)
    assert evaluated["label_weight"].sum() == evaluated["masked_bytes"]


def test_what_is_more_than_room_stays_unmasked():
    data = MaskedTextData(tokenizer="bytes", max_length=64, max_predicted=5, mask_probability=1.0)
    tokens = masking.byte_tokens(b"abc de f ghij", 64)
    words = ({0, 1, 2}, {4, 5}, {7}, {9, 10, 11, 12})
    kept = set()
    for seed in range(50):
        arrays = masking.mask_words(tokens, 3, data, np.random.default_rng(seed))
        chosen = set(arrays["output_positions"][arrays["label_weight"] > 0].tolist())
        assert 2 <= len(chosen) <= 5
        assert all(word <= chosen or not word & chosen for word in words)
        kept |= chosen
    assert kept == set().union(*words)  # none is left out every time
    long = masking.byte_tokens(b"abcdefgh", 64)
    assert not masking.mask_words(long, 3, data, np.random.default_rng(0))["label_weight"].any()


@settings(deadline=None, max_examples=50)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=20))
def test_pieces_are_those_of_the_whole_text(model, words):
    tokenizer = SentencePieceTokenizer(model)
    text = " ".join(words)
    tokens = masking.piece_tokens(tokenizer, text.encode(), 10**6)
    assert tokens.ids.tolist() == tokenizer.encode(text).tolist()
    assert tokens.sizes.tolist() == [len(word.encode()) for word in words]
    for index, word in enumerate(words):
        assert tokenizer.decode(tokens.ids[tokens.words == index]) == word
    few = masking.piece_tokens(tokenizer, text.encode(), 5)
    assert len(few.ids) <= 5
    assert few.ids.tolist() == tokens.ids[: len(few.ids)].tolist()
    assert len(few.sizes) == len(set(few.words.tolist()))


def test_evaluation_masks_depend_on_the_index_and_training_masks_on_the_generator(model):
    for config, assets in ((BYTES, {}), (PIECES, {SENTENCEPIECE_ASSET: model})):
        prepare = common.preprocess(config, assets)
        text = " ".join(WORDS * 20)

        def masks(index, generator, prepare=prepare, text=text):
            return prepare(example(text, index), generator)["inputs"].tolist()

        assert masks(1, None) == masks(1, None) != masks(2, None)
        drawn = [masks(1, np.random.default_rng(seed)) for seed in (0, 0, 1)]
        assert drawn[0] == drawn[1] != drawn[2]


def test_a_crop_never_begins_inside_a_character():
    prepare = common.preprocess(BYTES, {})
    for seed in range(30):
        arrays = prepare(example("é" * 100), np.random.default_rng(seed))
        assert arrays["inputs"][0] != 0xA9 + 6


def random_batch(seed=0, size=3, places=24, vocabulary=40):
    rng = np.random.default_rng(seed)
    weight = (np.arange(places) < rng.integers(1, places, (size, 1))).astype(np.float32)
    label = rng.integers(0, vocabulary, (size, places)).astype(np.int32)
    batch = {"label": label * weight.astype(np.int32), "label_weight": weight}
    batch["masked_bytes"] = weight.sum(-1) * 3
    return {"logits": rng.normal(size=(size, places, vocabulary)).astype(np.float32)}, batch


def test_loss_is_the_mean_over_all_masked_tokens_of_the_batch():
    prediction, batch = random_batch()
    surprise = -np.take_along_axis(
        log_softmax(prediction["logits"].astype(np.float64), -1), batch["label"][..., None], -1
    )[..., 0]
    real = batch["label_weight"] > 0
    due = surprise[real].mean()
    assert common.loss(prediction, batch, 0.0).mean() == pytest.approx(due, rel=1e-6)
    nothing = {**batch, "label_weight": np.zeros_like(batch["label_weight"])}
    assert not common.loss(prediction, nothing, 0.0).any()


def test_metrics_against_hand_made_sums():
    prediction, batch = random_batch(1)
    real = batch["label_weight"] > 0
    logits = prediction["logits"].astype(np.float64)
    surprise = -np.take_along_axis(log_softmax(logits, -1), batch["label"][..., None], -1)[..., 0]

    def value(name):
        metric = common.METRICS[name]
        return metric.pooling.value(jax.device_get(metric.rows(prediction, batch)))

    assert value("masked_cross_entropy") == pytest.approx(surprise[real].mean(), rel=1e-6)
    bits = surprise[real].sum() / math.log(2) / batch["masked_bytes"].sum()
    assert value("bits_per_byte") == pytest.approx(bits, rel=1e-6)
    hits = (logits.argmax(-1) == batch["label"])[real]
    assert value("masked_accuracy") == pytest.approx(100 * hits.mean())


def test_padding_and_broken_logits_do_not_pass_for_right():
    prediction, batch = random_batch(2)
    due = common.METRICS["bits_per_byte"].rows(prediction, batch)["sum"]
    padding = batch["label_weight"] == 0
    prediction["logits"][padding] = np.nan
    assert np.array_equal(common.METRICS["bits_per_byte"].rows(prediction, batch)["sum"], due)
    prediction["logits"][~padding] = np.nan
    assert not common.METRICS["masked_accuracy"].rows(prediction, batch)["sum"].any()


def write(folder, count, words=30):
    folder.mkdir(parents=True)
    lines = [json.dumps({"text": " ".join([f"w{i}"] * words)}) for i in range(count)]
    (folder / "a.jsonl").write_text("\n".join(lines))


def test_text_is_read_by_split_folders_or_every_fiftieth_piece_is_held_out(tmp_path):
    write(tmp_path / "split/train", 5)
    write(tmp_path / "split/validation", 3)
    train, held_out = (
        common.source(BYTES, tmp_path / "split", split) for split in ("train", "validation")
    )
    assert train.fingerprint["documents"] == 5
    assert held_out.fingerprint["documents"] == 3
    write(tmp_path / "plain", 100)
    held_out = common.source(BYTES, tmp_path / "plain", "validation")
    assert held_out.fingerprint["num_documents"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixture": "c4=0.7"}, "write names and shares as"),
        ({"mixture": "../a:1"}, "write names and shares as"),
        ({"mixture": "a:nan"}, "write names and shares as"),
        ({"mixture": "a:0.5,b:0.5"}, "has no folder b"),
    ],
)
def test_a_wrong_mixture_is_told(tmp_path, changes, message):
    write(tmp_path / "train/a", 60)
    write(tmp_path / "validation", 60)
    data = MaskedTextData(tokenizer="bytes", max_length=64, max_predicted=24, **changes)
    with pytest.raises(UserError, match=message):
        common.source(data, tmp_path, "train")


def test_missing_text_is_told(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        common.source(BYTES, tmp_path / "none", "train")
    write(tmp_path / "train", 3)
    with pytest.raises(UserError, match="beside train a folder validation is due"):
        common.source(BYTES, tmp_path, "train")


@pytest.mark.parametrize("changes", [{"max_predicted": 65}, {"max_predicted": 0}])
def test_room_for_masks_has_to_fit(changes):
    data = MaskedTextData(tokenizer="bytes", max_length=64, **changes)
    with pytest.raises(UserError, match=r"data\.max_predicted"):
        common.preprocess(data, {})
    data = MaskedTextData(tokenizer="bytes", max_length=64, max_predicted=9, mask_probability=0.0)
    with pytest.raises(UserError, match=r"data\.mask_probability"):
        common.preprocess(data, {})


def test_the_papers_recipe():
    run = registry.get("language/bytes").presets["paper"]
    optimizer = run.train.optimizer
    assert (run.train.steps, run.train.batch_size) == (500_000, 2048)
    assert (optimizer.name, optimizer.learning_rate) == ("lamb", 1.25e-3)
    assert (optimizer.schedule, optimizer.warmup_steps) == ("cosine", 1000)
    assert optimizer.weight_decay == 0.01
    assert (run.data.mask_probability, run.data.documents_per_example) == (0.15, 10)
    assert run.data.mixture == "c4:0.7,wikipedia:0.3"
    assert (run.data.max_length, run.data.vocab_size) == (2048, 262)
    pieces = registry.get("language/sentencepiece").presets["paper"].data
    assert (pieces.max_length, pieces.vocab_size) == (512, 32_000)


@pytest.mark.parametrize("name", ["language/bytes", "language/sentencepiece"])
def test_masked_tokens_of_real_text_nearly_always_have_room(name, shared):
    """Room that is too small would leave words unmasked and make the task easier."""
    for preset in registry.get(name).presets.values():
        text = (shared / "data/text/wikitext-2/valid.txt").read_bytes()
        if preset.data.tokenizer == "bytes":
            words = [len(word) for word in text.split()]
            share = sum(words) / len(text)
        else:
            words, share = [1.5] * 100, 1.0  # pieces of a word, on average, with few tokens
        masked = preset.data.max_length * share * 0.15
        deviation = math.sqrt(
            preset.data.max_length * share * 0.15 * np.mean(np.square(words)) / np.mean(words)
        )
        assert masked + 3 * deviation < preset.data.max_predicted


def test_filled_blanks_show_guess_and_truth(model):
    def text(tokenizer, tokens, guess):
        data = MaskedTextData(
            tokenizer="bytes", max_length=64, max_predicted=24, mask_probability=1.0
        )
        arrays = masking.mask_words(
            tokens, tokenizer.special_id("MASK"), data, np.random.default_rng(0)
        )
        logits = np.zeros((24, 300), np.float32)
        logits[np.arange(24), arrays["label"]] = 1
        logits[0, guess] = 2
        return fill.markdown(tokenizer, [({}, arrays, {"logits": logits})])

    tokenizer = ByteTokenizer()
    found = text(tokenizer, masking.byte_tokens(b"one two", 64), ord("x") + 6)
    assert "[xne | one] [two]" in found
    pieces = SentencePieceTokenizer(model)
    tokens = masking.piece_tokens(pieces, b"one two", 64)
    assert "[one two]" in text(pieces, tokens, int(tokens.ids[0]))
